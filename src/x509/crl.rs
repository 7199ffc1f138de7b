//! Certificate revocation lists (RFC 5280 section 5): written around the issuer's own bytes, and read back.

use ::der::asn1::{ObjectIdentifier, UintRef};
use ::der::{Encode, Tag};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::key::{SignatureAlgorithm, sha256};
use super::name::Name;
use super::pem::{self, PemError};
use super::serial::Serial;
use super::signed;
use super::template::{AUTHORITY_KEY_IDENTIFIER, TemplateError, authority_key_identifier, time};
use super::tlv::{context, extension, tlv};
use crate::timestamp::Timestamp;

/// A certificate on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Serial,
    /// Since when it is revoked.
    pub at: Timestamp,
    /// Why (CRLReason, section 5.3.1); 0 is left out, as section 5.3.1 wants.
    pub reason: u8,
}

/// Everything a list says, before it is written as DER.
#[derive(Clone, Copy, Debug)]
pub struct CrlTemplate<'a> {
    /// The algorithm the issuer signs with.
    pub signature: SignatureAlgorithm,
    /// The issuer's subject, byte for byte.
    pub issuer: &'a Name,
    /// The issuer's SKI bytes.
    pub authority_key_identifier: &'a [u8],
    /// When it was made.
    pub this_update: Timestamp,
    /// By when the next one will be there.
    pub next_update: Timestamp,
    /// Its number, greater than that of any list of this issuer before.
    pub number: u64,
    /// What it lists.
    pub revoked: &'a [Revoked],
}

/// A list that was read.
#[derive(Clone, Debug)]
pub struct Crl {
    der: Vec<u8>,
    /// The issuer's subject.
    pub issuer: Name,
    /// When it was made.
    pub this_update: Timestamp,
    /// By when the next one will be there.
    pub next_update: Option<Timestamp>,
    /// Its number.
    pub number: Option<u64>,
    /// The issuer's key identifier.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// What it lists, in its order.
    pub revoked: Vec<Revoked>,
}

/// Why bytes are no list this tool can read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrlError {
    /// Another PEM block than a list.
    #[error("the PEM block is a `{0}`, wanted is an `X509 CRL`")]
    Label(String),
    /// Not a list in DER.
    #[error("not a certificate revocation list in DER: {0}")]
    Malformed(&'static str),
    /// The text is no PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
}

impl CrlTemplate<'_> {
    /// Writes the TBSCertList (section 5.1): version 2, issuer and times, the list if there is any, AKI and number.
    pub fn to_tbs(&self) -> Result<Vec<u8>, TemplateError> {
        let mut list = Vec::with_capacity(self.revoked.len() * 48);
        for revoked in self.revoked {
            revoked.write(&mut list)?;
        }
        let mut body = Vec::with_capacity(list.len() + 256);
        body.extend(V2.to_der()?);
        body.extend(self.signature.to_der());
        body.extend(self.issuer.der());
        body.extend(time(self.this_update)?.to_der()?);
        body.extend(time(self.next_update)?.to_der()?);
        // An empty list is left out (section 5.1.2.6).
        if !list.is_empty() {
            body.extend(tlv(Tag::Sequence, &list)?);
        }
        let key = authority_key_identifier(self.authority_key_identifier)?;
        let key = extension(AUTHORITY_KEY_IDENTIFIER, &key)?;
        let extensions = [key, self.number()?].concat();
        let extensions = tlv(Tag::Sequence, &extensions)?;
        body.extend(tlv(context(0, true), &extensions)?);
        Ok(tlv(Tag::Sequence, &body)?)
    }

    fn number(&self) -> ::der::Result<Vec<u8>> {
        let octets = self.number.to_be_bytes();
        extension(CRL_NUMBER, &UintRef::new(&octets)?.to_der()?)
    }
}

