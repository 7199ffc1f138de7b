//! Registrations: what the ledger keeps about a certificate that was asked for at the endpoint.
//!
//! A certificate that was never offered was never given to anybody: the device lost the reply, or the process died in
//! between. It does not stand in the way of the device's next request, which comes with a new key.

use std::fmt;

use crate::timestamp::Timestamp;

use super::digest::Digest;
use super::fact::Fact;
use super::revoke::CESSATION_OF_OPERATION;
use super::store::{read, registration as store};
use super::{Entry, EntryId, Error, Group, Ledger, RegistrarId, State};

/// What an intent says about the request at the endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Registering<'a> {
    /// The registrar whose token came with the request; `None` for an anonymous one.
    pub registrar: Option<RegistrarId>,
    /// The device's name, with which it is created at the gateway's backend.
    pub name: Option<&'a str>,
    /// The address the request came from.
    pub source: &'a str,
    /// Whether the device is to be created at the gateway's backend.
    pub at_gateway: AtGateway,
}

/// Whether a device is to be created at the gateway's backend before it gets its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtGateway {
    /// It is; the entry starts as [`GatewayState::Pending`].
    Create,
    /// It appears there by itself when it first connects: [`GatewayState::None`].
    Nothing,
}

/// How far the gateway's backend knows of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayState {
    /// Nothing is to be told to it.
    None,
    /// The device is to be created there, or it is not known whether it was.
    Pending,
    /// The device was created there.
    Done,
    /// The backend does not want the device.
    Refused,
}

/// What the gateway's backend said about a device that was to be created there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayAnswer {
    /// It is there.
    Done,
    /// It is not wanted.
    Refused,
}

/// How an entry was registered at the endpoint, and what became of it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The registrar; `None` for an anonymous request.
    pub registrar: Option<RegistrarId>,
    /// The registrar's name.
    pub registrar_name: Option<String>,
    /// The device's name, if it has one beside its identity.
    pub name: Option<String>,
    /// The address the request came from.
    pub source: String,
    /// How far the gateway's backend knows of it.
    pub gateway: GatewayState,
    /// When the certificate was first handed out; `None` if it was never given to anybody.
    pub offered_at: Option<Timestamp>,
}

/// Whether a certificate may be handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Offer {
    /// It may, once the group is committed.
    Made,
    /// It may not: it was revoked, or another request took the device's place since.
    Withdrawn,
}

impl Group<'_> {
    /// A certificate is handed out: from now on it counts as given to the device.
    ///
    /// The first offer is remembered; another one, or that of an entry without registration, changes nothing. A crash
    /// right after the commit leaves a certificate that counts as given though it was not: the device needs a
    /// reissue for another key, or comes with the same key.
    ///
    /// # Errors
    ///
    /// [`Error::NotIssued`] when there is no certificate to hand out.
    pub fn offer(&mut self, entry: EntryId) -> Result<Offer, Error> {
        self.step(|group| group.hand_out(entry))
    }

    pub(super) fn hand_out(&mut self, entry: EntryId) -> Result<Offer, Error> {
        if self.change(|connection, now| store::offered(connection, entry, now))? {
            self.add(Fact::offered(entry.0));
            return Ok(Offer::Made);
        }
        match self.read(|connection| store::standing(connection, entry))? {
            Some((State::Issued, true)) => Ok(Offer::Made),
            Some((State::Issued | State::Revoked, _)) => Ok(Offer::Withdrawn),
            found => Err(Error::NotIssued {
                entry,
                found: found.map_or("not in the ledger".to_owned(), |(state, _)| {
                    state.to_string()
                }),
            }),
        }
    }

    /// Keeps what the gateway's backend said about a device, if that is still waited for; whether it was.
    ///
    /// A refusal also revokes the certificate, which nobody got: cessationOfOperation (RFC 5280 section 5.3.1). It
    /// does not stand in the way of the device's next request.
    pub fn gateway(&mut self, entry: EntryId, answer: GatewayAnswer) -> Result<bool, Error> {
        self.step(|group| {
            let state = answer.state();
            if !group.change(|connection, _| store::answered(connection, entry, state))? {
                return Ok(false);
            }
            match answer {
                GatewayAnswer::Done => group.add(Fact::gateway_done(entry.0)),
                GatewayAnswer::Refused => {
                    group.add(Fact::gateway_refused(entry.0));
                    let found = group.read(|connection| read::entry(connection, entry))?;
                    if let Some(row) = found.filter(|row| row.state == State::Issued) {
                        group.revoke_entry(&row, CESSATION_OF_OPERATION)?;
                    }
                }
            }
            Ok(true)
        })
    }

    /// Whether an entry's certificate stands: issued and not revoked.
    pub fn stands(&mut self, entry: EntryId) -> Result<bool, Error> {
        self.step(|group| {
            let standing = group.read(|connection| store::standing(connection, entry))?;
            Ok(matches!(standing, Some((State::Issued, _))))
        })
    }

    /// Gives a registrar's use back for an entry that ended without ever having been offered.
    pub(super) fn give_back(&mut self, entry: EntryId) -> Result<(), Error> {
        let registrar = self.read(|connection| store::registrar_unoffered(connection, entry))?;
        if let Some(id) = registrar {
            let registrar = self.registrar(id)?;
            registrar.used = registrar.used.saturating_sub(1);
        }
        Ok(())
    }
}

impl Ledger {
    /// Issued entries whose devices are still to be created at the gateway's backend, oldest first.
    pub fn pending_registrations(
        &self,
        after: Option<EntryId>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        self.query(|connection| store::pending(connection, after, limit))
    }
}

impl Registering<'_> {
    /// The state the entry starts with.
    pub(super) fn gateway(&self) -> GatewayState {
        match self.at_gateway {
            AtGateway::Create => GatewayState::Pending,
            AtGateway::Nothing => GatewayState::None,
        }
    }

    /// Covers everything about a registration that never changes.
    ///
    /// Domain `factory-ca ledger registration 1`, optional number of the registrar, optional name, source, 1 if the
    /// device is to be created at the gateway's backend else 0.
    pub(super) fn digest(&self) -> [u8; 32] {
        Digest::of("factory-ca ledger registration 1")
            .optional_integer(self.registrar.map(|registrar| registrar.0))
            .optional(self.name)
            .bytes(self.source)
            .integer(i64::from(self.at_gateway == AtGateway::Create))
            .finish()
    }
}

impl Registration {
    /// What had been asked for.
    pub(super) fn asked(&self) -> Registering<'_> {
        Registering {
            registrar: self.registrar,
            name: self.name.as_deref(),
            source: &self.source,
            at_gateway: match self.gateway {
                GatewayState::None => AtGateway::Nothing,
                _ => AtGateway::Create,
            },
        }
    }
}

impl GatewayAnswer {
    fn state(self) -> GatewayState {
        match self {
            GatewayAnswer::Done => GatewayState::Done,
            GatewayAnswer::Refused => GatewayState::Refused,
        }
    }
}

impl GatewayState {
    /// The word the ledger stores and shows.
    pub fn as_str(self) -> &'static str {
        match self {
            GatewayState::None => "none",
            GatewayState::Pending => "pending",
            GatewayState::Done => "done",
            GatewayState::Refused => "refused",
        }
    }

    /// Reads the word again.
    pub fn from_word(word: &str) -> Option<GatewayState> {
        [
            GatewayState::None,
            GatewayState::Pending,
            GatewayState::Done,
            GatewayState::Refused,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }
}

impl fmt::Display for GatewayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
