//! Signature algorithms and their identifiers.

use std::fmt;

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode, Sequence};

use super::KeyError;

/// A signature algorithm a request may be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256 (RFC 5758).
    EcdsaSha256,
    /// ecdsa-with-SHA384.
    EcdsaSha384,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// sha256WithRSAEncryption (RFC 8017).
    RsaSha256,
    /// sha384WithRSAEncryption.
    RsaSha384,
    /// sha512WithRSAEncryption.
    RsaSha512,
}

impl SignatureAlgorithm {
    /// Reads a DER AlgorithmIdentifier; parameters must be absent (ECDSA, Ed25519) or NULL (RSA).
    pub fn from_der(der: &[u8]) -> Result<SignatureAlgorithm, KeyError> {
        let identifier = AlgorithmIdentifier::from_der(der)
            .map_err(|_| KeyError::MalformedSignature("its algorithm is not DER"))?;
        let (algorithm, null_wanted) = match identifier.oid {
            ECDSA_WITH_SHA256 => (SignatureAlgorithm::EcdsaSha256, false),
            ECDSA_WITH_SHA384 => (SignatureAlgorithm::EcdsaSha384, false),
            ED25519 => (SignatureAlgorithm::Ed25519, false),
            SHA256_WITH_RSA => (SignatureAlgorithm::RsaSha256, true),
            SHA384_WITH_RSA => (SignatureAlgorithm::RsaSha384, true),
            SHA512_WITH_RSA => (SignatureAlgorithm::RsaSha512, true),
            other => {
                return Err(KeyError::SignatureAlgorithm {
                    found: name_of(other),
                });
            }
        };
        let parameters_fit = match identifier.parameters {
            None => !null_wanted,
            Some(parameters) => null_wanted && parameters == AnyRef::NULL,
        };
        parameters_fit
            .then_some(algorithm)
            .ok_or(KeyError::MalformedSignature(match null_wanted {
                true => "its algorithm has other parameters than NULL",
                false => "its algorithm has parameters, wanted are none",
            }))
    }

    /// The DER AlgorithmIdentifier, parameters absent for ECDSA (RFC 5758 section 3.2) and Ed25519.
    pub fn to_der(self) -> Vec<u8> {
        let (oid, parameters) = match self {
            SignatureAlgorithm::EcdsaSha256 => (ECDSA_WITH_SHA256, None),
            SignatureAlgorithm::EcdsaSha384 => (ECDSA_WITH_SHA384, None),
            SignatureAlgorithm::Ed25519 => (ED25519, None),
            SignatureAlgorithm::RsaSha256 => (SHA256_WITH_RSA, Some(AnyRef::NULL)),
            SignatureAlgorithm::RsaSha384 => (SHA384_WITH_RSA, Some(AnyRef::NULL)),
            SignatureAlgorithm::RsaSha512 => (SHA512_WITH_RSA, Some(AnyRef::NULL)),
        };
        AlgorithmIdentifier { oid, parameters }
            .to_der()
            .unwrap_or_default()
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignatureAlgorithm::EcdsaSha256 => "ECDSA with SHA-256",
            SignatureAlgorithm::EcdsaSha384 => "ECDSA with SHA-384",
            SignatureAlgorithm::Ed25519 => "Ed25519",
            SignatureAlgorithm::RsaSha256 => "RSA with SHA-256",
            SignatureAlgorithm::RsaSha384 => "RSA with SHA-384",
            SignatureAlgorithm::RsaSha512 => "RSA with SHA-512",
        })
    }
}

#[derive(Clone, Copy, Sequence)]
pub(super) struct AlgorithmIdentifier<'a> {
    pub(super) oid: ObjectIdentifier,
    pub(super) parameters: Option<AnyRef<'a>>,
}

/// What people call an algorithm that is refused.
pub(super) fn name_of(oid: ObjectIdentifier) -> String {
    let dotted = oid.to_string();
    let name = match dotted.as_str() {
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.10045.3.1.1" => "P-192",
        "1.2.840.10045.4.1" => "ECDSA with SHA-1",
        "1.2.840.10045.4.3.1" => "ECDSA with SHA-224",
        "1.2.840.10045.4.3.4" => "ECDSA with SHA-512",
        "1.2.840.113549.1.1.2" => "RSA with MD2",
        "1.2.840.113549.1.1.4" => "RSA with MD5",
        "1.2.840.113549.1.1.5" => "RSA with SHA-1",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.113549.1.1.14" => "RSA with SHA-224",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        "1.3.101.110" => "X25519",
        "1.3.101.113" => "Ed448",
        "1.3.132.0.10" => "secp256k1",
        "1.3.132.0.33" => "P-224",
        "1.3.132.0.35" => "P-521",
        _ => return dotted,
    };
    name.to_owned()
}

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
