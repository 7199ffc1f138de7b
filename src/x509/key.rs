//! Public keys and signatures: SubjectPublicKeyInfo, key identifiers, verification.
//!
//! Verification uses aws-lc-rs. A key of a kind that is not named in [`KeyKind`] is refused when it is read, so
//! later code cannot hold one.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, signature};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Sequence};

use super::ed25519;

/// A public key as it stands in a certificate or request, with its exact DER bytes.
#[derive(Clone)]
pub struct PublicKey {
    spki: Vec<u8>,
    kind: KeyKind,
    /// An EC key as the verifier wants it: parsing costs a tenth of a verification.
    parsed: Option<Arc<signature::ParsedPublicKey>>,
    /// Where the content of the subjectPublicKey BIT STRING starts in `spki`; it always ends where `spki` ends.
    bits_at: usize,
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// An elliptic-curve key.
    Ec(Curve),
    /// An Ed25519 key (RFC 8410).
    Ed25519,
    /// An RSA key with the bit length of its modulus.
    Rsa(u32),
}

/// The elliptic curves this tool certifies and signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1, signed with SHA-256.
    P256,
    /// secp384r1, signed with SHA-384.
    P384,
}

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

/// How a key identifier is made from a key (RFC 5280 section 4.2.1.2, RFC 7093 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyIdentifierMethod {
    /// SHA-1 of the BIT STRING's content: what old tools compute.
    Sha1,
    /// The leftmost 160 bits of its SHA-256 (RFC 7093 method 1).
    Sha256,
}

/// Why a key or a signature is not acceptable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The SubjectPublicKeyInfo is not what DER and its algorithm allow.
    #[error("the public key is malformed: {0}")]
    Malformed(&'static str),
    /// The signature, or the algorithm it names, is not what DER and the algorithm allow.
    #[error("the signature is malformed: {0}")]
    MalformedSignature(&'static str),
    /// A signature algorithm that must not be used or is not known.
    #[error(
        "the signature algorithm is {found}, wanted is ECDSA with SHA-256 or SHA-384, Ed25519, or RSA with SHA-256, SHA-384 or SHA-512"
    )]
    SignatureAlgorithm {
        /// Its common name or dotted number.
        found: String,
    },
    /// The signature is of another kind than the key, or one not offered for a key of that size.
    #[error("the signature algorithm is {algorithm}, wanted is one that fits the key, {key}")]
    SignatureKind {
        /// What the signature claims to be.
        algorithm: SignatureAlgorithm,
        /// The key it came with.
        key: KeyKind,
    },
    /// The signature does not fit the data and the key.
    #[error("the signature does not verify with the key it came with")]
    SignatureMismatch,
    /// A kind of key this tool never certifies.
    #[error("the key is {found}, wanted is P-256, P-384, Ed25519 or RSA")]
    Unsupported {
        /// Its common name or dotted number.
        found: String,
    },
}

impl PublicKey {
    /// Reads one DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) and checks that its key is well-formed.
    ///
    /// Compressed points, points off the curve, Ed25519 points of small order and explicit curve parameters are refused; RSA moduli shorter than
    /// 1024 bits are [`KeyError::Unsupported`]. Whether the key is strong enough is the profile's business.
    pub fn from_spki_der(spki: &[u8]) -> Result<PublicKey, KeyError> {
        let (algorithm, bits) = read_spki(spki)
            .map_err(|_| KeyError::Malformed("not one SubjectPublicKeyInfo in DER"))?;
        let kind = KeyKind::read(&algorithm, bits)?;
        let parsed = match kind {
            KeyKind::Ec(curve) => Some(Arc::new(curve.parse_point(bits)?)),
            _ => None,
        };
        Ok(PublicKey {
            spki: spki.to_vec(),
            kind,
            parsed,
            bits_at: spki.len() - bits.len(),
        })
    }

