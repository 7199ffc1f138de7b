//! Labels of tokens and keys.

use std::fmt;

use super::Error;

/// A label for a token or a key: 1 to 32 bytes of UTF-8, without control characters or spaces at either end.
///
/// A token stores its label in 32 bytes padded with spaces (PKCS#11 `CK_TOKEN_INFO`), and the PKCS#11 binding cuts a
/// longer one silently. Key labels keep the same limit, so that one name fits both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

impl Label {
    /// Checks a label.
    pub fn new(text: &str) -> Result<Label, Error> {
        let problem = match text.len() {
            0 => "it is empty".to_owned(),
            found if found > MAX_LABEL => {
                format!("it has {found} bytes, at most {MAX_LABEL} are allowed")
            }
            _ if text.contains(char::is_control) => "it has a control character".to_owned(),
            _ if text.trim() != text => "it begins or ends with a space".to_owned(),
            _ => return Ok(Label(text.to_owned())),
        };
        Err(Error::Label {
            label: text.escape_debug().to_string(),
            problem,
        })
    }

    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes of `label` in `CK_TOKEN_INFO`.
pub const MAX_LABEL: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_a_token_would_cut_or_pad_are_refused() {
        let long = "é".repeat(16) + "x";
        let cases = [
            ("", "label `` cannot be used: it is empty"),
            (
                long.as_str(),
                "label `ééééééééééééééééx` cannot be used: it has 33 bytes, at most 32 are allowed",
            ),
            (
                "root ",
                "label `root ` cannot be used: it begins or ends with a space",
            ),
            (
                "a\tb",
                "label `a\\tb` cannot be used: it has a control character",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Label::new(text).unwrap_err().to_string(), message);
        }
        let longest = "é".repeat(16);
        assert_eq!(Label::new(&longest).unwrap().as_str(), longest);
    }
}
