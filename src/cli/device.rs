//! `device`: issue, list, show, allow-reissue.

use serde_json::{Value, json};

use super::clap_args::Global;
use super::clap_args::device::{AllowReissue, Device, DeviceIssue, DeviceList, Issuing, StateName};
use super::edge::{Terminal, entropy, who};
use super::files::{Destination, read_request};
use super::report::{Report, row, table};
use crate::authority::{self, Authority, Origin, Pki};
use crate::config::AuthorityConfig;
use crate::error::Error;
use crate::ledger::{Entry, Filter, OnLive, State};
use crate::profile::{Period, Profile};
use crate::timestamp::Timestamp;
use crate::x509::certificate;

pub fn run(global: &Global, command: Device) -> Result<Report, Error> {
    let pki = super::open(global)?;
    match command {
        Device::Issue(arguments) => issue(&pki, &arguments),
        Device::List(arguments) => list(&pki, &arguments),
        Device::Show { uuid } => show(&pki, &uuid),
        Device::AllowReissue(arguments) => allow_reissue(&pki, &arguments),
    }
}

/// The authority and the profile a command issues with.
pub fn choose<'a>(
    pki: &'a Pki,
    issuing: &Issuing,
) -> Result<(&'a AuthorityConfig, Profile), Error> {
    let profile = pki.profile(&issuing.profile)?;
    let issuing_it = pki.config().issuing(profile.name());
    let authority = match (&issuing.authority, issuing_it.as_slice()) {
        (Some(name), _) => pki.config().authority(name)?,
        (None, [one]) => one,
        (None, []) => {
            let message = format!("no authority issues profile `{}`", profile.name());
            return Err(Error::usage(
                message,
                "add it to `profiles:` of an authority in factory-ca.yaml",
            ));
        }
        (None, several) => {
            let names: Vec<String> = several
                .iter()
                .map(|authority| format!("`{}`", authority.name))
                .collect();
            let message = format!(
                "{} authorities issue profile `{}`: {}",
                several.len(),
                profile.name(),
                names.join(", ")
            );
            return Err(Error::usage(message, "choose one with `--authority NAME`"));
        }
    };
    Ok((issues(authority, &profile)?, profile))
}

/// An authority that issues a profile, by its name.
pub fn issuing<'a>(
    pki: &'a Pki,
    name: &str,
    profile: &Profile,
) -> Result<&'a AuthorityConfig, Error> {
    issues(pki.config().authority(name)?, profile)
}

fn issues<'a>(
    authority: &'a AuthorityConfig,
    profile: &Profile,
) -> Result<&'a AuthorityConfig, Error> {
    match authority
        .profiles
        .iter()
        .any(|known| known == profile.name())
    {
        true => Ok(authority),
        false => Err(authority::Error::NotIssued {
            authority: authority.name.clone(),
            profile: profile.name().to_owned(),
            issues: match authority.profiles.as_slice() {
                [] => "nothing".to_owned(),
                profiles => profiles.join(", "),
            },
        }
        .into()),
    }
}

fn issue(pki: &Pki, arguments: &DeviceIssue) -> Result<Report, Error> {
    let (config, profile) = choose(pki, &arguments.issuing)?;
    let source = arguments.csr.display().to_string();
    let bytes = read_request(&arguments.csr)?;
    let destination = Destination::begin(&arguments.output)?;
    let issuer = pki.issuer(config, &Terminal)?;
    let mut notes = Vec::new();
    let writer = super::writer(pki, "device issue", &mut notes)?;
    let now = Timestamp::now();
    let engine = Authority::new(&issuer, &writer, entropy);
    let origin = Origin {
        source: &source,
        on_live: OnLive::Refuse,
        registration: None,
    };
    let issued = engine
        .issue_bytes(&bytes, &profile, origin, now)
        .map_err(|error| Error::Request {
            profile: profile.name().to_owned(),
            file: source.clone(),
            error: Box::new(error),
        })?;
    writer.finish(now)?;
    let mut pem = certificate::to_pem(&issued.certificate);
    if arguments.chained {
        pem.push_str(&issuer.certificate().to_pem());
    }
    let json = json!({
        "device": issued.device, "serial": issued.serial.to_string(), "not_after": issued.not_after.to_string(),
        "repeated": issued.repeated, "certificate": pem,
    });
    let device = issued.device.as_deref().unwrap_or("the server");
    let how = if issued.repeated {
        "already had"
    } else {
        "has"
    };
    let note = format!(
        "{device} {how} certificate {} until {}, written to {destination}",
        issued.serial,
        issued.not_after.date()
    );
    let text = destination.deliver(pem, &issued.serial)?;
    Ok(Report::new(text, json).note(note).after(notes))
}

