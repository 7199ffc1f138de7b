//! What is to be certified, and the TBS bytes made of it.
//!
//! A [`Template`] holds everything a TBSCertificate (RFC 5280 section 4.1.2) says. [`Template::to_tbs`] assembles it
//! around the issuer's, the subject's and the key's own bytes: the path for devices, whose bytes are not ours to
//! rewrite. [`Template::to_tbs_with_rcgen`] lets rcgen write it: the path for what we name ourselves. For the shipped
//! profiles both produce the same bytes; a test holds them to it.

mod assemble;
mod extensions;
mod rcgen;

pub(super) use assemble::time;
pub(super) use extensions::{
    AUTHORITY_KEY_IDENTIFIER, SUBJECT_ALT_NAME, alternative_names, authority_key_identifier,
};

use std::fmt;
use std::net::IpAddr;

use ::der::asn1::ObjectIdentifier;

use super::key::{PublicKey, SignatureAlgorithm, sha256};
use super::name::Name;
use super::serial::Serial;
use super::signed;
use crate::timestamp::Timestamp;

/// Everything a certificate is to say, before it is written as DER.
#[derive(Clone, Debug)]
pub struct Template {
    /// The serial number.
    pub serial: Serial,
    /// The algorithm the issuer signs with.
    pub signature: SignatureAlgorithm,
    /// The issuer's subject, byte for byte.
    pub issuer: Name,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// The subject, byte for byte.
    pub subject: Name,
    /// The key to certify.
    pub key: PublicKey,
    /// The issuer's SKI bytes; `None` leaves the extension out (a root).
    pub authority_key_identifier: Option<Vec<u8>>,
    /// Names beyond the subject; empty leaves the extension out.
    pub subject_alternative_names: Vec<AlternativeName>,
    /// What the key may be used for.
    pub key_usage: Option<Marked<KeyUsage>>,
    /// Purposes; `None` leaves the extension out.
    pub extended_key_usage: Option<Marked<Vec<ObjectIdentifier>>>,
    /// Where CRLs are found; empty leaves the extension out.
    pub crl_distribution_points: Vec<String>,
    /// The SKI; `None` leaves the extension out.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// CA or not, and how deep.
    pub basic_constraints: Option<Marked<BasicConstraints>>,
    /// Where the issuer's certificate is found (caIssuers); empty leaves the extension out.
    pub ca_issuers: Vec<String>,
}

/// An extension's content and whether it is critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked<T> {
    /// Whether a reader that does not know the extension must refuse.
    pub critical: bool,
    /// The content.
    pub content: T,
}

/// basicConstraints (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the subject is a CA.
    pub ca: bool,
    /// How many CA certificates may follow below it.
    pub path_length: Option<u8>,
}

/// keyUsage bits (RFC 5280 section 4.2.1.3): bit 0, digitalSignature, is the highest of the sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(pub u16);

/// A name for subjectAltName.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A dNSName.
    Dns(String),
    /// An iPAddress.
    Ip(IpAddr),
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AlternativeName::Dns(name) => f.write_str(name),
            AlternativeName::Ip(address) => address.fmt(f),
        }
    }
}

/// The bytes of a TBSCertificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tbs {
    der: Vec<u8>,
    signature: SignatureAlgorithm,
}

/// A template that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A value cannot be written as DER.
    #[error("the certificate cannot be written as DER")]
    Der(#[from] ::der::Error),
    /// rcgen cannot write what the template asks for.
    #[error("rcgen cannot write this certificate: {0}")]
    Rcgen(String),
}

impl Tbs {
    /// The DER to be linted, hashed and signed.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the DER, as the ledger records it.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// Puts the certificate together around these bytes.
    pub fn with_signature(&self, signature: &[u8]) -> Result<Vec<u8>, TemplateError> {
        Ok(signed::assemble(&self.der, self.signature, signature)?)
    }

    /// Bytes from elsewhere, so that a lint can be shown what it must refuse.
    #[cfg(test)]
    pub(crate) fn forged(der: Vec<u8>, signature: SignatureAlgorithm) -> Tbs {
        Tbs { der, signature }
    }
}
