//! Registrars: the tokens with which devices and fixtures authenticate at the endpoint, and what each may do.
//!
//! Only a token's hash is kept, so nobody who reads the ledger can register with it. A registrar is never deleted and
//! its name never used again; closing it counts from the next group on, in every process. Whoever can write the file
//! could give a registrar more rights; [`Ledger::check`] finds that.

use std::fmt;

use ipnet::IpNet;
use serde::Deserialize;

use crate::timestamp::Timestamp;

use super::digest::Digest;
use super::fact::Fact;
use super::store::registrar as store;
use super::{Conflict, Error, Group, Ledger, OnLive};

/// The number of a registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrarId(pub i64);

/// A registrar as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrar {
    /// Its number.
    pub id: RegistrarId,
    /// Its name, which no other ever had.
    pub name: String,
    /// SHA-256 of the token's text.
    pub token: [u8; 32],
    /// Its right to register production devices.
    pub production: Production,
    /// What happens when a device it registers has a live certificate for another key.
    pub on_live: OnLive,
    /// Where its requests may come from; anywhere if empty.
    pub networks: Vec<IpNet>,
    /// The authorities it may ask for, by their names in the configuration; the endpoint's own if empty.
    pub authorities: Vec<String>,
    /// How many devices it may register; any number if absent.
    pub max: Option<u32>,
    /// How many it has registered: its entries that are reserved, issued, or revoked after they were offered.
    pub used: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Who closed it.
    pub closed_by: Option<String>,
}

/// A registrar to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewRegistrar<'a> {
    /// Its name.
    pub name: &'a str,
    /// SHA-256 of the token's text.
    pub token: [u8; 32],
    /// Its right to register production devices.
    pub production: Production,
    /// What happens when a device it registers has a live certificate for another key.
    pub on_live: OnLive,
    /// Where its requests may come from; anywhere if empty.
    pub networks: &'a [IpNet],
    /// The authorities it may ask for; the endpoint's own if empty.
    pub authorities: &'a [String],
    /// How many devices it may register; any number if absent.
    pub max: Option<u32>,
    /// Who creates it.
    pub created_by: &'a str,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<Timestamp>,
}

/// The right to register devices whose subject says businessCategory=production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Production {
    /// Production devices and others.
    Allow,
    /// Production devices only.
    Require,
    /// No production devices.
    Refuse,
}

/// Whether a registrar can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It was closed, for ever.
    Closed,
    /// It has registered as many devices as it may; one that is given back opens it again.
    Exhausted,
    /// Its time is over.
    Expired,
    /// It can be used.
    Open,
}

impl Group<'_> {
    /// Creates a registrar.
    ///
    /// # Errors
    ///
    /// [`Error::RegistrarExists`] when there is one of that name, a closed one included.
    pub fn create_registrar(&mut self, new: &NewRegistrar<'_>) -> Result<RegistrarId, Error> {
        self.step(|group| {
            let known = group.read(|connection| store::by_name(connection, new.name))?;
            if known.is_some() {
                return Err(Error::RegistrarExists {
                    registrar: new.name.to_owned(),
                });
            }
            let id = group.change(|connection, now| store::create(connection, new, now))?;
            group.add(Fact::registrar_created(
                id.0,
                new.digest(group.now),
                new.name,
            ));
            Ok(id)
        })
    }

    /// Closes a registrar for ever; one that is closed already is returned as it is.
    ///
    /// # Errors
    ///
    /// [`Error::RegistrarUnknown`] when no registrar has that name.
    pub fn close_registrar(&mut self, name: &str, by: &str) -> Result<Registrar, Error> {
        self.step(|group| {
            let Some(id) = group.read(|connection| store::by_name(connection, name))? else {
                return Err(Error::RegistrarUnknown {
                    registrar: name.to_owned(),
                });
            };
            if group.registrar(id)?.closed_at.is_none() {
                group.change(|connection, now| store::close(connection, id, by, now))?;
                group.add(Fact::registrar_closed(id.0, by));
                let now = group.now;
                let registrar = group.registrar(id)?;
                (registrar.closed_at, registrar.closed_by) = (Some(now), Some(by.to_owned()));
            }
            group.registrar(id).cloned()
        })
    }

    /// A registrar as this group sees it: read once, its uses counted here and written with the group.
    pub(super) fn registrar(&mut self, id: RegistrarId) -> Result<&mut Registrar, Error> {
        let known = self.uses.iter().position(|held| held.registrar.id == id);
        let index = match known {
            Some(index) => index,
            None => {
                let registrar = self.read(|connection| store::by_id(connection, id))?;
                let registrar = registrar.ok_or_else(|| Error::RegistrarUnknown {
                    registrar: id.to_string(),
                })?;
                self.uses.push(Uses {
                    stored: registrar.used,
                    registrar,
                });
                self.uses.len() - 1
            }
        };
        Ok(&mut self.uses[index].registrar)
    }

    /// Writes how often registrars were used, once for the whole group.
    pub(super) fn store_uses(&self) -> Result<(), Error> {
        let changed = self
            .uses
            .iter()
            .filter(|held| held.stored != held.registrar.used);
        for Uses { registrar, .. } in changed {
            self.change(|connection, _| store::used(connection, registrar.id, registrar.used))?;
        }
        Ok(())
    }
}

