//! `registrar`: create, list, close.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ipnet::IpNet;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::clap_args::Global;
use super::clap_args::registrar::{
    ProductionRight, Registrar as Command, RegistrarCreate as Arguments,
};
use super::edge::{entropy, who};
use super::report::{Report, row, table};
use crate::authority::{self, Pki};
use crate::error::Error;
use crate::ledger::{NewRegistrar, OnLive, Production, Registrar};
use crate::output::file::{self, Access, OutputError};
use crate::profile::Period;
use crate::timestamp::Timestamp;
use crate::x509::key::sha256;

pub fn run(global: &Global, command: Command) -> Result<Report, Error> {
    let pki = super::open(global)?;
    match command {
        Command::Create(arguments) => create(&pki, &arguments, global.json),
        Command::List => list(&pki),
        Command::Close { name, by } => close(&pki, &name, by.as_deref()),
    }
}

fn create(pki: &Pki, arguments: &Arguments, as_json: bool) -> Result<Report, Error> {
    let now = Timestamp::now();
    let name = checked_name(&arguments.name)?;
    let networks = distinct(&arguments.from, network)?;
    let authorities = distinct(&arguments.authorities, |name| authority(pki, name))?;
    let expires_at = arguments
        .expires
        .as_deref()
        .map(|text| moment(text, now))
        .transpose()?;
    let created_by = who(arguments.by.as_deref());
    let token = new_token()?;
    let file = begin(&arguments.output, &token)?;
    let mut notes = Vec::new();
    let writer = super::writer(pki, "registrar create", &mut notes)?;
    let mut group = writer.group(now)?;
    group.create_registrar(&NewRegistrar {
        name,
        token: sha256(token.as_bytes()),
        production: arguments.production.into(),
        on_live: match arguments.reissue {
            true => OnLive::Supersede,
            false => OnLive::Refuse,
        },
        networks: &networks,
        authorities: &authorities,
        max: arguments.max,
        created_by: &created_by,
        expires_at,
    })?;
    // A crash between here and the end leaves a registrar whose token nobody has: it can only be closed.
    group.commit()?;
    writer.finish(now)?;
    let place = deliver(name, &token, file, &arguments.output, expires_at, as_json);
    let place = place.map_err(|error| Error::TokenLost {
        registrar: name.to_owned(),
        error,
    })?;
    let until = expires_at.map_or(String::new(), |at| format!(" until {at}"));
    Ok(Report::new("", Value::Null)
        .note(format!("registrar `{name}` can be used{until}"))
        .note(format!(
            "its token is {place}, shown once; only its hash is kept"
        ))
        .after(notes))
}

/// Hands the token out, in its file or on stdout; says where it is.
fn deliver(
    name: &str,
    token: &str,
    file: Option<NamedTempFile>,
    path: &Path,
    expires_at: Option<Timestamp>,
    as_json: bool,
) -> Result<String, OutputError> {
    let mut json = json!({ "name": name, "expires": expires_at.map(|at| at.to_string()) });
    let in_file = file.is_some();
    match file {
        Some(file) => {
            file::finish(file, path)?;
            json["output"] = json!(path);
        }
        None => json["token"] = json!(token),
    }
    let text = match (as_json, in_file) {
        (true, _) => format!("{json:#}\n"),
        (false, true) => String::new(),
        (false, false) => format!("{token}\n"),
    };
    let mut stdout = std::io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(OutputError::at(Path::new("stdout")))?;
    Ok(match in_file {
        true => format!("in `{}`", path.display()),
        false => "on stdout".to_owned(),
    })
}

fn list(pki: &Pki) -> Result<Report, Error> {
    let now = Timestamp::now();
    let registrars = pki.ledger()?.registrars()?;
    let mut rows = vec![row([
        "NAME",
        "PRODUCTION",
        "REISSUE",
        "FROM",
        "CA",
        "USED",
        "EXPIRES",
        "STATE",
    ])];
    rows.extend(registrars.iter().map(|registrar| cells(registrar, now)));
    let list: Vec<Value> = registrars
        .iter()
        .map(|registrar| describe(registrar, now))
        .collect();
    Ok(Report::new(table(&rows), json!({ "registrars": list })))
}

