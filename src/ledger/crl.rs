//! Certificate revocation lists: their numbers, and what they have to say.
//!
//! A number is durable before anything is signed with it, so it is never used twice; a list whose signature got lost
//! leaves a gap, which RFC 5280 section 5.2.3 allows. The list itself is a file: the ledger keeps its hash.

use crate::timestamp::Timestamp;
use crate::x509::crl::Revoked;

use super::digest::Digest;
use super::fact::Fact;
use super::store::{crl as store, write};
use super::{Error, Group, Ledger};

/// The number of a list's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlId(pub i64);

/// A list to be signed.
#[derive(Clone, Copy, Debug)]
pub struct NewCrl<'a> {
    /// Subject of the issuing CA, in DER.
    pub issuer: &'a [u8],
    /// Subject key identifier of the key that signs.
    pub authority_key: &'a [u8],
    /// When it was made.
    pub this_update: Timestamp,
    /// By when the next one will be there.
    pub next_update: Timestamp,
    /// How many certificates it lists.
    pub entries: u32,
}

/// A list as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRecord {
    /// Its row.
    pub id: CrlId,
    /// Subject of the issuing CA, in DER.
    pub issuer: Vec<u8>,
    /// Subject key identifier of the key that signs.
    pub authority_key: Vec<u8>,
    /// Its number.
    pub number: u32,
    /// When it was made.
    pub this_update: Timestamp,
    /// By when the next one will be there.
    pub next_update: Timestamp,
    /// How many certificates it lists.
    pub entries: u32,
    /// The random name of the writer that reserved it.
    pub writer: String,
    /// When its number was taken.
    pub reserved_at: Timestamp,
    /// When it was recorded; `None` for a list whose signature got lost, or was never made.
    pub recorded_at: Option<Timestamp>,
    /// SHA-256 of its DER.
    pub sha256: Option<[u8; 32]>,
}

impl Group<'_> {
    /// Takes the issuer's next number for a list that is about to be signed.
    pub fn reserve_crl(&mut self, new: &NewCrl<'_>) -> Result<(CrlId, u32), Error> {
        self.step(|group| {
            let mine = group.state.id;
            let (id, row) = group.change(|connection, now| {
                let issuer = write::issuer(connection, new.issuer)?;
                let id = store::reserve(connection, new, issuer, mine, now)?;
                Ok((id, store::by_id(connection, id)?))
            })?;
            let number = row.as_ref().map_or(0, |row| row.number);
            group.add(Fact::crl_reserved(id.0, new.digest(number), number));
            Ok((id, number))
        })
    }

    /// Keeps the hash of a list that was signed.
    ///
    /// # Errors
    ///
    /// [`Error::CrlNotReserved`] when its row does not wait for one.
    pub fn record_crl(&mut self, id: CrlId, sha256: [u8; 32]) -> Result<(), Error> {
        self.step(|group| {
            match group.change(|connection, now| store::record(connection, id, &sha256, now))? {
                true => group.add(Fact::crl_issued(id.0, sha256)),
                false => return Err(Error::CrlNotReserved { id }),
            }
            Ok(())
        })
    }
}

impl Ledger {
    /// What a list of this issuer and key has to say that starts at a moment: its revoked certificates.
    ///
    /// A certificate is named until one list was made after its end (RFC 5280 section 3.3). That is the newest one that
    /// starts no later than this: a list signed ahead says nothing about what expires before it starts. About 60 bytes of
    /// memory each.
    pub fn revoked(
        &self,
        issuer: &[u8],
        authority_key: &[u8],
        this_update: Timestamp,
    ) -> Result<Vec<Revoked>, Error> {
        self.query(|connection| {
            let before = store::newest(connection, issuer, authority_key, this_update)?;
            store::revoked(connection, issuer, authority_key, before.as_ref())
        })
    }
}

impl NewCrl<'_> {
    /// Domain `factory-ca ledger crl 1`, issuer, authority key, number, times, entries.
    pub(super) fn digest(&self, number: u32) -> [u8; 32] {
        Digest::of("factory-ca ledger crl 1")
            .bytes(self.issuer)
            .bytes(self.authority_key)
            .integer(number.into())
            .integer(self.this_update.unix())
            .integer(self.next_update.unix())
            .integer(self.entries.into())
            .finish()
    }
}

impl CrlRecord {
    /// What was asked for when it was reserved.
    pub(super) fn asked(&self) -> NewCrl<'_> {
        NewCrl {
            issuer: &self.issuer,
            authority_key: &self.authority_key,
            this_update: self.this_update,
            next_update: self.next_update,
            entries: self.entries,
        }
    }
}
