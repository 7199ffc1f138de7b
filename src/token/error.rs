//! What goes wrong with tokens. No text here holds a PIN.

use std::path::PathBuf;

use super::{Cause, PinError, UriError};
use crate::x509::key::KeyError;

/// Why a token, or a key in it, could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A digest of another length than the key's curve signs.
    #[error("key `{key}` signs digests of {wanted} bytes, this one has {found}")]
    DigestLength {
        /// The key's label.
        key: String,
        /// Bytes given.
        found: usize,
        /// Bytes the curve's digest has.
        wanted: usize,
    },
    /// Several keys fit.
    #[error("token `{token}` has {} keys {wanted}: {}", found.len(), found.join(", "))]
    KeyAmbiguous {
        /// The token's label.
        token: String,
        /// What was looked for, "labelled `x`".
        wanted: String,
        /// Label and id of each key that fits.
        found: Vec<String>,
    },
    /// A key of that label or id is there already; nothing was generated.
    #[error("token `{token}` already has key {found}; nothing was generated")]
    KeyExists {
        /// The token's label.
        token: String,
        /// Label and id of the key in the way.
        found: String,
    },
    /// The token generated a key that does not protect itself; the key is still there.
    #[error(
        "token `{token}` generated key `{key}` {problem}; it must not be used and was left in the token"
    )]
    KeyExposed {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// The attribute found, "with CKA_EXTRACTABLE true".
        problem: String,
    },
    /// The keys found are not the one the certificate names.
    #[error(
        "no key {wanted} in token `{token}` is the key of the certificate ({expected}); found: {}",
        found.join(", ")
    )]
    KeyMismatch {
        /// The token's label.
        token: String,
        /// What was looked for, "labelled `x`".
        wanted: String,
        /// Kind and fingerprint of the certificate's key.
        expected: String,
        /// Label, id and fingerprint of each key found.
        found: Vec<String>,
    },
    /// No key fits.
    #[error("no key {wanted} in token `{token}`; found: {}", list(found))]
    KeyNotFound {
        /// The token's label.
        token: String,
        /// What was looked for, "labelled `x`".
        wanted: String,
        /// Label and id of the private keys in the token.
        found: Vec<String>,
    },
    /// A key that this tool cannot sign with.
    #[error("key `{key}` in token `{token}` is {found}, wanted is {wanted}")]
    KeyUnusable {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A label that a token would cut or pad.
    #[error("label `{label}` cannot be used: {problem}")]
    Label {
        /// The label, control characters escaped.
        label: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Another token has that label; nothing was initialised.
    #[error(
        "`{module}` already has a token labelled `{label}` (serial `{serial}`); nothing was initialised"
    )]
    LabelTaken {
        /// The module's file name.
        module: String,
        /// The label.
        label: String,
        /// The serial number of the token that has it.
        serial: String,
    },
    /// A module did not do what it was asked for.
    #[error("module `{module}` could not be used: {doing}")]
    ModuleFailed {
        /// The module's file name.
        module: String,
        /// What was being done.
        doing: &'static str,
        /// What the module answered.
        #[source]
        source: Cause,
    },
    /// The module's file cannot be read.
    #[error("no PKCS#11 module at `{}`", path.display())]
    ModuleNotFound {
        /// The path as it was given.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No slot of the module waits for a new token.
    #[error("no uninitialised token in `{module}`; found: {}", list(found))]
    NoFreeToken {
        /// The module's file name.
        module: String,
        /// Labels of the tokens that are there.
        found: Vec<String>,
    },
    /// The file is not a PKCS#11 module.
    #[error("`{}` is not a PKCS#11 module", path.display())]
    NotAModule {
        /// The path as it was given.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The PIN could not be obtained.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The token wants its PIN changed first.
    #[error("the PIN of token `{token}` has expired")]
    PinExpired {
        /// The token's label.
        token: String,
    },
    /// The token takes no PIN of that length; nothing was initialised.
    #[error(
        "the {who} PIN must have {min} to {max} bytes in token `{token}`; nothing was initialised"
    )]
    PinLength {
        /// The new token's label.
        token: String,
        /// "user" or "security officer".
        who: &'static str,
        /// The shortest PIN the token takes.
        min: usize,
        /// The longest.
        max: usize,
    },
    /// Too many wrong PINs: only the security officer can help.
    #[error("the PIN of token `{token}` is locked")]
    PinLocked {
        /// The token's label.
        token: String,
    },
    /// The token has no PIN pad, so a PIN is needed.
    #[error("token `{token}` has no PIN pad, a PIN is needed to log in")]
    PinMissing {
        /// The token's label.
        token: String,
    },
    /// The security officer has not set a user PIN yet.
    #[error("token `{token}` has no user PIN yet")]
    PinNotSet {
        /// The token's label.
        token: String,
    },
    /// The token rejected the PIN, now or earlier in this process; it is not tried again.
    #[error("token `{token}` rejected the PIN")]
    PinRejected {
        /// The token's label.
        token: String,
        /// How many tries the token says are left.
        left: TriesLeft,
    },
    /// What the token gave as public key is none.
    #[error("token `{token}` holds a public key for `{key}` that cannot be used")]
    PublicKey {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The token does not show the public key, and no certificate names it.
    #[error("token `{token}` does not show the public key of {key}; a certificate must name it")]
    PublicKeyUnknown {
        /// The token's label.
        token: String,
        /// The key's label and id.
        key: String,
    },
    /// A signature of the wrong shape; it was not released.
    #[error(
        "token `{token}` returned a signature of {found} bytes for key `{key}`, wanted are {wanted}"
    )]
    SignatureLength {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// Bytes returned.
        found: usize,
        /// Bytes of r ‖ s.
        wanted: usize,
    },
    /// The security officer's PIN was rejected; nothing was initialised.
    #[error("token `{token}` rejected the security officer's PIN; nothing was initialised")]
    SoPinRejected {
        /// The token's label.
        token: String,
    },
    /// Several tokens fit.
    #[error(
        "`{module}` has {} tokens {wanted}: {}; add `serial=` to the URI",
        found.len(),
        found.join(", ")
    )]
    TokenAmbiguous {
        /// The module's file name.
        module: String,
        /// What was looked for, "labelled `x`".
        wanted: String,
        /// Label and serial number of each token that fits.
        found: Vec<String>,
    },
    /// Somebody in this process still uses the token; nothing was initialised.
    #[error("token `{token}` is in use; nothing was initialised")]
    TokenInUse {
        /// The token's label.
        token: String,
    },
    /// The token is initialised already and nobody said to erase it.
    #[error("token `{token}` (serial `{serial}`) is already initialised; nothing was erased")]
    TokenInitialised {
        /// The token's label.
        token: String,
        /// Its serial number.
        serial: String,
    },
    /// A token that this process was logged in to is no longer there.
    #[error("token `{token}` (serial `{serial}`) is gone: module `{module}` no longer shows it")]
    TokenLost {
        /// The token's label.
        token: String,
        /// Its serial number: a new token of the same label is another one.
        serial: String,
        /// The module's file name.
        module: String,
    },
    /// No token fits.
    #[error("no token {wanted} in `{module}`; found: {}", list(found))]
    TokenNotFound {
        /// The module's file name.
        module: String,
        /// What was looked for, "labelled `x`".
        wanted: String,
        /// Labels of the tokens that are there.
        found: Vec<String>,
    },
    /// The token does not work at the moment; what was asked for was not done.
    #[error("token `{token}` is unavailable: {doing}")]
    TokenUnavailable {
        /// The token's label.
        token: String,
        /// What was being done.
        doing: String,
        /// What the module answered.
        #[source]
        source: Cause,
    },
    /// Not a usable PKCS#11 URI.
    #[error(transparent)]
    Uri(#[from] UriError),
}

