//! Secrets that are not typed: read from a file, the environment or systemd, and wiped from memory when they go.
//!
//! A file that others can read is refused, because what it holds is no secret then. A fault never holds any of what
//! was read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

/// Where a secret comes from.
///
/// In configuration: `{file: PATH}`, `{env: NAME}` or `{credential: NAME}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// A file of mode 0600 (or 0400).
    File(PathBuf),
    /// An environment variable. Child processes inherit it; the other sources are better.
    Env(String),
    /// A systemd credential of that name (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential(String),
}

/// Why there is no secret. Never holds one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// `CREDENTIALS_DIRECTORY` is not set, or the name is a path.
    #[error("there is no systemd credential `{name}`: {problem}")]
    Credential {
        /// The credential's name.
        name: String,
        /// Why.
        problem: &'static str,
    },
    /// The variable is not set.
    #[error("the environment variable `{name}` is not set")]
    EnvNotSet {
        /// Its name.
        name: String,
    },
    /// Others can read the file.
    #[error("the file `{}` has mode {found:04o}, wanted is 0600", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
    },
    /// It is no UTF-8.
    #[error("{from} holds bytes that are not UTF-8")]
    NotText {
        /// The source.
        from: String,
    },
    /// More than any secret of its kind has.
    #[error("{from} holds more than {most} bytes")]
    TooLong {
        /// The source.
        from: String,
        /// The limit.
        most: usize,
    },
    /// The source cannot be read.
    #[error("{from} cannot be read")]
    Unreadable {
        /// The source.
        from: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What is wrong with a file that holds a secret.
#[derive(Debug)]
pub enum Fault {
    /// Others can read it: its permission bits.
    Mode(u32),
    /// It is no UTF-8.
    NotText,
    /// It cannot be read.
    Unreadable(io::Error),
}

impl SecretSource {
    /// Reads the secret; `env` reads an environment variable. One line end (`\n` or `\r\n`) at the end is dropped.
    ///
    /// A file must not be readable by group or others; systemd looks after its credentials itself. A secret that is
    /// longer than `most` bytes is an error.
    pub fn read(
        &self,
        most: usize,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Zeroizing<String>, SecretError> {
        // One byte more than the longest, and its line end.
        let room = most + 3;
        let text = match self {
            SecretSource::Env(name) => env(name)
                .map(Zeroizing::new)
                .ok_or_else(|| SecretError::EnvNotSet { name: name.clone() })?,
            SecretSource::File(path) => {
                read_private(path, room).map_err(|fault| self.error(path, fault))?
            }
            SecretSource::Credential(name) => {
                let path = credential(name, env("CREDENTIALS_DIRECTORY")).map_err(|problem| {
                    let name = name.clone();
                    SecretError::Credential { name, problem }
                })?;
                read_any(&path, room).map_err(|fault| self.error(&path, fault))?
            }
        };
        let text = without_line_end(text);
        match text.len() <= most {
            true => Ok(text),
            false => Err(SecretError::TooLong {
                from: self.to_string(),
                most,
            }),
        }
    }

    fn error(&self, path: &Path, fault: Fault) -> SecretError {
        let (path, from) = (path.to_owned(), self.to_string());
        match fault {
            Fault::Mode(found) => SecretError::Mode { path, found },
            Fault::NotText => SecretError::NotText { from },
            Fault::Unreadable(source) => SecretError::Unreadable { from, source },
        }
    }
}

/// What errors call the source: "file `/etc/token`".
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "file `{}`", path.display()),
            SecretSource::Env(name) => write!(f, "environment variable `{name}`"),
            SecretSource::Credential(name) => write!(f, "credential `{name}`"),
        }
    }
}

/// Reads a file that only its owner may read, at most `room` bytes of it.
pub fn read_private(path: &Path, room: usize) -> Result<Zeroizing<String>, Fault> {
    let file = File::open(path).map_err(Fault::Unreadable)?;
    // Asked of the open file, so that nobody can exchange it in between.
    let metadata = file.metadata().map_err(Fault::Unreadable)?;
    let mode = metadata.permissions().mode();
    match mode & 0o077 {
        0 => read_to_end(file, room),
        _ => Err(Fault::Mode(mode & 0o7777)),
    }
}

