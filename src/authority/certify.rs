//! One certificate that an officer asks for: shown before it is signed, found again when it was made before.
//!
//! Admit → lint → show → reserve → sign → verify → record, as in [`Authority::issue`](super::Authority::issue), for
//! certificates that hold no device's place: CAs and servers.

use std::fmt;

use super::{Entropy, Error, Issuer, abandon, issuer, new_serial, record};
use crate::hex;
use crate::ledger::{EntryId, Intent, Ledger, Reservation, Writer};
use crate::profile::{IssuerView, Kind, Linted, Profile, Refusal, Request, lint};
use crate::timestamp::Timestamp;
use crate::token::Signer;
use crate::x509::name::COMMON_NAME;
use crate::x509::template::{AlternativeName, Template};
use crate::x509::{Certificate, Serial};

/// What a certificate will say, for the officer who has to agree before it is signed.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The profile it was admitted by.
    pub profile: String,
    /// Its subject.
    pub subject: String,
    /// Its common name, if it has one.
    pub common_name: Option<String>,
    /// Who signs it.
    pub issuer: String,
    /// Its serial number.
    pub serial: Serial,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// Kind and SHA-256 of its key's SubjectPublicKeyInfo.
    pub key: String,
    /// Its alternative names; none for CAs.
    pub names: Vec<String>,
    /// Whether it signs certificates.
    pub is_ca: bool,
}

/// What the officer says to a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// It may be signed.
    Given,
    /// It must not be signed.
    Withheld,
}

/// Shows a preview and returns the answer.
pub type Review<'a> = &'a dyn Fn(&Preview) -> Consent;

/// Circumstances of a certificate that an officer asks for.
pub struct Certifying<'a> {
    /// What it is admitted by.
    pub profile: &'a Profile,
    /// The ledger's writer.
    pub writer: &'a Writer,
    /// Where serial numbers come from.
    pub entropy: Entropy,
    /// Asked before anything is signed.
    pub review: Review<'a>,
    /// The time of the operation.
    pub now: Timestamp,
}

/// Who signs.
pub(super) enum By<'a> {
    /// A CA that has a certificate.
    Issuer(&'a Issuer),
    /// A root's own key, which is named in errors as its authority.
    Itself(&'a str, &'a dyn Signer),
}

/// Who writes the TBS bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bytes {
    /// rcgen, for names that we chose.
    Rcgen,
    /// Assembled around the subject that stands in a request.
    Verbatim,
}

impl Certifying<'_> {
    pub(super) fn certify(
        &self,
        by: &By<'_>,
        request: &Request,
        bytes: Bytes,
    ) -> Result<Certificate, Error> {
        let view = by.view(request)?;
        let serial = new_serial(self.profile, self.entropy)?;
        let template = self.profile.template(request, view, serial.clone());
        let tbs = match bytes {
            Bytes::Rcgen => template.to_tbs_with_rcgen()?,
            Bytes::Verbatim => template.to_tbs()?,
        };
        let linted = lint::check(tbs, self.profile, view, request)?;
        let preview = Preview::of(self.profile, &template);
        if (self.review)(&preview) == Consent::Withheld {
            return Err(Error::Withheld(preview.subject));
        }
        let entry = self.reserve(request, view, &serial, &linted)?;
        let der = match by.sign(&linted) {
            Ok(der) => der,
            Err(error) => return Err(abandon(self.writer, entry, error, self.now)?),
        };
        record(self.writer, entry, &der, &serial, self.now)?;
        Certificate::from_der(&der).map_err(|_| Error::CertificateLost(entry))
    }

    fn reserve(
        &self,
        request: &Request,
        view: IssuerView<'_>,
        serial: &Serial,
        linted: &Linted,
    ) -> Result<EntryId, Error> {
        let itself = request.key().fingerprint();
        let authority_key = view
            .certificate
            .and_then(Certificate::subject_key_identifier);
        let mut group = self.writer.group(self.now)?;
        let reservation = group.reserve(&Intent {
            issuer: view.subject.der(),
            authority_key: authority_key.unwrap_or(&itself[..20]),
            serial,
            profile: self.profile.name(),
            claim: None,
            subject: &request.subject().to_string(),
            key: itself,
            tbs: linted.tbs().fingerprint(),
            not_after: request.not_after(),
            registration: None,
        })?;
        group.commit()?;
        match reservation {
            Reservation::Reserved(entry) => Ok(entry),
            Reservation::Refused(conflict) => Err(conflict.into()),
            Reservation::Repeated(entry) => Err(Error::CertificateLost(entry.id)),
        }
    }
}

