//! A group: changes that become durable together, with one audit event and one sync.
//!
//! The steps of [`Group::reserve`] are in `reserve`, those that put a dead writer's entries in order in `reconcile`,
//! what the endpoint adds in `registrar` and `registration`, revocation in `revoke`.

use std::sync::MutexGuard;

use der::{Reader, SliceReader};
use rusqlite::Connection;

use crate::timestamp::Timestamp;
use crate::x509::key::sha256;

use super::digest::Link;
use super::fact::{Fact, Permit};
use super::registrar::Uses;
use super::store::{self, read, write};
use super::writer::{Reserved, Writer, WriterState};
use super::{AbandonedIntent, EntryId, Error, PermitId, Refused};

/// An open transaction. Dropped without [`Group::commit`], nothing of it was written.
///
/// After an error from any method the group can only be dropped.
#[derive(Debug)]
pub struct Group<'w> {
    pub(super) writer: &'w Writer,
    pub(super) state: MutexGuard<'w, WriterState>,
    pub(super) now: Timestamp,
    pub(super) reconciled: Vec<AbandonedIntent>,
    /// Names of writers that ended in this group.
    pub(super) ended: Vec<String>,
    /// Registrars this group has to do with.
    pub(super) uses: Vec<Uses>,
    /// The facts so far, one per line.
    body: String,
    failed: bool,
}

