//! `factory-ca.yaml` as it is written, and how each section becomes its checked twin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::gateway::{FoundriesYaml, GatewayYaml};
use super::server::ServerYaml;
use super::{AuthorityConfig, ConfigError, FILE, KeyPlace, ModuleSource, TokenConfig};
use crate::token::{PinSource, TokenUri};
use crate::yaml;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ConfigYaml {
    pub(super) factory: String,
    pub(super) ledger: String,
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, TokenYaml>,
    #[serde(default)]
    pub(super) authorities: BTreeMap<String, AuthorityYaml>,
    #[serde(default)]
    pub(super) gateway: GatewayYaml,
    #[serde(default)]
    pub(super) foundries: FoundriesYaml,
    pub(super) server: Option<ServerYaml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TokenYaml {
    uri: String,
    module: Option<String>,
    #[serde(default, deserialize_with = "pin_yaml")]
    pin: Option<PinSource>,
    #[serde(default = "SessionsYaml::auto")]
    sessions: SessionsYaml,
}

/// Says what is wanted without showing what was found: somebody may have written the PIN itself.
fn pin_yaml<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PinSource>, D::Error> {
    let read: Result<PinSource, D::Error> = yaml::map_enum::deserialize(deserializer);
    let hidden =
        |_| serde::de::Error::custom(format!("`pin` is something else, wanted is {PIN_WANTED}"));
    read.map(Some).map_err(hidden)
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SessionsYaml {
    Count(usize),
    Word(String),
}

impl SessionsYaml {
    fn auto() -> SessionsYaml {
        SessionsYaml::Word("auto".to_owned())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AuthorityYaml {
    certificate: PathBuf,
    common_name: Option<String>,
    issuer: Option<String>,
    #[serde(default)]
    keys: Vec<KeyYaml>,
    profile: Option<String>,
    #[serde(default)]
    profiles: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct KeyYaml {
    token: String,
    object: String,
}

impl TokenYaml {
    pub(super) fn check(
        self,
        name: &str,
        directory: &Path,
        value: &dyn Fn(&str, String, &str) -> ConfigError,
    ) -> Result<TokenConfig, ConfigError> {
        let key = |field: &str| format!("tokens.{name}.{field}");
        let uri = TokenUri::parse(&self.uri).map_err(|source| ConfigError::Uri {
            file: directory.join(FILE),
            token: name.to_owned(),
            source,
        })?;
        if uri.token().is_none() {
            return Err(value(
                &key("uri"),
                format!("`{}`", self.uri),
                "a URI with `token=LABEL`",
            ));
        }
        let module = match self.module.as_deref().or(uri.module_path()) {
            Some("embedded") => ModuleSource::Embedded,
            Some(path) if path.starts_with('/') => ModuleSource::Path(path.into()),
            Some(path) => {
                return Err(value(
                    &key("module"),
                    format!("`{path}`"),
                    "`embedded` or an absolute path",
                ));
            }
            None => {
                return Err(value(
                    &key("module"),
                    "missing".into(),
                    "`embedded` or an absolute path",
                ));
            }
        };
        let sessions = match self.sessions {
            SessionsYaml::Word(word) if word == "auto" => None,
            SessionsYaml::Count(count) if (1..=MOST_SESSIONS).contains(&count) => Some(count),
            SessionsYaml::Count(count) => {
                return Err(value(
                    &key("sessions"),
                    count.to_string(),
                    "`auto` or 1 to 256",
                ));
            }
            SessionsYaml::Word(word) => {
                return Err(value(
                    &key("sessions"),
                    format!("`{word}`"),
                    "`auto` or 1 to 256",
                ));
            }
        };
        let pin = match (self.pin, uri.pin_source()) {
            (Some(PinSource::File(path)), None) => PinSource::File(directory.join(path)),
            (Some(pin), None) => pin,
            (None, Some(text)) => PinSource::from_pin_source(text).map_err(|_| {
                value(
                    &key("uri"),
                    format!("one with pin-source `{text}`"),
                    "`file:` and an absolute path there",
                )
            })?,
            (Some(_), Some(_)) => {
                return Err(value(
                    &key("uri"),
                    "one with pin-source".into(),
                    "the PIN's place in `pin:` only",
                ));
            }
            (None, None) => return Err(value(&key("pin"), "missing".into(), PIN_WANTED)),
        };
        Ok(TokenConfig {
            name: name.to_owned(),
            uri,
            module,
            pin,
            sessions,
        })
    }
}

impl AuthorityYaml {
    pub(super) fn check(
        self,
        name: &str,
        directory: &Path,
        value: &dyn Fn(&str, String, &str) -> ConfigError,
    ) -> Result<AuthorityConfig, ConfigError> {
        let key = |field: &str| format!("authorities.{name}.{field}");
        let sane = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(sane) {
            return Err(value(
                "authorities",
                format!("`{}`", name.escape_debug()),
                "names of letters, digits, `-`, `_`, `.`",
            ));
        }
        let mut keys = self.keys;
        if keys.len() > 1 {
            let found = format!("a list of {}", keys.len());
            let wanted = "one key (replicas are not supported yet), or none if it is elsewhere";
            return Err(value(&key("keys"), found, wanted));
        }
        let place = keys.pop().map(|first| KeyPlace {
            token: first.token,
            object: first.object,
        });
        let profile = match self.issuer {
            None => "root-ca",
            Some(_) => "device-ca",
        };
        Ok(AuthorityConfig {
            name: name.to_owned(),
            certificate: directory.join(self.certificate),
            key: place,
            common_name: self.common_name,
            profile: self.profile.unwrap_or_else(|| profile.to_owned()),
            issuer: self.issuer,
            profiles: self.profiles,
        })
    }
}

/// Above what tokens commonly offer; a typing error is caught before it asks a token for millions.
const MOST_SESSIONS: usize = 256;

const PIN_WANTED: &str =
    "`prompt`, `{file: PATH}`, `{fd: N}`, `{env: NAME}`, `{credential: NAME}` or `protected-path`";
