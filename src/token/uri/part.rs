//! One attribute of a PKCS#11 URI: reading, percent-encoding and writing it.

use std::fmt;

use super::UriError;

/// One `name=value`, the value decoded.
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) value: Vec<u8>,
}

impl<'a> Part<'a> {
    pub(super) fn read(at: usize, part: &'a str, allowed: &[u8]) -> Result<Part<'a>, UriError> {
        let (name, value) = part.split_once('=').ok_or(UriError::NoValue(at + 1))?;
        let value = decode(value, allowed).ok_or_else(|| UriError::Encoding(name.to_owned()))?;
        match value.is_empty() {
            true => Err(UriError::Empty(name.to_owned())),
            false => Ok(Part { name, value }),
        }
    }

    pub(super) fn text(&self, field: &mut Option<String>, max: usize) -> Result<(), UriError> {
        let encoding = || UriError::Encoding(self.name.to_owned());
        let text = std::str::from_utf8(&self.value).map_err(|_| encoding())?;
        if text.contains('\0') {
            return Err(encoding());
        }
        if text.len() > max {
            return Err(UriError::TooLong {
                name: self.name.to_owned(),
                found: text.len(),
                max,
            });
        }
        self.store(field, text.to_owned())
    }

    pub(super) fn store<T>(&self, field: &mut Option<T>, value: T) -> Result<(), UriError> {
        match field.replace(value) {
            Some(_) => Err(UriError::Duplicate(self.name.to_owned())),
            None => Ok(()),
        }
    }
}

pub(super) fn refusal(name: &str) -> UriError {
    match name {
        "pin-value" => UriError::PinValue,
        "slot-id" | "slot-description" | "slot-manufacturer" => UriError::Slot(name.to_owned()),
        _ => UriError::Unknown(name.to_owned()),
    }
}

fn decode(text: &str, allowed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match first {
            b'%' => {
                let (digits, tail) = tail.split_at_checked(2)?;
                bytes.extend(crate::hex::decode(std::str::from_utf8(digits).ok()?)?);
                tail
            }
            plain if is_unreserved(*plain) || allowed.contains(plain) => {
                bytes.push(*plain);
                tail
            }
            _ => return None,
        };
    }
    Some(bytes)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        match is_unreserved(*byte) {
            true => text.push(char::from(*byte)),
            false => text.push_str(&encode_all(&[*byte])),
        }
        text
    })
}

/// RFC 7512 section 2.3 recommends to encode every byte of an id.
pub(super) fn encode_all(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

pub(super) fn write_parts(
    f: &mut fmt::Formatter<'_>,
    opening: &str,
    separator: &str,
    parts: &[(&str, Option<String>)],
) -> fmt::Result {
    let mut before = opening;
    for (name, value) in parts {
        if let Some(value) = value {
            write!(f, "{before}{name}={value}")?;
            before = separator;
        }
    }
    Ok(())
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// `pk11-pchar` without the unreserved characters (RFC 7512 section 2.3).
pub(super) const PATH_CHARACTERS: &[u8] = b":[]@!$'()*+,=&";
/// `pk11-qchar` likewise.
pub(super) const QUERY_CHARACTERS: &[u8] = b":[]@!$'()*+,=/?|";
