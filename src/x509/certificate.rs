//! Certificates that exist: reading them and checking their signatures.

use std::net::IpAddr;

use ::der::Decode;
use ::der::asn1::AnyRef;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

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

    /// The DNS names of the subjectAltName (RFC 5280 section 4.2.1.6), in their order; none without that extension.
    ///
    /// A subjectAltName that is there twice or cannot be read is an error. Whether a name is one of a host is not checked.
    pub fn dns_names(&self) -> Result<Vec<String>, CertificateError> {
        self.general_names(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
    }

    /// The DNS names and IP addresses of the subjectAltName as texts, in their order; read as [`Certificate::dns_names`].
    pub fn alternative_names(&self) -> Result<Vec<String>, CertificateError> {
        self.general_names(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(octets) => address(octets).map(|address| address.to_string()),
            _ => None,
        })
    }

    fn general_names(
        &self,
        text: impl Fn(&GeneralName<'_>) -> Option<String>,
    ) -> Result<Vec<String>, CertificateError> {
        let broken = CertificateError::Malformed("its subjectAltName is broken");
        let Ok((_, parsed)) = X509Certificate::from_der(&self.der) else {
            return Err(broken);
        };
        let extension = match parsed.get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME) {
            Ok(Some(extension)) => extension,
            Ok(None) => return Ok(Vec::new()),
            Err(_) => return Err(broken),
        };
        let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
            return Err(broken);
        };
        // The parser looks away from bytes after the list.
        if AnyRef::from_der(extension.value).is_err() {
            return Err(broken);
        }
        let mut found = Vec::new();
        for name in &names.general_names {
            match name {
                GeneralName::Invalid(..) => return Err(broken),
                name => found.extend(text(name)),
            }
        }
        Ok(found)
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

/// An iPAddress of 4 or 16 octets (RFC 5280 section 4.2.1.6).
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Writes a DER certificate as a PEM block.
pub fn to_pem(der: &[u8]) -> String {
    pem::write(LABEL, der)
}

const LABEL: &str = "CERTIFICATE";

#[cfg(test)]
mod tests {
    use super::*;

    fn with_names(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Certificate {
        let mut wanted = rcgen::CertificateParams::default();
        change(&mut wanted);
        let key = rcgen::KeyPair::generate().unwrap();
        Certificate::from_der(wanted.self_signed(&key).unwrap().der()).unwrap()
    }

    /// A subjectAltName with these contents.
    fn raw(contents: &[u8]) -> rcgen::CustomExtension {
        rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 17], contents.to_vec())
    }

    #[test]
    fn dns_names_keep_their_order() {
        let certificate = with_names(|wanted| {
            wanted.subject_alt_names = vec![
                rcgen::SanType::DnsName("gw.example".try_into().unwrap()),
                rcgen::SanType::IpAddress([10, 0, 0, 1].into()),
                rcgen::SanType::DnsName("ostree.example".try_into().unwrap()),
            ];
        });
        assert_eq!(
            certificate.dns_names().unwrap(),
            ["gw.example", "ostree.example"]
        );
        assert_eq!(with_names(|_| {}).dns_names().unwrap(), [""; 0]);
    }

    #[test]
    fn broken_alternative_names_are_refused() {
        let one = b"\x30\x03\x82\x01a";
        for extensions in [
            vec![raw(b"\x30\x05\x82\x01a")],
            vec![raw(b"\x82\x01a")],
            vec![raw(b"\x30\x03\x82\x01a\x00")],
            vec![raw(b"\x30\x03\x82\x01\xff")],
            vec![raw(one), raw(one)],
        ] {
            let certificate = with_names(|wanted| wanted.custom_extensions = extensions);
            let error = certificate.dns_names().unwrap_err().to_string();
            assert_eq!(
                error,
                "not a certificate in DER: its subjectAltName is broken"
            );
        }
        let sound = with_names(|wanted| wanted.custom_extensions = vec![raw(one)]);
        assert_eq!(sound.dns_names().unwrap(), ["a"]);
    }
}