    /// Builds the key from an uncompressed point (0x04 ‖ X ‖ Y).
    pub fn from_ec_point(curve: Curve, point: &[u8]) -> Result<PublicKey, KeyError> {
        let malformed = |_| KeyError::Malformed("the point cannot be encoded");
        let spki = Spki {
            algorithm: AlgorithmIdentifier {
                oid: EC_PUBLIC_KEY,
                parameters: Some(AnyRef::from(curve.oid())),
            },
            bits: BitStringRef::from_bytes(point).map_err(malformed)?,
        };
        PublicKey::from_spki_der(&spki.to_der().map_err(malformed)?)
    }

    /// The SubjectPublicKeyInfo, byte for byte as it was read.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The kind of key.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The content of the subjectPublicKey BIT STRING: for EC keys the uncompressed point.
    pub fn bits(&self) -> &[u8] {
        &self.spki[self.bits_at..]
    }

    /// The 20 octets of a key identifier.
    pub fn identifier(&self, method: KeyIdentifierMethod) -> Vec<u8> {
        let algorithm = match method {
            KeyIdentifierMethod::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            KeyIdentifierMethod::Sha256 => &digest::SHA256,
        };
        digest::digest(algorithm, self.bits()).as_ref()[..20].to_vec()
    }

    /// SHA-256 of the SubjectPublicKeyInfo: how the ledger tells keys apart.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.spki)
    }

    /// Checks a signature over `message`; the algorithm must fit the kind of key.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        let natural = match self.kind {
            KeyKind::Ec(curve) => curve.signature_algorithm() == algorithm,
            _ => false,
        };
        if let Some(parsed) = self.parsed.as_ref().filter(|_| natural) {
            let verified = parsed.verify_sig(message, signature);
            return verified.map_err(|_| KeyError::SignatureMismatch);
        }
        let verifier = self.verifier(algorithm).ok_or(KeyError::SignatureKind {
            algorithm,
            key: self.kind,
        })?;
        signature::UnparsedPublicKey::new(verifier, self.bits())
            .verify(message, signature)
            .map_err(|_| KeyError::SignatureMismatch)
    }

    fn verifier(
        &self,
        algorithm: SignatureAlgorithm,
    ) -> Option<&'static dyn signature::VerificationAlgorithm> {
        use SignatureAlgorithm::*;
        Some(match (self.kind, algorithm) {
            (KeyKind::Ec(Curve::P256), EcdsaSha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (KeyKind::Ec(Curve::P256), EcdsaSha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (KeyKind::Ec(Curve::P384), EcdsaSha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (KeyKind::Ec(Curve::P384), EcdsaSha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (KeyKind::Ed25519, Ed25519) => &signature::ED25519,
            // Small keys are read so that the profile can refuse them by name; it never admits them.
            (KeyKind::Rsa(..2048), RsaSha256) => {
                &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
            }
            (KeyKind::Rsa(2048..), RsaSha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa(2048..), RsaSha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa(2048..), RsaSha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({} {})",
            self.kind,
            crate::hex::encode(self.fingerprint())
        )
    }
}

impl KeyKind {
    fn read(algorithm: &AlgorithmIdentifier<'_>, bits: &[u8]) -> Result<KeyKind, KeyError> {
        match algorithm.oid {
            EC_PUBLIC_KEY => Curve::read(algorithm, bits).map(KeyKind::Ec),
            RSA_ENCRYPTION => rsa_bits(algorithm, bits).map(KeyKind::Rsa),
            ED25519 if algorithm.parameters.is_some() || bits.len() != 32 => Err(
                KeyError::Malformed("an Ed25519 key has 32 octets and no parameters"),
            ),
            ED25519 if ed25519::has_small_order(bits) => Err(KeyError::Malformed(
                "an Ed25519 point of small order is nobody's key",
            )),
            ED25519 => Ok(KeyKind::Ed25519),
            other => Err(KeyError::Unsupported {
                found: name_of(other),
            }),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::Ec(curve) => curve.fmt(f),
            KeyKind::Ed25519 => f.write_str("Ed25519"),
            KeyKind::Rsa(bits) => write!(f, "RSA-{bits}"),
        }
    }
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

    fn read(algorithm: &AlgorithmIdentifier<'_>, point: &[u8]) -> Result<Curve, KeyError> {
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
    fn parse_point(self, point: &[u8]) -> Result<signature::ParsedPublicKey, KeyError> {
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

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
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

fn read_spki(der: &[u8]) -> der::Result<(AlgorithmIdentifier<'_>, &[u8])> {
    let spki = Spki::from_der(der)?;
    match spki.bits.as_bytes() {
        Some(bits) => Ok((spki.algorithm, bits)),
        None => Err(der::Tag::BitString.value_error().into()),
    }
}

fn rsa_bits(algorithm: &AlgorithmIdentifier<'_>, key: &[u8]) -> Result<u32, KeyError> {
    if algorithm.parameters != Some(AnyRef::NULL) {
        return Err(KeyError::Malformed("an RSA key has NULL parameters"));
    }
    let key = RsaPublicKey::from_der(key)
        .map_err(|_| KeyError::Malformed("not an RSAPublicKey in DER"))?;
    let modulus = key.modulus.as_bytes();
    let bits = modulus.len() as u32 * 8 - modulus.first().map_or(8, |first| first.leading_zeros());
    let exponent = key.exponent.as_bytes();
    match bits {
        ..1024 | 8193.. => Err(KeyError::Unsupported {
            found: format!("RSA-{bits}"),
        }),
        _ if exponent == [1] || exponent.last().is_none_or(|last| last % 2 == 0) => Err(
            KeyError::Malformed("the RSA exponent must be odd and above 1"),
        ),
        _ => Ok(bits),
    }
}

/// What people call an algorithm that is refused.
fn name_of(oid: ObjectIdentifier) -> String {
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

#[derive(Sequence)]
struct Spki<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    bits: BitStringRef<'a>,
}

#[derive(Clone, Copy, Sequence)]
struct AlgorithmIdentifier<'a> {
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    fn p256_point() -> Vec<u8> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .unwrap()
            .public_key()
            .as_ref()
            .to_vec()
    }

    #[test]
    fn an_ec_point_becomes_a_key_and_is_read_back() {
        let point = p256_point();
        let key = PublicKey::from_ec_point(Curve::P256, &point).unwrap();
        assert_eq!(key.bits(), point);
        assert_eq!(key.kind(), KeyKind::Ec(Curve::P256));
        assert_eq!(PublicKey::from_spki_der(key.spki()), Ok(key));
    }

    #[test]
    fn points_off_the_curve_and_compressed_points_are_refused() {
        let mut point = p256_point();
        point[64] ^= 1;
        assert_eq!(
            PublicKey::from_ec_point(Curve::P256, &point),
            Err(KeyError::Malformed("the EC point is not on its curve"))
        );
        point[0] = 2;
        assert_eq!(
            PublicKey::from_ec_point(Curve::P256, &point[..33]),
            Err(KeyError::Malformed("an EC point must be uncompressed"))
        );
    }

    #[test]
    fn trailing_bytes_after_a_key_are_refused() {
        let mut spki = PublicKey::from_ec_point(Curve::P256, &p256_point())
            .unwrap()
            .spki()
            .to_vec();
        spki.push(0);
        assert_eq!(
            PublicKey::from_spki_der(&spki),
            Err(KeyError::Malformed("not one SubjectPublicKeyInfo in DER"))
        );
    }

    #[test]
    fn raw_signatures_become_minimal_der() {
        let mut raw = [0; 64];
        raw[31] = 1;
        raw[32] = 0x80;
        let der = Curve::P256.signature_to_der(&raw).unwrap();
        assert_eq!(der[..8], [0x30, 38, 2, 1, 1, 2, 33, 0]);
        assert_eq!(Curve::P256.signature_to_der(&raw[1..]), None);
    }
}
