//! The engine. Start reading at [`Authority::issue`]: that one function is the whole flow.
//!
//! Lint → reserve → sign → verify → record → release. Nothing reaches the token that was not linted and durably
//! recorded as an intent; nothing is released that the ledger did not confirm. A crash between two steps leaves an
//! intent without result, which the next writer abandons; its serial is never used again.

pub mod batch;
pub mod ca;
pub mod certify;
pub mod crl;
pub mod desk;
pub mod embedded;
mod error;
pub mod exchange;
mod issuer;
pub mod pki;
pub mod server_key;
pub mod sign_csr;

pub use error::{Error, KeyIs};
pub use issuer::Issuer;
pub use pki::Pki;

use crate::ledger::{
    Claim, EntryId, GatewayState, Group, Intent, OnLive, Refused, Registering, Reservation, Writer,
};
use crate::profile::{Linted, Profile, Request, lint};
use crate::timestamp::Timestamp;
use crate::x509::name::BUSINESS_CATEGORY;
use crate::x509::{Csr, Serial};

/// Fills a buffer from the operating system's random source; false when it cannot.
pub type Entropy = fn(&mut [u8]) -> bool;

/// A CA that issues: its key, its ledger, its source of serial numbers.
pub struct Authority<'a> {
    issuer: &'a Issuer,
    writer: &'a Writer,
    entropy: Entropy,
}

/// A certificate that may be handed out: the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its entry in the ledger.
    pub entry: EntryId,
    /// Its serial number.
    pub serial: Serial,
    /// The device it is for.
    pub device: Option<String>,
    /// The certificate in DER.
    pub certificate: Vec<u8>,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// Whether the same request had been answered before.
    pub repeated: bool,
    /// Whether its device is still to be created at the gateway's backend.
    pub pending: bool,
}

/// A request that was admitted, written as TBS bytes and linted: ready to be reserved.
pub struct Prepared {
    request: Request,
    serial: Serial,
    subject: String,
    linted: Linted,
}

/// Where a request comes from and what may happen for it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// A file name or an address, for the records of refusals.
    pub source: &'a str,
    /// What to do when the device has a live certificate.
    pub on_live: OnLive,
    /// What the endpoint says about it; `None` for what does not come through it.
    pub registration: Option<Registering<'a>>,
}

impl<'a> Authority<'a> {
    /// Puts an authority together.
    pub fn new(issuer: &'a Issuer, writer: &'a Writer, entropy: Entropy) -> Authority<'a> {
        Authority {
            issuer,
            writer,
            entropy,
        }
    }

    /// Issues one certificate, or returns the one the same request got before.
    ///
    /// A refusal is recorded and returned as [`Error::Refused`] or [`Error::Conflict`]. After [`Error::Unrecorded`]
    /// the caller must stop: a signature exists whose record is in doubt, and nothing was released.
    pub fn issue(
        &self,
        csr: &Csr,
        profile: &Profile,
        origin: Origin<'_>,
        now: Timestamp,
    ) -> Result<Issued, Error> {
        let prepared = match self.prepare(csr, profile, now) {
            Ok(prepared) => prepared,
            Err(error) => return Err(self.refuse(error, Some(csr), profile, origin, now)?),
        };
        let mut group = self.writer.group(now)?;
        let reservation = self.reserve(&mut group, &prepared, profile, origin)?;
        group.commit()?;
        let entry = match reservation {
            Reservation::Reserved(entry) => entry,
            Reservation::Repeated(entry) => return Issued::again(*entry),
            Reservation::Refused(conflict) => return Err(Error::Conflict(conflict)),
        };
        let certificate = match self.issuer.sign(&prepared.linted) {
            Ok(certificate) => certificate,
            Err(error) => return Err(abandon(self.writer, entry, error, now)?),
        };
        record(self.writer, entry, &certificate, &prepared.serial, now)?;
        Ok(prepared.issued(entry, certificate))
    }

    /// Reads a request in PEM or DER and issues its certificate.
    pub fn issue_bytes(
        &self,
        csr: &[u8],
        profile: &Profile,
        origin: Origin<'_>,
        now: Timestamp,
    ) -> Result<Issued, Error> {
        match Csr::from_bytes(csr) {
            Ok(csr) => self.issue(&csr, profile, origin, now),
            Err(error) => Err(self.refuse(error.into(), None, profile, origin, now)?),
        }
    }

    /// Admits a request and writes its TBS bytes; nothing is reserved yet.
    pub fn prepare(&self, csr: &Csr, profile: &Profile, now: Timestamp) -> Result<Prepared, Error> {
        self.issuer.check_time(now)?;
        let view = self.issuer.view();
        let request = profile.admit(csr, view, now)?;
        let serial = new_serial(profile, self.entropy)?;
        let tbs = profile.template(&request, view, serial.clone()).to_tbs()?;
        let linted = lint::check(tbs, profile, view, &request)?;
        let subject = request.subject().to_string();
        Ok(Prepared {
            request,
            serial,
            subject,
            linted,
        })
    }

    /// Reserves a prepared request within a group; a conflict is recorded in the same group, unless the request came to the endpoint
    /// without registrar.
    pub fn reserve(
        &self,
        group: &mut Group<'_>,
        prepared: &Prepared,
        profile: &Profile,
        origin: Origin<'_>,
    ) -> Result<Reservation, Error> {
        let device = prepared.request.device();
        let claim = profile
            .namespace()
            .zip(device)
            .map(|(namespace, device)| Claim {
                namespace,
                device,
                on_live: origin.on_live,
            });
        let reservation = group.reserve(&Intent {
            issuer: self.issuer.certificate().subject().der(),
            authority_key: self.issuer.key_identifier(),
            serial: &prepared.serial,
            profile: profile.name(),
            claim,
            subject: &prepared.subject,
            key: prepared.request.key().fingerprint(),
            tbs: prepared.linted.tbs().fingerprint(),
            not_after: prepared.request.not_after(),
            registration: origin.registration,
        })?;
        // Whom nobody vouches for must not be able to fill the ledger.
        let nobody = origin
            .registration
            .is_some_and(|asked| asked.registrar.is_none());
        if let Reservation::Refused(conflict) = &reservation
            && !nobody
        {
            group.refuse(&Refused {
                source: origin.source,
                profile: profile.name(),
                device,
                key: Some(prepared.request.key().fingerprint()),
                rule: conflict.rule(),
                message: &conflict.to_string(),
            })?;
        }
        Ok(reservation)
    }

    /// The CA that signs.
    pub fn issuer(&self) -> &Issuer {
        self.issuer
    }

    /// The ledger's writer.
    pub fn writer(&self) -> &Writer {
        self.writer
    }

    /// Records a refusal; other errors pass through.
    fn refuse(
        &self,
        error: Error,
        csr: Option<&Csr>,
        profile: &Profile,
        origin: Origin<'_>,
        now: Timestamp,
    ) -> Result<Error, Error> {
        if let Some(rule) = error.rule() {
            let mut group = self.writer.group(now)?;
            group.refuse(&Refused {
                source: origin.source,
                profile: profile.name(),
                device: None,
                key: csr.map(|csr| csr.key().fingerprint()),
                rule,
                message: &error.to_string(),
            })?;
            group.commit()?;
        }
        Ok(error)
    }
}

