//! The values of overrides: TOML text that was joined together by a shell's user, read and written anew.
//!
//! The device puts quotes around what its user typed without looking at it: `-t main` arrives as `"main"`, `-t 'a"b'` as
//! `"a"b"`. Other clients send no quotes at all. The rules:
//!
//! | text | is read as |
//! |---|---|
//! | nothing, or blanks | unset |
//! | a TOML string (basic or literal, also in three quotes) | that string |
//! | `"…"` that is no TOML string | what stands between the outer quotes, as it is |
//! | another text that starts with a quote | refused |
//! | a TOML integer, float, `true` or `false` | that |
//! | everything else: words, paths, arrays, tables, dates | a string, as it is |
//!
//! A string with a control character in it is refused, written as an escape or not: the reader on the device takes a line
//! for a key and does not undo escapes.

use std::fmt;

use toml_edit::Value as Toml;

/// What a key is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Unset,
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

impl Value {
    /// Reads the value of an override; or says what is wanted instead.
    pub fn read(text: &str) -> Result<Value, &'static str> {
        let text = text.trim_matches([' ', '\t']);
        if text.is_empty() {
            return Ok(Value::Unset);
        }
        if text.chars().any(char::is_control) {
            return Err(PLAIN);
        }
        let value = match text.starts_with(['"', '\'']) {
            true => Value::Text(quoted(text)?),
            false => bare(text),
        };
        match &value {
            Value::Text(text) if text.chars().any(char::is_control) => Err(PLAIN),
            _ => Ok(value),
        }
    }
}

/// In TOML, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unset => Ok(()),
            Value::Text(text) => write_basic_string(f, text),
            Value::Integer(number) => Toml::from(*number).fmt(f),
            Value::Float(number) => Toml::from(*number).fmt(f),
            Value::Boolean(switch) => Toml::from(*switch).fmt(f),
        }
    }
}

fn quoted(text: &str) -> Result<String, &'static str> {
    if let Some(plain) = plain(text) {
        return Ok(plain.to_owned());
    }
    if let Ok(Toml::String(string)) = text.parse() {
        return Ok(string.into_value());
    }
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.map(str::to_owned).ok_or(CLOSED)
}

/// A basic string with nothing in it that means anything: what clients send, and not worth a parser.
fn plain(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let means_nothing = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    inner.bytes().all(means_nothing).then_some(inner)
}

fn bare(text: &str) -> Value {
    // The parser looks away from a byte order mark.
    if !text.is_ascii() {
        return Value::Text(text.to_owned());
    }
    match text.parse() {
        Ok(Toml::Integer(number)) => Value::Integer(number.into_value()),
        Ok(Toml::Float(number)) => Value::Float(number.into_value()),
        Ok(Toml::Boolean(switch)) => Value::Boolean(switch.into_value()),
        _ => Value::Text(text.to_owned()),
    }
}

/// TOML 1.0, "String": always the basic form, because it is the only one the reader on the device knows. Control
/// characters were refused, so two escapes are enough.
fn write_basic_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    write!(f, "\"{escaped}\"")
}

const PLAIN: &str = "a value without control characters";

const CLOSED: &str = "a value that ends with the quote it starts with";
