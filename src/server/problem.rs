//! What a client is told when it gets no certificate: a status and a JSON object that lmp-device-register prints well.

use std::fmt;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::authority;
use crate::error::{self, Exit};
use crate::ledger::Conflict;
use crate::x509::Csr;
use crate::x509::name::COMMON_NAME;

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The rule's stable name, for metrics, logs and the ledger.
    pub(super) rule: &'static str,
    message: String,
    hint: Option<String>,
    fields: Vec<(String, String)>,
    /// `Allow`, `Retry-After` or `WWW-Authenticate`.
    pub(super) header: Option<(&'static str, &'static str)>,
    /// Whether the ledger holds this refusal already.
    pub(super) recorded: bool,
    /// The device it is about, as far as the certification request was understood.
    pub(super) device: Option<String>,
    /// SHA-256 of its key.
    pub(super) key: Option<[u8; 32]>,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Problem {
        Problem {
            status,
            rule,
            message: message.into(),
            hint: None,
            fields: Vec::new(),
            header: match status {
                StatusCode::SERVICE_UNAVAILABLE => Some(("retry-after", "10")),
                StatusCode::UNAUTHORIZED => Some(("www-authenticate", "Bearer")),
                _ => None,
            },
            recorded: false,
            device: None,
            key: None,
        }
    }

    /// The request's fault: its body.
    pub(super) fn bad_request(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "body", message)
    }

    /// Not now; the same request may be answered later.
    pub(super) fn unavailable(rule: &'static str, message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, rule, message)
    }

    /// Names the field that is wrong.
    pub(super) fn field(mut self, field: impl Into<String>, text: impl Into<String>) -> Problem {
        self.fields.push((field.into(), text.into()));
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn rule(self, rule: &'static str) -> Problem {
        Problem { rule, ..self }
    }

    /// Names the device whose request it is about; what its subject says has not been believed.
    pub(super) fn about(mut self, csr: &Csr) -> Problem {
        self.device = csr.subject().first(COMMON_NAME).map(shown);
        self.key = Some(csr.key().fingerprint());
        self
    }

    pub(super) fn header(self, name: &'static str, value: &'static str) -> Problem {
        let header = Some((name, value));
        Problem { header, ..self }
    }

    /// What the engine said about a request.
    ///
    /// What went wrong inside this machine is told in general terms only; the log has the rest.
    pub(super) fn of(error: &authority::Error) -> Problem {
        let explanation = error::explain(error);
        let told = || format!("{error}");
        let problem = match error {
            authority::Error::Conflict(conflict) => return of_conflict(conflict, explanation.hint),
            authority::Error::Csr(_) => {
                Problem::bad_request("the certification request is refused").field("csr", told())
            }
            authority::Error::Refused(refusal) => {
                Problem::bad_request("the certification request is refused")
                    .field("csr", refusal.to_string())
            }
            authority::Error::AuthorityNotValid { .. } => Problem::unavailable(
                explanation.code,
                "the CA is outside its validity, or this server's clock is wrong",
            ),
            _ => match explanation.exit {
                Exit::Unavailable => Problem::unavailable(
                    explanation.code,
                    "the token or the ledger is not available; nothing was released",
                ),
                _ => Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    explanation.code,
                    "the endpoint cannot answer; nothing was released",
                ),
            },
        };
        let rule = error.rule().unwrap_or(explanation.code);
        problem.rule(rule)
    }

    /// The body: what went wrong, by field where one is at fault, and the number under which the log has it.
    pub(super) fn to_json(&self, request: &str) -> String {
        let mut object = Map::new();
        object.insert("message".to_owned(), self.message.clone().into());
        if !self.fields.is_empty() {
            let fields = self.fields.iter();
            let fields: Map<String, Value> = fields
                .map(|(field, text)| (field.clone(), json!(text)))
                .collect();
            object.insert("errors".to_owned(), fields.into());
        }
        if let Some(hint) = &self.hint {
            object.insert("hint".to_owned(), hint.clone().into());
        }
        object.insert("request".to_owned(), request.into());
        Value::Object(object).to_string()
    }

    /// Message and fields on one line, as the ledger and the log keep them.
    pub(super) fn told(&self) -> String {
        let mut text = self.message.clone();
        for (field, fault) in &self.fields {
            text.push_str(&format!("; {field}: {fault}"));
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A text of a request as it may be shown and kept: control characters escaped, no longer than a line.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", cut.escape_debug())
}

/// A conflict is recorded by the engine, in the transaction that found it.
fn of_conflict(conflict: &Conflict, hint: Option<String>) -> Problem {
    let status = match conflict {
        Conflict::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Conflict::RegistrarClosed { .. }
        | Conflict::RegistrarExpired { .. }
        | Conflict::RegistrarExhausted { .. } => StatusCode::FORBIDDEN,
        _ => StatusCode::CONFLICT,
    };
    Problem {
        hint,
        recorded: true,
        ..Problem::new(
            status,
            conflict.rule(),
            format!("{conflict}; nothing was signed"),
        )
    }
}

/// Characters of a text that are shown. The ledger keeps what a registrar's requests were refused for, and the log has
/// it, too.
const LONGEST: usize = 80;
