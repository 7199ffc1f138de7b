//! Why a token could not be used: what its module answered, in words that can be looked up, or why it was not asked.

use std::fmt;

use cryptoki::error::{Error, RvError};

/// What a module answered, by the names of the PKCS#11 specification: `C_Login returned CKR_PIN_LOCKED`; or why it was
/// not asked.
///
/// The binding's own text repeats paragraphs of the specification, which help nobody on a factory floor.
#[derive(Debug)]
pub struct Cause(Reason);

#[derive(Debug)]
pub(super) enum Reason {
    Answer(Error),
    /// A pool's sessions do not come back.
    Busy {
        sessions: usize,
        seconds: u64,
    },
    /// What was wrong when it was tried last, with its own causes.
    Earlier(String),
    /// Calls inside the module that do not return.
    Occupied(usize),
    /// Another thread restores the token's session and does not come to an end.
    Repairing,
    /// A session of an earlier epoch.
    Restarted,
    Restarting,
}

impl Cause {
    pub(super) fn is(&self, code: RvError) -> bool {
        matches!(self.0, Reason::Answer(Error::Pkcs11(found, _)) if found == code)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Answer(answer) => answered(answer, f),
            Reason::Busy { sessions, seconds } => write!(
                f,
                "none of its {sessions} sessions has finished anything for {seconds} s"
            ),
            Reason::Earlier(problem) => f.write_str(problem),
            Reason::Occupied(1) => f.write_str(
                "the module cannot be initialised again: a call into it does not return",
            ),
            Reason::Occupied(calls) => write!(
                f,
                "the module cannot be initialised again: {calls} calls into it do not return"
            ),
            Reason::Repairing => f.write_str("another thread is still restoring its session"),
            Reason::Restarted => f.write_str("the module was initialised again meanwhile"),
            Reason::Restarting => f.write_str("the module is still being initialised again"),
        }
    }
}

impl std::error::Error for Cause {}

impl From<Error> for Cause {
    fn from(answer: Error) -> Cause {
        Cause(Reason::Answer(answer))
    }
}

impl From<Reason> for Cause {
    fn from(reason: Reason) -> Cause {
        Cause(reason)
    }
}

fn answered(answer: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match answer {
        Error::Pkcs11(RvError::VendorDefined(code) | RvError::UnknownErrorCode(code), function) => {
            write!(f, "C_{function:?} returned {code:#010x}")
        }
        Error::Pkcs11(code, function) => {
            write!(f, "C_{function:?} returned {}", ckr(&format!("{code:?}")))
        }
        Error::LibraryLoading(cause) => fmt::Display::fmt(cause, f),
        Error::MissingSymbol(name) => write!(f, "it does not export `{name}`"),
        other => write!(f, "the PKCS#11 binding reported {other:?}"),
    }
}

/// `DeviceRemoved` → `CKR_DEVICE_REMOVED`.
fn ckr(name: &str) -> String {
    name.chars().fold("CKR".to_owned(), |mut text, letter| {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    #[test]
    fn causes_are_named_as_in_the_specification() {
        let cause = |code| Cause::from(Error::Pkcs11(code, Function::OpenSession)).to_string();
        assert_eq!(
            cause(RvError::DeviceRemoved),
            "C_OpenSession returned CKR_DEVICE_REMOVED"
        );
        assert_eq!(
            cause(RvError::VendorDefined(0x8000_0001)),
            "C_OpenSession returned 0x80000001"
        );
    }
}
