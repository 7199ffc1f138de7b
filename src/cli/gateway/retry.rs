//! `gateway retry`: creating the devices at the backend whose endpoint could not, or did not live to hear the answer.
//!
//! The backend is asked what it knows before anything is sent again. Each answer is durable before the next question.

use serde_json::{Value, json};

use super::client;
use crate::authority::{self, Pki};
use crate::cli::clap_args::gateway::Retry;
use crate::cli::report::{Report, row, table};
use crate::error::{Error, Exit};
use crate::gateway::device_api::LONGEST_REGISTRATION;
use crate::gateway::{DeviceApi, NewDevice, Registration};
use crate::ledger::{self, Entry, GatewayAnswer, GatewayState, State, Writer};
use crate::timestamp::Timestamp;
use crate::x509::Certificate;

pub fn run(pki: &Pki, arguments: &Retry) -> Result<Report, Error> {
    let now = Timestamp::now();
    let (waiting, fresh) = waiting(pki, now)?;
    if arguments.dry_run {
        return Ok(rehearsed(&waiting, fresh));
    }
    if waiting.is_empty() {
        let json = json!({ "devices": [], "fresh": fresh });
        return Ok(noted(
            Report::done("no device waits for the backend", json),
            fresh,
        ));
    }
    let api = client(pki)?;
    let mut notes = Vec::new();
    let writer = crate::cli::writer(pki, "gateway retry", &mut notes)?;
    let mut retried = Retried::default();
    let ledger = pki.ledger()?;
    for (number, entry) in waiting.iter().enumerate() {
        // Meanwhile the device may have come back, or an endpoint have asked.
        let Some(entry) = ledger.entry(entry.id)?.filter(is_waiting) else {
            continue;
        };
        retried.device(pki, &api, &writer, &entry, waiting.len() - number)?;
    }
    writer.finish(Timestamp::now())?;
    Ok(noted(retried.report(), fresh).after(notes))
}

/// Entries whose devices are to be created, and how many are left alone because an endpoint may be at them.
fn waiting(pki: &Pki, now: Timestamp) -> Result<(Vec<Entry>, usize), Error> {
    let ledger = pki.ledger()?;
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map(|entry| entry.id);
        let page = ledger.pending_registrations(after, PAGE)?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let fresh = longest_registration(pki);
    let is_fresh = |entry: &Entry| entry.recorded_at.is_some_and(|at| now < at.plus(fresh));
    let (fresh, waiting): (Vec<Entry>, Vec<Entry>) = all.into_iter().partition(is_fresh);
    Ok((waiting, fresh.len()))
}

fn is_waiting(entry: &Entry) -> bool {
    let pending = |found: &ledger::Registration| found.gateway == GatewayState::Pending;
    entry.state == State::Issued && entry.registration.as_ref().is_some_and(pending)
}

/// Seconds in which an endpoint may still be asking the backend itself.
fn longest_registration(pki: &Pki) -> i64 {
    let calls = pki.config().foundries().timeout * LONGEST_REGISTRATION;
    i64::try_from(calls.as_secs())
        .unwrap_or(i64::MAX)
        .saturating_add(PAUSES)
}

/// What became of the devices so far.
#[derive(Default)]
struct Retried {
    created: usize,
    refused: usize,
    pending: usize,
    lines: Vec<String>,
    devices: Vec<Value>,
}

impl Retried {
    fn device(
        &mut self,
        pki: &Pki,
        api: &DeviceApi,
        writer: &Writer,
        entry: &Entry,
        left: usize,
    ) -> Result<(), Error> {
        let uuid = entry.device.as_deref().unwrap_or_default();
        let answer = ask(pki, api, entry)?;
        if answer.is_our_fault() {
            return Err(our_fault(api, &answer, left));
        }
        let (outcome, message) = match answer {
            Registration::Registered => {
                keep(writer, entry, GatewayAnswer::Done)?;
                self.created += 1;
                ("created", String::new())
            }
            Registration::Conflict(message) | Registration::Refused { message, .. } => {
                keep(writer, entry, GatewayAnswer::Refused)?;
                self.refused += 1;
                ("refused", message)
            }
            Registration::Redirected(reason) | Registration::Pending(reason) => {
                self.pending += 1;
                ("pending", reason)
            }
        };
        if outcome != "created" {
            self.lines.push(format!("{outcome} `{uuid}`: {message}"));
        }
        self.devices
            .push(json!({ "device": uuid, "outcome": outcome, "message": message }));
        Ok(())
    }

