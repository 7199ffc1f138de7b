//! Where a batch's certificates go: a directory per device, or one file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, RenameFlags};
use tempfile::NamedTempFile;

use super::file::{self, Access, OutputError};
use crate::timestamp::Timestamp;
use crate::x509::{Certificate, Serial, certificate};

/// One certificate to be handed out.
pub struct Delivery<'a> {
    /// The device it is for: a UUID in lower case.
    pub device: &'a str,
    /// Its serial number.
    pub serial: &'a Serial,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// The certificate in DER.
    pub certificate: &'a [u8],
}

/// Where a batch's certificates go.
pub enum BatchOutput {
    /// A directory for each device.
    Directories(Directories),
    /// One file for all.
    Bundle(Bundle),
}

/// How one file holds many certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleFormat {
    /// One JSON object to the line: device, serial, not_after, certificate (PEM).
    Ndjson,
    /// The certificates as PEM blocks, one after the other.
    Pem,
}

/// `DIR/<device>/` with `client.pem`, `client.chained` and `root.crt`: the files a device wants in its sota directory.
pub struct Directories {
    directory: PathBuf,
    /// Kept open: syncfs on it makes a whole group of files durable at once.
    handle: File,
    /// The device CA, as it follows the device's certificate in `client.chained`.
    ca: String,
    root: String,
}

/// A file that gets its name when the batch is over.
pub struct Bundle {
    path: PathBuf,
    format: BundleFormat,
    file: BufWriter<NamedTempFile>,
}

impl BatchOutput {
    /// Writes a group of certificates; each result is that of the delivery in the same place.
    ///
    /// When this returns, directories are durable; a bundle is durable after [`BatchOutput::finish`].
    pub fn write(&mut self, deliveries: &[Delivery<'_>]) -> Vec<Result<(), OutputError>> {
        match self {
            BatchOutput::Directories(directories) => directories.write(deliveries),
            BatchOutput::Bundle(bundle) => deliveries
                .iter()
                .map(|delivery| bundle.write(delivery))
                .collect(),
        }
    }

    /// Gives a bundle its name, durably.
    pub fn finish(self) -> Result<(), OutputError> {
        match self {
            BatchOutput::Directories(_) => Ok(()),
            BatchOutput::Bundle(bundle) => bundle.finish(),
        }
    }
}

impl Directories {
    /// Opens or creates the output directory.
    ///
    /// It stays locked while the batch runs: two batches cannot write into one directory at the same time.
    pub fn open(
        directory: &Path,
        ca: &Certificate,
        root: &Certificate,
    ) -> Result<Directories, OutputError> {
        if directory.is_file() {
            return Err(OutputError::Taken(directory.to_owned()));
        }
        fs::create_dir_all(directory).map_err(OutputError::at(directory))?;
        let handle = File::open(directory).map_err(OutputError::at(directory))?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(OutputError::Busy(directory.to_owned()));
            }
            Err(fs::TryLockError::Error(error)) => {
                return Err(OutputError::Write(directory.to_owned(), error));
            }
        }
        Ok(Directories {
            directory: directory.to_owned(),
            handle,
            ca: ca.to_pem(),
            root: root.to_pem(),
        })
    }

    /// Writes files under temporary names, syncs once, gives them their names, syncs once more.
    ///
    /// A crash before the first sync leaves temporary files that the next run overwrites; one between the syncs
    /// leaves whole files under some names. Nothing is reported as done before the second sync.
    fn write(&mut self, deliveries: &[Delivery<'_>]) -> Vec<Result<(), OutputError>> {
        let mut group = Vec::new();
        let mut results: Vec<Result<(), OutputError>> = Vec::new();
        let mut made = BTreeMap::new();
        for delivery in deliveries {
            results.push(self.stage(delivery, &mut group, &mut made));
        }
        if group.is_empty() {
            return results;
        }
        let named = self.sync().and_then(|()| {
            for path in &group {
                name(path)?;
            }
            self.sync()
        });
        if let Err(error) = named {
            let shared = |_| {
                Err(OutputError::Write(
                    self.directory.clone(),
                    io::Error::other(error.to_string()),
                ))
            };
            return results.into_iter().map(shared).collect();
        }
        results
    }

    /// Writes what is missing of a device's files under temporary names; the same files again are done already.
    fn stage(
        &self,
        delivery: &Delivery<'_>,
        group: &mut Vec<PathBuf>,
        made: &mut BTreeMap<PathBuf, Serial>,
    ) -> Result<(), OutputError> {
        let directory = self.directory.join(delivery.device);
        match made.get(&directory) {
            Some(serial) if serial == delivery.serial => return Ok(()),
            Some(_) => return Err(OutputError::Exists(directory)),
            None => {}
        }
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(OutputError::Write(directory, error));
            }
            _ => {}
        }
        let leaf = certificate::to_pem(delivery.certificate);
        let chained = format!("{leaf}{}", self.ca);
        let files = [
            ("client.pem", &leaf),
            ("client.chained", &chained),
            ("root.crt", &self.root),
        ];
        let mut missing = Vec::new();
        for (name, text) in files {
            let path = directory.join(name);
            if file::compare(&path, text.as_bytes())?.is_none() {
                missing.push((path, text));
            }
        }
        for (path, text) in missing {
            let temporary = temporary(&path);
            fs::write(&temporary, text).map_err(OutputError::at(&path))?;
            group.push(path);
        }
        made.insert(directory, delivery.serial.clone());
        Ok(())
    }

    fn sync(&self) -> Result<(), OutputError> {
        rustix::fs::syncfs(&self.handle)
            .map_err(|error| OutputError::Write(self.directory.clone(), error.into()))
    }
}

impl Bundle {
    /// Begins a bundle under a name that must be free.
    pub fn begin(path: &Path, format: BundleFormat) -> Result<Bundle, OutputError> {
        if path.exists() {
            return Err(OutputError::Taken(path.to_owned()));
        }
        let file = file::begin(path, Access::Public)?;
        Ok(Bundle {
            path: path.to_owned(),
            format,
            file: BufWriter::new(file),
        })
    }

    fn write(&mut self, delivery: &Delivery<'_>) -> Result<(), OutputError> {
        let pem = certificate::to_pem(delivery.certificate);
        let text = match self.format {
            BundleFormat::Pem => pem,
            BundleFormat::Ndjson => {
                let line = serde_json::json!({
                    "device": delivery.device,
                    "serial": delivery.serial.to_string(),
                    "not_after": delivery.not_after.to_string(),
                    "certificate": pem,
                });
                format!("{line}\n")
            }
        };
        self.file
            .write_all(text.as_bytes())
            .map_err(OutputError::at(&self.path))
    }

    fn finish(self) -> Result<(), OutputError> {
        let file = self
            .file
            .into_inner()
            .map_err(|error| OutputError::Write(self.path.clone(), error.into_error()))?;
        file::finish(file, &self.path)
    }
}

/// Gives a temporary file its name without replacing anything.
fn name(path: &Path) -> Result<(), OutputError> {
    let temporary = temporary(path);
    rustix::fs::renameat_with(CWD, &temporary, CWD, path, RenameFlags::NOREPLACE)
        .or_else(|error| match error {
            // Not every file system can rename without replacing; a hard link never replaces.
            rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS => {
                rustix::fs::linkat(CWD, &temporary, CWD, path, AtFlags::empty())?;
                rustix::fs::unlink(&temporary)
            }
            other => Err(other),
        })
        .map_err(|error| OutputError::Write(path.to_owned(), error.into()))
}

/// The same temporary name each time, so that the next run after a crash overwrites it.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}
