//! The files that travel between an online machine and the one with the root: text that people can read, and whose
//! checksum gives a damaged stick away.
//!
//! ```text
//! factory-ca request 1
//! factory: acme
//! authority: line-1
//! subject: CN=fio-5f3a, OU=acme
//! key: P-256, SHA-256 …
//!
//! -----BEGIN CERTIFICATE REQUEST-----
//! …
//! sha-256: <of every octet before this line>
//! ```
//!
//! The checksum is against accidents. Against people stands what each side looks at before it acts: the request's own
//! signature, the root's fingerprint, and what is shown.

use std::path::{Path, PathBuf};

use crate::hex;
use crate::x509::key::sha256;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The certificates that answer a request.
    Answer,
    /// A CA's request.
    Request,
}

/// A file that was read whole: its fields and its PEM blocks.
#[derive(Clone, Debug)]
pub struct Note {
    fields: Vec<(String, String)>,
    /// The PEM text below the fields.
    pub pem: String,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Damaged on its way, or changed by hand.
    #[error("`{file}` is damaged: its checksum is {found}, written in it is {wanted}")]
    Checksum {
        /// The file.
        file: PathBuf,
        /// The checksum of what is there.
        found: String,
        /// What is written there.
        wanted: String,
    },
    /// A field says something else than the contents, or than this PKI.
    #[error("`{file}`: {what} is {found}, wanted is {wanted}")]
    Differs {
        /// The file.
        file: PathBuf,
        /// Of what.
        what: &'static str,
        /// What is there.
        found: String,
        /// What is wanted.
        wanted: String,
    },
    /// A field or a line is not there.
    #[error("`{file}` is cut off or no file of this program: {missing} is missing")]
    Missing {
        /// The file.
        file: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// Something else.
    #[error("`{file}` begins with `{found}`, wanted is `{wanted}`")]
    Other {
        /// The file.
        file: PathBuf,
        /// Its first line.
        found: String,
        /// The first line wanted.
        wanted: &'static str,
    },
}

impl Note {
    /// Writes a file.
    pub fn write(kind: Kind, fields: &[(&str, String)], pem: &str) -> String {
        let mut text = format!("{}\n", kind.first_line());
        for (name, value) in fields {
            // A value is on one line: names of CAs and factories hold no control characters.
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push_str(&format!("\n{}\n", pem.trim_end()));
        let sum = hex::encode(sha256(text.as_bytes()));
        text.push_str(&format!("{CHECKSUM}{sum}\n"));
        text
    }

    /// Reads a file; nothing in it is looked at before its checksum fits.
    pub fn read(file: &Path, text: &str, kind: Kind) -> Result<Note, NoteError> {
        let missing = |missing| NoteError::Missing {
            file: file.to_owned(),
            missing,
        };
        let first = text.lines().next().unwrap_or_default();
        if first != kind.first_line() {
            return Err(NoteError::Other {
                file: file.to_owned(),
                found: first
                    .chars()
                    .take(40)
                    .flat_map(char::escape_debug)
                    .collect(),
                wanted: kind.first_line(),
            });
        }
        let at = text.rfind(CHECKSUM).ok_or(missing("its checksum"))?;
        let (body, sum) = text.split_at(at);
        let wanted = sum[CHECKSUM.len()..].trim_end().to_owned();
        let found = hex::encode(sha256(body.as_bytes()));
        if found != wanted {
            return Err(NoteError::Checksum {
                file: file.to_owned(),
                found,
                wanted: wanted.escape_debug().to_string(),
            });
        }
        let (head, pem) = body.split_once("\n\n").ok_or(missing("its PEM text"))?;
        let fields = head.lines().skip(1);
        let fields = fields.filter_map(|line| line.split_once(": "));
        Ok(Note {
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            pem: pem.to_owned(),
        })
    }

    /// A field's value.
    pub fn field(&self, file: &Path, name: &'static str) -> Result<&str, NoteError> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        let missing = || NoteError::Missing {
            file: file.to_owned(),
            missing: name,
        };
        found.map(|(_, value)| value.as_str()).ok_or_else(missing)
    }

    /// Makes sure that a field says what is so.
    pub fn expect(&self, file: &Path, name: &'static str, wanted: &str) -> Result<(), NoteError> {
        let found = self.field(file, name)?;
        match found == wanted {
            true => Ok(()),
            false => Err(NoteError::Differs {
                file: file.to_owned(),
                what: name,
                found: format!("`{}`", found.escape_debug()),
                wanted: format!("`{wanted}`"),
            }),
        }
    }
}

impl Kind {
    fn first_line(self) -> &'static str {
        match self {
            Kind::Answer => "factory-ca answer 1",
            Kind::Request => "factory-ca request 1",
        }
    }
}

const CHECKSUM: &str = "sha-256: ";

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> String {
        let fields = [
            ("factory", "acme".to_owned()),
            ("authority", "a: b".to_owned()),
        ];
        Note::write(
            Kind::Request,
            &fields,
            "-----BEGIN X-----\nAAAA\n-----END X-----\n",
        )
    }

    fn read(text: &str) -> Result<Note, String> {
        let read = Note::read(Path::new("f"), text, Kind::Request);
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_written_is_read() {
        let note = read(&note()).unwrap();
        let file = Path::new("f");
        assert_eq!(note.field(file, "authority").unwrap(), "a: b");
        assert!(note.expect(file, "factory", "acme").is_ok());
        assert_eq!(
            note.expect(file, "factory", "other")
                .unwrap_err()
                .to_string(),
            "`f`: factory is `acme`, wanted is `other`"
        );
        assert!(note.pem.starts_with("-----BEGIN X"));
    }

    #[test]
    fn any_changed_octet_is_found_out() {
        let whole = note();
        for at in 0..whole.len() - 1 {
            let mut octets = whole.clone().into_bytes();
            octets[at] ^= 1;
            if let Ok(text) = String::from_utf8(octets) {
                assert!(read(&text).is_err(), "{text}");
            }
        }
        for end in 0..whole.len() - 1 {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn another_file_is_named_by_its_first_line() {
        assert_eq!(
            read("PK\u{3}\u{4}").unwrap_err(),
            "`f` begins with `PK\\u{3}\\u{4}`, wanted is `factory-ca request 1`"
        );
        assert_eq!(
            read("factory-ca request 1\n").unwrap_err(),
            "`f` is cut off or no file of this program: its checksum is missing"
        );
    }
}
