//! `tls`: certificates for the factory's own servers.

use std::path::Path;

use serde_json::json;

use super::ca::{describe_server, signer};
use super::clap_args::Global;
use super::clap_args::tls::{Tls, TlsCreate};
use super::edge::{Terminal, agreed, entropy};
use super::files::Destination;
use super::report::Report;
use crate::authority::ca::ExistingKey;
use crate::authority::certify::Certifying;
use crate::authority::server_key::ServerKey;
use crate::authority::sign_csr::Repetition;
use crate::authority::{self, Pki};
use crate::config::KeyPlace;
use crate::error::Error;
use crate::output::file::{self, Access, OutputError};
use crate::secret::SecretSource;
use crate::timestamp::Timestamp;
use crate::x509::device_key::DeviceKey;
use crate::x509::template::AlternativeName;
use crate::x509::{self, Csr};

pub fn run(global: &Global, command: Tls) -> Result<Report, Error> {
    let pki = super::open(global)?;
    match command {
        Tls::Create(arguments) => create(&pki, &arguments),
    }
}

/// Everything that can be refused is refused before the key is made. What is left after a crash is a key without
/// certificate: `--existing-key` takes it up.
fn create(pki: &Pki, arguments: &TlsCreate) -> Result<Report, Error> {
    let destination = Destination::begin(&arguments.output)?;
    match arguments.request {
        true => request(pki, arguments, destination),
        false => certificate(pki, arguments, destination),
    }
}

fn request(pki: &Pki, arguments: &TlsCreate, destination: Destination) -> Result<Report, Error> {
    let (key, place) = server_key(pki, arguments)?;
    let pem = x509::request::to_pem(&key.request(&names(arguments))?);
    let note = format!("the request of {place} is written to {destination}");
    let json = json!({ "request": pem });
    Ok(Report::new(destination.write(pem)?, json).note(note).note(
        "next, where the CA's token is: factory-ca ca sign-csr FILE --allow-dns NAME -o FILE",
    ))
}

fn certificate(
    pki: &Pki,
    arguments: &TlsCreate,
    destination: Destination,
) -> Result<Report, Error> {
    let authority = signer(pki, arguments.authority.as_deref())?;
    let profile = pki.profile(PROFILE)?;
    let profile = profile.allowing(&arguments.dns, &arguments.ip);
    let issuer = pki.issuer(authority, &Terminal)?;
    let (names, now) = (names(arguments), Timestamp::now());
    issuer.check_time(now)?;
    let checked = profile.check_server(arguments.key_type.into(), &names, issuer.view(), now);
    checked.map_err(authority::Error::from)?;
    let mut notes = Vec::new();
    let writer = super::writer(pki, "tls create", &mut notes)?;
    let (key, place) = server_key(pki, arguments)?;
    let csr = Csr::from_der(&key.request(&names)?)?;
    let certifying = Certifying {
        profile: &profile,
        writer: &writer,
        entropy,
        review: &agreed,
        now,
    };
    let (factory, ledger) = (pki.config().factory(), pki.ledger()?);
    let certificate = certifying.sign_csr(&csr, &issuer, factory, &ledger, Repetition::Renew)?;
    writer.finish(now)?;
    let names = certificate.alternative_names().unwrap_or_default();
    let note = format!(
        "{place} has certificate {} for {} until {}, written to {destination}",
        certificate.serial(),
        names.join(", "),
        certificate.not_after().date()
    );
    let next = format!(
        "next, for the endpoint, in factory-ca.yaml: `server: {{tls: {{certificate: {}, key: {}}}}}`",
        configured(pki, &arguments.output),
        configured_key(pki, arguments)
    );
    let json = describe_server(&certificate);
    let text = destination.deliver(certificate.to_pem(), certificate.serial())?;
    Ok(Report::new(text, json).note(note).note(next).after(notes))
}

/// The key, and what it is called.
fn server_key(pki: &Pki, arguments: &TlsCreate) -> Result<(ServerKey, String), Error> {
    if let Some(path) = &arguments.key {
        let key = match arguments.existing_key {
            true => existing(path)?,
            false => new(path)?,
        };
        return Ok((
            ServerKey::File(key),
            format!("the key in `{}`", path.display()),
        ));
    }
    let (token, object) = match (&arguments.token, &arguments.object) {
        (Some(token), Some(object)) => (pki.config().token(token)?, object),
        _ => {
            return Err(Error::usage(
                "no place for the key is named",
                "add `--key FILE`",
            ));
        }
    };
    let is_its_key = |place: &KeyPlace| place.token == token.name && place.object == *object;
    let mut authorities = pki.config().authorities();
    if let Some(ca) = authorities.find(|ca| ca.key.as_ref().is_some_and(is_its_key)) {
        let message = format!(
            "key `{object}` in token `{}` is that of authority `{}`; nothing was signed",
            token.name, ca.name
        );
        return Err(Error::usage(
            message,
            "name another `--object`: a server has a key of its own",
        ));
    }
    let existing = match arguments.existing_key {
        true => ExistingKey::Certify,
        false => ExistingKey::Refuse,
    };
    let open = pki.login(token, &Terminal)?;
    let (key, _) = ServerKey::in_token(&open, object, arguments.key_type.into(), existing)?;
    Ok((key, format!("key `{object}` in token `{}`", token.name)))
}

/// A new key, on disk before it is certified. A crash right here leaves a key that nobody knows.
fn new(path: &Path) -> Result<DeviceKey, Error> {
    if path.exists() {
        let error = OutputError::Taken(path.to_owned());
        return Err(error.into());
    }
    let key = DeviceKey::generate().map_err(|_| authority::Error::NoEntropy)?;
    let pem = key.to_pkcs8_pem();
    let pem = pem.map_err(|_| unusable(path, "it cannot be written as PKCS#8"))?;
    file::create(path, pem.as_bytes(), Access::Secret)?;
    Ok(key)
}

fn existing(path: &Path) -> Result<DeviceKey, Error> {
    let pem = SecretSource::File(path.to_owned()).read(LONGEST_KEY, &|_| None)?;
    DeviceKey::from_pkcs8_pem(&pem).map_err(|_| unusable(path, "it is no P-256 key in PKCS#8"))
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::usage(
        format!("key `{}` cannot be used: {why}", path.display()),
        "leave out `--existing-key` and name a new file",
    )
}

fn names(arguments: &TlsCreate) -> Vec<AlternativeName> {
    let dns = arguments.dns.iter().cloned().map(AlternativeName::Dns);
    let ip = arguments.ip.iter().copied().map(AlternativeName::Ip);
    dns.chain(ip).collect()
}

/// The key's place as factory-ca.yaml has it.
fn configured_key(pki: &Pki, arguments: &TlsCreate) -> String {
    match (&arguments.key, &arguments.token, &arguments.object) {
        (None, Some(token), Some(object)) => format!("{{token: {token}, object: {object}}}"),
        (Some(path), ..) => format!("{{file: {}}}", configured(pki, path)),
        _ => "…".to_owned(),
    }
}

/// A path as factory-ca.yaml has it: relative to the PKI directory, absolute elsewhere.
fn configured(pki: &Pki, path: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let whole = absolute(path);
    let inside = whole.strip_prefix(absolute(pki.config().directory()));
    inside.unwrap_or(&whole).display().to_string()
}

const PROFILE: &str = "tls-server";

/// A PKCS#8 file with a P-256 key has 241 bytes.
const LONGEST_KEY: usize = 16 * 1024;
