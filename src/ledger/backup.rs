//! Copies of a ledger that is in use, and files that are never overwritten.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tempfile::{NamedTempFile, TempPath};

use super::store::{self, Access};
use super::{Error, Ledger};

impl Ledger {
    /// Copies the ledger, as of one moment, into a new file readable by its owner only.
    ///
    /// Writers go on meanwhile. The copy is made under a temporary name, checked, synced and then given its name:
    /// a crash leaves at most a temporary file. Whoever goes back to a backup loses the serial numbers and devices
    /// of everything issued since.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        create_new(to, |file| {
            let source = store::open(self.path(), Access::Read, self.busy_timeout())?;
            copy(&source, file).map_err(|source| store::unavailable(to, source))
        })
    }
}

/// Lets `fill` write a file under a temporary name, then gives it its name unless that is taken.
pub(super) fn create_new(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    refuse_existing(path)?;
    let unavailable = |error: io::Error| Error::Unavailable {
        path: path.to_owned(),
        source: Box::new(error),
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // tempfile makes files that only their owner may read.
    let temporary = NamedTempFile::new_in(directory)
        .map_err(unavailable)?
        .into_temp_path();
    fill(&temporary)?;
    File::open(&temporary)
        .and_then(|file| file.sync_all())
        .map_err(unavailable)?;
    name(temporary, path)?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(unavailable)
}

/// A write-ahead log left behind by another database of that name would be taken for the new one's.
fn refuse_existing(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        if Path::new(&name).symlink_metadata().is_ok() {
            return Err(Error::Exists { path: name.into() });
        }
    }
    Ok(())
}

fn name(temporary: TempPath, path: &Path) -> Result<(), Error> {
    temporary.persist_noclobber(path).map_err(|refused| {
        let path = path.to_owned();
        match refused.error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { path },
            _ => Error::Unavailable {
                path,
                source: Box::new(refused.error),
            },
        }
    })
}

fn copy(source: &Connection, to: &Path) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    // All pages in one step: a copy in several starts again whenever somebody writes.
    let step = Backup::new(source, &mut copy)?.step(-1)?;
    // A copy in WAL mode could only be read where its directory can be written.
    copy.pragma_update(None, "journal_mode", "delete")?;
    let verdict: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    match step {
        StepResult::Done if verdict == "ok" => copy.close().map_err(|(_, error)| error),
        StepResult::Done => Err(rusqlite::Error::ToSqlConversionFailure(verdict.into())),
        _ => Err(rusqlite::Error::ToSqlConversionFailure(
            "the ledger is locked by another process".into(),
        )),
    }
}
