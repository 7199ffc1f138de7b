//! The embedded default: SoftHSM2 with its tokens inside the PKI directory. For evaluation, not for production:
//! whoever can read the directory has the keys and the PINs.

use std::path::{Path, PathBuf};

/// The environment variable SoftHSM2 reads the place of its configuration from.
pub const VARIABLE: &str = "SOFTHSM2_CONF";

/// Where Debian and its relatives keep the library.
const LIBRARIES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// The SoftHSM2 library, if it is installed.
pub fn library() -> Option<PathBuf> {
    LIBRARIES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

/// The directory of a PKI directory that holds everything about the embedded default.
pub fn directory(pki: &Path) -> PathBuf {
    pki.join("softhsm")
}

/// The configuration file SoftHSM2 is pointed to.
pub fn configuration(pki: &Path) -> PathBuf {
    directory(pki).join("softhsm2.conf")
}

/// What that file must say; SoftHSM2 wants an absolute path, so it is written again when a PKI directory has moved.
pub fn configuration_text(pki: &Path) -> String {
    let tokens = directory(pki).join("tokens");
    let template = include_str!("../../softhsm/softhsm2.conf.in");
    template.replace("@TOKENS@", &tokens.display().to_string())
}
