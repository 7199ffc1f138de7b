//! The ledger: which certificates were going to be signed, which were, and for whom.
//!
//! No certificate leaves the process unless its entry is durable here. An entry is [reserved](Group::reserve) before
//! the token signs, which is where uniqueness is decided, and [recorded](Group::record) before the certificate is
//! released. What a process that died left reserved is abandoned by the next writer; its serials are never reused.
//!
//! Refused are: a second live certificate for a device, a key that belongs to another device or was compromised,
//! clocks that went back, network file systems, ledgers of newer programs. Trusted are: the operating system's file
//! locks and that a sync is one. Whoever can write the file can forge it from the last signed checkpoint on;
//! [`Ledger::check`] finds what does not fit together.
//!
//! ```text
//! Ledger::open ── writer ──► Writer ── group ──► Group ── reserve, record, offer, abandon, refuse, permit ──► commit
//! ```

mod backup;
pub mod check;
mod conflict;
mod crl;
mod digest;
mod entry;
mod error;
pub mod export;
mod fact;
mod filesystem;
mod group;
mod intent;
mod lock;
mod query;
mod reconcile;
mod registrar;
mod registration;
mod reserve;
mod revoke;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{Check, Violation};
pub use conflict::Conflict;
pub use crl::{CrlId, CrlRecord, NewCrl};
pub use entry::{Counts, Entry, EntryId, Filter, PermitId, Refusal, State};
pub use error::{Cause, Error};
pub use group::Group;
pub use intent::{AbandonedIntent, Claim, Intent, OnLive, Refused, Reservation};
pub use registrar::{NewRegistrar, Production, Registrar, RegistrarId, Standing};
pub use registration::{AtGateway, GatewayAnswer, GatewayState, Offer, Registering, Registration};
pub use writer::Writer;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::timestamp::Timestamp;
use store::{Access, read, write};

/// A ledger opened for reading; [`Ledger::writer`] opens it for writing.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    id: String,
    factory: String,
    schema: i64,
    patience: Duration,
    connection: Mutex<Connection>,
}

impl Ledger {
    /// Creates a new ledger for a factory, readable and writable by its owner only.
    ///
    /// Refuses an existing file and a network file system. It is made under a temporary name first: a crash leaves
    /// no half-made ledger.
    pub fn create(path: &Path, factory: &str, now: Timestamp) -> Result<(), Error> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        filesystem::require_local(directory)?;
        let id = writer::random_name(path)?;
        backup::create_new(path, |file| {
            found(file, &id, factory, now).map_err(|source| store::unavailable(path, source))
        })
    }

    /// Opens a ledger for reading; one of an older schema is brought up to date.
    pub fn open(path: &Path) -> Result<Ledger, Error> {
        // A writer's lock is found beside the file itself, whatever link led there.
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(_) => path.to_owned(),
        };
        let connection = store::open(&path, Access::Read, PATIENCE)?;
        let unreadable = |source| store::unreadable(&path, source);
        if store::schema_version(&connection).map_err(unreadable)? < store::SCHEMA {
            drop(store::open(&path, Access::Write, PATIENCE)?);
        }
        Ok(Ledger {
            id: read::meta(&connection, "id").map_err(unreadable)?,
            factory: read::meta(&connection, "factory").map_err(unreadable)?,
            schema: store::schema_version(&connection).map_err(unreadable)?,
            patience: PATIENCE,
            connection: Mutex::new(connection),
            path,
        })
    }

    /// Sets how long to wait for another process before [`Error::Locked`]; also for writers made from now on.
    pub fn with_busy_timeout(mut self, patience: Duration) -> Result<Ledger, Error> {
        self.query(|connection| connection.busy_timeout(patience))?;
        self.patience = patience;
        Ok(self)
    }

    /// Starts writing as `command`, and abandons what dead writers left behind ([`Writer::reconciled`]).
    pub fn writer(&self, command: &str, now: Timestamp) -> Result<Writer, Error> {
        Writer::start(self, command, now)
    }

    /// Whether the ledger can be read where it was opened, and the clock is not too far behind it.
    pub fn check_clock(&self, now: Timestamp) -> Result<(), Error> {
        if !self.path.try_exists().unwrap_or(false) {
            return Err(Error::Missing {
                path: self.path.clone(),
            });
        }
        group::clock_fits(now, self.query(read::newest)?)
    }

    /// The file, with links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ledger's random id, which every audit event carries.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The factory it was created for.
    pub fn factory(&self) -> &str {
        &self.factory
    }

    /// The version of its schema.
    pub fn schema_version(&self) -> i64 {
        self.schema
    }

    fn busy_timeout(&self) -> Duration {
        self.patience
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn query<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        query(&self.connection()).map_err(|source| store::unreadable(&self.path, source))
    }
}

fn found(file: &Path, id: &str, factory: &str, now: Timestamp) -> rusqlite::Result<()> {
    let connection = store::found(file)?;
    write::meta(&connection, "id", id)?;
    write::meta(&connection, "factory", factory)?;
    write::meta(&connection, "created_at", &now.to_string())?;
    connection.close().map_err(|(_, error)| error)
}

/// How long a writer waits for another: a group of a thousand takes well under a second even on a slow disk.
const PATIENCE: Duration = Duration::from_secs(10);
