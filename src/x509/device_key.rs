//! Device keys made by this program, and the requests they sign.

use ::der::Encode;
use ::der::asn1::{AnyRef, UintRef};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;

use super::key::{Curve, KeyError, PublicKey, SignatureAlgorithm};
use super::name::Name;
use super::signed;

/// A P-256 key in memory; zeroized when dropped.
pub struct DeviceKey {
    secret: SigningKey,
    public: PublicKey,
}

impl DeviceKey {
    /// Makes a key from the operating system's random source; an error when it gives none.
    pub fn generate() -> Result<DeviceKey, KeyError> {
        let secret = SigningKey::try_generate()
            .map_err(|_| KeyError::Malformed("there are no random bytes"))?;
        let point = secret.verifying_key().to_sec1_point(false);
        let public = PublicKey::from_ec_point(Curve::P256, point.as_bytes())?;
        Ok(DeviceKey { secret, public })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message: ECDSA with SHA-256, the signature in DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.secret.sign(message);
        signature.as_bytes().to_vec()
    }

    /// A DER certification request for a subject, without attributes (RFC 2986 section 4).
    pub fn request(&self, subject: &Name) -> Result<Vec<u8>, ::der::Error> {
        let no_attributes = AnyRef::new(
            ::der::Tag::ContextSpecific {
                constructed: true,
                number: ::der::TagNumber(0),
            },
            &[],
        )?;
        let version = UintRef::new(&[0])?.to_der()?;
        let content = [
            &version,
            subject.der(),
            self.public.spki(),
            &no_attributes.to_der()?,
        ]
        .concat();
        let info = AnyRef::new(::der::Tag::Sequence, &content)?.to_der()?;
        signed::assemble(&info, SignatureAlgorithm::EcdsaSha256, &self.sign(&info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::Csr;
    use crate::x509::name::COMMON_NAME;

    #[test]
    fn its_request_is_read_back_with_its_subject_and_key() {
        let key = DeviceKey::generate().unwrap();
        let subject = Name::from_pairs(&[(COMMON_NAME, "dev")]).unwrap();
        let csr = Csr::from_der(&key.request(&subject).unwrap()).unwrap();
        assert_eq!(csr.subject(), &subject);
        assert_eq!(csr.key(), key.public_key());
    }
}
