//! Where revocation lists are kept and published.
//!
//! ```text
//! DIR/NAME-000017.crl   every list under its number, DER, never overwritten
//! DIR/NAME.crl          the published one in DER, as distribution points want it (RFC 5280 section 4.2.1.13)
//! DIR/NAME.pem          the same in PEM, as servers want it
//! ```
//!
//! The two published names are the only files that this program replaces, each at once, and only by a later list of the
//! same CA: a directory that holds a certificate under such a name is refused.

use std::path::{Path, PathBuf};

use super::file::{self, Access, OutputError};
use crate::x509::Name;
use crate::x509::crl::Crl;

/// The lists of one CA in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// The directory.
    pub directory: &'a Path,
    /// The CA's name.
    pub name: &'a str,
}

impl Lists<'_> {
    /// The list that is published now.
    ///
    /// # Errors
    ///
    /// [`OutputError::Exists`] if one of the published names is taken by anything but a list of this CA.
    pub fn published(&self, issuer: &Name) -> Result<Option<Crl>, OutputError> {
        let der = read(&self.der(), issuer)?;
        let pem = read(&self.pem(), issuer)?;
        Ok(der.or(pem))
    }

    /// Writes a list under its number.
    pub fn keep(&self, crl: &Crl, number: u32) -> Result<PathBuf, OutputError> {
        let path = self
            .directory
            .join(format!("{}-{number:06}.crl", self.name));
        file::create(&path, crl.der(), Access::Public)?;
        Ok(path)
    }

    /// Puts a list in the place of the published one; whether it did. A list with a greater number stays.
    ///
    /// A crash between the two files leaves the older PEM beside the newer DER; the next list mends that.
    pub fn publish(&self, crl: &Crl) -> Result<bool, OutputError> {
        let published = self.published(&crl.issuer)?;
        if published.is_some_and(|other| other.number > crl.number) {
            return Ok(false);
        }
        file::replace(&self.der(), crl.der(), Access::Public)?;
        file::replace(&self.pem(), crl.to_pem().as_bytes(), Access::Public)?;
        Ok(true)
    }

    /// The published list's file, DER.
    pub fn der(&self) -> PathBuf {
        self.directory.join(format!("{}.crl", self.name))
    }

    /// The published list's file, PEM.
    pub fn pem(&self) -> PathBuf {
        self.directory.join(format!("{}.pem", self.name))
    }
}

fn read(path: &Path, issuer: &Name) -> Result<Option<Crl>, OutputError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OutputError::at(path)(error)),
    };
    match Crl::from_bytes(&bytes) {
        Ok(crl) if crl.issuer == *issuer => Ok(Some(crl)),
        _ => Err(OutputError::Exists(path.to_owned())),
    }
}
