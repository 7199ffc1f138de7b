//! `tls`: certificates for the factory's own servers.

use std::path::Path;

use serde_json::{Value, json};

use super::ca::{describe, the_root};
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
use crate::error::Error;
use crate::output::file::{self, Access, OutputError};
use crate::secret::SecretSource;
use crate::timestamp::Timestamp;
use crate::x509::device_key::DeviceKey;
use crate::x509::template::AlternativeName;
use crate::x509::{Certificate, Csr, request};

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
    let signer = match arguments.request {
        true => None,
        false => Some(Signing::begin(pki, arguments)?),
    };
    let (key, place) = server_key(pki, arguments)?;
    let names = names(arguments);
    let csr = key.request(&names)?;
    let (text, json, what) = match signer {
        None => {
            let pem = request::to_pem(&csr);
            let json = json!({ "request": pem });
            let what = format!("the request of {place} is written to {destination}");
            (destination.write(pem)?, json, what)
        }
        Some(signing) => {
            let certificate = signing.sign(pki, arguments, &csr)?;
            let what = format!(
                "{place} has certificate {} for {} until {}, written to {destination}",
                certificate.serial(),
                certificate
                    .alternative_names()
                    .unwrap_or_default()
                    .join(", "),
                certificate.not_after().date()
            );
            let json = described(&certificate);
            let text = destination.deliver(certificate.to_pem(), certificate.serial())?;
            (text, json, what)
        }
    };
    let next = match arguments.request {
        true => {
            "next, where the CA's token is: factory-ca ca sign-csr FILE --allow-dns NAME -o FILE"
                .to_owned()
        }
        false => format!(
            "next: `server: {{tls: {{certificate: …, key: {}}}}}` in factory-ca.yaml, for the endpoint",
            configured(arguments)
        ),
    };
    Ok(Report::new(text, json).note(what).note(next))
}

/// What is at hand to sign with: opened before the key is made.
struct Signing {
    issuer: authority::Issuer,
    writer: crate::ledger::Writer,
}

impl Signing {
    fn begin(pki: &Pki, arguments: &TlsCreate) -> Result<Signing, Error> {
        let authority = match &arguments.authority {
            Some(name) => pki.config().authority(name)?,
            None => the_root(pki)?,
        };
        let issuer = pki.issuer(authority, &Terminal)?;
        issuer.check_time(Timestamp::now())?;
        let writer = super::writer(pki, "tls create", &mut Vec::new())?;
        Ok(Signing { issuer, writer })
    }

    fn sign(self, pki: &Pki, arguments: &TlsCreate, csr: &[u8]) -> Result<Certificate, Error> {
        let now = Timestamp::now();
        let profile = pki
            .profile(PROFILE)?
            .allowing(&arguments.dns, &arguments.ip);
        let certifying = Certifying {
            profile: &profile,
            writer: &self.writer,
            entropy,
            review: &agreed,
            now,
        };
        let (factory, ledger) = (pki.config().factory(), pki.ledger()?);
        let csr = Csr::from_der(csr)?;
        let certificate =
            certifying.sign_csr(&csr, &self.issuer, factory, &ledger, Repetition::Renew)?;
        self.writer.finish(now)?;
        Ok(certificate)
    }
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

fn described(certificate: &Certificate) -> Value {
    let mut json = describe(certificate);
    json["names"] = json!(certificate.alternative_names().unwrap_or_default());
    json["certificate"] = certificate.to_pem().into();
    json
}

/// The key's place as factory-ca.yaml has it.
fn configured(arguments: &TlsCreate) -> String {
    match (&arguments.key, &arguments.token, &arguments.object) {
        (None, Some(token), Some(object)) => format!("{{token: {token}, object: {object}}}"),
        (Some(path), ..) => format!("{{file: {}}}", path.display()),
        _ => "…".to_owned(),
    }
}

const PROFILE: &str = "tls-server";

/// A PKCS#8 file with a P-256 key has 241 bytes.
const LONGEST_KEY: usize = 16 * 1024;
