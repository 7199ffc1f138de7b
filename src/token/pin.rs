//! PINs.
//!
//! A PIN is kept in memory that is wiped when it goes, is never shown by `Debug`, and has no `Display`. Whoever can read
//! this process's memory can sign as the token's user as long as the token is plugged in.

use std::fmt;
use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// A PIN: 1 to 255 bytes of UTF-8 without NUL.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

/// Why there is no PIN. Never holds one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// `CREDENTIALS_DIRECTORY` is not set, or the name is a path.
    #[error("there is no systemd credential `{name}`: {problem}")]
    Credential {
        /// The credential's name.
        name: String,
        /// Why.
        problem: &'static str,
    },
    /// Nothing but a line end.
    #[error("the PIN from {from} is empty")]
    Empty {
        /// The source.
        from: String,
    },
    /// The variable is not set.
    #[error("the environment variable `{name}` with the PIN is not set")]
    EnvNotSet {
        /// Its name.
        name: String,
    },
    /// Others can read the file.
    #[error("the PIN file `{}` has mode {found:04o}, wanted is 0600", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
    },
    /// A byte no PIN has.
    #[error("the PIN from {from} holds {problem}")]
    NotText {
        /// The source.
        from: String,
        /// What it holds.
        problem: &'static str,
    },
    /// A `pin-source` that is neither a path nor a `file:` URI.
    #[error("`pin-source` must be an absolute path or `file:` and an absolute path")]
    PinSource,
    /// The source cannot be read.
    #[error("the PIN cannot be read from {from}")]
    Unreadable {
        /// The source.
        from: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Longer than any token takes.
    #[error("the PIN from {from} is longer than {MAX_PIN} bytes")]
    TooLong {
        /// The source.
        from: String,
    },
}

impl Pin {
    /// Takes a PIN as it is; `from` says in errors where it came from.
    pub fn new(text: Zeroizing<String>, from: &str) -> Result<Pin, PinError> {
        let from = from.to_owned();
        match text.len() {
            0 => Err(PinError::Empty { from }),
            1..=MAX_PIN if text.contains('\0') => Err(PinError::NotText {
                from,
                problem: "a NUL byte",
            }),
            1..=MAX_PIN => Ok(Pin(text)),
            _ => Err(PinError::TooLong { from }),
        }
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The PIN in the binding's type, which wipes itself, too.
    pub(super) fn auth(&self) -> cryptoki::types::AuthPin {
        Box::<str>::from(self.0.as_str()).into()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// What SoftHSM2 and most vendors take at most.
pub(super) const MAX_PIN: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_pin() {
        let pin = Pin::new(Zeroizing::new("774411".to_owned()), "a test").unwrap();
        assert_eq!(format!("{pin:?}"), "Pin(…)");
    }
}
