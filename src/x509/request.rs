//! Writing certification requests (RFC 2986), for keys of our own.

use ::der::asn1::ObjectIdentifier;
use ::der::{Encode, Tag};

use super::key::{PublicKey, SignatureAlgorithm};
use super::name::Name;
use super::pem;
use super::signed;
use super::template::{AlternativeName, SUBJECT_ALT_NAME, TemplateError, alternative_names};
use super::tlv::{context, extension, tlv};

/// What a request says, before it is signed.
#[derive(Clone, Debug)]
pub struct RequestInfo<'a> {
    /// The subject; may be empty when there are alternative names.
    pub subject: &'a Name,
    /// The key whose possession the signature proves.
    pub key: &'a PublicKey,
    /// Asked for as subjectAltName; without any the request has no attributes.
    pub names: &'a [AlternativeName],
}

impl RequestInfo<'_> {
    /// The DER of the signed request; `sign` gets the CertificationRequestInfo and returns the signature.
    pub fn sign<E: From<TemplateError>>(
        &self,
        algorithm: SignatureAlgorithm,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let info = self.to_der().map_err(TemplateError::from)?;
        let signature = sign(&info)?;
        Ok(signed::assemble(&info, algorithm, &signature).map_err(TemplateError::from)?)
    }

    /// RFC 2986 section 4.1: version 0, subject, key, attributes.
    fn to_der(&self) -> ::der::Result<Vec<u8>> {
        let attributes = match self.names {
            [] => Vec::new(),
            names => extension_request(names)?,
        };
        let content = [
            &0u8.to_der()?,
            self.subject.der(),
            self.key.spki(),
            &tlv(context(0, true), &attributes)?,
        ];
        tlv(Tag::Sequence, &content.concat())
    }
}

/// Writes a DER request as a PEM block.
pub fn to_pem(der: &[u8]) -> String {
    pem::write("CERTIFICATE REQUEST", der)
}

/// The attribute extensionRequest (RFC 2985 section 5.4.2) with a subjectAltName.
fn extension_request(names: &[AlternativeName]) -> ::der::Result<Vec<u8>> {
    let extension = extension(SUBJECT_ALT_NAME, &alternative_names(names)?)?;
    let extensions = tlv(Tag::Sequence, &extension)?;
    let values = tlv(Tag::Set, &extensions)?;
    tlv(
        Tag::Sequence,
        &[EXTENSION_REQUEST.to_der()?, values].concat(),
    )
}

/// PKCS #9 extensionRequest.
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
