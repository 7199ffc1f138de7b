//! Where PINs come from: a person, a file, a descriptor, the environment, systemd, the token's own PIN pad.
//!
//! Whoever can read the file a PIN comes from can sign as the token's user, so a file that others can read is refused.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::pin::{MAX_PIN, Pin, PinError};
use crate::secret::{self, Fault};

/// Where the PIN of a token comes from.
///
/// In configuration: `prompt`, `{file: PATH}`, `{fd: N}`, `{env: NAME}`, `{credential: NAME}` or `protected-path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinSource {
    /// A person types it.
    Prompt,
    /// A file of mode 0600 (or 0400).
    File(PathBuf),
    /// An open file descriptor, read to its end.
    Fd(i32),
    /// An environment variable. Child processes inherit it; the other sources are better.
    Env(String),
    /// A systemd credential of that name (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential(String),
    /// The token's own PIN pad; the PIN never enters this process.
    ProtectedPath,
}

/// What a PIN needs from outside the library: a person and the environment.
pub trait PinEdge {
    /// Asks for the PIN of the token with that label.
    fn prompt(&self, token: &str) -> io::Result<Zeroizing<String>>;

    /// Reads an environment variable.
    fn env(&self, name: &str) -> Option<String>;
}

impl PinSource {
    /// Reads the `pin-source` of a PKCS#11 URI: an absolute path, or `file:` and an absolute path.
    ///
    /// RFC 7512 section 2.4 leaves the rest to the implementation; running a command (`|…`) is not done here.
    pub fn from_pin_source(text: &str) -> Result<PinSource, PinError> {
        let path = text.strip_prefix("file:").unwrap_or(text);
        let path = path.strip_prefix("//").unwrap_or(path);
        match path.starts_with('/') {
            true => Ok(PinSource::File(PathBuf::from(path))),
            false => Err(PinError::PinSource),
        }
    }

    /// Reads the PIN for the token with that label; `None` means that the token asks for it itself.
    ///
    /// One line end (`\n` or `\r\n`) at the end is dropped. A file must not be readable by group or others; systemd
    /// looks after its credentials itself.
    pub fn read(&self, token: &str, edge: &dyn PinEdge) -> Result<Option<Pin>, PinError> {
        let from = self.to_string();
        let text = match self {
            PinSource::ProtectedPath => return Ok(None),
            PinSource::Prompt => edge.prompt(token).map_err(unreadable(&from))?,
            PinSource::Env(name) => edge
                .env(name)
                .map(Zeroizing::new)
                .ok_or_else(|| PinError::EnvNotSet { name: name.clone() })?,
            PinSource::File(path) => {
                secret::read_private(path, MAX_READ).map_err(fault(path, &from))?
            }
            PinSource::Credential(name) => {
                let path = credential(name, edge)?;
                secret::read_any(&path, MAX_READ).map_err(fault(&path, &from))?
            }
            // The descriptor's number is all a library without unsafe code has; the kernel opens it again by name.
            PinSource::Fd(number) => {
                let path = PathBuf::from(format!("/proc/self/fd/{number}"));
                secret::read_any(&path, MAX_READ).map_err(fault(&path, &from))?
            }
        };
        Pin::new(secret::without_line_end(text), &from).map(Some)
    }
}

/// What errors call the source: "file `/etc/pin`".
impl fmt::Display for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinSource::Prompt => f.write_str("the prompt"),
            PinSource::File(path) => write!(f, "file `{}`", path.display()),
            PinSource::Fd(number) => write!(f, "file descriptor {number}"),
            PinSource::Env(name) => write!(f, "environment variable `{name}`"),
            PinSource::Credential(name) => write!(f, "credential `{name}`"),
            PinSource::ProtectedPath => f.write_str("the token's PIN pad"),
        }
    }
}

fn credential(name: &str, edge: &dyn PinEdge) -> Result<PathBuf, PinError> {
    secret::credential(name, edge.env("CREDENTIALS_DIRECTORY")).map_err(|problem| {
        let name = name.to_owned();
        PinError::Credential { name, problem }
    })
}

fn fault(path: &Path, from: &str) -> impl FnOnce(Fault) -> PinError {
    let (path, from) = (path.to_owned(), from.to_owned());
    |fault| match fault {
        Fault::Mode(found) => PinError::Mode { path, found },
        Fault::NotText => PinError::NotText {
            from,
            problem: "bytes that are not UTF-8",
        },
        Fault::Unreadable(source) => PinError::Unreadable { from, source },
    }
}

fn unreadable(from: &str) -> impl FnOnce(io::Error) -> PinError {
    |source| PinError::Unreadable {
        from: from.to_owned(),
        source,
    }
}

