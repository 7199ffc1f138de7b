//! Certificates that exist: reading them and checking their signatures.

use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::key::{KeyError, PublicKey, sha256};
use super::name::Name;
use super::pem::{self, PemError};
use super::serial::Serial;
use super::signed::Signed;
use crate::timestamp::Timestamp;

/// A certificate that was read, with what this tool needs to know of it.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    serial: Serial,
    issuer: Name,
    subject: Name,
    key: PublicKey,
    not_before: Timestamp,
    not_after: Timestamp,
    subject_key_identifier: Option<Vec<u8>>,
    authority_key_identifier: Option<Vec<u8>>,
    signs_certificates: bool,
    path_length: Option<u32>,
}

/// Why bytes are not a certificate this tool can use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// The public key in it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Another PEM block than a certificate.
    #[error("the PEM block is a `{0}`, wanted is a `CERTIFICATE`")]
    Label(String),
    /// Not a certificate in DER.
    #[error("not a certificate in DER: {0}")]
    Malformed(&'static str),
    /// The text is no PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
}

impl Certificate {
    /// Reads one DER certificate; trailing bytes are refused. The signature is not checked: see
    /// [`Certificate::verify`].
    pub fn from_der(der: &[u8]) -> Result<Certificate, CertificateError> {
        let malformed = CertificateError::Malformed;
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|_| malformed("its structure is broken"))?;
        if !rest.is_empty() {
            return Err(malformed("there are bytes after it"));
        }
        let tbs = &parsed.tbs_certificate;
        let name = |raw| Name::from_der(raw).map_err(|_| malformed("a name in it is broken"));
        let moment =
            |at: i64| Timestamp::from_unix(at).ok_or(malformed("a time in it is out of range"));
        let mut certificate = Certificate {
            der: der.to_vec(),
            serial: Serial::from_der_content(tbs.raw_serial()).ok_or(malformed(
                "its serial number is not a positive number of up to 21 octets",
            ))?,
            issuer: name(tbs.issuer.as_raw())?,
            subject: name(tbs.subject.as_raw())?,
            key: PublicKey::from_spki_der(tbs.subject_pki.raw)?,
            not_before: moment(tbs.validity.not_before.timestamp())?,
            not_after: moment(tbs.validity.not_after.timestamp())?,
            subject_key_identifier: None,
            authority_key_identifier: None,
            signs_certificates: false,
            path_length: None,
        };
        certificate.read_extensions(&parsed);
        Ok(certificate)
    }

    /// Reads every certificate of a PEM text.
    pub fn all_from_pem(text: &[u8]) -> Result<Vec<Certificate>, CertificateError> {
        let read = |block: pem::Block| match block.label.as_str() {
            LABEL => Certificate::from_der(&block.contents),
            _ => Err(CertificateError::Label(block.label)),
        };
        pem::read(text)?.into_iter().map(read).collect()
    }

    /// Reads a PEM text that holds exactly one certificate.
    pub fn from_pem(text: &[u8]) -> Result<Certificate, CertificateError> {
        let mut all = Certificate::all_from_pem(text)?;
        match (all.pop(), all.is_empty()) {
            (Some(certificate), true) => Ok(certificate),
            _ => Err(CertificateError::Malformed(
                "wanted is one certificate, found are more",
            )),
        }
    }

    /// Checks the certificate's signature with its issuer's key. Names, validity and extensions are not compared.
    pub fn verify(&self, issuer: &PublicKey) -> Result<(), KeyError> {
        Signed::read(&self.der)
            .map_err(|_| KeyError::MalformedSignature("what it stands in is not DER"))?
            .verify(issuer)
    }

    /// The certificate's exact DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as a PEM block.
    pub fn to_pem(&self) -> String {
        to_pem(&self.der)
    }

    /// SHA-256 of the DER, as tools print it.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// The serial number.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// The issuer's name.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The subject's name.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The certified key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// First moment of validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Last moment of validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The SKI's bytes, whatever method made them.
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.subject_key_identifier.as_deref()
    }

    /// The AKI's keyIdentifier.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.authority_key_identifier.as_deref()
    }

    /// Whether it is a CA certificate whose key may sign certificates: cA is true and keyUsage, where present, has
    /// keyCertSign.
    pub fn signs_certificates(&self) -> bool {
        self.signs_certificates
    }

    /// How many CA certificates may follow below it; `None` is no limit.
    pub fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    fn read_extensions(&mut self, parsed: &X509Certificate<'_>) {
        let mut is_ca = false;
        let mut may_sign = true;
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => {
                    is_ca = constraints.ca;
                    self.path_length = constraints.path_len_constraint;
                }
                ParsedExtension::KeyUsage(usage) => may_sign = usage.key_cert_sign(),
                ParsedExtension::SubjectKeyIdentifier(id) => {
                    self.subject_key_identifier = Some(id.0.to_vec());
                }
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    self.authority_key_identifier =
                        id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        self.signs_certificates = is_ca && may_sign;
    }
}

/// Writes a DER certificate as a PEM block.
pub fn to_pem(der: &[u8]) -> String {
    pem::write(LABEL, der)
}

const LABEL: &str = "CERTIFICATE";
