//! `ca`: create, request, sign, import, sign-csr, list, show.

mod exchange;
mod order;
mod sign_csr;

pub use order::signer;

use serde_json::{Value, json};

use super::clap_args::Global;
use super::clap_args::ca::{Ca, CaCreate, KeyType, NewCa};
use super::edge::{Terminal, agreed, confirm, entropy};
use super::report::{Report, row, table};
use crate::authority::Pki;
use crate::authority::ca::{ExistingKey, Wish};
use crate::config::AuthorityConfig;
use crate::error::Error;
use crate::hex;
use crate::timestamp::Timestamp;
use crate::x509::{Certificate, Curve};

pub fn run(global: &Global, command: Ca) -> Result<Report, Error> {
    let pki = super::open(global)?;
    match command {
        Ca::Create(arguments) => create(&pki, &arguments),
        Ca::Request(arguments) => exchange::request(&pki, &arguments),
        Ca::Sign(arguments) => exchange::sign(&pki, &arguments),
        Ca::Import(arguments) => exchange::import(&pki, &arguments),
        Ca::SignCsr(arguments) => sign_csr::run(&pki, &arguments),
        Ca::List => Ok(list(&pki)),
        Ca::Show { name } => show(&pki, &name),
    }
}

fn create(pki: &Pki, arguments: &CaCreate) -> Result<Report, Error> {
    let authority = pki.config().authority(&arguments.ca.name)?;
    if authority.issuer.is_none() {
        let question = format!(
            "`{}` becomes the root of factory `{}`.",
            authority.name,
            pki.config().factory()
        );
        confirm(&question, &authority.name, arguments.confirm.as_deref())?;
    }
    let wish = wish(authority, &arguments.ca);
    let now = Timestamp::now();
    let mut notes = Vec::new();
    let writer = super::writer(pki, "ca create", &mut notes)?;
    let created = pki.create_ca(authority, &wish, &writer, &Terminal, entropy, now)?;
    writer.finish(now)?;
    let certificate = &created.certificate;
    let mut json = describe(certificate);
    json["key_attributes"] = json!(created.attributes);
    let mut report = Report::done(
        format!(
            "`{}` is {} until {}, certificate in `{}`",
            authority.name,
            certificate.subject(),
            certificate.not_after().date(),
            authority.certificate.display()
        ),
        json,
    )
    .after(notes);
    if let (Some(attributes), Some(place)) = (&created.attributes, &authority.key) {
        let told = format!("its key in token `{}` is {attributes}", place.token);
        report = report.note(told);
    }
    if authority.issuer.is_some() && !certificate.subject().to_string().contains("CN=fio-") {
        report = report.note("the Foundries backend accepts only device CAs named `fio-<user id>`");
    }
    Ok(report.note(next(pki)))
}

/// What is asked for; without a name of its own a CA has the one in the configuration, or the authority's.
fn wish(authority: &AuthorityConfig, arguments: &NewCa) -> Wish<'static> {
    let configured = authority.common_name.clone();
    let default_name = configured.or(authority.issuer.as_ref().map(|_| authority.name.clone()));
    Wish {
        common_name: arguments.common_name.clone().or(default_name),
        curve: arguments.key_type.into(),
        existing_key: match arguments.existing_key {
            true => ExistingKey::Certify,
            false => ExistingKey::Refuse,
        },
        review: &agreed,
    }
}

/// What is left to do: the CAs that have no certificate yet, roots first.
fn next(pki: &Pki) -> String {
    let missing =
        |authority: &&AuthorityConfig| authority.key.is_some() && !authority.certificate.exists();
    let mut missing: Vec<_> = pki.config().authorities().filter(missing).collect();
    missing.sort_by_key(|authority| authority.issuer.is_some());
    let Some(authority) = missing.first() else {
        return "next: factory-ca bundle export".to_owned();
    };
    let name = &authority.name;
    let issuer = authority.issuer.as_ref();
    let issuer = issuer.and_then(|issuer| pki.config().authority(issuer).ok());
    match issuer.is_some_and(|issuer| issuer.key.is_none()) {
        true => format!("next: factory-ca ca request {name} -o {name}.request"),
        false => format!("next: factory-ca ca create {name}"),
    }
}

