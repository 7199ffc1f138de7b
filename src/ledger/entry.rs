//! What the ledger holds: one [`Entry`] per certificate that was ever going to be signed.

use std::fmt;

use crate::timestamp::Timestamp;
use crate::x509::Serial;

use super::{GatewayState, Registration};

/// The number of an entry, ascending in the order of reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

/// The number of a reissue permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermitId(pub i64);

/// One certificate: reserved before it was signed, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// Subject of the issuing CA, in DER.
    pub issuer: Vec<u8>,
    /// Subject key identifier of the key that signs.
    pub authority_key: Vec<u8>,
    /// The serial number.
    pub serial: Serial,
    /// The profile it was admitted by.
    pub profile: String,
    /// The profile namespace in which the device has one live certificate; `None` for CAs and servers.
    pub namespace: Option<String>,
    /// The device, present exactly when `namespace` is.
    pub device: Option<String>,
    /// The subject as shown to people.
    pub subject: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: [u8; 32],
    /// SHA-256 of the TBS bytes.
    pub tbs: [u8; 32],
    /// The certificate's notAfter.
    pub not_after: Timestamp,
    /// How far it came.
    pub state: State,
    /// The random name of the writer that reserved it.
    pub writer: String,
    /// The entry whose place for the device this one took.
    pub previous: Option<EntryId>,
    /// When it was reserved.
    pub reserved_at: Timestamp,
    /// When its certificate was recorded.
    pub recorded_at: Option<Timestamp>,
    /// When it was revoked or abandoned.
    pub ended_at: Option<Timestamp>,
    /// Why it was revoked (CRLReason, RFC 5280 section 5.3.1).
    pub reason: Option<u8>,
    /// The certificate in DER, present exactly when issued or revoked.
    pub certificate: Option<Vec<u8>>,
    /// How it was registered; `None` for what did not come through the endpoint.
    pub registration: Option<Registration>,
}

/// How far an entry came. It only moves forward: reserved → issued → revoked, or reserved → abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The serial is taken and the token may be signing, or have signed, these TBS bytes.
    Reserved,
    /// The certificate is stored and may have been released.
    Issued,
    /// The certificate is stored and no longer valid.
    Revoked,
    /// Nothing was released; whether a signature was made is not known. The serial is never used again.
    Abandoned,
}

/// Which entries to read; the default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only entries in this state.
    pub state: Option<State>,
    /// Only entries of this profile.
    pub profile: Option<String>,
    /// Only devices whose identity starts so.
    pub device_prefix: Option<String>,
    /// Only entries after this one: where the last page ended.
    pub after: Option<EntryId>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// How many entries there are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reserved: in flight, or left behind by a writer that died.
    pub reserved: u64,
    /// Issued, expired ones included.
    pub issued: u64,
    /// Revoked, superseded ones included.
    pub revoked: u64,
    /// Abandoned.
    pub abandoned: u64,
}

/// A request that was refused, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number, ascending.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// The random name of the writer that refused it.
    pub writer: String,
    /// Where the request came from: a file name, an address.
    pub source: String,
    /// The profile that was asked for.
    pub profile: String,
    /// The device, if the request was understood that far.
    pub device: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo, if the request was understood that far.
    pub key: Option<[u8; 32]>,
    /// The rule's stable name.
    pub rule: String,
    /// The rule's message.
    pub message: String,
}

impl Entry {
    /// Whether it holds its device's place with a certificate: issued, unrevoked and unexpired.
    ///
    /// The validity period includes notAfter (RFC 5280 section 4.1.2.5).
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.state == State::Issued && now <= self.not_after
    }

    /// Whether it was revoked because the gateway's backend did not want the device; nobody ever got its certificate.
    pub fn was_refused_by_gateway(&self) -> bool {
        self.registration.as_ref().is_some_and(|registration| {
            registration.gateway == GatewayState::Refused && registration.offered_at.is_none()
        })
    }

    /// Whether its certificate may be in somebody's hands: offered by the endpoint, or issued without it.
    pub fn was_offered(&self) -> bool {
        self.registration
            .as_ref()
            .is_none_or(|registration| registration.offered_at.is_some())
    }
}

impl State {
    /// The word the ledger stores and shows.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Reserved => "reserved",
            State::Issued => "issued",
            State::Revoked => "revoked",
            State::Abandoned => "abandoned",
        }
    }

    /// Reads the word again.
    pub fn from_word(word: &str) -> Option<State> {
        [
            State::Reserved,
            State::Issued,
            State::Revoked,
            State::Abandoned,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PermitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_as_words() {
        for word in ["reserved", "issued", "revoked", "abandoned"] {
            assert_eq!(State::from_word(word).unwrap().to_string(), word);
        }
        assert_eq!(State::from_word("lost"), None);
    }
}
