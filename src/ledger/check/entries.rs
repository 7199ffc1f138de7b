//! Every entry: its facts, its certificate, its key and its device's place.

use rusqlite::Connection;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::hex;
use crate::ledger::fact::Verb;
use crate::ledger::revoke::SUPERSEDED;
use crate::ledger::store::{audit, read};
use crate::ledger::{Entry, GatewayState, Registration, State};
use crate::timestamp::Timestamp;
use crate::x509::Serial;
use crate::x509::key::sha256;

use super::Findings;
use super::chains::{Seen, flag, names};

/// Holds every entry against the facts that were seen, and against the other tables.
pub(super) fn walk(
    connection: &Connection,
    seen: &Seen,
    newest: Timestamp,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    audit::entries(connection, |entry| {
        facts(entry, seen, findings);
        certificate(entry, findings);
        claim(connection, entry, newest, findings)
    })
}

fn facts(entry: &Entry, seen: &Seen, findings: &mut Findings) {
    let result = match entry.state {
        State::Reserved => 0,
        State::Issued => flag(Verb::Issued),
        State::Revoked if entry.reason == Some(SUPERSEDED) => {
            flag(Verb::Issued) | flag(Verb::Superseded)
        }
        State::Revoked => flag(Verb::Issued) | flag(Verb::Revoked),
        State::Abandoned => flag(Verb::Abandoned),
    };
    let registered = entry.registration.as_ref().map_or(0, registration);
    let wanted = flag(Verb::Reserved) | result | registered;
    let found = seen.entries.get(entry.id.0);
    if found != wanted {
        findings.add("fact-missing", object(entry), names(found), names(wanted));
    }
}

fn registration(registration: &Registration) -> u32 {
    let offered = registration.offered_at.map_or(0, |_| flag(Verb::Offered));
    let gateway = match registration.gateway {
        GatewayState::None | GatewayState::Pending => 0,
        GatewayState::Done => flag(Verb::GatewayDone),
        GatewayState::Refused => flag(Verb::GatewayRefused),
    };
    flag(Verb::Registered) | offered | gateway
}

fn certificate(entry: &Entry, findings: &mut Findings) {
    let Some(der) = &entry.certificate else {
        return;
    };
    let certificate = match X509Certificate::from_der(der) {
        Ok(([], certificate)) => certificate,
        _ => {
            let found = format!("{} octets", der.len());
            return findings.add("certificate-der", object(entry), found, "one certificate");
        }
    };
    let tbs = &certificate.tbs_certificate;
    let serial = Serial::from_der_content(tbs.raw_serial());
    let serial = serial.map_or("none".to_owned(), |serial| serial.to_string());
    let key = sha256(certificate.public_key().raw);
    let not_after = tbs.validity().not_after.timestamp();
    let texts = [
        ("certificate-serial", serial, entry.serial.to_string()),
        (
            "certificate-issuer",
            hex::encode(tbs.issuer().as_raw()),
            hex::encode(&entry.issuer),
        ),
        (
            "certificate-tbs",
            hex::encode(sha256(tbs.as_ref())),
            hex::encode(entry.tbs),
        ),
        ("certificate-key", hex::encode(key), hex::encode(entry.key)),
        (
            "certificate-not-after",
            Timestamp::from_unix(not_after).map_or(not_after.to_string(), |t| t.to_string()),
            entry.not_after.to_string(),
        ),
    ];
    for (rule, found, wanted) in texts {
        findings.compare(rule, object(entry), found, wanted);
    }
}

fn claim(
    connection: &Connection,
    entry: &Entry,
    newest: Timestamp,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let (Some(namespace), Some(device)) = (&entry.namespace, &entry.device) else {
        return Ok(());
    };
    let owner = audit::key_owner(connection, &entry.key, namespace)?;
    if owner.as_ref() != Some(device) {
        let found = owner.unwrap_or("nobody".to_owned());
        let key = format!("key {} of {}", hex::encode(entry.key), object(entry));
        findings.add("key-owner", key, found, device);
    }
    let place = read::place(connection, namespace, device)?;
    let covered = place.as_ref().is_some_and(|place| {
        let to_be_replaced = place.state == State::Reserved && place.previous == Some(entry.id);
        place.id == entry.id || to_be_replaced
    });
    // Together with one owner per key this also proves one live certificate per key.
    if entry.is_live(newest) && !covered {
        let holder = place.map_or("nothing".to_owned(), |place| object(&place));
        let wanted = format!("only {holder}, in the place of device `{device}`");
        findings.add("second-live", object(entry), "live", wanted);
    }
    Ok(())
}

fn object(entry: &Entry) -> String {
    format!("entry {}", entry.id)
}
