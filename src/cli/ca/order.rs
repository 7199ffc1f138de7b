//! What `ca sign` and `ca sign-csr` have in common: a request is shown as the certificate it would become, somebody agrees,
//! it is signed and recorded.

use std::path::Path;

use crate::authority::certify::Certifying;
use crate::authority::sign_csr::Repetition;
use crate::authority::{self, Issuer, Pki};
use crate::cli::edge::{Reviewer, Terminal, entropy};
use crate::config::AuthorityConfig;
use crate::error::Error;
use crate::profile::Profile;
use crate::timestamp::Timestamp;
use crate::x509::{Certificate, Csr};

/// A request, and what an officer wants to be done with it.
pub struct Order<'a> {
    /// The command, as the ledger is told.
    pub command: &'a str,
    /// Where the request comes from.
    pub file: &'a Path,
    /// The request.
    pub csr: &'a Csr,
    /// What it is held against.
    pub profile: &'a Profile,
    /// The CA that signs.
    pub authority: &'a AuthorityConfig,
    /// Who agrees.
    pub reviewer: Reviewer<'a>,
    /// What to do if it was done before.
    pub repetition: Repetition,
}

/// What became of an order.
pub struct Done {
    /// The certificate.
    pub certificate: Certificate,
    /// Who signed it.
    pub issuer: Issuer,
    /// What dead writers had left behind.
    pub notes: Vec<String>,
}

impl Order<'_> {
    /// Carries it out.
    pub fn carry_out(self, pki: &Pki) -> Result<Done, Error> {
        let issuer = pki.issuer(self.authority, &Terminal)?;
        let mut notes = Vec::new();
        let writer = crate::cli::writer(pki, self.command, &mut notes)?;
        let now = Timestamp::now();
        let certifying = Certifying {
            profile: self.profile,
            writer: &writer,
            entropy,
            review: &|preview| self.reviewer.ask(preview),
            now,
        };
        let (factory, ledger) = (pki.config().factory(), pki.ledger()?);
        let signed = certifying.sign_csr(self.csr, &issuer, factory, &ledger, self.repetition);
        let certificate = match signed {
            Ok(certificate) => certificate,
            Err(error @ authority::Error::Withheld(_)) => return Err(self.reviewer.explain(error)),
            Err(error) => return Err(refused(self.profile.name(), self.file, error)),
        };
        writer.finish(now)?;
        Ok(Done {
            certificate,
            issuer,
            notes,
        })
    }
}

/// An error that names the request's file and the profile.
pub fn refused(profile: &str, file: &Path, error: authority::Error) -> Error {
    Error::Request {
        profile: profile.to_owned(),
        file: file.display().to_string(),
        error: Box::new(error),
    }
}

/// The CA that was named, or the root, when there is one only.
pub fn signer<'a>(pki: &'a Pki, name: Option<&str>) -> Result<&'a AuthorityConfig, Error> {
    if let Some(name) = name {
        return Ok(pki.config().authority(name)?);
    }
    let roots = pki.config().authorities();
    let roots: Vec<&AuthorityConfig> = roots
        .filter(|authority| authority.issuer.is_none())
        .collect();
    match roots.as_slice() {
        [root] => Ok(root),
        roots => {
            let names: Vec<String> = roots
                .iter()
                .map(|root| format!("`{}`", root.name))
                .collect();
            let message = format!("there are {} roots: {}", roots.len(), names.join(", "));
            Err(Error::usage(message, "name one with `--authority NAME`"))
        }
    }
}
