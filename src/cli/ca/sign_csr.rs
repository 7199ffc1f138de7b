//! `ca sign-csr`: a request that somebody brings to the officer.

use super::describe_server;
use super::order::{Order, refused, signer};
use crate::authority::Pki;
use crate::authority::sign_csr::Repetition;
use crate::cli::clap_args::ca::SignCsr;
use crate::cli::edge::Reviewer;
use crate::cli::files::{Destination, read_request};
use crate::cli::report::Report;
use crate::error::Error;
use crate::x509::Csr;

pub fn run(pki: &Pki, arguments: &SignCsr) -> Result<Report, Error> {
    let authority = signer(pki, arguments.authority.as_deref())?;
    let profile = pki.profile(&arguments.profile)?;
    let profile = profile.allowing(&arguments.allow_dns, &arguments.allow_ip);
    let bytes = read_request(&arguments.csr)?;
    let csr = Csr::from_bytes(&bytes)
        .map_err(|error| refused(profile.name(), &arguments.csr, error.into()))?;
    let destination = Destination::begin(&arguments.output)?;
    let order = Order {
        command: "ca sign-csr",
        file: &arguments.csr,
        csr: &csr,
        profile: &profile,
        authority,
        reviewer: Reviewer::new(arguments.yes, arguments.confirm.as_deref()),
        repetition: match arguments.renew {
            true => Repetition::Renew,
            false => Repetition::Repeat,
        },
    };
    let done = order.carry_out(pki)?;
    let certificate = done.certificate;
    let json = describe_server(&certificate);
    let note = format!(
        "`{}` has certificate {} until {}, written to {destination}",
        certificate.subject(),
        certificate.serial(),
        certificate.not_after().date()
    );
    let text = destination.deliver(certificate.to_pem(), certificate.serial())?;
    Ok(Report::new(text, json).note(note).after(done.notes))
}
