//! Why a certificate was not issued.

use std::io;
use std::path::PathBuf;

use super::exchange::note::NoteError;
use crate::config::ConfigError;
use crate::ledger::{self, Conflict, EntryId};
use crate::output::file::OutputError;
use crate::profile::{Finding, ProfileError, Refusal};
use crate::timestamp::Timestamp;
use crate::token;
use crate::x509::certificate::CertificateError;
use crate::x509::csr::CsrError;
use crate::x509::key::KeyError;
use crate::x509::template::TemplateError;

/// Where the key of a CA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyIs {
    /// On another machine.
    Elsewhere,
    /// In a token of this PKI.
    Here,
}

/// Why a certificate was not issued, or a CA not made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The authority does not issue this profile.
    #[error("authority `{authority}` does not issue profile `{profile}`; it issues: {issues}")]
    NotIssued {
        /// The authority.
        authority: String,
        /// The profile asked for.
        profile: String,
        /// What it issues.
        issues: String,
    },
    /// The CA certificate is outside its validity.
    #[error(
        "authority `{authority}`: certificate `{certificate}` is valid from {from} to {until}, and now is {now}; nothing was signed"
    )]
    AuthorityNotValid {
        /// The authority.
        authority: String,
        /// The subject of the certificate in its chain that is outside its validity.
        certificate: String,
        /// First moment of validity.
        from: Timestamp,
        /// Last moment of validity.
        until: Timestamp,
        /// The clock.
        now: Timestamp,
    },
    /// A certificate file.
    #[error("certificate `{path}` cannot be used")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
    /// The ledger says issued and holds no certificate.
    #[error("entry {0} of the ledger is issued and holds no certificate")]
    CertificateLost(EntryId),
    /// A certificate of the chain does not fit the next one.
    #[error("certificate `{path}` is not issued by `{issuer}`: {reason}")]
    Chain {
        /// The file.
        path: PathBuf,
        /// The authority that should have issued it.
        issuer: String,
        /// What does not fit.
        reason: String,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another certificate stands in the way.
    #[error("{0}; nothing was signed")]
    Conflict(Conflict),
    /// The request.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A revocation list for a time after its CA.
    #[error("a revocation list from {this_update} on cannot be signed: the CA ends on {end}")]
    CrlTooLate {
        /// When the list would start.
        this_update: Timestamp,
        /// When the CA ends.
        end: Timestamp,
    },
    /// A revocation list that would not be sound.
    #[error("the revocation list is not sound: {0}; it was not released")]
    CrlUnfit(String),
    /// A file that should be there.
    #[error("`{0}` cannot be read")]
    File(PathBuf, #[source] io::Error),
    /// A profile for devices, or a root's, where an officer signs single requests.
    #[error("profile `{0}` is not one for single requests; nothing was signed")]
    ForDevices(String),
    /// A lint fired.
    #[error("{0}; nothing was signed")]
    Lint(Finding),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// A name with characters that no certificate can carry.
    #[error("a name cannot be written into a request; nothing was signed")]
    NameUnfit,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes for a serial number; nothing was signed")]
    NoEntropy,
    /// The embedded default needs SoftHSM2.
    #[error("SoftHSM2 is not installed: there is no `libsofthsm2.so` in the usual places")]
    NoSoftHsm,
    /// A CA whose certificate file does not exist yet.
    #[error("authority `{authority}` has no certificate yet: there is no `{path}`")]
    NotCreated {
        /// The authority.
        authority: String,
        /// Where its certificate would be.
        path: PathBuf,
        /// Whether it can be made here.
        key: KeyIs,
    },
    /// The run stopped before this one was signed, or what was signed cannot be trusted.
    #[error("nothing was released for it, because the run stopped")]
    NotReleased,
    /// A file from another machine.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// An output file.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A profile.
    #[error("profile `{name}`: {problem}")]
    Profile {
        /// Its name or file.
        name: String,
        /// What is wrong.
        problem: ProfileError,
    },
    /// The profile does not admit the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The token returned a signature that its own key does not verify.
    #[error(
        "the token's signature does not verify with the certificate of authority `{authority}`; it was not released"
    )]
    SignatureWrong {
        /// The authority.
        authority: String,
        /// What the verification said.
        #[source]
        source: KeyError,
    },
    /// The certificate cannot be written.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The token.
    #[error(transparent)]
    Token(#[from] token::Error),
    /// No profile of that name.
    #[error("there is no profile `{name}`; found: {found}")]
    UnknownProfile {
        /// The name asked for.
        name: String,
        /// The names there are.
        found: String,
    },
    /// A signature exists whose record is in doubt.
    #[error(
        "certificate {serials} was signed but the ledger did not confirm it; it was not released"
    )]
    Unrecorded {
        /// The serial number, or several.
        serials: String,
        /// What the ledger said.
        #[source]
        source: ledger::Error,
    },
    /// A root does not come in an answer of its own.
    #[error("authority `{0}` is a root, and what is imported is signed by one")]
    RootImported(String),
    /// The officer did not agree.
    #[error("`{0}` was not agreed to; nothing was signed")]
    Withheld(String),
}

impl Error {
    /// The rule a request was refused by; `None` when it was not the request's fault.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Error::Refused(refusal) => Some(refusal.rule),
            Error::Conflict(conflict) => Some(conflict.rule()),
            Error::Csr(CsrError::Possession(_)) => Some("proof-of-possession"),
            Error::Csr(CsrError::TooLarge { .. }) => Some("csr-size"),
            Error::Csr(CsrError::Key(_)) => Some("key-kind"),
            Error::Csr(_) => Some("csr-malformed"),
            _ => None,
        }
    }
}

// Their texts are part of ours: as sources they would be shown twice.

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Error {
        Error::Conflict(conflict)
    }
}

impl From<Finding> for Error {
    fn from(finding: Finding) -> Error {
        Error::Lint(finding)
    }
}