impl Error {
    /// Whether a person has to put it right: the PIN was rejected, is locked or has expired, and must not be tried again.
    pub fn is_about_the_pin(&self) -> bool {
        matches!(
            self,
            Error::PinExpired { .. } | Error::PinLocked { .. } | Error::PinRejected { .. }
        )
    }
}

/// How many wrong PINs a token still takes, as far as its flags tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriesLeft {
    /// The token does not say.
    Unknown,
    /// At least one wrong PIN has been entered since the last login.
    Low,
    /// One: another wrong PIN locks the token.
    FinalTry,
    /// None.
    Locked,
}

fn list(found: &[String]) -> String {
    match found {
        [] => "nothing".to_owned(),
        found => found.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_token_lists_what_is_there() {
        let missing = |found: &[&str]| {
            Error::TokenNotFound {
                module: "libsofthsm2.so".to_owned(),
                wanted: "labelled `acme-root`".to_owned(),
                found: found.iter().map(|label| format!("`{label}`")).collect(),
            }
            .to_string()
        };
        assert_eq!(
            missing(&["spare", "line-2"]),
            "no token labelled `acme-root` in `libsofthsm2.so`; found: `spare`, `line-2`"
        );
        assert_eq!(
            missing(&[]),
            "no token labelled `acme-root` in `libsofthsm2.so`; found: nothing"
        );
    }
}
