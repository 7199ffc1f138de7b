//! Certification requests (RFC 2986), read strictly.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Reader, Sequence, SliceReader, Tag, TagNumber, Tagged};

use super::key::{KeyError, PublicKey};
use super::name::Name;
use super::pem::{self, PemError};
use super::signed::Signed;

/// A certification request whose signature has been verified with the key it carries.
#[derive(Clone, Debug)]
pub struct Csr {
    subject: Name,
    key: PublicKey,
    extensions: Vec<Extension>,
}

/// An X.509 extension as data: nothing in it has been believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Which extension it is.
    pub oid: ObjectIdentifier,
    /// Whether a reader that does not know it must refuse.
    pub critical: bool,
    /// The content of extnValue.
    pub value: Vec<u8>,
}

/// Why bytes are not an acceptable certification request.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrError {
    /// The same attribute type stands there twice.
    #[error("the attribute {0} is there twice")]
    DuplicateAttribute(ObjectIdentifier),
    /// The same extension is requested twice.
    #[error("the extension {0} is requested twice")]
    DuplicateExtension(ObjectIdentifier),
    /// The key or the signature algorithm.
    #[error(transparent)]
    Key(KeyError),
    /// Another PEM block than a request.
    #[error("the PEM block is a `{found}`, wanted is a `CERTIFICATE REQUEST`")]
    Label {
        /// The label found.
        found: String,
    },
    /// Not a request in DER.
    #[error("not a certification request in DER: {0}")]
    Malformed(&'static str),
    /// More than one PEM block.
    #[error("there are {0} PEM blocks, wanted is one")]
    ManyBlocks(usize),
    /// The text is no PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The signature does not verify: whoever made the request does not hold the private key.
    #[error("proof of possession fails: {0}")]
    Possession(KeyError),
    /// Larger than any request needs to be.
    #[error("it has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// A version other than 0.
    #[error("its version is not 0 (RFC 2986 section 4.1)")]
    Version,
}

impl Csr {
    /// Reads a request in PEM or DER and checks its proof of possession.
    pub fn from_bytes(bytes: &[u8]) -> Result<Csr, CsrError> {
        if bytes.len() > MAX_BYTES {
            return Err(CsrError::TooLarge { found: bytes.len() });
        }
        match pem::is_pem(bytes) {
            true => Csr::from_pem(bytes),
            false => Csr::from_der(bytes),
        }
    }

    /// Reads a request from one PEM block labelled `CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST`.
    pub fn from_pem(text: &[u8]) -> Result<Csr, CsrError> {
        let blocks = pem::read(text)?;
        match blocks.as_slice() {
            [block] if LABELS.contains(&block.label.as_str()) => Csr::from_der(&block.contents),
            [block] => Err(CsrError::Label {
                found: block.label.clone(),
            }),
            blocks => Err(CsrError::ManyBlocks(blocks.len())),
        }
    }

    /// Parses a DER certification request and checks its proof of possession.
    ///
    /// The whole input must be one `CertificationRequest` (RFC 2986 section 4.2); trailing bytes are an error, and so
    /// are attributes or extensions that repeat. Requested extensions are kept as data; nothing in a CSR is ever
    /// copied into a certificate here. Whether the key is strong enough, or the subject acceptable, is the profile's
    /// business. The order of a SET OF is not checked.
    pub fn from_der(bytes: &[u8]) -> Result<Csr, CsrError> {
        if bytes.len() > MAX_BYTES {
            return Err(CsrError::TooLarge { found: bytes.len() });
        }
        let outer = Signed::read(bytes).map_err(|_| {
            CsrError::Malformed(
                "wanted is SEQUENCE { info, signature algorithm, signature } and nothing after it",
            )
        })?;
        let info = Info::read(outer.body).map_err(|_| {
            CsrError::Malformed(
                "wanted is SEQUENCE { version, subject, public key, [0] attributes }",
            )
        })?;
        if info.version != [0] {
            return Err(CsrError::Version);
        }
        let subject = Name::from_der(info.subject)
            .map_err(|_| CsrError::Malformed("the subject is not a name"))?;
        let key = PublicKey::from_spki_der(info.spki).map_err(CsrError::Key)?;
        let extensions = read_attributes(info.attributes)?;
        outer.verify(&key).map_err(CsrError::Possession)?;
        Ok(Csr {
            subject,
            key,
            extensions,
        })
    }

    /// The requested subject.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key to be certified; its holder has proven to have the private key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The extensions asked for, as data.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }
}

fn read_attributes(set: AnyRef<'_>) -> Result<Vec<Extension>, CsrError> {
    let malformed = |_| CsrError::Malformed("an attribute is not SEQUENCE { type, SET OF value }");
    let mut reader = SliceReader::new(set.value()).map_err(malformed)?;
    let mut seen = Vec::new();
    let mut extensions = Vec::new();
    while !reader.is_finished() {
        let attribute = Attribute::decode(&mut reader).map_err(malformed)?;
        attribute.values.tag().assert_eq(Tag::Set).map_err(|_| {
            CsrError::Malformed("an attribute is not SEQUENCE { type, SET OF value }")
        })?;
        if seen.contains(&attribute.oid) {
            return Err(CsrError::DuplicateAttribute(attribute.oid));
        }
        seen.push(attribute.oid);
        if attribute.oid == EXTENSION_REQUEST {
            extensions = read_extensions(attribute.values.value())?;
        }
    }
    Ok(extensions)
}

fn read_extensions(values: &[u8]) -> Result<Vec<Extension>, CsrError> {
    let requested: Vec<RequestedExtension<'_>> = Vec::from_der(values)
        .map_err(|_| CsrError::Malformed("an extensionRequest holds one SEQUENCE OF Extension"))?;
    let mut extensions: Vec<Extension> = Vec::new();
    for wanted in requested {
        if extensions.iter().any(|known| known.oid == wanted.oid) {
            return Err(CsrError::DuplicateExtension(wanted.oid));
        }
        extensions.push(Extension {
            oid: wanted.oid,
            critical: wanted.critical,
            value: wanted.value.as_bytes().to_vec(),
        });
    }
    Ok(extensions)
}

struct Info<'a> {
    version: &'a [u8],
    subject: &'a [u8],
    spki: &'a [u8],
    attributes: AnyRef<'a>,
}

impl<'a> Info<'a> {
    fn read(info: &'a [u8]) -> der::Result<Info<'a>> {
        let info = AnyRef::from_der(info)?;
        info.tag().assert_eq(Tag::Sequence)?;
        let mut reader = SliceReader::new(info.value())?;
        let version = AnyRef::decode(&mut reader)?;
        version.tag().assert_eq(Tag::Integer)?;
        let subject = reader.tlv_bytes()?;
        let spki = reader.tlv_bytes()?;
        let attributes = AnyRef::decode(&mut reader)?;
        attributes.tag().assert_eq(Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(0),
        })?;
        reader.finish()?;
        Ok(Info {
            version: version.value(),
            subject,
            spki,
            attributes,
        })
    }
}

#[derive(Sequence)]
struct Attribute<'a> {
    oid: ObjectIdentifier,
    values: AnyRef<'a>,
}

#[derive(Sequence)]
struct RequestedExtension<'a> {
    oid: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a der::asn1::OctetStringRef,
}

/// Far above what any request needs (an RSA-8192 key with a long subject has 3 KB), small enough to bound a batch.
pub const MAX_BYTES: usize = 16 * 1024;

const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// RFC 7468 section 7 names the first; old tools write the second.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