fn list(pki: &Pki, arguments: &DeviceList) -> Result<Report, Error> {
    let filter = Filter {
        state: arguments.state.map(State::from),
        device_prefix: Some(
            arguments
                .prefix
                .clone()
                .unwrap_or_default()
                .to_ascii_lowercase(),
        ),
        limit: arguments.limit,
        ..Filter::default()
    };
    let mut rows = vec![row([
        "DEVICE",
        "SERIAL",
        "STATE",
        "PROFILE",
        "RESERVED",
        "VALID UNTIL",
    ])];
    let mut list = Vec::new();
    pki.ledger()?.for_each(&filter, |entry| {
        rows.push(row([
            entry.device.as_deref().unwrap_or("-"),
            &entry.serial.to_string(),
            entry.state.as_str(),
            &entry.profile,
            &entry.reserved_at.to_string(),
            &entry.not_after.date(),
        ]));
        list.push(describe(entry));
        Ok::<_, Error>(())
    })?;
    Ok(Report::new(table(&rows), json!({ "certificates": list })))
}

fn show(pki: &Pki, uuid: &str) -> Result<Report, Error> {
    let device = uuid.to_ascii_lowercase();
    let entries = pki.ledger()?.device(None, &device)?;
    if entries.is_empty() {
        let message = format!("the ledger knows no device `{}`", uuid.escape_debug());
        return Err(Error::usage(message, "run `factory-ca device list`"));
    }
    let mut text = format!("device {device}\n");
    for entry in &entries {
        text.push_str(&format!(
            "  {} {}, profile {}, reserved {}, valid until {}\n",
            entry.state,
            entry.serial,
            entry.profile,
            entry.reserved_at,
            entry.not_after.date()
        ));
        text.push_str(&registration(entry));
    }
    if let Some(der) = entries
        .first()
        .and_then(|entry| entry.certificate.as_deref())
    {
        text.push_str(&certificate::to_pem(der));
    }
    let list: Vec<Value> = entries.iter().map(describe).collect();
    Ok(Report::new(
        text,
        json!({ "device": device, "certificates": list }),
    ))
}

/// How an entry came through the endpoint, on a line of its own.
fn registration(entry: &Entry) -> String {
    let Some(known) = &entry.registration else {
        return String::new();
    };
    let registrar = match &known.registrar_name {
        Some(name) => format!("by registrar {name}"),
        None => "anonymously".to_owned(),
    };
    let offered = match known.offered_at {
        Some(at) => format!("offered {at}"),
        None => "never offered".to_owned(),
    };
    let (source, gateway) = (&known.source, known.gateway);
    format!("    registered {registrar} from {source}, {offered}, gateway {gateway}\n")
}

fn allow_reissue(pki: &Pki, arguments: &AllowReissue) -> Result<Report, Error> {
    let profile = pki.profile(&arguments.profile)?;
    let Some(namespace) = profile.namespace() else {
        let message = format!(
            "profile `{}` is not unique: it needs no permit",
            profile.name()
        );
        return Err(Error::Usage {
            message,
            hint: None,
        });
    };
    let Some(within) = Period::parse(&arguments.within) else {
        let message = format!(
            "`--within` is `{}`, wanted is a number and one of y, d, h, m, s",
            arguments.within.escape_debug()
        );
        return Err(Error::usage(message, "for example `--within 24h`"));
    };
    let by = who(arguments.by.as_deref());
    let device = arguments.uuid.to_ascii_lowercase();
    let now = Timestamp::now();
    let expires = within.after(now);
    let mut notes = Vec::new();
    let writer = super::writer(pki, "device allow-reissue", &mut notes)?;
    let mut group = writer.group(now)?;
    group.permit(namespace, &device, &by, expires)?;
    group.commit()?;
    writer.finish(now)?;
    let json = json!({ "device": device, "allowed_by": by, "expires": expires.to_string() });
    let note = format!(
        "device {device} may get one certificate for another key until {expires}, allowed by {by}"
    );
    Ok(Report::done(note, json)
        .note("the old certificate is superseded when the new one is recorded; a gateway that pinned the old key refuses the new one")
        .after(notes))
}

fn describe(entry: &Entry) -> Value {
    let registration = entry.registration.as_ref().map(|known| {
        json!({
            "registrar": known.registrar_name, "name": known.name, "source": known.source,
            "gateway": known.gateway.as_str(), "offered_at": known.offered_at.map(|at| at.to_string()),
        })
    });
    json!({
        "device": entry.device, "serial": entry.serial.to_string(), "state": entry.state.as_str(),
        "profile": entry.profile, "subject": entry.subject, "reserved_at": entry.reserved_at.to_string(),
        "recorded_at": entry.recorded_at.map(|at| at.to_string()), "not_after": entry.not_after.to_string(),
        "reason": entry.reason, "certificate": entry.certificate.as_deref().map(certificate::to_pem),
        "registration": registration,
    })
}

impl From<StateName> for State {
    fn from(name: StateName) -> State {
        match name {
            StateName::Reserved => State::Reserved,
            StateName::Issued => State::Issued,
            StateName::Revoked => State::Revoked,
            StateName::Abandoned => State::Abandoned,
        }
    }
}
