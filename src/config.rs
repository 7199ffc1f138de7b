//! `factory-ca.yaml`: what a PKI directory says about itself.
//!
//! Strict YAML: an unknown key is an error. The file names tokens, keys and where PINs come from; it never holds a PIN.
//! Whoever can write it decides which token signs and which profile applies, so it belongs to the officer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod gateway;
mod server;
mod written;

pub use gateway::{FoundriesConfig, GatewayConfig, is_bare_key};
pub use server::{Anonymous, ServerConfig, TlsConfig, TlsKey};

use crate::token::{PinSource, TokenUri, UriError};
use crate::yaml::{self, YamlError};
use written::ConfigYaml;

/// The file's name inside a PKI directory.
pub const FILE: &str = "factory-ca.yaml";

/// The configuration of a PKI directory, checked as a whole.
#[derive(Clone, Debug)]
pub struct Config {
    directory: PathBuf,
    factory: String,
    ledger: PathBuf,
    tokens: BTreeMap<String, TokenConfig>,
    authorities: BTreeMap<String, AuthorityConfig>,
    gateway: GatewayConfig,
    foundries: FoundriesConfig,
    server: ServerConfig,
}

/// Where a token is and how it is opened.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The name commands use.
    pub name: String,
    /// Which token: label, and what else tells it from others.
    pub uri: TokenUri,
    /// The PKCS#11 module.
    pub module: ModuleSource,
    /// Where the user PIN comes from.
    pub pin: PinSource,
    /// How many sessions sign at once; `None` is one for each processor.
    pub sessions: Option<usize>,
}

/// Which PKCS#11 module a token is reached through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleSource {
    /// SoftHSM2 with its tokens in `softhsm/` of the PKI directory: for evaluation.
    Embedded,
    /// A shared library.
    Path(PathBuf),
}

/// A CA: its certificate and where its key is.
#[derive(Clone, Debug)]
pub struct AuthorityConfig {
    /// The name commands use.
    pub name: String,
    /// Its certificate.
    pub certificate: PathBuf,
    /// The common name it gets when it is created; `None` is the profile's default, or its name.
    pub common_name: Option<String>,
    /// The authority that certified it; `None` for a root.
    pub issuer: Option<String>,
    /// Where its key is; `None` if that is on another machine.
    pub key: Option<KeyPlace>,
    /// The profile of its own certificate.
    pub profile: String,
    /// The profiles it issues.
    pub profiles: Vec<String>,
}

/// Where a CA's key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    /// The token's name.
    pub token: String,
    /// The key's label in it.
    pub object: String,
}