fn close(pki: &Pki, name: &str, by: Option<&str>) -> Result<Report, Error> {
    let now = Timestamp::now();
    let known = pki.ledger()?.registrars()?;
    let before = known.iter().find(|known| known.name == name);
    if let Some(before) = before.filter(|before| before.closed_at.is_some()) {
        return Ok(closed(before, "was closed already"));
    }
    let mut notes = Vec::new();
    let writer = super::writer(pki, "registrar close", &mut notes)?;
    let mut group = writer.group(now)?;
    let registrar = group.close_registrar(name, &who(by))?;
    group.commit()?;
    writer.finish(now)?;
    Ok(closed(&registrar, "is closed")
        .note("its token is refused from now on; certificates it got stay valid")
        .after(notes))
}

fn closed(registrar: &Registrar, how: &str) -> Report {
    let by = registrar.closed_by.as_deref().unwrap_or("unknown");
    let at = registrar.closed_at.map(|at| at.to_string());
    let json = json!({ "name": registrar.name, "closed_at": at, "closed_by": by });
    let at = at.unwrap_or_default();
    let note = format!("registrar `{}` {how}, by {by} at {at}", registrar.name);
    Report::done(note, json)
}

/// The token's text: a prefix that secret scanners can find, and 256 random bits.
fn new_token() -> Result<Zeroizing<String>, Error> {
    let mut random = Zeroizing::new([0; 32]);
    match entropy(random.as_mut()) {
        true => Ok(Zeroizing::new(format!(
            "{PREFIX}{}",
            BASE64_URL_SAFE_NO_PAD.encode(random.as_ref())
        ))),
        false => Err(authority::Error::NoEntropy.into()),
    }
}

/// Writes the token under a temporary name before anything is created: a place that cannot be written to is found out
/// now.
fn begin(path: &Path, token: &str) -> Result<Option<NamedTempFile>, OutputError> {
    if path == Path::new("-") {
        return Ok(None);
    }
    if path.exists() {
        return Err(OutputError::Taken(path.to_owned()));
    }
    let mut file = file::begin(path, Access::Secret)?;
    writeln!(file, "{token}").map_err(OutputError::at(path))?;
    Ok(Some(file))
}

/// Each value once, in the order given.
fn distinct<T: Ord + Clone>(
    texts: &[String],
    read: impl Fn(&str) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut seen = BTreeSet::new();
    let mut values = Vec::new();
    for text in texts {
        let value = read(text)?;
        if seen.insert(value.clone()) {
            values.push(value);
        }
    }
    Ok(values)
}

fn checked_name(name: &str) -> Result<&str, Error> {
    let sane = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    match starts_well && name.len() <= LONGEST_NAME && name.chars().all(sane) {
        true => Ok(name),
        false => {
            let message = format!(
                "the name is `{}`, wanted are at most {LONGEST_NAME} letters, digits, `-`, `_`, `.`, a letter or digit first",
                name.escape_debug()
            );
            Err(Error::usage(message, "for example `line-3`"))
        }
    }
}

/// A network, or an address as the network of it alone.
fn network(text: &str) -> Result<IpNet, Error> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let Ok(network) = text.parse::<IpNet>().or(address) else {
        let message = format!(
            "`--from` is `{}`, wanted is a network or an address",
            text.escape_debug()
        );
        return Err(Error::usage(
            message,
            "for example `--from 192.0.2.0/24` or `--from 2001:db8::7`",
        ));
    };
    match network.trunc() == network {
        true => Ok(network),
        false => {
            let message = format!("`--from` is `{text}`, an address within a network");
            let (all, one) = (network.trunc(), network.addr());
            Err(Error::usage(
                message,
                format!(
                    "for the network give `--from {all}`, for the address alone `--from {one}`"
                ),
            ))
        }
    }
}

