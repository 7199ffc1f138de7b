//! `gateway`: the Foundries API.

mod retry;

use serde_json::{Value, json};

use super::clap_args::Global;
use super::clap_args::gateway::{Denied, DeniedDelete, Gateway as Command};
use super::edge::agree;
use super::report::{Report, row, table};
use crate::authority::Pki;
use crate::error::Error;
use crate::gateway::device_api::{DeniedDevice, Removal};
use crate::gateway::{ApiToken, DeviceApi};

pub fn run(global: &Global, command: Command) -> Result<Report, Error> {
    let pki = super::open(global)?;
    match command {
        Command::Retry(arguments) => retry::run(&pki, &arguments),
        Command::Denied(Denied::List) => list(&client(&pki)?),
        Command::Denied(Denied::Delete(arguments)) if arguments.dry_run => {
            rehearse(&client(&pki)?, &arguments.uuids)
        }
        Command::Denied(Denied::Delete(arguments)) => delete(&client(&pki)?, arguments),
    }
}

/// The API with the token that the configuration names.
pub fn client(pki: &Pki) -> Result<DeviceApi, Error> {
    let config = pki.config().foundries();
    let source = config.token.as_ref().ok_or_else(|| {
        Error::usage(
            "`foundries.token` in factory-ca.yaml is missing: without an API token nobody can be asked",
            "add `foundries: {token: {file: PATH}}`, or `{env: NAME}`, or `{credential: NAME}`",
        )
    })?;
    let token = ApiToken::read(source, &|name| std::env::var(name).ok())?;
    Ok(DeviceApi::new(config, pki.config().factory(), token))
}

fn list(api: &DeviceApi) -> Result<Report, Error> {
    let devices = api.denied()?;
    let json = json!({ "devices": describe(&devices) });
    match devices.is_empty() {
        true => Ok(Report::done("no device is denied", json)),
        false => Ok(Report::new(rows(&devices), json)),
    }
}

fn rehearse(api: &DeviceApi, uuids: &[String]) -> Result<Report, Error> {
    let asked_for = |uuid: &str| uuids.iter().any(|asked| asked.eq_ignore_ascii_case(uuid));
    let mut listed = api.denied()?;
    listed.retain(|device| asked_for(&device.uuid));
    let is_listed = |uuid: &&String| {
        let mut found = listed.iter();
        found.any(|device| device.uuid.eq_ignore_ascii_case(uuid))
    };
    let (_, unlisted): (Vec<&String>, Vec<&String>) = uuids.iter().partition(is_listed);
    let json = json!({ "would_remove": describe(&listed), "not_listed": unlisted });
    let text = if listed.is_empty() {
        String::new()
    } else {
        rows(&listed)
    };
    let report = unlisted.iter().fold(Report::new(text, json), not_listed);
    let note = format!(
        "{} would be able to register again; nothing was changed",
        count(listed.len())
    );
    Ok(report.note(note))
}

fn delete(api: &DeviceApi, arguments: DeniedDelete) -> Result<Report, Error> {
    let uuids = arguments.uuids;
    let question = format!("{} will be able to register again.", count(uuids.len()));
    agree(&question, arguments.yes)?;
    let (mut removed, mut unlisted) = (Vec::new(), Vec::new());
    for uuid in &uuids {
        let removal = api.allow_again(uuid).map_err(|error| Error::Partly {
            done: removed.len(),
            of: uuids.len(),
            error,
        })?;
        match removal {
            Removal::Removed => removed.push(uuid),
            Removal::NotListed => unlisted.push(uuid),
        }
    }
    let json = json!({ "removed": removed, "not_listed": unlisted });
    let report = unlisted.iter().fold(Report::new("", json), not_listed);
    Ok(report.note(format!("{} can register again", count(removed.len()))))
}

fn not_listed(report: Report, uuid: &&String) -> Report {
    report.note(format!("note: `{uuid}` is not on the list"))
}

fn count(devices: usize) -> String {
    match devices {
        0 => "no device".to_owned(),
        1 => "one device".to_owned(),
        many => format!("{many} devices"),
    }
}

fn rows(devices: &[DeniedDevice]) -> String {
    let mut rows = vec![row(["UUID", "NAME"])];
    let line =
        |device: &DeniedDevice| row([&device.uuid, device.name.as_deref().unwrap_or_default()]);
    rows.extend(devices.iter().map(line));
    table(&rows)
}

fn describe(devices: &[DeniedDevice]) -> Value {
    let device = |device: &DeniedDevice| json!({ "uuid": device.uuid, "name": device.name });
    devices.iter().map(device).collect()
}
