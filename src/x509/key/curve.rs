//! The elliptic curves this tool certifies and signs with.

use std::fmt;

use aws_lc_rs::{digest, signature};
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Encode, Sequence};

use super::KeyError;
use super::algorithm::{AlgorithmIdentifier, SignatureAlgorithm, name_of};

/// The elliptic curves this tool certifies and signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1, signed with SHA-256.
    P256,
    /// secp384r1, signed with SHA-384.
    P384,
}

impl Curve {
    /// Octets of one coordinate, and of one half of a raw signature.
    pub fn coordinate_len(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
        }
    }

    /// The curve's object identifier.
    pub fn oid(self) -> &'static ObjectIdentifier {
        match self {
            Curve::P256 => &SECP256R1,
            Curve::P384 => &SECP384R1,
        }
    }

    /// Hashes a message with the digest this curve signs with: SHA-256 for P-256, SHA-384 for P-384.
    pub fn digest(self, message: &[u8]) -> digest::Digest {
        match self {
            Curve::P256 => digest::digest(&digest::SHA256, message),
            Curve::P384 => digest::digest(&digest::SHA384, message),
        }
    }

    /// The signature algorithm a key on this curve signs with.
    pub fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Curve::P256 => SignatureAlgorithm::EcdsaSha256,
            Curve::P384 => SignatureAlgorithm::EcdsaSha384,
        }
    }

    /// Turns a raw signature r ‖ s, as tokens return it, into the DER ECDSA-Sig-Value (RFC 3279 section 2.2.3).
    ///
    /// The only place where that is done. `None` unless both halves have the curve's length.
    pub fn signature_to_der(self, raw: &[u8]) -> Option<Vec<u8>> {
        let half = self.coordinate_len();
        if raw.len() != 2 * half {
            return None;
        }
        let value = EcdsaSigValue {
            r: UintRef::new(&raw[..half]).ok()?,
            s: UintRef::new(&raw[half..]).ok()?,
        };
        value.to_der().ok()
    }

    pub(super) fn read(
        algorithm: &AlgorithmIdentifier<'_>,
        point: &[u8],
    ) -> Result<Curve, KeyError> {
        let named = algorithm
            .parameters
            .and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok())
            .ok_or(KeyError::Malformed("an EC key must name its curve"))?;
        let curve = match named {
            SECP256R1 => Curve::P256,
            SECP384R1 => Curve::P384,
            other => {
                return Err(KeyError::Unsupported {
                    found: name_of(other),
                });
            }
        };
        if point.first() != Some(&4) || point.len() != 1 + 2 * curve.coordinate_len() {
            return Err(KeyError::Malformed("an EC point must be uncompressed"));
        }
        Ok(curve)
    }

    /// Checks that a point is on the curve, and keeps it in the verifier's form.
    pub(super) fn parse_point(self, point: &[u8]) -> Result<signature::ParsedPublicKey, KeyError> {
        let algorithm: &'static dyn signature::VerificationAlgorithm = match self {
            Curve::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            Curve::P384 => &signature::ECDSA_P384_SHA384_ASN1,
        };
        signature::ParsedPublicKey::new(algorithm, point)
            .map_err(|_| KeyError::Malformed("the EC point is not on its curve"))
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
        })
    }
}

#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