impl<'w> Group<'w> {
    pub(super) fn begin(writer: &'w Writer, now: Timestamp) -> Result<Group<'w>, Error> {
        let state = writer.state();
        if state.stopped {
            return Err(Error::Stopped);
        }
        write::begin(&state.connection)
            .map_err(|source| store::unavailable(&writer.path, source))?;
        let group = Group {
            writer,
            state,
            now,
            reconciled: Vec::new(),
            ended: Vec::new(),
            uses: Vec::new(),
            body: String::new(),
            failed: false,
        };
        group.check_clock()?;
        Ok(group)
    }

    /// Turns a reserved entry of this writer into an issued one and stores its certificate.
    ///
    /// The entry whose place it took is revoked as superseded, if it is still issued and unexpired. The certificate
    /// must carry the reserved TBS bytes; its signature is not checked here.
    pub fn record(&mut self, entry: EntryId, certificate: &[u8]) -> Result<(), Error> {
        self.step(|group| group.issue(entry, certificate))
    }

    /// Gives up a reserved entry of this writer: the token refused before anything was sent to it.
    ///
    /// The device's place goes back to the entry before, and a permit used for it can be used again.
    pub fn abandon(&mut self, entry: EntryId) -> Result<(), Error> {
        self.step(|group| {
            let mine = group.state.id;
            group.state.reserved.remove(&entry);
            match group.change(|connection, now| write::abandoned(connection, entry, mine, now))? {
                true => group.add(Fact::abandoned(entry.0)),
                false => return Err(group.not_reserved(entry)),
            }
            group.give_back(entry)
        })
    }

    /// Keeps a refused request with the rule that refused it.
    pub fn refuse(&mut self, refused: &Refused<'_>) -> Result<(), Error> {
        self.step(|group| {
            let mine = group.state.id;
            let id =
                group.change(|connection, now| write::refusal(connection, refused, mine, now))?;
            group.add(Fact::refused(id, refused.digest(), refused.rule));
            Ok(())
        })
    }

    /// Allows one reissue for a device, until a moment; `allowed_by` names the person or token that did.
    pub fn permit(
        &mut self,
        namespace: &str,
        device: &str,
        allowed_by: &str,
        expires_at: Timestamp,
    ) -> Result<PermitId, Error> {
        self.step(|group| {
            if group
                .read(|connection| read::place(connection, namespace, device))?
                .is_none()
            {
                return Err(Error::DeviceUnknown {
                    namespace: namespace.to_owned(),
                    device: device.to_owned(),
                });
            }
            let permit = Permit {
                namespace,
                device,
                allowed_by,
                allowed_at: group.now,
                expires_at,
            };
            let id = group.change(|connection, _| write::permit(connection, &permit))?;
            group.add(Fact::permitted(id, permit.digest(), device));
            Ok(PermitId(id))
        })
    }

    /// What this group abandoned of dead writers; final once it is committed.
    pub fn reconciled(&self) -> &[AbandonedIntent] {
        &self.reconciled
    }

    /// Makes the group durable.
    ///
    /// After [`Error::CommitUnknown`] it may or may not be there: release nothing and stop. After any other error
    /// nothing was written.
    pub fn commit(mut self) -> Result<(), Error> {
        self.step(|group| {
            group.store_uses()?;
            group.append_event()
        })?;
        let result = store::commit(&self.state.connection, &self.writer.path);
        if result.is_err() {
            self.state.forget();
            self.state.stopped = matches!(result, Err(Error::CommitUnknown { .. }));
        }
        // A crash here leaves lock files of writers whose rows have ended; nobody looks at them again.
        for name in self.ended.iter().filter(|_| result.is_ok()) {
            self.writer.locks.discard(name);
        }
        result
    }

    /// Runs one step; after an error the group takes no other.
    pub(super) fn step<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.failed {
            return Err(Error::GroupFailed);
        }
        let result = act(self);
        self.failed = result.is_err();
        result
    }

    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&Connection, Timestamp) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        change(&self.state.connection, self.now)
            .map_err(|source| store::unavailable(&self.writer.path, source))
    }

    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.change(|connection, _| query(connection))
    }

    pub(super) fn add(&mut self, fact: Fact) {
        fact.write_line(&mut self.body);
    }

    fn issue(&mut self, entry: EntryId, certificate: &[u8]) -> Result<(), Error> {
        let mine = self.state.id;
        let remembered = self.state.reserved.remove(&entry);
        let reserved = match remembered {
            None => self.read(|connection| write::reserved(connection, entry, mine))?,
            remembered => remembered,
        };
        let Some(Reserved { tbs, previous }) = reserved else {
            return Err(self.not_reserved(entry));
        };
        if tbs_of(certificate).map(sha256) != Some(tbs) {
            return Err(Error::CertificateMismatch { entry });
        }
        if !self
            .change(|connection, now| write::issued(connection, entry, mine, certificate, now))?
        {
            return Err(self.not_reserved(entry));
        }
        self.add(Fact::issued(entry.0, sha256(certificate)));
        if let Some(previous) = previous
            && self.change(|connection, now| write::superseded(connection, previous, now))?
        {
            self.add(Fact::superseded(previous.0, entry.0));
            self.give_back(previous)?;
        }
        Ok(())
    }

    fn not_reserved(&self, id: EntryId) -> Error {
        let found = match self.read(|connection| read::entry(connection, id)) {
            Ok(Some(entry)) => format!("{} by writer {}", entry.state, entry.writer),
            Ok(None) => "not in the ledger".to_owned(),
            Err(error) => return error,
        };
        Error::NotReserved { entry: id, found }
    }

    fn check_clock(&self) -> Result<(), Error> {
        clock_fits(self.now, self.read(read::newest)?)
    }

    fn append_event(&mut self) -> Result<(), Error> {
        if self.body.is_empty() {
            return Ok(());
        }
        let id = self.state.id;
        let head = match self.state.head {
            Some(head) => head,
            None => self.read(|connection| write::head(connection, id))?,
        };
        let link = Link {
            previous: head.hash,
            ledger: &self.writer.ledger,
            writer: &self.writer.name,
            seq: head.seq + 1,
            at: self.now,
            body: &self.body,
        };
        let hash = link.hash();
        let head = self
            .change(|connection, now| write::event(connection, id, head, hash, now, &self.body))?;
        self.state.head = Some(head);
        Ok(())
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if !self.state.connection.is_autocommit() {
            self.state.forget();
            if write::rollback(&self.state.connection).is_err() {
                self.state.stopped = true;
            }
        }
    }
}

/// A clock may not be far behind the ledger's newest event.
pub(super) fn clock_fits(now: Timestamp, newest: Option<Timestamp>) -> Result<(), Error> {
    match newest {
        Some(newest) if now.plus(CLOCK_TOLERANCE) < newest => {
            Err(Error::ClockBehind { now, newest })
        }
        _ => Ok(()),
    }
}

/// The first element of a Certificate, header and all: TBSCertificate, RFC 5280 section 4.1.
fn tbs_of(certificate: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(certificate).ok()?;
    reader
        .sequence(|inside| {
            let tbs = inside.tlv_bytes()?;
            inside.drain(inside.remaining_len())?;
            Ok::<_, der::Error>(tbs)
        })
        .ok()
}

/// Seconds a clock may be behind the newest event: stations on one ledger are rarely exactly together.
const CLOCK_TOLERANCE: i64 = 300;
