//! `ca sign-csr`: a request that somebody brings to the officer.

use serde_json::json;

use crate::authority::certify::Certifying;
use crate::authority::sign_csr::Repetition;
use crate::authority::{self, Pki};
use crate::cli::clap_args::ca::SignCsr;
use crate::cli::edge::{Reviewer, Terminal, entropy};
use crate::cli::files::{Destination, read_request};
use crate::cli::report::Report;
use crate::config::AuthorityConfig;
use crate::error::Error;
use crate::timestamp::Timestamp;
use crate::x509::Csr;

pub fn run(pki: &Pki, arguments: &SignCsr) -> Result<Report, Error> {
    let authority = match &arguments.authority {
        Some(name) => pki.config().authority(name)?,
        None => the_root(pki)?,
    };
    let profile = pki.profile(&arguments.profile)?;
    let profile = profile.allowing(&arguments.allow_dns, &arguments.allow_ip);
    let refused = |error| Error::Request {
        profile: arguments.profile.clone(),
        file: arguments.csr.display().to_string(),
        error: Box::new(error),
    };
    let bytes = read_request(&arguments.csr)?;
    let csr = Csr::from_bytes(&bytes).map_err(|error| refused(error.into()))?;
    let destination = Destination::begin(&arguments.output)?;
    let issuer = pki.issuer(authority, &Terminal)?;
    let mut notes = Vec::new();
    let writer = crate::cli::writer(pki, "ca sign-csr", &mut notes)?;
    let now = Timestamp::now();
    let reviewer = Reviewer::new(arguments.yes, arguments.confirm.as_deref());
    let certifying = Certifying {
        profile: &profile,
        writer: &writer,
        entropy,
        review: &|preview| reviewer.ask(preview),
        now,
    };
    let repetition = match arguments.renew {
        true => Repetition::Renew,
        false => Repetition::Repeat,
    };
    let (factory, ledger) = (pki.config().factory(), pki.ledger()?);
    let signed = certifying.sign_csr(&csr, &issuer, factory, &ledger, repetition);
    let certificate = match signed {
        Ok(certificate) => certificate,
        Err(error @ authority::Error::Withheld(_)) => return Err(reviewer.explain(error)),
        Err(error) => return Err(refused(error)),
    };
    writer.finish(now)?;
    let mut json = super::describe(&certificate);
    json["names"] = json!(certificate.alternative_names().unwrap_or_default());
    json["certificate"] = certificate.to_pem().into();
    let note = format!(
        "`{}` has certificate {} until {}, written to {destination}",
        certificate.subject(),
        certificate.serial(),
        certificate.not_after().date()
    );
    let text = destination.deliver(certificate.to_pem(), certificate.serial())?;
    Ok(Report::new(text, json).note(note).after(notes))
}

/// The root, when there is one only.
pub fn the_root(pki: &Pki) -> Result<&AuthorityConfig, Error> {
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