/// The live certificate that says what is asked for now: same profile, issuer, key, subject and alternative names.
///
/// This is how an officer who repeats a command gets the same bytes, and how a creation goes on that was interrupted
/// after the record and before the file.
pub(super) fn made_before(
    ledger: &Ledger,
    profile: &Profile,
    issuer: Option<&Certificate>,
    request: &Request,
    now: Timestamp,
) -> Result<Option<Certificate>, Error> {
    let issuer = issuer.map_or(request.subject(), Certificate::subject);
    let key = request.key().fingerprint();
    let wanted: Vec<String> = shown(request.alternative_names());
    for entry in ledger.by_key_without_claim(&key, Some(profile.name()))? {
        let live = entry.is_live(now) && entry.issuer == issuer.der();
        let Some(der) = entry.certificate.filter(|_| live) else {
            continue;
        };
        let certificate =
            Certificate::from_der(&der).map_err(|_| Error::CertificateLost(entry.id))?;
        let names = certificate
            .alternative_names()
            .map_err(|_| Error::CertificateLost(entry.id))?;
        if certificate.subject() == request.subject() && names == wanted {
            return Ok(Some(certificate));
        }
    }
    Ok(None)
}

/// A key is for CAs or for servers: what a server signs in a handshake must never be taken for a certificate.
pub(super) fn refuse_other_use(
    ledger: &Ledger,
    profile: &Profile,
    request: &Request,
) -> Result<(), Error> {
    let wanted = profile.kind() != Kind::Leaf;
    for entry in ledger.by_key_without_claim(&request.key().fingerprint(), None)? {
        let Some(der) = &entry.certificate else {
            continue;
        };
        let certificate =
            Certificate::from_der(der).map_err(|_| Error::CertificateLost(entry.id))?;
        if certificate.signs_certificates() != wanted {
            let (whose, own) = match wanted {
                true => ("server", "a CA's own"),
                false => ("CA", "a server's own"),
            };
            let found = format!("that of {whose} `{}`", certificate.subject());
            return Err(Refusal::new("key-use", "the key", found, own).into());
        }
    }
    Ok(())
}

impl By<'_> {
    fn view<'v>(&'v self, request: &'v Request) -> Result<IssuerView<'v>, Error> {
        match self {
            By::Issuer(issuer) => Ok(issuer.view()),
            By::Itself(authority, signer) => Ok(IssuerView::self_signed(
                request.subject(),
                issuer::algorithm(authority, *signer)?,
            )),
        }
    }

    fn sign(&self, linted: &Linted) -> Result<Vec<u8>, Error> {
        match self {
            By::Issuer(issuer) => issuer.sign(linted),
            By::Itself(authority, signer) => issuer::sign(authority, *signer, linted),
        }
    }
}

impl Preview {
    fn of(profile: &Profile, template: &Template) -> Preview {
        let key = &template.key;
        Preview {
            profile: profile.name().to_owned(),
            subject: template.subject.to_string(),
            common_name: template.subject.first(COMMON_NAME).map(str::to_owned),
            issuer: template.issuer.to_string(),
            serial: template.serial.clone(),
            not_before: template.not_before,
            not_after: template.not_after,
            key: format!("{}, SHA-256 {}", key.kind(), hex::encode(key.fingerprint())),
            names: shown(&template.subject_alternative_names),
            is_ca: template
                .basic_constraints
                .is_some_and(|constraints| constraints.content.ca),
        }
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  profile   {}", self.profile)?;
        writeln!(f, "  subject   {}", self.subject)?;
        writeln!(f, "  issuer    {}", self.issuer)?;
        writeln!(f, "  serial    {}", self.serial)?;
        writeln!(f, "  valid     {} to {}", self.not_before, self.not_after)?;
        writeln!(f, "  key       {}", self.key)?;
        if !self.names.is_empty() {
            writeln!(f, "  names     {}", self.names.join(", "))?;
        }
        let ca = if self.is_ca {
            "signs certificates"
        } else {
            "no CA"
        };
        write!(f, "  CA        {ca}")
    }
}

fn shown(names: &[AlternativeName]) -> Vec<String> {
    names.iter().map(AlternativeName::to_string).collect()
}