impl AuthorityConfig {
    /// Where its key is, for whoever needs it.
    pub fn key_place(&self) -> Result<&KeyPlace, ConfigError> {
        let elsewhere = || ConfigError::KeyElsewhere(self.name.clone());
        self.key.as_ref().ok_or_else(elsewhere)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An authority's chain of issuers does not end at a root.
    #[error("`{file}`: the issuers of authority `{name}` go round in a circle")]
    Circle {
        /// The file.
        file: PathBuf,
        /// The authority.
        name: String,
    },
    /// The key of an authority is needed, and it is on another machine.
    #[error("the key of authority `{0}` is not here: it has no `keys:` in factory-ca.yaml")]
    KeyElsewhere(String),
    /// The file is missing.
    #[error("`{0}` is no PKI directory: it holds no `factory-ca.yaml`")]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("`{0}` cannot be read")]
    Read(PathBuf, #[source] std::io::Error),
    /// A command or a section names something that is not configured.
    #[error("there is no {kind} `{name}`; found: {found}")]
    Unknown {
        /// What kind of thing.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        found: String,
    },
    /// A token's URI.
    #[error("`{file}`: `tokens.{token}.uri` cannot be used")]
    Uri {
        /// The file.
        file: PathBuf,
        /// The token.
        token: String,
        /// What is wrong with it.
        #[source]
        source: UriError,
    },
    /// A value that cannot be.
    #[error("`{file}`: `{key}` is {found}, wanted is {wanted}")]
    Value {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        key: String,
        /// The value found.
        found: String,
        /// The value wanted.
        wanted: String,
    },
    /// The YAML.
    #[error("`{0}`: {1}")]
    Yaml(PathBuf, YamlError),
}

/// Whether a factory can be called so: its name is the OU of every certificate (RFC 5280 appendix A.1,
/// ub-organizational-unit-name).
pub fn is_factory_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// What [`is_factory_name`] wants.
pub const FACTORY_NAME: &str = "1 to 64 plain characters";

impl Config {
    /// Reads the configuration of a PKI directory.
    pub fn load(directory: &Path) -> Result<Config, ConfigError> {
        let file = directory.join(FILE);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing(directory.to_owned()));
            }
            Err(error) => return Err(ConfigError::Read(file, error)),
        };
        let yaml = yaml::read(&text).map_err(|error| ConfigError::Yaml(file, error))?;
        Config::check(directory, yaml)
    }

    /// The PKI directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The factory's name: the OU of every certificate.
    pub fn factory(&self) -> &str {
        &self.factory
    }

    /// The ledger's file.
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// Every token, by name.
    pub fn tokens(&self) -> impl Iterator<Item = &TokenConfig> {
        self.tokens.values()
    }

    /// Every authority, by name.
    pub fn authorities(&self) -> impl Iterator<Item = &AuthorityConfig> {
        self.authorities.values()
    }

    /// The device gateway, as devices are told.
    pub fn gateway(&self) -> &GatewayConfig {
        &self.gateway
    }

    /// How the Foundries API is reached.
    pub fn foundries(&self) -> &FoundriesConfig {
        &self.foundries
    }

    /// How the signing endpoint works.
    pub fn server(&self) -> &ServerConfig {
        &self.server
    }

    /// A token by its name.
    pub fn token(&self, name: &str) -> Result<&TokenConfig, ConfigError> {
        self.tokens
            .get(name)
            .ok_or_else(|| unknown("token", name, self.tokens.keys()))
    }

    /// An authority by its name.
    pub fn authority(&self, name: &str) -> Result<&AuthorityConfig, ConfigError> {
        self.authorities
            .get(name)
            .ok_or_else(|| unknown("authority", name, self.authorities.keys()))
    }

    /// Takes the PIN of a token from another place.
    pub fn override_pin(&mut self, name: &str, pin: PinSource) -> Result<(), ConfigError> {
        self.token(name)?;
        if let Some(token) = self.tokens.get_mut(name) {
            token.pin = pin;
        }
        Ok(())
    }

    /// The authorities that issue a profile.
    pub fn issuing(&self, profile: &str) -> Vec<&AuthorityConfig> {
        let issues =
            |authority: &&AuthorityConfig| authority.profiles.iter().any(|known| known == profile);
        self.authorities.values().filter(issues).collect()
    }

    fn check(directory: &Path, yaml: ConfigYaml) -> Result<Config, ConfigError> {
        let file = directory.join(FILE);
        let value = |key: &str, found: String, wanted: &str| ConfigError::Value {
            file: file.clone(),
            key: key.to_owned(),
            found,
            wanted: wanted.to_owned(),
        };
        if !is_factory_name(&yaml.factory) {
            let found = format!("`{}`", yaml.factory.escape_debug());
            return Err(value("factory", found, FACTORY_NAME));
        }
        if yaml.ledger.contains("://") {
            return Err(value("ledger", format!("`{}`", yaml.ledger), "a file name"));
        }
        let mut config = Config {
            directory: directory.to_owned(),
            ledger: directory.join(&yaml.ledger),
            factory: yaml.factory,
            tokens: BTreeMap::new(),
            authorities: BTreeMap::new(),
            gateway: yaml.gateway.check(&value)?,
            foundries: yaml.foundries.check(directory, &value)?,
            server: match yaml.server {
                Some(server) => server.check(directory, &value)?,
                None => ServerConfig::default(),
            },
        };
        for (name, token) in yaml.tokens {
            let token = token.check(&name, directory, &value)?;
            config.tokens.insert(name, token);
        }
        for (name, authority) in yaml.authorities {
            let authority = authority.check(&name, directory, &value)?;
            if let Some(place) = &authority.key {
                config.token(&place.token)?;
            }
            config.authorities.insert(name, authority);
        }
        config.check_issuers(&file)?;
        Ok(config)
    }

    /// Every authority's issuers exist and end at a root.
    fn check_issuers(&self, file: &Path) -> Result<(), ConfigError> {
        for authority in self.authorities.values() {
            let mut current = authority;
            let mut steps = 0;
            while let Some(issuer) = &current.issuer {
                current = self.authority(issuer)?;
                steps += 1;
                if steps > self.authorities.len() {
                    let (file, name) = (file.to_owned(), authority.name.clone());
                    return Err(ConfigError::Circle { file, name });
                }
            }
        }
        Ok(())
    }
}

fn unknown<'a>(
    kind: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a String>,
) -> ConfigError {
    let names: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    let found = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    ConfigError::Unknown {
        kind,
        name: name.to_owned(),
        found,
    }
}

#[cfg(test)]
mod tests;
