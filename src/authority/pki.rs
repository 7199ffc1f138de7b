//! A PKI directory that is open: configuration, profiles, certificates, tokens, ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Issuer, KeyIs, embedded};
use crate::config::{AuthorityConfig, Config, ModuleSource, TokenConfig};
use crate::ledger::Ledger;
use crate::profile::{self, Profile};
use crate::token::{self, KeyQuery, Module, OpenToken, PinEdge, PinSource, Token};
use crate::x509::Certificate;
use crate::x509::key::KeyError;

/// An open PKI directory. Tokens are opened one by one, as commands need them.
pub struct Pki {
    config: Config,
}

impl Pki {
    /// Reads the configuration of a PKI directory.
    pub fn open(directory: &Path) -> Result<Pki, Error> {
        Ok(Pki {
            config: Config::load(directory)?,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes the PIN of a token from another place than the configuration says.
    pub fn override_pin(&mut self, token: &str, pin: PinSource) -> Result<(), Error> {
        Ok(self.config.override_pin(token, pin)?)
    }

    /// Opens the ledger for reading.
    pub fn ledger(&self) -> Result<Ledger, Error> {
        Ok(Ledger::open(self.config.ledger())?)
    }

    /// A profile: `profiles/NAME.yaml` of the PKI directory, or else the shipped one.
    pub fn profile(&self, name: &str) -> Result<Profile, Error> {
        let path = self.profile_override(name);
        let read = match std::fs::read_to_string(&path) {
            Ok(text) => Profile::from_yaml(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                match Profile::shipped(name) {
                    Some(shipped) => shipped,
                    None => return Err(self.unknown_profile(name)),
                }
            }
            Err(error) => return Err(Error::File(path, error)),
        };
        let profile = read.map_err(|problem| Error::Profile {
            name: name.to_owned(),
            problem,
        })?;
        match profile.name() == name {
            true => Ok(profile),
            false => Err(Error::Profile {
                name: name.to_owned(),
                problem: profile::ProfileError::Inconsistent {
                    key: "name",
                    found: format!("`{}`", profile.name()),
                    wanted: format!("`{name}`, as the file is called"),
                },
            }),
        }
    }

    /// The names of all profiles, and whether the PKI directory overrides or adds them.
    pub fn profiles(&self) -> Vec<(String, bool)> {
        let mut names: Vec<(String, bool)> = profile::SHIPPED
            .iter()
            .map(|(name, _)| ((*name).to_owned(), self.profile_override(name).exists()))
            .collect();
        let files = std::fs::read_dir(self.config.directory().join("profiles"))
            .into_iter()
            .flatten()
            .flatten();
        for file in files {
            let path = file.path();
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let yaml = path
                .extension()
                .is_some_and(|extension| extension == "yaml");
            if yaml && names.iter().all(|(known, _)| known != name) {
                names.push((name.to_owned(), true));
            }
        }
        names.sort();
        names
    }

    /// An authority's certificate first, its root last; every signature and name of the chain is checked.
    pub fn chain(&self, authority: &AuthorityConfig) -> Result<Vec<Certificate>, Error> {
        let mut chain = vec![read_certificate(authority)?];
        let mut current = authority;
        while let Some(issuer) = &current.issuer {
            let issuer = self.config.authority(issuer)?;
            let above = read_certificate(issuer)?;
            check_link(
                &current.certificate,
                &chain[chain.len() - 1],
                issuer,
                &above,
            )?;
            chain.push(above);
            current = issuer;
        }
        let root = &chain[chain.len() - 1];
        check_link(&current.certificate, root, current, root)?;
        Ok(chain)
    }

    /// Opens an authority: its chain, its token, its key.
    pub fn issuer(&self, authority: &AuthorityConfig, edge: &dyn PinEdge) -> Result<Issuer, Error> {
        let place = authority.key_place()?;
        let chain = self.chain(authority)?;
        let token_config = self.config.token(&place.token)?;
        let token = self.login(token_config, edge)?;
        let sessions = token_config.sessions.unwrap_or_else(default_sessions);
        let query = KeyQuery {
            label: Some(place.object.clone()),
            id: None,
        };
        let key = token.key(query, Some(chain[0].key()), sessions)?;
        Issuer::new(&authority.name, chain, Arc::new(key))
    }

    /// Finds a token and logs in.
    pub fn login(&self, token: &TokenConfig, edge: &dyn PinEdge) -> Result<OpenToken, Error> {
        let found = self.find(token)?;
        let pin = token
            .pin
            .read(&token.name, edge)
            .map_err(token::Error::from)?;
        Ok(found.login(pin)?)
    }

    /// Finds a token by its URI.
    pub fn find(&self, token: &TokenConfig) -> Result<Token, Error> {
        Ok(self.module(token)?.find(&token.uri)?)
    }

    /// Loads the module of a token.
    pub fn module(&self, token: &TokenConfig) -> Result<Module, Error> {
        Ok(Module::load(&module_path(&token.module)?)?)
    }

    fn profile_override(&self, name: &str) -> PathBuf {
        self.config
            .directory()
            .join("profiles")
            .join(format!("{name}.yaml"))
    }

    fn unknown_profile(&self, name: &str) -> Error {
        let found: Vec<String> = self
            .profiles()
            .into_iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        Error::UnknownProfile {
            name: name.to_owned(),
            found: found.join(", "),
        }
    }
}

/// The shared library a module source stands for.
pub fn module_path(module: &ModuleSource) -> Result<PathBuf, Error> {
    match module {
        ModuleSource::Path(path) => Ok(path.clone()),
        ModuleSource::Embedded => embedded::library().ok_or(Error::NoSoftHsm),
    }
}

pub(super) fn read_certificate(authority: &AuthorityConfig) -> Result<Certificate, Error> {
    let path = &authority.certificate;
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotCreated {
                authority: authority.name.clone(),
                path: path.clone(),
                key: match authority.key {
                    Some(_) => KeyIs::Here,
                    None => KeyIs::Elsewhere,
                },
            });
        }
        Err(error) => return Err(Error::File(path.clone(), error)),
    };
    Certificate::from_pem(&text).map_err(|source| Error::Certificate {
        path: path.clone(),
        source,
    })
}

/// Whether a certificate, which is in this file, was issued by the one above it.
pub(super) fn check_link(
    path: &Path,
    certificate: &Certificate,
    issuer: &AuthorityConfig,
    above: &Certificate,
) -> Result<(), Error> {
    let broken = |reason: String| Error::Chain {
        path: path.to_owned(),
        issuer: issuer.name.clone(),
        reason,
    };
    if certificate.issuer() != above.subject() {
        return Err(broken(format!(
            "it names `{}`, that one is `{}`",
            certificate.issuer(),
            above.subject()
        )));
    }
    if !above.signs_certificates() {
        return Err(broken("that one is no CA certificate".to_owned()));
    }
    certificate
        .verify(above.key())
        .map_err(|error| match error {
            KeyError::SignatureMismatch => {
                broken("its signature does not verify with that one's key".to_owned())
            }
            other => broken(other.to_string()),
        })
}

/// One session for each processor, at least two.
pub fn default_sessions() -> usize {
    std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 64)
}