    fn report(self) -> Report {
        let json = json!({ "devices": self.devices });
        let summary = format!(
            "{} created, {} refused, {} still wait",
            self.created, self.refused, self.pending
        );
        let mut report = Report::new("", json).after(self.lines).note(summary);
        if self.refused > 0 {
            report.exit = Exit::Refused;
            report = report.note("the certificates of refused devices are revoked; nobody had them yet, and the devices may register again");
        }
        if self.pending > 0 {
            report.exit = Exit::Unavailable;
            report = report.note("run the same command again later");
        }
        report
    }
}

fn ask(pki: &Pki, api: &DeviceApi, entry: &Entry) -> Result<Registration, Error> {
    let der = entry.certificate.as_deref();
    let der = der.ok_or(authority::Error::CertificateLost(entry.id))?;
    let certificate =
        Certificate::from_der(der).map_err(|source| authority::Error::Certificate {
            path: pki.config().ledger().to_owned(),
            source,
        })?;
    let name = entry
        .registration
        .as_ref()
        .and_then(|found| found.name.as_deref());
    let device = NewDevice::new(&certificate, name);
    let device = device.ok_or(authority::Error::CertificateLost(entry.id))?;
    Ok(api.resume(&device, &std::thread::sleep))
}

/// The configuration is wrong: no device has to pay for it.
fn our_fault(api: &DeviceApi, answer: &Registration, left: usize) -> Error {
    let server = api.server();
    let (message, hint) = match answer {
        Registration::Refused { status, message } => (
            format!("`{server}` answered {status}: {message}"),
            "check the API token and its scopes, `factory:` and `foundries: {api: …}` in factory-ca.yaml",
        ),
        Registration::Redirected(target) => (
            format!("`{server}` sends us to `{target}`, and redirects are not followed"),
            "put the API's own address into `foundries: {api: …}` in factory-ca.yaml",
        ),
        _ => (format!("`{server}` did not answer"), "try again later"),
    };
    Error::usage(format!("{message}; still waiting: {left}"), hint)
}

/// A crash before the commit leaves the device pending; the next run finds it at the backend.
fn keep(writer: &Writer, entry: &Entry, answer: GatewayAnswer) -> Result<(), Error> {
    let mut group = writer.group(Timestamp::now())?;
    group.gateway(entry.id, answer)?;
    Ok(group.commit()?)
}

fn rehearsed(waiting: &[Entry], fresh: usize) -> Report {
    let mut rows = vec![row(["DEVICE", "SERIAL", "RECORDED"])];
    let mut devices = Vec::new();
    for entry in waiting {
        let device = entry.device.as_deref().unwrap_or_default();
        let recorded = entry.recorded_at.map_or(String::new(), |at| at.to_string());
        rows.push(row([device, &entry.serial.to_string(), &recorded]));
        devices.push(json!({ "device": device, "serial": entry.serial.to_string(), "recorded_at": recorded }));
    }
    let text = if waiting.is_empty() {
        String::new()
    } else {
        table(&rows)
    };
    let json = json!({ "devices": devices, "fresh": fresh });
    let note = format!(
        "{} waiting for the backend; nobody was asked",
        waiting.len()
    );
    noted(Report::new(text, json).note(note), fresh)
}

fn noted(report: Report, fresh: usize) -> Report {
    match fresh {
        0 => report,
        count => report.note(format!(
            "{count} registered a moment ago are left alone: an endpoint may be at them"
        )),
    }
}

/// Entries read at once.
const PAGE: usize = 500;

/// Seconds between the calls of a registration, and for what comes before them.
const PAUSES: i64 = 30;