/// An authority that issues what devices ask for at the endpoint.
fn authority(pki: &Pki, name: &str) -> Result<String, Error> {
    let authority = pki.config().authority(name)?;
    let profile = &pki.config().server().profile;
    match authority.profiles.contains(profile) {
        true => Ok(authority.name.clone()),
        false => {
            let issuing = pki.config().issuing(profile);
            let names: Vec<&str> = issuing.iter().map(|one| one.name.as_str()).collect();
            let message = format!("authority `{name}` does not issue profile `{profile}`");
            let hint = match names.as_slice() {
                [] => format!("add `{profile}` to `profiles:` of an authority in factory-ca.yaml"),
                names => format!("these do: {}", names.join(", ")),
            };
            Err(Error::usage(message, hint))
        }
    }
}

/// A period from now on, or a moment, or the beginning of a day.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let midnight = || Timestamp::from_rfc3339(&format!("{text}T00:00:00Z"));
    let moment = match Period::parse(text) {
        Some(period) => Some(period.after(now)),
        None => Timestamp::from_rfc3339(text).or_else(midnight),
    };
    let Some(moment) = moment else {
        let message = format!(
            "`--expires` is `{}`, wanted is a period or a date",
            text.escape_debug()
        );
        let hint = "for example `--expires 30d`, `--expires 2030-01-31` or `--expires 2030-01-31T18:00:00Z`";
        return Err(Error::usage(message, hint));
    };
    match moment > now {
        true => Ok(moment),
        false => {
            let message = format!("`--expires` is {moment}, which is past: now is {now}");
            Err(Error::usage(message, "give a later date"))
        }
    }
}

fn cells(registrar: &Registrar, now: Timestamp) -> Vec<String> {
    let or = |texts: Vec<String>, none: &str| match texts.is_empty() {
        true => none.to_owned(),
        false => texts.join(" "),
    };
    let networks = registrar.networks.iter().map(IpNet::to_string).collect();
    vec![
        registrar.name.clone(),
        registrar.production.to_string(),
        match registrar.on_live {
            OnLive::Supersede => "allow".to_owned(),
            OnLive::Refuse => "refuse".to_owned(),
        },
        or(networks, "anywhere"),
        or(registrar.authorities.clone(), "default"),
        match registrar.max {
            Some(max) => format!("{}/{max}", registrar.used),
            None => registrar.used.to_string(),
        },
        registrar
            .expires_at
            .map_or("never".to_owned(), |at| at.to_string()),
        registrar.standing(now).to_string(),
    ]
}

fn describe(registrar: &Registrar, now: Timestamp) -> Value {
    let text = |moment: Option<Timestamp>| moment.map(|at| at.to_string());
    let networks: Vec<String> = registrar.networks.iter().map(IpNet::to_string).collect();
    json!({
        "name": registrar.name, "production": registrar.production.as_str(),
        "reissue": registrar.on_live == OnLive::Supersede, "from": networks, "ca": registrar.authorities,
        "used": registrar.used, "max": registrar.max, "expires": text(registrar.expires_at),
        "state": registrar.standing(now).as_str(), "created_at": registrar.created_at.to_string(),
        "created_by": registrar.created_by, "closed_at": text(registrar.closed_at),
        "closed_by": registrar.closed_by,
    })
}

impl From<ProductionRight> for Production {
    fn from(right: ProductionRight) -> Production {
        match right {
            ProductionRight::Allow => Production::Allow,
            ProductionRight::Require => Production::Require,
            ProductionRight::Refuse => Production::Refuse,
        }
    }
}

const PREFIX: &str = "fcr_";

/// Names are columns and log fields.
const LONGEST_NAME: usize = 64;
