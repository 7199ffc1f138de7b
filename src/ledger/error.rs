//! What can go wrong with the ledger, and what that means for the certificates in flight.
//!
//! Every variant but [`Error::CommitUnknown`] leaves the ledger as it was before the group: nothing was written.

use std::io;
use std::path::PathBuf;

use crate::timestamp::Timestamp;
use crate::x509::Serial;

use super::{CrlId, EntryId};

/// What a store says went wrong underneath; only for showing.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the ledger did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The certificate to record is not the one that was reserved.
    #[error(
        "the certificate is not the one reserved as entry {entry}: its TBS bytes differ; it was not recorded"
    )]
    CertificateMismatch {
        /// The reserved entry.
        entry: EntryId,
    },
    /// The clock is too far behind the newest event to be believed.
    #[error(
        "the clock says {now}, but the ledger's newest event is from {newest}; nothing was written"
    )]
    ClockBehind {
        /// What the caller took for now.
        now: Timestamp,
        /// When the newest event was written.
        newest: Timestamp,
    },
    /// The commit was sent and its fate is not known: the group is in the ledger as a whole or not at all.
    ///
    /// Release nothing of the group, and stop: the writer takes no further group.
    #[error("committing to `{path}`: it is unknown whether the group was written")]
    CommitUnknown {
        /// The ledger.
        path: PathBuf,
        /// What the store said.
        source: Cause,
    },
    /// A revocation list that does not wait to be recorded.
    #[error("revocation list {} does not wait to be recorded; it was not released", .id.0)]
    CrlNotReserved {
        /// Its row.
        id: CrlId,
    },
    /// A permit for a device that never had a certificate.
    #[error("device `{device}` has no certificate in `{namespace}` that could be replaced")]
    DeviceUnknown {
        /// The profile namespace.
        namespace: String,
        /// The device.
        device: String,
    },
    /// A new file would have overwritten one that is there.
    #[error("`{path}` exists already; it was left alone")]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// The group met an error before and can only be dropped.
    #[error("an earlier error ended this group; nothing was written")]
    GroupFailed,
    /// Another process held the ledger longer than the busy timeout.
    #[error("`{path}` is locked by another process; nothing was written")]
    Locked {
        /// The ledger.
        path: PathBuf,
    },
    /// There is no ledger.
    #[error("there is no ledger at `{path}`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// File locks and shared memory cannot be relied on there.
    #[error("`{path}` is on a network file system ({kind}); the ledger needs a local one")]
    NetworkFileSystem {
        /// The ledger's directory.
        path: PathBuf,
        /// The kind of file system.
        kind: String,
    },
    /// The file belongs to something else.
    #[error("`{path}` is not a factory-ca ledger")]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// Only an issued certificate can be offered or revoked.
    #[error("entry {entry} is {found}, wanted is an issued one")]
    NotIssued {
        /// The entry.
        entry: EntryId,
        /// What it is instead.
        found: String,
    },
    /// Only the writer that reserved an entry may record or abandon it, once.
    #[error("entry {entry} is {found}, wanted is one reserved by this writer")]
    NotReserved {
        /// The entry.
        entry: EntryId,
        /// What it is instead.
        found: String,
    },
    /// An export could not be written out.
    #[error("writing the export")]
    Output(#[from] io::Error),
    /// A certificate is not revoked for this reason.
    #[error(
        "reason {reason} is not one to revoke entry {entry} for; wanted is 0, 1, 3, 5, 9 (RFC 5280 section 5.3.1), or 2 for a CA"
    )]
    ReasonUnsuitable {
        /// The entry.
        entry: EntryId,
        /// The CRLReason.
        reason: u8,
    },
    /// A name that a registrar has or had.
    #[error("there is a registrar `{registrar}` already; a name is never used again")]
    RegistrarExists {
        /// Its name.
        registrar: String,
    },
    /// A registrar that was never created.
    #[error("there is no registrar `{registrar}`")]
    RegistrarUnknown {
        /// Its name or number.
        registrar: String,
    },
    /// The ledger was last written by a newer program.
    #[error("`{path}` has schema {found}, this program knows schemas up to {known}")]
    SchemaNewer {
        /// The ledger.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// A serial number came up twice for one issuer: the random source is broken.
    #[error(
        "serial number {serial} was used by this issuer before: the random source is broken; nothing was written"
    )]
    SerialRepeated {
        /// The serial number.
        serial: Serial,
    },
    /// An earlier commit's fate is unknown, so the writer stopped.
    #[error("this writer stopped after a commit whose fate is unknown; nothing was written")]
    Stopped,
    /// The ledger could not be written.
    #[error("`{path}` could not be written; nothing was written")]
    Unavailable {
        /// The ledger.
        path: PathBuf,
        /// What the store or the operating system said.
        source: Cause,
    },
    /// The ledger could not be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The ledger.
        path: PathBuf,
        /// What the store or the operating system said.
        source: Cause,
    },
}
