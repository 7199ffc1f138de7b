//! `serve`: the signing endpoint.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::clap_args::{Global, Serve};
use super::edge::{Terminal, entropy};
use super::report::Report;
use crate::authority::{self, Issuer, Pki};
use crate::config::{Anonymous, AuthorityConfig, ServerConfig, TlsConfig, TlsKey};
use crate::error::Error;
use crate::gateway::{DeviceApi, GatewayUrls, SotaTemplate};
use crate::ledger::{Production, Writer};
use crate::profile::Profile;
use crate::secret::SecretSource;
use crate::server::{self, Setup, Tls};
use crate::timestamp::Timestamp;
use crate::token::KeyQuery;
use crate::x509::Certificate;

pub fn run(global: &Global, arguments: &Serve) -> Result<Report, Error> {
    let pki = super::open(global)?;
    let config = pki.config().server().clone();
    let listen = arguments.listen.unwrap_or(config.listen);
    let profile = pki.profile(&config.profile)?;
    let authorities = authorities(&pki, &config, &profile)?;
    let sota = sota(&pki)?;
    let backend = backend(&pki)?;
    let tls = config.tls.as_ref();
    let tls = tls.map(|tls| open_tls(&pki, tls)).transpose()?;
    let issuers = authorities
        .iter()
        .map(|authority| Ok(pki.issuer(authority, &Terminal)?))
        .collect::<Result<Vec<Issuer>, Error>>()?;
    start_log(global.json);
    let writer = writer(&pki)?;
    warn(&config, listen, tls.is_some());
    let setup = Setup {
        listen,
        operations: config.operations,
        authority: issuers[0].name().to_owned(),
        issuers,
        profile,
        factory: pki.config().factory().to_owned(),
        ledger: Arc::new(pki.ledger()?),
        writer,
        anonymous: config.anonymous,
        proxies: config.trusted_proxies,
        sota,
        backend,
        tls,
        entropy,
        clock: Timestamp::now,
    };
    server::run(setup, |addresses| {
        for address in addresses {
            tracing::info!(%address, "listening");
        }
    })?;
    tracing::info!("stopped");
    Ok(Report::new("", json!(null)))
}

/// Who issues: those that `server.authority` names, or all that issue the profile; the default first.
fn authorities<'a>(
    pki: &'a Pki,
    config: &ServerConfig,
    profile: &Profile,
) -> Result<Vec<&'a AuthorityConfig>, Error> {
    if profile.namespace().is_none() {
        let text = format!(
            "profile `{}` is not unique: the endpoint could not know a device again",
            profile.name()
        );
        return Err(Error::usage(
            text,
            "name another with `server.profile` in factory-ca.yaml",
        ));
    }
    let issuing = pki.config().issuing(profile.name());
    let chosen = match config.authorities.as_slice() {
        [] if issuing.len() > 1 => {
            let text = format!(
                "{} authorities issue profile `{}`",
                issuing.len(),
                profile.name()
            );
            return Err(Error::usage(
                text,
                "choose with `server.authority` in factory-ca.yaml; of several the first is the default",
            ));
        }
        [] => issuing,
        names => names
            .iter()
            .map(|name| authority(pki, name, profile))
            .collect::<Result<_, _>>()?,
    };
    match chosen.is_empty() {
        false => Ok(chosen),
        true => {
            let text = format!("no authority issues profile `{}`", profile.name());
            Err(Error::usage(
                text,
                "add it to `profiles:` of an authority in factory-ca.yaml",
            ))
        }
    }
}

fn authority<'a>(
    pki: &'a Pki,
    name: &str,
    profile: &Profile,
) -> Result<&'a AuthorityConfig, Error> {
    super::device::issuing(pki, name, profile).map_err(|error| match error {
        Error::Authority(error @ authority::Error::NotIssued { .. }) => Error::usage(
            error.to_string(),
            "name another with `server.authority` in factory-ca.yaml",
        ),
        error => error,
    })
}

/// Where devices find their gateway: the configuration, or the gateway's TLS certificate, says.
fn sota(pki: &Pki) -> Result<SotaTemplate, Error> {
    let config = pki.config().gateway();
    let path = pki.config().directory().join("certs/tls-crt");
    let certificate = match fs::read(&path) {
        Ok(pem) => Some(pem),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(authority::Error::File(path, error).into()),
    };
    let urls = GatewayUrls::find(config, certificate.as_deref())?;
    Ok(SotaTemplate::new(urls, &config.sections))
}

/// The Foundries API, if devices are created there.
fn backend(pki: &Pki) -> Result<Option<DeviceApi>, Error> {
    match pki.config().foundries().register_devices {
        true => super::gateway::client(pki).map(Some),
        false => Ok(None),
    }
}

fn open_tls(pki: &Pki, config: &TlsConfig) -> Result<Tls, Error> {
    let unreadable = |error| authority::Error::File(config.certificate.clone(), error);
    let chain = fs::read(&config.certificate).map_err(unreadable)?;
    let key = match &config.key {
        TlsKey::File(path) => {
            let key = SecretSource::File(path.clone()).read(LONGEST_KEY, &|_| None);
            server::TlsKey::Pem(key?)
        }
        TlsKey::Token { token, object } => {
            let certificates = Certificate::all_from_pem(&chain);
            let leaf = certificates.ok().and_then(|all| all.into_iter().next());
            let leaf = leaf.ok_or_else(|| {
                let text = format!(
                    "`{}` holds no certificate that can be read",
                    config.certificate.display()
                );
                Error::usage(text, "see `server.tls` in factory-ca.yaml")
            })?;
            let token = pki.config().token(token)?;
            let sessions = token
                .sessions
                .unwrap_or_else(authority::pki::default_sessions);
            let query = KeyQuery {
                label: Some(object.clone()),
                id: None,
            };
            let key = pki
                .login(token, &Terminal)?
                .key(query, Some(leaf.key()), sessions)?;
            server::TlsKey::Token(Arc::new(key))
        }
    };
    Ok(Tls {
        chain,
        path: config.certificate.clone(),
        key,
    })
}

/// What dead writers left behind is said in the log.
fn writer(pki: &Pki) -> Result<Writer, Error> {
    let mut notes = Vec::new();
    let writer = super::writer(pki, "serve", &mut notes)?;
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    Ok(writer)
}

fn warn(config: &ServerConfig, listen: SocketAddr, tls: bool) {
    if let Anonymous::Production(production) = config.anonymous {
        let production = match production {
            Production::Refuse => "no production devices",
            Production::Allow => "production devices, too",
            Production::Require => "production devices only",
        };
        tracing::warn!(
            "anonymous registration is on: whoever can connect gets certificates for devices of any UUID ({production})"
        );
    }
    if !tls && !listen.ip().is_loopback() {
        tracing::warn!(
            "plain HTTP: registrar tokens can be read by whoever sees the traffic; use it behind a proxy or on a private network only"
        );
    }
}

/// What libraries say is left out: a client could make them say it without end.
fn start_log(json: bool) {
    // A log that cannot be written must not stop the endpoint: the default is to say so on stderr, or to panic.
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::INFO);
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .log_internal_errors(false)
        .with_target(false);
    // A second subscriber cannot be set; the first one goes on.
    let _ = match json {
        true => log
            .json()
            .flatten_event(true)
            .finish()
            .with(ours)
            .try_init(),
        false => log.with_ansi(false).finish().with(ours).try_init(),
    };
}

/// A PKCS#8 file with an RSA-4096 key has 3.3 KB.
const LONGEST_KEY: usize = 16 * 1024;
