//! `ca request`, `ca sign`, `ca import`: a root that is offline, and the files that travel to it and back.

use std::path::Path;

use serde_json::json;

use super::order::{Order, refused, signer};
use super::{describe, next, wish};
use crate::authority::exchange::{Answer, Request};
use crate::authority::sign_csr::Repetition;
use crate::authority::{self, Pki};
use crate::cli::clap_args::ca::{CaImport, CaRequest, CaSign};
use crate::cli::edge::{Reviewer, Terminal, confirm};
use crate::cli::files::Destination;
use crate::cli::report::{Report, tell};
use crate::error::Error;
use crate::hex;
use crate::timestamp::Timestamp;

pub fn request(pki: &Pki, arguments: &CaRequest) -> Result<Report, Error> {
    let authority = pki.config().authority(&arguments.ca.name)?;
    if authority.issuer.is_none() {
        let message = format!("authority `{}` is a root: it signs itself", authority.name);
        let hint = format!("run `factory-ca ca create {}`", authority.name);
        return Err(Error::usage(message, hint));
    }
    let destination = Destination::begin(&arguments.output)?;
    let wish = wish(authority, &arguments.ca);
    let text = pki.request_ca(authority, &wish, &Terminal)?;
    let note = format!(
        "the request of `{}` is written to {destination}",
        authority.name
    );
    let json = json!({ "authority": authority.name, "request": text });
    Ok(Report::new(destination.write(text)?, json)
        .note(note)
        .note("next, on the machine with the root: factory-ca ca sign FILE -o FILE"))
}

pub fn sign(pki: &Pki, arguments: &CaSign) -> Result<Report, Error> {
    let (file, factory) = (&arguments.request, pki.config().factory());
    let authority = signer(pki, arguments.authority.as_deref())?;
    let profile = pki.profile(&arguments.profile)?;
    let request = match Request::read(file, &read(file)?, factory) {
        Err(error @ authority::Error::Csr(_)) => return Err(refused(profile.name(), file, error)),
        other => other?,
    };
    let destination = Destination::begin(&arguments.output)?;
    tell(&format!(
        "`{}` asks for authority `{}`",
        file.display(),
        request.authority
    ));
    let order = Order {
        command: "ca sign",
        file,
        csr: &request.csr,
        profile: &profile,
        authority,
        reviewer: Reviewer::new(false, arguments.confirm.as_deref()),
        repetition: Repetition::Repeat,
    };
    let done = order.carry_out(pki)?;
    let answer = Answer {
        authority: request.authority,
        root: done.issuer.root().clone(),
        certificate: done.certificate,
    };
    let note = format!(
        "`{}` has certificate {} until {}, the answer is written to {destination}",
        answer.certificate.subject(),
        answer.certificate.serial(),
        answer.certificate.not_after().date()
    );
    let json = describe(&answer.certificate);
    let serial = answer.certificate.serial().clone();
    let text = destination.deliver(answer.to_text(factory), &serial)?;
    Ok(Report::new(text, json)
        .note(note)
        .note(format!(
            "the root's SHA-256 is {}",
            hex::encode(answer.root.fingerprint())
        ))
        .note("next, on the machine that asked: factory-ca ca import FILE")
        .after(done.notes))
}

pub fn import(pki: &Pki, arguments: &CaImport) -> Result<Report, Error> {
    let file = &arguments.answer;
    let text = read(file)?;
    let answer = Answer::read(file, &text, pki.config().factory())?;
    let (authority, root) = pki.place_of(&answer)?;
    if pki.known_root(root)?.is_none() {
        let print = hex::encode(answer.root.fingerprint());
        let question = format!(
            "`{}` with SHA-256 {print} becomes the root of this PKI directory; compare it with the machine that has it.",
            answer.root.subject()
        );
        confirm(
            &question,
            &print[..TYPED],
            typed(&print, arguments).as_deref(),
        )?;
    }
    pki.import_ca(file, &answer, &Terminal, Timestamp::now())?;
    let certificate = &answer.certificate;
    let note = format!(
        "`{}` is {} until {}, certificate in `{}`",
        authority.name,
        certificate.subject(),
        certificate.not_after().date(),
        authority.certificate.display()
    );
    Ok(Report::done(note, describe(certificate)).note(next(pki)))
}

/// What was given to confirm the root: the whole of its SHA-256, or enough of it, with colons or without.
fn typed(print: &str, arguments: &CaImport) -> Option<String> {
    let given = arguments
        .confirm
        .as_ref()?
        .replace(':', "")
        .to_ascii_lowercase();
    match given.len() >= TYPED && print.starts_with(&given) {
        true => Some(print[..TYPED].to_owned()),
        false => Some(given),
    }
}

/// Digits of a fingerprint that have to be compared: 64 bits.
const TYPED: usize = 16;

/// Reads a file of a few kilobytes; what is larger is none of ours.
fn read(path: &Path) -> Result<String, Error> {
    use std::io::Read;
    let unreadable = |error| authority::Error::File(path.to_owned(), error);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut octets = Vec::new();
    file.take(LARGEST)
        .read_to_end(&mut octets)
        .map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Octets of a request or an answer: two certificates have about two thousand.
const LARGEST: u64 = 64 * 1024;
