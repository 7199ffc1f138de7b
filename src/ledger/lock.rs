//! Which writers are alive: each holds an OS lock on `<ledger>.writers/<name>.lock`.
//!
//! The kernel frees the lock however a process ends, so a free lock proves that its writer is gone. The proof fails
//! if somebody removes the file of a living writer: its reservations would be abandoned under its hands, and it
//! could not record them any more.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directory with the writers' locks.
#[derive(Clone, Debug)]
pub(super) struct Locks(PathBuf);

/// A lock held as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Locks {
    pub(super) fn of(ledger: &Path) -> Locks {
        let mut name = ledger.as_os_str().to_owned();
        name.push(".writers");
        Locks(PathBuf::from(name))
    }

    /// Makes and takes the lock of a writer nobody has heard of yet.
    pub(super) fn take(&self, name: &str) -> io::Result<Lock> {
        match DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.file(name))?;
        file.try_lock()?;
        Ok(Lock { _file: file })
    }

    /// Whether a writer is alive. What cannot be found out counts as alive: its rows are left alone.
    pub(super) fn is_held(&self, name: &str) -> bool {
        match File::open(self.file(name)) {
            // Shared, so that two who ask at once do not take each other for the writer.
            Ok(file) => file.try_lock_shared().is_err(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Removes the lock file of a writer that has ended. A file left behind by a crash here is never looked at.
    pub(super) fn discard(&self, name: &str) {
        let _ = fs::remove_file(self.file(name));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let locks = Locks::of(&directory.path().join("ledger.db"));
        assert!(!locks.is_held("a"));
        let lock = locks.take("a").unwrap();
        assert!(locks.is_held("a"));
        assert!(locks.take("a").is_err());
        drop(lock);
        assert!(!locks.is_held("a"));
        locks.discard("a");
        assert!(!locks.is_held("a"));
    }
}
