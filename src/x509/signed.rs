//! The shape certificates, requests and CRLs share: SEQUENCE { body, algorithm, signature }.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader};

use super::key::{KeyError, PublicKey, SignatureAlgorithm};

/// The three parts of a signed structure, each as the exact bytes that were read.
pub struct Signed<'a> {
    /// What the signature covers.
    pub body: &'a [u8],
    algorithm: &'a [u8],
    signature: BitStringRef<'a>,
}

impl<'a> Signed<'a> {
    /// Splits one DER structure; trailing bytes are an error.
    pub fn read(bytes: &'a [u8]) -> der::Result<Signed<'a>> {
        let mut reader = SliceReader::new(bytes)?;
        let signed = reader.sequence(|parts: &mut SliceReader<'a>| {
            Ok::<_, der::Error>(Signed {
                body: parts.tlv_bytes()?,
                algorithm: parts.tlv_bytes()?,
                signature: BitStringRef::decode(parts)?,
            })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    /// Checks the signature over the body with a public key.
    pub fn verify(&self, key: &PublicKey) -> Result<(), KeyError> {
        let algorithm = SignatureAlgorithm::from_der(self.algorithm)?;
        let signature = self
            .signature
            .as_bytes()
            .ok_or(KeyError::MalformedSignature("it has unused bits"))?;
        key.verify(algorithm, self.body, signature)
    }
}

/// Puts a signed structure together around a body that is already DER.
pub fn assemble(
    body: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> der::Result<Vec<u8>> {
    let algorithm = algorithm.to_der();
    let parts = Parts {
        body: AnyRef::from_der(body)?,
        algorithm: AnyRef::from_der(&algorithm)?,
        signature: BitStringRef::from_bytes(signature)?,
    };
    parts.to_der()
}

#[derive(Sequence)]
struct Parts<'a> {
    body: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}
