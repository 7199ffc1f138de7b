//! Durable files that are created new.
//!
//! A file is written under a temporary name in its directory, synced, and then given its name without replacing
//! anything; the directory is synced last. A crash leaves either the whole file or none under that name. An existing
//! file with the same bytes counts as done; one with other bytes is an error and is left alone.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone: certificates, reports.
    Public,
    /// The owner only (mode 0600): everything secret.
    Secret,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    New,
    /// It was there with the same bytes.
    Same,
}

/// Why a file is not there now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// Another batch writes there.
    #[error("`{0}` is being written by another batch")]
    Busy(PathBuf),
    /// A file with other bytes stands in the way.
    #[error("`{0}` exists and holds something else; it was left as it is")]
    Exists(PathBuf),
    /// The name is taken; what the file holds was not looked at.
    #[error("`{0}` exists; it was left as it is")]
    Taken(PathBuf),
    /// The file system.
    #[error("`{0}` cannot be written")]
    Write(PathBuf, #[source] io::Error),
}

impl OutputError {
    /// Wraps an I/O error with the path it happened at.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> OutputError + '_ {
        move |error| OutputError::Write(path.to_owned(), without_temporary_name(error))
    }
}

/// Writes a whole file durably under a name that must be free, or hold the same bytes already.
pub fn create(path: &Path, contents: &[u8], access: Access) -> Result<Written, OutputError> {
    if let Some(written) = compare(path, contents)? {
        return Ok(written);
    }
    let mut file = begin(path, access)?;
    file.as_file_mut()
        .write_all(contents)
        .map_err(OutputError::at(path))?;
    match finish(file, path) {
        Err(OutputError::Exists(_)) => {
            compare(path, contents)?.ok_or(OutputError::Exists(path.to_owned()))
        }
        other => other.map(|()| Written::New),
    }
}

/// Puts a whole file in the place of one that is there, if any: readers see the old one or the new one.
///
/// Only for what is published under a fixed name and kept under another, such as revocation lists.
pub fn replace(path: &Path, contents: &[u8], access: Access) -> Result<(), OutputError> {
    let mut file = begin(path, access)?;
    file.as_file_mut()
        .write_all(contents)
        .map_err(OutputError::at(path))?;
    file.as_file().sync_all().map_err(OutputError::at(path))?;
    file.persist(path)
        .map_err(|error| OutputError::at(path)(error.error))?;
    sync_directory(parent(path))
}

/// Begins a file that will get its name in [`finish`]; dropped before that, it vanishes.
pub fn begin(path: &Path, access: Access) -> Result<NamedTempFile, OutputError> {
    let mode = match access {
        Access::Public => 0o644,
        Access::Secret => 0o600,
    };
    tempfile::Builder::new()
        .prefix(".factory-ca-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(parent(path))
        .map_err(OutputError::at(path))
}

/// Syncs the file and gives it its name; [`OutputError::Exists`] if the name is taken.
pub fn finish(file: NamedTempFile, path: &Path) -> Result<(), OutputError> {
    file.as_file().sync_all().map_err(OutputError::at(path))?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(path.to_owned()),
            _ => OutputError::at(path)(error.error),
        })?;
    sync_directory(parent(path))
}

/// Makes the names in a directory durable.
pub fn sync_directory(directory: &Path) -> Result<(), OutputError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(OutputError::at(directory))
}

/// Compares an existing file with what is to be written; `None` when there is no such file.
pub fn compare(path: &Path, contents: &[u8]) -> Result<Option<Written>, OutputError> {
    match std::fs::read(path) {
        Ok(found) if found == contents => Ok(Some(Written::Same)),
        Ok(_) => Err(OutputError::Exists(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OutputError::Write(path.to_owned(), error)),
    }
}

/// Errors of temporary files tell their random names, which nobody asked for.
fn without_temporary_name(error: io::Error) -> io::Error {
    match (error.get_ref(), error.kind()) {
        (None, _) | (_, io::ErrorKind::Other) => error,
        (Some(_), io::ErrorKind::NotFound) => {
            io::Error::new(io::ErrorKind::NotFound, "there is no such directory")
        }
        (Some(_), kind) => kind.into(),
    }
}

/// The directory a path stands in.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_once_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.crt");
        assert_eq!(create(&path, b"one", Access::Public).unwrap(), Written::New);
        assert_eq!(
            create(&path, b"one", Access::Public).unwrap(),
            Written::Same
        );
        assert!(matches!(
            create(&path, b"two", Access::Public),
            Err(OutputError::Exists(_))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn secrets_are_readable_by_their_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin");
        create(&path, b"1234", Access::Secret).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = create(Path::new("/nonexistent/x"), b"", Access::Public).unwrap_err();
        assert_eq!(error.to_string(), "`/nonexistent/x` cannot be written");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "there is no such directory");
    }
}
