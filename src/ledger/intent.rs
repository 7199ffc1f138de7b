//! What is asked of the ledger, and what it answers: [`Intent`] → [`Reservation`].

use crate::timestamp::Timestamp;
use crate::x509::Serial;

use super::digest::Digest;
use super::{Conflict, Entry, EntryId, Registering, Registration};

/// A certificate about to be signed.
#[derive(Clone, Debug)]
pub struct Intent<'a> {
    /// Subject of the issuing CA, in DER.
    pub issuer: &'a [u8],
    /// Subject key identifier of the key that will sign.
    pub authority_key: &'a [u8],
    /// The serial number, fresh from the random source.
    pub serial: &'a Serial,
    /// The profile that admitted the request.
    pub profile: &'a str,
    /// The device's place to take; `None` for CAs and servers, whose certificates may overlap.
    pub claim: Option<Claim<'a>>,
    /// The subject as shown to people.
    pub subject: &'a str,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: [u8; 32],
    /// SHA-256 of the TBS bytes, exactly as they will be signed.
    pub tbs: [u8; 32],
    /// The certificate's notAfter.
    pub not_after: Timestamp,
    /// What the endpoint says about the request; `None` for what does not come through it.
    pub registration: Option<Registering<'a>>,
}

/// The claim to be a device's one live certificate in a profile namespace.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The profile namespace.
    pub namespace: &'a str,
    /// The device's identity, already in its canonical form.
    pub device: &'a str,
    /// What to do when the device has a live certificate.
    pub on_live: OnLive,
}

/// What to do when the device has a live certificate that is not this same request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLive {
    /// Refuse, unless a permit allows one reissue.
    Refuse,
    /// Take its place; it is revoked as superseded when the new one is recorded. Does not cover a revoked one.
    Supersede,
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// Reserved: once the group is committed the token may sign.
    Reserved(EntryId),
    /// The same request was answered before; here is its entry with the certificate. Nothing is to be signed.
    Repeated(Box<Entry>),
    /// Something stands in the way. Nothing was reserved.
    Refused(Conflict),
}

/// A request that was refused, to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Where the request came from: a file name, an address.
    pub source: &'a str,
    /// The profile that was asked for.
    pub profile: &'a str,
    /// The device, if the request was understood that far.
    pub device: Option<&'a str>,
    /// SHA-256 of the SubjectPublicKeyInfo, if the request was understood that far.
    pub key: Option<[u8; 32]>,
    /// The rule's stable name.
    pub rule: &'a str,
    /// The rule's message.
    pub message: &'a str,
}

/// An intent left behind without result: a signature may exist, nothing was released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbandonedIntent {
    /// The entry.
    pub entry: EntryId,
    /// Its serial number, which is never used again.
    pub serial: Serial,
    /// The device, if it claimed one.
    pub device: Option<String>,
    /// The random name of the writer that left it behind.
    pub writer: String,
}

impl<'a> Intent<'a> {
    /// What had been asked for an entry that is stored.
    pub(super) fn of(entry: &'a Entry) -> Intent<'a> {
        let claim = entry.namespace.as_deref().zip(entry.device.as_deref());
        Intent {
            issuer: &entry.issuer,
            authority_key: &entry.authority_key,
            serial: &entry.serial,
            profile: &entry.profile,
            claim: claim.map(|(namespace, device)| Claim {
                namespace,
                device,
                on_live: OnLive::Refuse,
            }),
            subject: &entry.subject,
            key: entry.key,
            tbs: entry.tbs,
            not_after: entry.not_after,
            registration: entry.registration.as_ref().map(Registration::asked),
        }
    }

    /// Whether an entry answers this request: same namespace, profile, issuer, signing key, device and public key.
    pub(super) fn is_repeat_of(&self, entry: &Entry) -> bool {
        let claim = self.claim;
        claim.map(|claim| claim.namespace) == entry.namespace.as_deref()
            && claim.map(|claim| claim.device) == entry.device.as_deref()
            && self.profile == entry.profile
            && self.issuer == entry.issuer
            && self.authority_key == entry.authority_key
            && self.key == entry.key
    }

    /// Covers everything about an entry that never changes, in the `reserved` fact of the audit chain.
    ///
    /// Domain `factory-ca ledger entry 1`, issuer, authority key, serial, profile, optional namespace, optional
    /// device, subject, key, TBS hash, notAfter in Unix seconds, optional number of the previous entry.
    pub(super) fn digest(&self, previous: Option<EntryId>) -> [u8; 32] {
        Digest::of("factory-ca ledger entry 1")
            .bytes(self.issuer)
            .bytes(self.authority_key)
            .bytes(self.serial.as_bytes())
            .bytes(self.profile)
            .optional(self.claim.map(|claim| claim.namespace))
            .optional(self.claim.map(|claim| claim.device))
            .bytes(self.subject)
            .bytes(self.key)
            .bytes(self.tbs)
            .integer(self.not_after.unix())
            .optional_integer(previous.map(|previous| previous.0))
            .finish()
    }
}