impl Ledger {
    /// Every registrar, closed ones included, in the order of creation.
    pub fn registrars(&self) -> Result<Vec<Registrar>, Error> {
        self.query(store::all)
    }
}

/// A registrar that a group has to do with, and what its row says about its uses.
#[derive(Debug)]
pub(super) struct Uses {
    registrar: Registrar,
    stored: u32,
}

impl Registrar {
    /// Whether it can be used.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (self.closed_at, self.expires_at, self.max) {
            (Some(_), ..) => Standing::Closed,
            (_, Some(expires), _) if expires <= now => Standing::Expired,
            (.., Some(max)) if max <= self.used => Standing::Exhausted,
            _ => Standing::Open,
        }
    }

    /// What its standing means for a request that comes with it.
    pub(super) fn conflict(&self, now: Timestamp) -> Option<Conflict> {
        let registrar = self.name.clone();
        match self.standing(now) {
            Standing::Closed => Some(Conflict::RegistrarClosed {
                registrar,
                at: self.closed_at.unwrap_or(now),
            }),
            Standing::Exhausted => Some(Conflict::RegistrarExhausted {
                registrar,
                max: self.max.unwrap_or(self.used),
            }),
            Standing::Expired => Some(Conflict::RegistrarExpired {
                registrar,
                at: self.expires_at.unwrap_or(now),
            }),
            Standing::Open => None,
        }
    }

    /// What it was created as.
    pub(super) fn digest(&self) -> [u8; 32] {
        let new = NewRegistrar {
            name: &self.name,
            token: self.token,
            production: self.production,
            on_live: self.on_live,
            networks: &self.networks,
            authorities: &self.authorities,
            max: self.max,
            created_by: &self.created_by,
            expires_at: self.expires_at,
        };
        new.digest(self.created_at)
    }
}

impl NewRegistrar<'_> {
    /// Domain `factory-ca ledger registrar 1`, name, token hash, production, 1 if it may reissue else 0, networks and
    /// authorities each separated by single spaces, optional maximum, when and by whom it was created, optional
    /// moment of expiry.
    fn digest(&self, created_at: Timestamp) -> [u8; 32] {
        Digest::of("factory-ca ledger registrar 1")
            .bytes(self.name)
            .bytes(self.token)
            .bytes(self.production.as_str())
            .integer(i64::from(self.on_live == OnLive::Supersede))
            .bytes(store::networks(self.networks))
            .bytes(self.authorities.join(" "))
            .optional_integer(self.max.map(i64::from))
            .integer(created_at.unix())
            .bytes(self.created_by)
            .optional_integer(self.expires_at.map(Timestamp::unix))
            .finish()
    }
}

impl Production {
    /// The word the ledger stores and shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Production::Allow => "allow",
            Production::Require => "require",
            Production::Refuse => "refuse",
        }
    }

    /// Reads the word again.
    pub fn from_word(word: &str) -> Option<Production> {
        [Production::Allow, Production::Require, Production::Refuse]
            .into_iter()
            .find(|production| production.as_str() == word)
    }
}

impl Standing {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Closed => "closed",
            Standing::Exhausted => "exhausted",
            Standing::Expired => "expired",
            Standing::Open => "open",
        }
    }
}

impl fmt::Display for RegistrarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Production {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
