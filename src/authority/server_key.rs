//! Keys of the factory's own servers, and the requests they sign.

use super::Error;
use super::ca::{ExistingKey, key_in_token};
use super::issuer;
use crate::token::{Key, KeyAttributes, OpenToken, Signer};
use crate::x509::device_key::DeviceKey;
use crate::x509::name::{AttributeType, COMMON_NAME};
use crate::x509::request::RequestInfo;
use crate::x509::template::AlternativeName;
use crate::x509::{Curve, Name, PublicKey, SignatureAlgorithm};

/// The key of a server.
pub enum ServerKey {
    /// In memory, on its way to or from a file.
    File(DeviceKey),
    /// In a token.
    Token(Key),
}

impl ServerKey {
    /// A key in a token, new or found there, with what the token reports of a new one.
    pub fn in_token(
        token: &OpenToken,
        object: &str,
        curve: Curve,
        existing: ExistingKey,
    ) -> Result<(ServerKey, Option<KeyAttributes>), Error> {
        let (key, attributes) = key_in_token(token, object, curve, existing)?;
        Ok((ServerKey::Token(key), attributes))
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            ServerKey::File(key) => key.public_key(),
            ServerKey::Token(key) => key.public_key(),
        }
    }

    /// A DER request for these names; its subject is the first DNS name, or empty if that is too long for one.
    pub fn request(&self, names: &[AlternativeName]) -> Result<Vec<u8>, Error> {
        let first = names.iter().find_map(|name| match name {
            AlternativeName::Dns(name) if name.len() <= COMMON_NAME.longest => Some(name.as_str()),
            _ => None,
        });
        let subject: Vec<(AttributeType, &str)> =
            first.map(|name| (COMMON_NAME, name)).into_iter().collect();
        let subject = Name::from_pairs(&subject).map_err(|_| Error::NameUnfit)?;
        self.sign_request(&subject, names)
    }

    fn sign_request(&self, subject: &Name, names: &[AlternativeName]) -> Result<Vec<u8>, Error> {
        let key = self.public_key();
        let info = RequestInfo {
            subject,
            key,
            names,
        };
        match self {
            ServerKey::File(key) => {
                info.sign(SignatureAlgorithm::EcdsaSha256, |info| Ok(key.sign(info)))
            }
            ServerKey::Token(key) => {
                let algorithm = issuer::algorithm("the server", key)?;
                info.sign(algorithm, |info| Ok(key.sign(info)?))
            }
        }
    }
}
