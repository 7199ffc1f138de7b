//! How one request comes in and one certificate goes out.

use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::authority;
use crate::error::Error;
use crate::output::file::{self, Access, OutputError};
use crate::x509::Serial;
use crate::x509::csr::MAX_BYTES;

/// Where a certificate goes: stdout, or a file that is begun before anything is signed, so that a place which cannot be
/// written to is found out in time.
pub enum Destination {
    Stdout,
    File(NamedTempFile, PathBuf),
}

impl Destination {
    /// `-` is stdout; a file that exists is refused.
    pub fn begin(path: &Path) -> Result<Destination, OutputError> {
        if path == Path::new("-") {
            return Ok(Destination::Stdout);
        }
        match path.exists() {
            true => Err(OutputError::Taken(path.to_owned())),
            false => {
                let file = file::begin(path, Access::Public)?;
                Ok(Destination::File(file, path.to_owned()))
            }
        }
    }

    /// Writes what can be made again; returns what belongs on stdout.
    pub fn write(self, text: String) -> Result<String, Error> {
        match self {
            Destination::Stdout => Ok(text),
            Destination::File(file, path) => {
                write(file, &path, &text)?;
                Ok(String::new())
            }
        }
    }

    /// Writes a certificate that is recorded already; returns what belongs on stdout.
    pub fn deliver(self, pem: String, serial: &Serial) -> Result<String, Error> {
        match self {
            Destination::Stdout => Ok(pem),
            Destination::File(file, path) => {
                let written = write(file, &path, &pem);
                let serial = serial.clone();
                written.map_err(|error| Error::Undelivered { serial, error })?;
                Ok(String::new())
            }
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Stdout => f.write_str("stdout"),
            Destination::File(_, path) => write!(f, "`{}`", path.display()),
        }
    }
}

fn write(mut file: NamedTempFile, path: &Path, pem: &str) -> Result<(), OutputError> {
    file.as_file_mut()
        .write_all(pem.as_bytes())
        .map_err(OutputError::at(path))?;
    file::finish(file, path)
}

/// Reads a request, but never more than one may have; `-` is stdin.
pub fn read_request(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error| authority::Error::File(path.to_owned(), error);
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    match path == Path::new("-") {
        true => std::io::stdin()
            .lock()
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?,
        false => {
            let file = std::fs::File::open(path).map_err(unreadable)?;
            file.take(limit)
                .read_to_end(&mut bytes)
                .map_err(unreadable)?
        }
    };
    Ok(bytes)
}
