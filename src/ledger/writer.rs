//! A process that writes: its lock, its audit chain, and putting in order what dead ones left behind.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rusqlite::Connection;

use crate::hex;
use crate::timestamp::Timestamp;

use super::fact::Process;
use super::lock::{Lock, Locks};
use super::store::{self, Access};
use super::{AbandonedIntent, EntryId, Error, Group, Ledger, filesystem};

/// One process's (or thread's) right to write, held until it is finished or dropped.
///
/// Dropped without [`Writer::finish`], its reserved entries wait for the next writer to abandon them.
#[derive(Debug)]
pub struct Writer {
    pub(super) path: PathBuf,
    pub(super) ledger: String,
    pub(super) name: String,
    pub(super) locks: Locks,
    pub(super) state: Mutex<WriterState>,
    reconciled: Vec<AbandonedIntent>,
    _lock: Lock,
}

#[derive(Debug)]
pub(super) struct WriterState {
    pub(super) connection: Connection,
    /// The writer's number; 0 until its row is written.
    pub(super) id: i64,
    /// A commit's fate is unknown: nothing more is written.
    pub(super) stopped: bool,
    /// The last issuer's number: stations issue from one.
    pub(super) issuer: Option<(Vec<u8>, i64)>,
    /// What this writer reserved and has not recorded or abandoned yet, to spare a query for each certificate.
    pub(super) reserved: HashMap<EntryId, Reserved>,
    /// The end of this writer's chain, to spare a query for each group.
    pub(super) head: Option<Head>,
}

/// What has to be known of a reserved entry when its certificate comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    pub(super) tbs: [u8; 32],
    pub(super) previous: Option<EntryId>,
}

/// The end of a writer's chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: [u8; 32],
    /// The latest time of its events.
    pub(super) at: Timestamp,
}

impl WriterState {
    /// Forgets what may have been rolled back; the ledger is asked again.
    pub(super) fn forget(&mut self) {
        self.issuer = None;
        self.head = None;
        self.reserved.clear();
    }
}

impl Writer {
    pub(super) fn start(ledger: &Ledger, command: &str, now: Timestamp) -> Result<Writer, Error> {
        let path = ledger.path().to_owned();
        filesystem::require_local(path.parent().unwrap_or(&path))?;
        let connection = store::open(&path, Access::Write, ledger.busy_timeout())?;
        let name = random_name(&path)?;
        let locks = Locks::of(&path);
        // The lock is held before the row can be seen, so no living writer ever looks dead. A crash between the
        // two leaves a lock file no row names.
        let lock = locks.take(&name).map_err(|error| Error::Unavailable {
            path: path.clone(),
            source: Box::new(error),
        })?;
        let mut writer = Writer {
            path,
            ledger: ledger.id().to_owned(),
            name,
            locks,
            state: Mutex::new(WriterState {
                connection,
                id: 0,
                stopped: false,
                issuer: None,
                reserved: HashMap::new(),
                head: None,
            }),
            reconciled: Vec::new(),
            _lock: lock,
        };
        match writer.introduce(command, now) {
            Ok(reconciled) => writer.reconciled = reconciled,
            Err(error @ Error::CommitUnknown { .. }) => return Err(error),
            Err(error) => {
                writer.locks.discard(&writer.name);
                return Err(error);
            }
        }
        Ok(writer)
    }

    /// Starts a group: one transaction, one audit event, one sync.
    ///
    /// Waits for other writers up to the busy timeout. Fails when the clock is more than five minutes behind the
    /// ledger's newest event. No group may be open during a call to a token.
    pub fn group(&self, now: Timestamp) -> Result<Group<'_>, Error> {
        Group::begin(self, now)
    }

    /// What dead writers had left behind and was abandoned when this one started.
    pub fn reconciled(&self) -> &[AbandonedIntent] {
        &self.reconciled
    }

    /// The random name this writer's entries and events carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends the writer; entries it still had reserved are abandoned and returned.
    pub fn finish(self, now: Timestamp) -> Result<Vec<AbandonedIntent>, Error> {
        let mut group = self.group(now)?;
        group.end_writer()?;
        let left_behind = group.reconciled().to_vec();
        group.commit()?;
        Ok(left_behind)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn introduce(&self, command: &str, now: Timestamp) -> Result<Vec<AbandonedIntent>, Error> {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let mut group = self.group(now)?;
        group.start_writer(&Process {
            name: &self.name,
            command,
            host: host.trim_end(),
            pid: i64::from(std::process::id()),
        })?;
        group.reconcile()?;
        let reconciled = group.reconciled().to_vec();
        group.commit()?;
        Ok(reconciled)
    }
}

/// 128 random bits as text, for names that must not repeat.
pub(super) fn random_name(path: &Path) -> Result<String, Error> {
    let mut random = [0; 16];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::Unavailable {
            path: path.to_owned(),
            source: "the operating system gave no random bytes".into(),
        })?;
    Ok(hex::encode(random))
}
