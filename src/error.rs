//! The one place that maps an error to its stable code, its hint and its exit code.
//!
//! Exit codes answer "what should the station do": 1 reject this device; 2 fix what you asked for, never retry
//! blindly; 3 retry later, nothing was signed; 4 stop the line; 130 interrupted.

mod gateway;

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::sync::Arc;

use crate::authority;
use crate::config::ConfigError;
use crate::gateway::{ApiError, TokenError, UrlError};
use crate::ledger::{self, Conflict};
use crate::output::file::OutputError;
use crate::secret::SecretError;
use crate::token::{self, PinError, TriesLeft};
use crate::x509::Serial;
use crate::x509::csr::CsrError;

/// Any error a command can end with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The Foundries API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The token for the Foundries API.
    #[error(transparent)]
    ApiToken(#[from] TokenError),
    /// The engine.
    #[error(transparent)]
    Authority(#[from] authority::Error),
    /// Some requests of a batch have no certificate; each was reported by itself.
    #[error("{0}")]
    Batch(String, Exit),
    /// Where devices find their gateway.
    #[error(transparent)]
    GatewayUrls(#[from] UrlError),
    /// The audit chain or the tables contradict themselves.
    #[error("`{path}` breaks {count} of its invariants")]
    LedgerBroken {
        /// The ledger.
        path: String,
        /// How many violations were found.
        count: usize,
    },
    /// The command was interrupted.
    #[error("{0}")]
    Interrupted(String),
    /// The Foundries API did a part of what it was asked.
    #[error("{error}; done before that: {done} of {of}")]
    Partly {
        /// How many were done.
        done: usize,
        /// How many were asked for.
        of: usize,
        /// What is wrong.
        error: ApiError,
    },
    /// One request was not answered with a certificate.
    #[error("{}", refusal(profile, file, error))]
    Request {
        /// The profile it was held against.
        profile: String,
        /// The request's file.
        file: String,
        /// Why.
        error: Box<authority::Error>,
    },
    /// A registrar was created, and the file with its token could not be written.
    #[error("registrar `{registrar}` is created and its token is lost: {error}")]
    TokenLost {
        /// The registrar's name.
        registrar: String,
        /// What is wrong with the file.
        error: OutputError,
    },
    /// A secret that is no PIN.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The endpoint cannot go on.
    #[error("{}", on_one_line(.0))]
    Stopped(Arc<authority::Error>),
    /// A certificate was issued and recorded, and its file could not be written.
    #[error("certificate {serial} is issued and recorded, but {error}")]
    Undelivered {
        /// The certificate's serial number.
        serial: Serial,
        /// What is wrong with the file.
        error: OutputError,
    },
    /// What was asked for cannot be done like this.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// What a line controller should do, as a process exit code. The worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: refused; reject this device.
    Refused,
    /// 2: usage, configuration or PIN; fix it, never retry blindly.
    Usage,
    /// 3: token or ledger unavailable; retry later.
    Unavailable,
    /// 4: unknown outcome or integrity failure; stop the line.
    Stop,
    /// 130: interrupted.
    Interrupted,
}

/// What is shown of an error beside its text.
pub struct Explanation {
    /// Its stable code.
    pub code: &'static str,
    /// What to do.
    pub hint: Option<String>,
    /// The exit code.
    pub exit: Exit,
}

impl Error {
    /// A usage error with a hint.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Usage {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// The stable code, the hint and the exit code.
    pub fn explain(&self) -> Explanation {
        match self {
            Error::Api(error) | Error::Partly { error, .. } => gateway::explain_api(error),
            Error::ApiToken(error) => gateway::explain_token(error),
            Error::GatewayUrls(error) => gateway::explain_urls(error),
            Error::Authority(error) => explain(error),
            Error::Batch(_, exit) => of("batch-incomplete", *exit),
            Error::LedgerBroken { .. } => of("ledger-broken", Exit::Stop)
                .hint("stop issuing on this station and keep a copy of the ledger"),
            Error::Interrupted(_) => {
                of("interrupted", Exit::Interrupted).hint("run the same command again to resume")
            }
            Error::Request { profile, error, .. } => match error.as_ref() {
                refused @ authority::Error::Refused(_) => explain(refused).hint(format!(
                    "run `factory-ca profile show {profile}` to see what it accepts"
                )),
                other => explain(other),
            },
            Error::TokenLost { registrar, error } => explain_output(error).hint(format!(
                "run `factory-ca registrar close {registrar}` and create another one"
            )),
            Error::Secret(error) => gateway::explain_secret(error),
            Error::Stopped(error) => explain(error),
            Error::Undelivered { error, .. } => explain_output(error)
                .hint("run the same command again with a file that can be written: it gets the same certificate"),
            Error::Usage { hint, .. } => Explanation {
                hint: hint.clone(),
                ..of("usage", Exit::Usage)
            },
        }
    }

    /// The text and its causes, one per line.
    pub fn lines(&self) -> Vec<String> {
        let cause = match self {
            Error::Request { error, .. } => StdError::source(error.as_ref()),
            Error::TokenLost { error, .. } | Error::Undelivered { error, .. } => {
                StdError::source(error)
            }
            other => StdError::source(other),
        };
        with_causes(self.to_string(), cause)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Error {
        Error::Authority(error.into())
    }
}

impl From<CsrError> for Error {
    fn from(error: CsrError) -> Error {
        Error::Authority(error.into())
    }
}

impl From<ledger::Error> for Error {
    fn from(error: ledger::Error) -> Error {
        Error::Authority(error.into())
    }
}

impl From<OutputError> for Error {
    fn from(error: OutputError) -> Error {
        Error::Authority(error.into())
    }
}

impl From<token::Error> for Error {
    fn from(error: token::Error) -> Error {
        Error::Authority(error.into())
    }
}

impl Exit {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Unavailable => 3,
            Exit::Stop => 4,
            Exit::Interrupted => 130,
        }
    }
}

impl Explanation {
    fn hint(self, hint: impl Into<String>) -> Explanation {
        Explanation {
            hint: Some(hint.into()),
            ..self
        }
    }
}

fn of(code: &'static str, exit: Exit) -> Explanation {
    Explanation {
        code,
        hint: None,
        exit,
    }
}

fn refusal(profile: &str, file: &str, error: &authority::Error) -> String {
    match error {
        authority::Error::Refused(_) => {
            format!("profile `{profile}` refuses `{file}`: {error}; nothing was signed")
        }
        authority::Error::Conflict(_) => format!("`{file}` is refused: {error}"),
        authority::Error::Csr(_) => format!("`{file}` is refused: {error}; nothing was signed"),
        other => other.to_string(),
    }
}

/// An error of the engine with its causes, on one line.
pub fn on_one_line(error: &authority::Error) -> String {
    with_causes(error.to_string(), StdError::source(error)).join(": ")
}

/// A text and its causes. A cause that was said already is left out; of one that only repeats the one above it in more
/// words, the words are kept.
fn with_causes(text: String, mut cause: Option<&(dyn StdError + 'static)>) -> Vec<String> {
    let mut lines = vec![text];
    while let Some(error) = cause {
        let text = error.to_string();
        if lines.iter().any(|line| line.contains(&text)) {
            cause = error.source();
            continue;
        }
        let repeats = |above: &String| text.ends_with(above.as_str());
        if lines.len() > 1 && lines.last().is_some_and(repeats) {
            lines.pop();
        }
        lines.push(text);
        cause = error.source();
    }
    lines
}

/// What an error of the engine means for its user.
pub fn explain(error: &authority::Error) -> Explanation {
    use authority::Error::*;
    match error {
        AuthorityNotValid { .. } => of("authority-not-valid", Exit::Usage)
            .hint("check this machine's clock; if it is right the CA has to be renewed"),
        Certificate { .. } => of("certificate", Exit::Usage),
        CertificateLost(_) => of("ledger-certificate-lost", Exit::Stop).hint("run `factory-ca ledger check`"),
        Chain { .. } => of("chain", Exit::Usage).hint("run `factory-ca ca list` to see what the configuration names"),
        Config(error) => explain_config(error),
        Conflict(conflict) => explain_conflict(conflict),
        Csr(_) => of(error.rule().unwrap_or("csr-malformed"), Exit::Refused),
        File(_, error) => of("file", exit_of(error.kind())),
        Ledger(error) => explain_ledger(error),
        Lint(_) => of("lint", Exit::Stop).hint("this is a defect of factory-ca or of the profile: report it"),
        NoEntropy => of("no-entropy", Exit::Stop),
        NoSoftHsm => of("softhsm-missing", Exit::Usage)
            .hint("install it with `apt-get install softhsm2`, or name another module with `--module PATH`"),
        NotCreated { authority, .. } => {
            of("authority-not-created", Exit::Usage).hint(format!("run `factory-ca ca create {authority}`"))
        }
        NotIssued { .. } => of("not-issued", Exit::Usage).hint("name another authority with `--authority NAME`"),
        NotReleased => of("not-released", Exit::Unavailable).hint("run the same command again"),
        Output(error) => explain_output(error),
        Profile { .. } => of("profile", Exit::Usage).hint("run `factory-ca profile check FILE` until it is sound"),
        Refused(refusal) => of(refusal.rule, Exit::Refused)
            .hint("run `factory-ca profile list` and `factory-ca profile show NAME` to see what is accepted"),
        SignatureWrong { .. } => {
            of("signature-wrong", Exit::Stop).hint("the token or its module is broken: do not use it")
        }
        Template(_) => of("template", Exit::Stop),
        Token(error) => explain_token(error),
        UnknownProfile { .. } => of("unknown-profile", Exit::Usage).hint("run `factory-ca profile list`"),
        Unrecorded { .. } => of("unrecorded", Exit::Stop)
            .hint("stop issuing on this station, then run `factory-ca ledger check`"),
    }
}

fn explain_config(error: &ConfigError) -> Explanation {
    match error {
        ConfigError::Missing(_) => of("no-pki-directory", Exit::Usage).hint(
            "make one with `factory-ca init --factory NAME`, or name another with `--pki-dir DIR`",
        ),
        ConfigError::Unknown { .. } => {
            of("unknown-name", Exit::Usage).hint("names are those of factory-ca.yaml")
        }
        ConfigError::Read(..) => of("file", Exit::Usage),
        _ => of("configuration", Exit::Usage),
    }
}

fn explain_conflict(conflict: &Conflict) -> Explanation {
    let allow = |device: &str| {
        format!("to replace it, run `factory-ca device allow-reissue {device}` and try again")
    };
    match conflict {
        Conflict::Busy { .. } => of("device-busy", Exit::Unavailable).hint("try again in a moment"),
        Conflict::DeviceLive { entry } | Conflict::DeviceRevoked { entry } => {
            of(conflict.rule(), Exit::Refused).hint(allow(entry.device.as_deref().unwrap_or_default()))
        }
        Conflict::KeyOfOtherDevice { .. } => of(conflict.rule(), Exit::Refused)
            .hint("two devices with one key are most likely a cloned image: make a new key on this device"),
        Conflict::RegistrarClosed { .. }
        | Conflict::RegistrarExhausted { .. }
        | Conflict::RegistrarExpired { .. } => of(conflict.rule(), Exit::Refused)
            .hint("run `factory-ca registrar list`; for a new token run `factory-ca registrar create NAME`"),
        _ => of(conflict.rule(), Exit::Refused).hint("make a new key on this device"),
    }
}

fn explain_ledger(error: &ledger::Error) -> Explanation {
    use ledger::Error::*;
    match error {
        ClockBehind { .. } => of("clock-behind", Exit::Usage).hint("set this machine's clock"),
        CertificateMismatch { .. }
        | CommitUnknown { .. }
        | NotReserved { .. }
        | SerialRepeated { .. }
        | Stopped => of("ledger-integrity", Exit::Stop)
            .hint("stop issuing on this station, then run `factory-ca ledger check`"),
        DeviceUnknown { .. } => {
            of("device-unknown", Exit::Usage).hint("run `factory-ca device list`")
        }
        NotIssued { .. } => of("certificate-not-issued", Exit::Usage)
            .hint("run `factory-ca device list` to see the states"),
        ReasonUnsuitable { .. } => of("reason-unsuitable", Exit::Usage),
        RegistrarExists { .. } => of("registrar-exists", Exit::Usage).hint("choose another name"),
        RegistrarUnknown { .. } => {
            of("registrar-unknown", Exit::Usage).hint("run `factory-ca registrar list`")
        }
        Exists { .. } => of("exists", Exit::Usage).hint("name another file"),
        Locked { .. } => of("ledger-locked", Exit::Unavailable).hint("try again in a moment"),
        Missing { .. } => of("ledger-missing", Exit::Usage)
            .hint("restore it from a backup; without it the CA no longer knows what it issued"),
        NetworkFileSystem { .. } | NotALedger { .. } | SchemaNewer { .. } => {
            of("ledger-unusable", Exit::Usage)
        }
        _ => of("ledger-unavailable", Exit::Unavailable)
            .hint("check space and permissions, then try again"),
    }
}

/// What an output error means for its user.
pub fn explain_output(error: &OutputError) -> Explanation {
    match error {
        OutputError::Busy(_) => of("output-busy", Exit::Unavailable)
            .hint("wait for the other batch, or name another directory"),
        OutputError::Exists(_) | OutputError::Taken(_) => of("output-exists", Exit::Usage)
            .hint("move it away or name another; nothing is ever overwritten"),
        OutputError::Write(_, error) => of("output", exit_of(error.kind()))
            .hint("put that right, then run the same command again"),
    }
}

fn explain_token(error: &token::Error) -> Explanation {
    use token::Error::*;
    let usage = |code| of(code, Exit::Usage);
    match error {
        KeyAmbiguous { .. } => usage("key-ambiguous").hint("keys are told apart by the certificate; remove the one that is not it"),
        KeyExists { .. } => usage("key-exists")
            .hint("if a creation was interrupted here, run `factory-ca ca create NAME --existing-key` to certify this key"),
        KeyExposed { .. } => of("key-exposed", Exit::Stop).hint("do not use this key: the token would give it away"),
        KeyMismatch { .. } => usage("key-mismatch").hint("run `factory-ca token show NAME` and compare with the certificate"),
        KeyNotFound { .. } => usage("key-not-found").hint("run `factory-ca token show NAME`"),
        LabelTaken { .. } => usage("label-taken").hint("give the token's URI another label, or the `serial=` of the token that is meant; run `factory-ca token list`"),
        ModuleNotFound { .. } | NotAModule { .. } => usage("module").hint("name the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`"),
        NoFreeToken { .. } => usage("token-not-found").hint("run `factory-ca token list`"),
        TokenNotFound { .. } => of("token-not-found", Exit::Unavailable)
            .hint("check that the token is connected, then run `factory-ca token list`"),
        Pin(PinError::Mode { path, .. }) => usage("pin-file-mode").hint(format!("run `chmod 600 {}`", path.display())),
        Pin(_) => usage("pin").hint("name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml"),
        PinLocked { .. } => usage("pin-locked").hint("only the security officer can unlock it"),
        PinRejected { left, .. } => usage("pin-rejected").hint(match left {
            TriesLeft::FinalTry => "one try is left; another wrong PIN locks the token and only the security officer can unlock it",
            TriesLeft::Low => "check where the PIN comes from before trying again: few tries are left before the token locks",
            TriesLeft::Locked => "the token is locked now; only the security officer can unlock it",
            TriesLeft::Unknown => "check where the PIN comes from before trying again: too many wrong PINs lock most tokens",
        }),
        SoPinRejected { .. } => usage("so-pin-rejected")
            .hint("check where the PIN comes from before trying again: too many wrong ones make a token unusable for ever"),
        TokenAmbiguous { .. } => usage("token-ambiguous").hint("run `factory-ca token list` to see their serial numbers"),
        TokenInitialised { .. } => usage("token-initialised").hint("to erase it and all its keys, add `--erase --confirm LABEL`"),
        ModuleFailed { .. } | TokenInUse { .. } | TokenLost { .. } | TokenUnavailable { .. } => of("token-unavailable", Exit::Unavailable)
            .hint("check that the token is connected, then try again"),
        SignatureLength { .. } => of("signature-wrong", Exit::Stop).hint("the token or its module is broken: do not use it"),
        _ => usage("token"),
    }
}

/// What a failed file operation means: some things have to be put right first, others pass.
fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists => Exit::Usage,
        _ => Exit::Unavailable,
    }
}