impl Prepared {
    /// The bytes to sign.
    pub fn linted(&self) -> &Linted {
        &self.linted
    }

    /// The serial number.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// The device it is for.
    pub fn device(&self) -> Option<&str> {
        self.request.device()
    }

    /// Whether it says that it is a production device.
    pub fn is_production(&self) -> bool {
        self.request.subject().first(BUSINESS_CATEGORY) == Some("production")
    }

    /// What it became once it was recorded.
    pub fn issued(self, entry: EntryId, certificate: Vec<u8>) -> Issued {
        Issued {
            entry,
            device: self.request.device().map(str::to_owned),
            not_after: self.request.not_after(),
            serial: self.serial,
            certificate,
            repeated: false,
            pending: false,
        }
    }
}

impl Issued {
    /// The answer to a request that was answered before.
    pub fn again(entry: crate::ledger::Entry) -> Result<Issued, Error> {
        let certificate = entry.certificate.ok_or(Error::CertificateLost(entry.id))?;
        Ok(Issued {
            entry: entry.id,
            serial: entry.serial,
            device: entry.device,
            not_after: entry.not_after,
            certificate,
            repeated: true,
            pending: entry
                .registration
                .is_some_and(|registration| registration.gateway == GatewayState::Pending),
        })
    }
}

/// Records a certificate. A crash before the commit leaves an intent without result; after it, the certificate can be
/// fetched again with the same request.
fn record(
    writer: &Writer,
    entry: EntryId,
    certificate: &[u8],
    serial: &Serial,
    now: Timestamp,
) -> Result<(), Error> {
    let recorded = writer.group(now).and_then(|mut group| {
        group.record(entry, certificate)?;
        group.commit()
    });
    match recorded {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Unrecorded {
            serials: serial.to_string(),
            source,
        }),
    }
}

/// The token did not sign: gives the device's place back. A crash right here leaves that to the next writer.
fn abandon(writer: &Writer, entry: EntryId, cause: Error, now: Timestamp) -> Result<Error, Error> {
    let mut group = writer.group(now)?;
    group.abandon(entry)?;
    group.commit()?;
    Ok(cause)
}

/// Serial numbers as they are shown when their record is in doubt.
fn shown_serials<'s>(serials: impl Iterator<Item = &'s Serial>) -> Option<String> {
    let serials: Vec<String> = serials.map(Serial::to_string).collect();
    match serials.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [first, .., last] => Some(format!("{first} … {last} ({} of them)", serials.len())),
    }
}

/// A fresh serial number of the profile's length.
fn new_serial(profile: &Profile, entropy: Entropy) -> Result<Serial, Error> {
    let mut random = vec![0; profile.serial_octets()];
    match entropy(&mut random) {
        true => Serial::from_random(&random).ok_or(Error::NoEntropy),
        false => Err(Error::NoEntropy),
    }
}