/// Puts a list together around a TBSCertList that is signed.
pub fn with_signature(
    tbs: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> Result<Vec<u8>, TemplateError> {
    Ok(signed::assemble(tbs, algorithm, signature)?)
}

impl Revoked {
    fn write(&self, list: &mut Vec<u8>) -> ::der::Result<()> {
        let mut entry = UintRef::new(self.serial.as_bytes())?.to_der()?;
        entry.extend(time(self.at)?.to_der()?);
        if self.reason != UNSPECIFIED {
            let reason = tlv(Tag::Enumerated, &[self.reason])?;
            let extension = extension(REASON_CODE, &reason)?;
            entry.extend(tlv(Tag::Sequence, &extension)?);
        }
        list.extend(tlv(Tag::Sequence, &entry)?);
        Ok(())
    }
}

impl Crl {
    /// Reads a list in PEM or DER. The signature is not checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Crl, CrlError> {
        if !pem::is_pem(bytes) {
            return Crl::from_der(bytes);
        }
        match pem::read(bytes)?.as_slice() {
            [block] if block.label == LABEL => Crl::from_der(&block.contents),
            [block] => Err(CrlError::Label(block.label.clone())),
            _ => Err(CrlError::Malformed("wanted is one list, found are more")),
        }
    }

    /// Reads one DER list; trailing bytes are refused.
    pub fn from_der(der: &[u8]) -> Result<Crl, CrlError> {
        let malformed = CrlError::Malformed;
        let Ok(([], parsed)) = CertificateRevocationList::from_der(der) else {
            return Err(malformed(
                "its structure is broken, or there are bytes after it",
            ));
        };
        let tbs = &parsed.tbs_cert_list;
        let moment = |at: i64| Timestamp::from_unix(at).ok_or(malformed("a time is out of range"));
        let mut crl = Crl {
            der: der.to_vec(),
            issuer: Name::from_der(tbs.issuer.as_raw())
                .map_err(|_| malformed("its issuer is broken"))?,
            this_update: moment(tbs.this_update.timestamp())?,
            next_update: match &tbs.next_update {
                Some(at) => Some(moment(at.timestamp())?),
                None => None,
            },
            number: None,
            authority_key_identifier: None,
            revoked: Vec::with_capacity(tbs.revoked_certificates.len()),
        };
        for extension in tbs.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::CRLNumber(number) => crl.number = u64::try_from(number).ok(),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    crl.authority_key_identifier =
                        id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        for one in &tbs.revoked_certificates {
            let reason = one
                .reason_code()
                .map_or(UNSPECIFIED, |(_, reason)| reason.0);
            crl.revoked.push(Revoked {
                serial: Serial::from_der_content(one.raw_serial())
                    .ok_or(malformed("a serial number is none"))?,
                at: moment(one.revocation_date.timestamp())?,
                reason,
            });
        }
        Ok(crl)
    }

    /// Its exact DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the DER.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// The list as a PEM block.
    pub fn to_pem(&self) -> String {
        pem::write(LABEL, &self.der)
    }
}

/// The word of RFC 5280 section 5.3.1 for a reason; `None` for a number that has none.
pub fn reason_name(reason: u8) -> Option<&'static str> {
    REASONS
        .iter()
        .find(|(number, _)| *number == reason)
        .map(|(_, name)| *name)
}

/// CRLReason, RFC 5280 section 5.3.1; 7 is not used.
pub const REASONS: [(u8, &str); 10] = [
    (0, "unspecified"),
    (1, "keyCompromise"),
    (2, "cACompromise"),
    (3, "affiliationChanged"),
    (4, "superseded"),
    (5, "cessationOfOperation"),
    (6, "certificateHold"),
    (8, "removeFromCRL"),
    (9, "privilegeWithdrawn"),
    (10, "aACompromise"),
];

/// Version 2 is written as 1 (section 5.1.2.1).
const V2: u8 = 1;
const UNSPECIFIED: u8 = 0;
const LABEL: &str = "X509 CRL";
const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ES256, Factory, now, serial};

    fn revoked(reason: u8) -> Revoked {
        Revoked {
            serial: serial(),
            at: now(),
            reason,
        }
    }

    fn written(number: u64, next_update: Timestamp, revoked: &[Revoked]) -> Crl {
        let factory = Factory::new();
        let template = CrlTemplate {
            signature: ES256,
            issuer: factory.ca.subject(),
            authority_key_identifier: factory.ca.subject_key_identifier().unwrap(),
            this_update: now(),
            next_update,
            number,
            revoked,
        };
        let der = with_signature(&template.to_tbs().unwrap(), ES256, &[0x30, 0]).unwrap();
        let crl = Crl::from_bytes(&der).unwrap();
        assert_eq!(&crl.issuer, factory.ca.subject());
        assert_eq!(
            crl.authority_key_identifier.as_deref(),
            factory.ca.subject_key_identifier()
        );
        assert_eq!(Crl::from_bytes(crl.to_pem().as_bytes()).unwrap().der(), der);
        crl
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let list = [revoked(0), revoked(1), revoked(4), revoked(9)];
        // GeneralizedTime begins in 2050.
        let next = Timestamp::from_rfc3339("2050-01-01T00:00:00Z").unwrap();
        for number in [1, 0x80, 0xffff_ffff] {
            let crl = written(number, next, &list);
            assert_eq!(crl.number, Some(number));
            assert_eq!((crl.this_update, crl.next_update), (now(), Some(next)));
            assert_eq!(crl.revoked, list);
        }
    }

    #[test]
    fn what_rfc_5280_leaves_out_is_left_out() {
        let next = now().plus(86_400);
        let empty = written(1, next, &[]).der().len();
        let one = written(1, next, &[revoked(0)]).der().len();
        let explained = written(1, next, &[revoked(1)]).der().len();
        // An entry: a SEQUENCE of serial (18) and UTCTime (15) inside the list's own; a reason takes fourteen more.
        assert_eq!((one - empty, explained - one), (2 + 2 + 18 + 15, 14));
    }

    #[test]
    fn what_is_no_list_is_named() {
        let told = |bytes: &[u8]| Crl::from_bytes(bytes).unwrap_err().to_string();
        assert_eq!(
            told(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
            "the PEM block is a `CERTIFICATE`, wanted is an `X509 CRL`"
        );
        let mut longer = written(1, now().plus(60), &[]).der().to_vec();
        longer.push(0);
        let broken = "not a certificate revocation list in DER: its structure is broken, or there are bytes after it";
        assert_eq!(told(&longer), broken);
        assert_eq!(told(&longer[..40]), broken);
    }
}
