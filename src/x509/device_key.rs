//! Device keys made by this program, and the requests they sign.

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use zeroize::Zeroizing;

use super::key::{Curve, KeyError, PublicKey, SignatureAlgorithm};
use super::name::Name;
use super::request::RequestInfo;
use super::template::TemplateError;

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
        DeviceKey::of(secret)
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
    pub fn request(&self, subject: &Name) -> Result<Vec<u8>, TemplateError> {
        let key = &self.public;
        let names = &[];
        let info = RequestInfo {
            subject,
            key,
            names,
        };
        info.sign(SignatureAlgorithm::EcdsaSha256, |info| Ok(self.sign(info)))
    }

    /// The private key as PKCS#8 in PEM: for a file that only its owner can read.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.secret
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| KeyError::Malformed("it cannot be written as PKCS#8"))
    }

    /// Reads a P-256 key from PKCS#8 in PEM.
    pub fn from_pkcs8_pem(pem: &str) -> Result<DeviceKey, KeyError> {
        let secret = SigningKey::from_pkcs8_pem(pem)
            .map_err(|_| KeyError::Malformed("it is no P-256 key in PKCS#8"))?;
        DeviceKey::of(secret)
    }

    fn of(secret: SigningKey) -> Result<DeviceKey, KeyError> {
        let point = secret.verifying_key().to_sec1_point(false);
        let public = PublicKey::from_ec_point(Curve::P256, point.as_bytes())?;
        Ok(DeviceKey { secret, public })
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

    #[test]
    fn it_survives_its_file() {
        let key = DeviceKey::generate().unwrap();
        let again = DeviceKey::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert!(DeviceKey::from_pkcs8_pem("no key").is_err());
    }
}