/// Reads a file whoever may read it, at most `room` bytes of it.
pub fn read_any(path: &Path, room: usize) -> Result<Zeroizing<String>, Fault> {
    read_to_end(File::open(path).map_err(Fault::Unreadable)?, room)
}

/// The file of a systemd credential, below the value of `CREDENTIALS_DIRECTORY`; or why there is none.
pub fn credential(name: &str, directory: Option<String>) -> Result<PathBuf, &'static str> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err("the name must be a plain file name");
    }
    directory
        .map(|directory| Path::new(&directory).join(name))
        .ok_or("CREDENTIALS_DIRECTORY is not set")
}

/// Drops one line end.
pub fn without_line_end(mut text: Zeroizing<String>) -> Zeroizing<String> {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn read_to_end(file: File, room: usize) -> Result<Zeroizing<String>, Fault> {
    // Room for everything that is read: a buffer that grew would leave the secret behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * room));
    file.take(room as u64)
        .read_to_end(&mut bytes)
        .map_err(Fault::Unreadable)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Fault::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &Path, content: &[u8], mode: u32) -> SecretSource {
        let path = directory.join("token");
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        SecretSource::File(path)
    }

    fn read(source: &SecretSource) -> Result<String, String> {
        let env = |name: &str| (name == "TOKEN").then(|| "of-the-environment".to_owned());
        match source.read(20, &env) {
            Ok(text) => Ok(text.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_file_is_read_without_its_line_end() {
        let directory = tempfile::tempdir().unwrap();
        for (content, mode, wanted) in [
            (&b"s3cr3t\n"[..], 0o600, "s3cr3t"),
            (b"s3cr3t\r\n", 0o400, "s3cr3t"),
            (b"s3cr3t", 0o600, "s3cr3t"),
            (b"s3cr3t\n\n", 0o600, "s3cr3t\n"),
            (b"01234567890123456789\r\n", 0o600, "01234567890123456789"),
        ] {
            let source = file(directory.path(), content, mode);
            assert_eq!(read(&source), Ok(wanted.to_owned()));
        }
    }

    #[test]
    fn other_files_are_refused_without_showing_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let path = path.display();
        for (content, mode, wanted) in [
            (
                &b"s3cr3t"[..],
                0o640,
                format!("the file `{path}` has mode 0640, wanted is 0600"),
            ),
            (
                b"s3cr3t",
                0o604,
                format!("the file `{path}` has mode 0604, wanted is 0600"),
            ),
            (
                b"s3cr3t\xff",
                0o600,
                format!("file `{path}` holds bytes that are not UTF-8"),
            ),
            (
                b"012345678901234567890",
                0o600,
                format!("file `{path}` holds more than 20 bytes"),
            ),
            (
                &[b'x'; 100_000],
                0o600,
                format!("file `{path}` holds more than 20 bytes"),
            ),
        ] {
            let source = file(directory.path(), content, mode);
            assert_eq!(read(&source), Err(wanted));
        }
        let nowhere = SecretSource::File(PathBuf::from("/nowhere/token"));
        let wanted = "file `/nowhere/token` cannot be read".to_owned();
        assert_eq!(read(&nowhere), Err(wanted));
    }

    #[test]
    fn the_environment_and_systemd_are_asked() {
        let env = |name: &str| SecretSource::Env(name.to_owned());
        assert_eq!(read(&env("TOKEN")), Ok("of-the-environment".to_owned()));
        let wanted = "the environment variable `TOKEM` is not set".to_owned();
        assert_eq!(read(&env("TOKEM")), Err(wanted));

        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("api"), "s3cr3t\n").unwrap();
        let place = directory.path().display().to_string();
        let source = SecretSource::Credential("api".to_owned());
        let found = source.read(20, &|_| Some(place.clone())).unwrap();
        assert_eq!(*found, "s3cr3t");
        for (name, problem) in [
            ("api", "CREDENTIALS_DIRECTORY is not set"),
            ("../api", "the name must be a plain file name"),
            (".api", "the name must be a plain file name"),
            ("", "the name must be a plain file name"),
        ] {
            let wanted = format!("there is no systemd credential `{name}`: {problem}");
            let source = SecretSource::Credential(name.to_owned());
            assert_eq!(read(&source), Err(wanted));
        }
    }
}
