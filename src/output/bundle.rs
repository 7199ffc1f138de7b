//! Trust bundles: what gateways, devices and servers need to believe the factory's certificates.

use std::path::{Path, PathBuf};

use super::file::{self, Access, OutputError, Written};
use crate::x509::Certificate;

/// Writes the PEM files of a trust bundle into a directory.
///
/// `root.crt` holds the root alone. `cas.pem` holds the device CAs: devices send only their own certificate, so a
/// gateway must know the CAs that issued them. `chain.pem` holds the device CAs and then the root.
pub fn export(
    directory: &Path,
    root: &Certificate,
    cas: &[Certificate],
) -> Result<Vec<(PathBuf, Written)>, OutputError> {
    std::fs::create_dir_all(directory).map_err(OutputError::at(directory))?;
    let cas: String = cas.iter().map(Certificate::to_pem).collect();
    let chain = format!("{cas}{}", root.to_pem());
    let mut written = Vec::new();
    for (name, text) in [
        ("root.crt", root.to_pem()),
        ("cas.pem", cas),
        ("chain.pem", chain),
    ] {
        let path = directory.join(name);
        let outcome = file::create(&path, text.as_bytes(), Access::Public)?;
        written.push((path, outcome));
    }
    Ok(written)
}