fn list(pki: &Pki) -> Report {
    let mut rows = vec![row([
        "NAME",
        "SUBJECT",
        "ISSUER",
        "VALID UNTIL",
        "TOKEN",
        "ISSUES",
    ])];
    let mut list = Vec::new();
    for authority in pki.config().authorities() {
        let issuer = authority.issuer.as_deref().unwrap_or("itself");
        let issues = authority.profiles.join(",");
        let place = authority.key.as_ref();
        let token = place.map_or("elsewhere", |place| place.token.as_str());
        let (subject, until, state) = match pki.chain(authority) {
            Ok(chain) => (
                chain[0].subject().to_string(),
                chain[0].not_after().date(),
                Value::from("ready"),
            ),
            Err(error) => (
                "-".to_owned(),
                "-".to_owned(),
                Value::from(error.to_string()),
            ),
        };
        rows.push(row([
            &authority.name,
            &subject,
            issuer,
            &until,
            token,
            &issues,
        ]));
        list.push(json!({
            "name": authority.name, "subject": subject, "issuer": authority.issuer, "not_after": until,
            "token": authority.key.as_ref().map(|place| &place.token),
            "object": authority.key.as_ref().map(|place| &place.object), "profiles": authority.profiles, "state": state,
        }));
    }
    let missing = list
        .iter()
        .filter(|authority| authority["state"] != "ready");
    let notes: Vec<String> = missing
        .map(|authority| format!("note: {}", authority["state"].as_str().unwrap_or_default()))
        .collect();
    Report::new(table(&rows), json!({ "authorities": list })).after(notes)
}

fn show(pki: &Pki, name: &str) -> Result<Report, Error> {
    let authority = pki.config().authority(name)?;
    let chain = pki.chain(authority)?;
    let mut json = describe(&chain[0]);
    json["name"] = authority.name.clone().into();
    json["chain"] = chain
        .iter()
        .map(|certificate| certificate.subject().to_string())
        .collect();
    Ok(Report::new(text(authority, &chain), json))
}

fn text(authority: &AuthorityConfig, chain: &[Certificate]) -> String {
    let certificate = &chain[0];
    let identifier = certificate.subject_key_identifier().map(hex::encode);
    let place = match &authority.key {
        Some(place) => format!("`{}` in token `{}`", place.object, place.token),
        None => "not here".to_owned(),
    };
    format!(
        "authority {}\n  subject      {}\n  issuer       {}\n  serial       {}\n  valid        {} to {}\n  key          {}, {place}\n  key id       {}\n  SHA-256      {}\n  issues       {}\n",
        authority.name,
        certificate.subject(),
        certificate.issuer(),
        certificate.serial(),
        certificate.not_before(),
        certificate.not_after(),
        certificate.key().kind(),
        identifier.as_deref().unwrap_or("none"),
        hex::encode(certificate.fingerprint()),
        if authority.profiles.is_empty() {
            "nothing".to_owned()
        } else {
            authority.profiles.join(", ")
        },
    )
}

impl From<KeyType> for Curve {
    fn from(wanted: KeyType) -> Curve {
        match wanted {
            KeyType::P256 => Curve::P256,
            KeyType::P384 => Curve::P384,
        }
    }
}

/// A server's certificate as --json shows it: with its names and itself.
pub fn describe_server(certificate: &Certificate) -> Value {
    let mut json = describe(certificate);
    json["names"] = json!(certificate.alternative_names().unwrap_or_default());
    json["certificate"] = certificate.to_pem().into();
    json
}

/// A certificate as --json shows it.
pub fn describe(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "serial": certificate.serial().to_string(),
        "not_before": certificate.not_before().to_string(),
        "not_after": certificate.not_after().to_string(),
        "key": certificate.key().kind().to_string(),
        "subject_key_identifier": certificate.subject_key_identifier().map(hex::encode),
        "sha256": hex::encode(certificate.fingerprint()),
    })
}
