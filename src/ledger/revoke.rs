//! Revoking a certificate for another reason than that a new one took its place.

use super::fact::Fact;
use super::store::{read, write};
use super::{Entry, EntryId, Error, Group, State};

impl Group<'_> {
    /// Revokes an issued entry for ever, expired or not.
    ///
    /// The reason is a CRLReason (RFC 5280 section 5.3.1): 0 unspecified (a CRL leaves it out), 1 keyCompromise, which
    /// also bars the key for every device, 2 cACompromise for CAs, 3 affiliationChanged, 5 cessationOfOperation,
    /// 9 privilegeWithdrawn. The device's place stays taken: the next certificate needs a permit, unless this one was
    /// never offered.
    ///
    /// # Errors
    ///
    /// [`Error::ReasonUnsuitable`] for any other reason: 4 superseded comes with [`Group::record`] only, 6 and 8 are
    /// not for ever, 10 is about attribute certificates. [`Error::NotIssued`] when there is nothing to revoke.
    pub fn revoke(&mut self, entry: EntryId, reason: u8) -> Result<(), Error> {
        self.step(|group| {
            let found = group.read(|connection| read::entry(connection, entry))?;
            let Some(row) = found.as_ref().filter(|row| row.state == State::Issued) else {
                return Err(Error::NotIssued {
                    entry,
                    found: found
                        .map_or("not in the ledger".to_owned(), |row| row.state.to_string()),
                });
            };
            let suits = match reason {
                UNSPECIFIED
                | KEY_COMPROMISE
                | AFFILIATION_CHANGED
                | CESSATION_OF_OPERATION
                | PRIVILEGE_WITHDRAWN => true,
                CA_COMPROMISE => row.namespace.is_none(),
                _ => false,
            };
            if !suits {
                return Err(Error::ReasonUnsuitable { entry, reason });
            }
            group.revoke_entry(row, reason)
        })
    }

    pub(super) fn revoke_entry(&mut self, row: &Entry, reason: u8) -> Result<(), Error> {
        let entry = row.id;
        self.give_back(entry)?;
        self.change(|connection, now| write::revoked(connection, entry, reason, now))?;
        self.add(Fact::revoked(entry.0, reason));
        if reason == KEY_COMPROMISE {
            self.change(|connection, _| write::compromised(connection, &row.key))?;
        }
        Ok(())
    }
}

// CRLReason, RFC 5280 section 5.3.1.
const UNSPECIFIED: u8 = 0;
pub(super) const KEY_COMPROMISE: u8 = 1;
const CA_COMPROMISE: u8 = 2;
const AFFILIATION_CHANGED: u8 = 3;
pub(super) const SUPERSEDED: u8 = 4;
pub(super) const CESSATION_OF_OPERATION: u8 = 5;
const PRIVILEGE_WITHDRAWN: u8 = 9;
