//! The one place that maps an error to its stable code, its hint and its exit code.
//!
//! Exit codes answer "what should the station do": 1 reject this device; 2 fix what you asked for, never retry
//! blindly; 3 retry later, nothing was signed; 4 stop the line; 130 interrupted.

mod engine;
mod gateway;

use std::error::Error as StdError;
use std::sync::Arc;

pub use engine::{explain, explain_output};

use crate::authority;
use crate::config::ConfigError;
use crate::gateway::{ApiError, TokenError, UrlError};
use crate::ledger;
use crate::output::file::OutputError;
use crate::secret::SecretError;
use crate::token;
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
