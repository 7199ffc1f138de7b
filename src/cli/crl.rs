//! `crl`: issue, show.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::clap_args::Global;
use super::clap_args::crl::{Crl as Command, CrlIssue};
use super::edge::Terminal;
use super::report::{Report, row, table};
use crate::authority::crl::{CrlPlan, Rhythm};
use crate::authority::{self, Issuer, Pki};
use crate::config::AuthorityConfig;
use crate::error::Error;
use crate::hex;
use crate::ledger::Ledger;
use crate::output::file::OutputError;
use crate::output::lists::Lists;
use crate::profile::Period;
use crate::timestamp::Timestamp;
use crate::x509::crl::{Crl, reason_name};

pub fn run(global: &Global, command: Command) -> Result<Report, Error> {
    match command {
        Command::Issue(arguments) => issue(&super::open(global)?, &arguments),
        Command::Show { file, limit } => show(&file, limit),
    }
}

fn issue(pki: &Pki, arguments: &CrlIssue) -> Result<Report, Error> {
    let authority = pki.config().authority(&arguments.name)?;
    let rhythm = rhythm(authority, arguments)?;
    let directory = match &arguments.out {
        Some(directory) => directory.clone(),
        None => pki.config().directory().join("crl"),
    };
    let issuer = pki.issuer(authority, &Terminal)?;
    let (ledger, now) = (pki.ledger()?, Timestamp::now());
    let starts = rhythm.starts(&issuer, now, arguments.ahead)?;
    if arguments.dry_run {
        return plan(authority, &issuer, &ledger, rhythm, now);
    }
    fs::create_dir_all(&directory).map_err(OutputError::at(&directory))?;
    let lists = Lists {
        directory: &directory,
        name: &authority.name,
    };
    // What stands in the way is found out before anything is signed.
    lists.published(issuer.certificate().subject())?;
    let mut notes = Vec::new();
    let writer = super::writer(pki, "crl issue", &mut notes)?;
    let mut made = Vec::new();
    let mut published = false;
    for this_update in starts {
        let plan = CrlPlan::collect(&issuer, &ledger, rhythm, this_update)?;
        let (crl, number) = plan.issue(&issuer, &writer, now)?;
        let path = lists.keep(&crl, number)?;
        if made.is_empty() {
            published = lists.publish(&crl)?;
        }
        made.push((crl, number, path));
    }
    writer.finish(now)?;
    Ok(report(&lists, &made, published).after(notes))
}

fn report(lists: &Lists<'_>, made: &[(Crl, u32, PathBuf)], published: bool) -> Report {
    let name = lists.name;
    let json: Vec<Value> = made
        .iter()
        .map(|(crl, number, path)| {
            json!({
                "number": number, "file": path, "entries": crl.revoked.len(),
                "this_update": crl.this_update.to_string(),
                "next_update": crl.next_update.map(|at| at.to_string()),
                "sha256": hex::encode(crl.fingerprint()),
            })
        })
        .collect();
    let json = json!({ "authority": name, "published": published, "lists": json });
    let mut report = Report::new("", json);
    for (crl, number, path) in made {
        let until = crl.next_update.unwrap_or(crl.this_update);
        report = report.note(format!(
            "list {number} of `{name}` names {}, from {} until {until}, in `{}`",
            certificates(crl.revoked.len()),
            crl.this_update,
            path.display()
        ));
    }
    let (der, pem) = (lists.der(), lists.pem());
    report = match (published, made) {
        (true, [(_, number, _), ..]) => report.note(format!(
            "list {number} is published as `{}` and, in PEM, `{}`",
            der.display(),
            pem.display()
        )),
        _ => report.note(format!(
            "`{}` holds a list with a greater number; it was left as it is",
            der.display()
        )),
    };
    match made {
        [_] => report,
        _ => report.note(
            "the others are for later: each takes the published one's place when its time comes, unless something was revoked; then issue again",
        ),
    }
}

fn certificates(count: usize) -> String {
    match count {
        0 => "no certificate".to_owned(),
        1 => "1 certificate".to_owned(),
        count => format!("{count} certificates"),
    }
}

fn plan(
    authority: &AuthorityConfig,
    issuer: &Issuer,
    ledger: &Ledger,
    rhythm: Rhythm,
    now: Timestamp,
) -> Result<Report, Error> {
    let plan = CrlPlan::collect(issuer, ledger, rhythm, now)?;
    let json = json!({
        "authority": authority.name, "entries": plan.revoked.len(),
        "this_update": plan.this_update.to_string(), "next_update": plan.next_update.to_string(),
    });
    let note = format!(
        "a list of `{}` would name {} until {}; nothing was signed",
        authority.name,
        certificates(plan.revoked.len()),
        plan.next_update
    );
    Ok(Report::done(note, json))
}

fn rhythm(authority: &AuthorityConfig, arguments: &CrlIssue) -> Result<Rhythm, Error> {
    let (every, overlap) = match authority.issuer {
        None => ("180d", "14d"),
        Some(_) => ("7d", "1d"),
    };
    let period = |name: &str, given: &Option<String>, default: &str| {
        let text = given.as_deref().unwrap_or(default);
        Period::parse(text).ok_or_else(|| {
            let message = format!(
                "`--{name}` is `{}`, wanted is a period",
                text.escape_debug()
            );
            Error::usage(message, "write it as `7d`, `12h` or `1y`")
        })
    };
    Ok(Rhythm {
        every: period("every", &arguments.every, every)?,
        overlap: period("overlap", &arguments.overlap, overlap)?,
    })
}

fn show(path: &Path, limit: usize) -> Result<Report, Error> {
    let bytes = fs::read(path).map_err(|error| authority::Error::File(path.to_owned(), error))?;
    let crl = Crl::from_bytes(&bytes).map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", path.display());
        Error::usage(message, "name a certificate revocation list in PEM or DER")
    })?;
    let number = crl
        .number
        .map_or("none".to_owned(), |number| number.to_string());
    let next = crl
        .next_update
        .map_or("never".to_owned(), |at| at.to_string());
    let key = crl.authority_key_identifier.as_ref().map(hex::encode);
    let mut text = format!(
        "issuer       {}\nnumber       {number}\nmade         {}\nnext         {next}\nkey id       {}\nSHA-256      {}\ncertificates {}\n",
        crl.issuer,
        crl.this_update,
        key.as_deref().unwrap_or("none"),
        hex::encode(crl.fingerprint()),
        crl.revoked.len(),
    );
    let mut rows = vec![row(["SERIAL", "REVOKED", "REASON"])];
    let mut list = Vec::new();
    for revoked in crl.revoked.iter().take(limit) {
        let reason = reason_name(revoked.reason).unwrap_or("unknown");
        let (serial, at) = (revoked.serial.to_string(), revoked.at.to_string());
        rows.push(row([&serial, &at, reason]));
        list.push(json!({ "serial": serial, "revoked_at": at, "reason": reason }));
    }
    if !list.is_empty() {
        text.push_str(&table(&rows));
    }
    let left = crl.revoked.len() - list.len();
    let json = json!({
        "issuer": crl.issuer.to_string(), "number": crl.number, "this_update": crl.this_update.to_string(),
        "next_update": crl.next_update.map(|at| at.to_string()), "authority_key_identifier": key,
        "sha256": hex::encode(crl.fingerprint()), "entries": crl.revoked.len(), "revoked": list,
    });
    let report = Report::new(text, json);
    match left {
        0 => Ok(report),
        left => Ok(report.note(format!("{left} more: add `--limit N`"))),
    }
}
