//! The `server:` section: how `factory-ca serve` listens, whom it answers, and as whom it issues.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;

use super::ConfigError;
use crate::ledger::Production;
use crate::yaml;

/// How the signing endpoint works.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where devices connect.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics are answered instead; `None` is beside `/sign`.
    pub operations: Option<SocketAddr>,
    /// The authorities that issue, the default first; none is the one that issues the profile.
    pub authorities: Vec<String>,
    /// The profile of the certificates.
    pub profile: String,
    /// What a request without registrar token may do.
    pub anonymous: Anonymous,
    /// TLS; `None` is plain HTTP.
    pub tls: Option<TlsConfig>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// What a request without registrar token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anonymous {
    /// Nothing.
    Refuse,
    /// Register a device, with this right about production.
    Production(Production),
}

/// The certificate the endpoint shows, and where its key is.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// The certificate, followed by those between it and the root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: TlsKey,
}

/// Where a TLS key is.
#[derive(Clone, Debug)]
pub enum TlsKey {
    /// A PKCS#8 file that only its owner can read.
    File(PathBuf),
    /// A token's key.
    Token {
        /// The token's name.
        token: String,
        /// The key's label.
        object: String,
    },
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            listen: LISTEN,
            operations: None,
            authorities: Vec::new(),
            profile: PROFILE.to_owned(),
            anonymous: Anonymous::Refuse,
            tls: None,
            trusted_proxies: Vec::new(),
        }
    }
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ServerYaml {
    listen: Option<String>,
    operations: Option<String>,
    authority: Option<Names>,
    profile: Option<String>,
    #[serde(default, deserialize_with = "yaml::map_enum::deserialize")]
    anonymous: Option<Anonymous>,
    tls: Option<TlsYaml>,
    #[serde(default)]
    trusted_proxies: Vec<String>,
}

/// `line-1` or `[line-1, line-2]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TlsYaml {
    certificate: PathBuf,
    key: TlsKeyYaml,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TlsKeyYaml {
    file: Option<PathBuf>,
    token: Option<String>,
    object: Option<String>,
}

type Value<'a> = &'a dyn Fn(&str, String, &str) -> ConfigError;

impl ServerYaml {
    pub(super) fn check(
        self,
        directory: &Path,
        value: Value<'_>,
    ) -> Result<ServerConfig, ConfigError> {
        let address = |key: &str, text: Option<String>| match text {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                let wanted = "an address and a port, as in `0.0.0.0:8080`";
                value(&format!("server.{key}"), shown(&text), wanted)
            }),
        };
        let network = |text: &String| {
            let wanted = "networks, as in `10.0.0.0/8`, or addresses";
            parse_network(text).ok_or_else(|| value("server.trusted-proxies", shown(text), wanted))
        };
        Ok(ServerConfig {
            listen: address("listen", self.listen)?.unwrap_or(LISTEN),
            operations: address("operations", self.operations)?,
            authorities: match self.authority {
                None => Vec::new(),
                Some(Names::One(name)) => vec![name],
                Some(Names::Several(names)) => names,
            },
            profile: self.profile.unwrap_or_else(|| PROFILE.to_owned()),
            anonymous: self.anonymous.unwrap_or(Anonymous::Refuse),
            tls: match self.tls {
                Some(tls) => Some(tls.check(directory, value)?),
                None => None,
            },
            trusted_proxies: self
                .trusted_proxies
                .iter()
                .map(network)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl TlsYaml {
    fn check(self, directory: &Path, value: Value<'_>) -> Result<TlsConfig, ConfigError> {
        let key = match (self.key.file, self.key.token, self.key.object) {
            (Some(file), None, None) => TlsKey::File(directory.join(file)),
            (None, Some(token), Some(object)) => TlsKey::Token { token, object },
            _ => {
                let wanted = "`{file: PATH}` or `{token: NAME, object: LABEL}`";
                return Err(value("server.tls.key", "something else".to_owned(), wanted));
            }
        };
        Ok(TlsConfig {
            certificate: directory.join(self.certificate),
            key,
        })
    }
}

/// Reads a network, or an address as the network of one.
fn parse_network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn shown(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

/// Only this machine: who wants devices to reach it says so.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const PROFILE: &str = "device";