/// One byte more than the longest PIN and its line end.
const MAX_READ: usize = MAX_PIN + 3;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

    struct Edge(Option<&'static str>);

    impl PinEdge for Edge {
        fn prompt(&self, token: &str) -> io::Result<Zeroizing<String>> {
            Ok(Zeroizing::new(format!("typed for {token}\n")))
        }

        fn env(&self, _: &str) -> Option<String> {
            self.0.map(str::to_owned)
        }
    }

    fn pin_file(content: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file.as_file()
            .set_permissions(PermissionsExt::from_mode(mode))
            .unwrap();
        file
    }

    fn read(source: PinSource) -> Result<String, String> {
        match source.read("root", &Edge(None)) {
            Ok(pin) => Ok(pin.unwrap().text().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn exactly_one_line_end_is_dropped() {
        let cases = [
            ("1234\n", "1234"),
            ("1234\r\n", "1234"),
            ("1234\n\n", "1234\n"),
            (" 12 ", " 12 "),
        ];
        for (content, pin) in cases {
            let file = pin_file(content.as_bytes(), 0o600);
            assert_eq!(
                read(PinSource::File(file.path().to_owned())),
                Ok(pin.to_owned())
            );
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let file = pin_file(b"774411\n", 0o640);
        let path = file.path().to_owned();
        assert_eq!(
            read(PinSource::File(path.clone())),
            Err(format!(
                "the PIN file `{}` has mode 0640, wanted is 0600",
                path.display()
            ))
        );
    }

    #[test]
    fn pins_no_token_takes_are_refused_without_showing_them() {
        let cases: [(&[u8], &str); 4] = [
            (b"\n", "is empty"),
            (b"774411\0", "holds a NUL byte"),
            (b"774411\xff", "holds bytes that are not UTF-8"),
            (&[b'7'; 256], "is longer than 255 bytes"),
        ];
        for (content, problem) in cases {
            let file = pin_file(content, 0o400);
            let path = file.path().to_owned();
            let message = format!("the PIN from file `{}` {problem}", path.display());
            assert_eq!(read(PinSource::File(path)), Err(message));
        }
    }

    #[test]
    fn a_file_descriptor_is_read_to_its_end() {
        let mut file = pin_file(b"774411\r\n", 0o600);
        file.rewind().unwrap();
        assert_eq!(
            read(PinSource::Fd(file.as_file().as_raw_fd())),
            Ok("774411".to_owned())
        );
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"995511\n").unwrap();
        drop(writer);
        assert_eq!(
            read(PinSource::Fd(reader.as_raw_fd())),
            Ok("995511".to_owned())
        );
        assert_eq!(
            read(PinSource::Fd(-1)),
            Err("the PIN cannot be read from file descriptor -1".to_owned())
        );
    }

    #[test]
    fn a_credential_is_a_plain_name_below_the_directory_systemd_names() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("line-pin"), "774411\n").unwrap();
        let place: &'static str = Box::leak(directory.path().to_str().unwrap().into());
        let credential = |name: &str| PinSource::Credential(name.to_owned());
        let pin = credential("line-pin")
            .read("line", &Edge(Some(place)))
            .unwrap();
        assert_eq!(pin.unwrap().text(), "774411");
        assert_eq!(
            read(credential("../x")),
            Err(
                "there is no systemd credential `../x`: the name must be a plain file name"
                    .to_owned()
            )
        );
        assert_eq!(
            read(credential("x")),
            Err("there is no systemd credential `x`: CREDENTIALS_DIRECTORY is not set".to_owned())
        );
    }

    #[test]
    fn people_and_the_environment_are_asked_through_the_edge() {
        assert_eq!(read(PinSource::Prompt), Ok("typed for root".to_owned()));
        assert_eq!(
            read(PinSource::Env("LINE_PIN".to_owned())),
            Err("the environment variable `LINE_PIN` with the PIN is not set".to_owned())
        );
        assert!(
            PinSource::ProtectedPath
                .read("root", &Edge(None))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn pin_sources_of_uris_are_files_only() {
        for text in ["/run/pin", "file:/run/pin", "file:///run/pin"] {
            let source = PinSource::from_pin_source(text).unwrap();
            assert_eq!(source, PinSource::File(PathBuf::from("/run/pin")));
        }
        for text in [
            "|cat /run/pin",
            "pin",
            "file:pin",
            "file://host/pin",
            "http://host/pin",
        ] {
            assert!(PinSource::from_pin_source(text).is_err(), "{text}");
        }
    }
}
