//! What a module answered, in words that can be looked up.

use std::fmt;

use cryptoki::error::{Error, RvError};

/// What a module answered, by the names of the PKCS#11 specification: `C_Login returned CKR_PIN_LOCKED`.
///
/// The binding's own text repeats paragraphs of the specification, which help nobody on a factory floor.
#[derive(Debug)]
pub struct Cause(Error);

impl Cause {
    pub(super) fn is(&self, code: RvError) -> bool {
        matches!(self.0, Error::Pkcs11(found, _) if found == code)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::Pkcs11(
                RvError::VendorDefined(code) | RvError::UnknownErrorCode(code),
                function,
            ) => {
                write!(f, "C_{function:?} returned {code:#010x}")
            }
            Error::Pkcs11(code, function) => {
                write!(f, "C_{function:?} returned {}", ckr(&format!("{code:?}")))
            }
            Error::LibraryLoading(cause) => cause.fmt(f),
            Error::MissingSymbol(name) => write!(f, "it does not export `{name}`"),
            other => write!(f, "the PKCS#11 binding reported {other:?}"),
        }
    }
}

impl std::error::Error for Cause {}

impl From<Error> for Cause {
    fn from(cause: Error) -> Cause {
        Cause(cause)
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
        let cause = |code| Cause(Error::Pkcs11(code, Function::OpenSession)).to_string();
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
