//! Certification requests (RFC 2986), read strictly.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, ErrorKind, Reader, Sequence, SliceReader, Tag, TagNumber, Tagged};

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
    #[error("the attribute {} is there twice", label(*.0))]
    DuplicateAttribute(ObjectIdentifier),
    /// The same extension is requested twice.
    #[error("the extension {} is requested twice", label(*.0))]
    DuplicateExtension(ObjectIdentifier),
    /// Nothing at all, such as a file that was never filled.
    #[error("it is empty, wanted is a certification request in PEM or DER")]
    Empty,
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
    /// Neither a PEM block nor the first byte of a DER request.
    #[error("it is neither PEM nor DER, wanted is a certification request in one of them")]
    Neither,
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
    #[error("its version is {found}, wanted is 0 (RFC 2986 section 4.1)")]
    Version {
        /// The version as it is written, in decimal if it fits an octet.
        found: String,
    },
}

impl Csr {
    /// Reads a request in PEM or DER and checks its proof of possession.
    pub fn from_bytes(bytes: &[u8]) -> Result<Csr, CsrError> {
        if bytes.len() > MAX_BYTES {
            return Err(CsrError::TooLarge { found: bytes.len() });
        }
        match bytes.first() {
            _ if bytes.trim_ascii().is_empty() => Err(CsrError::Empty),
            _ if pem::is_pem(bytes) => Csr::from_pem(bytes),
            Some(&SEQUENCE) => Csr::from_der(bytes),
            _ => Err(CsrError::Neither),
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
        AnyRef::from_der(bytes).map_err(|error| CsrError::Malformed(whole(&error)))?;
        let outer =
            Signed::read(bytes).map_err(|error| CsrError::Malformed(parts(&error, OUTER)))?;
        let info =
            Info::read(outer.body).map_err(|error| CsrError::Malformed(parts(&error, INFO)))?;
        check_version(info.version)?;
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

/// What is wrong with the outermost value as such, in words that tell a cut file from one with too much in it.
fn whole(error: &der::Error) -> &'static str {
    match error.kind() {
        ErrorKind::Incomplete { .. } => "it is cut short",
        ErrorKind::Length { .. } => "its length is written in a way DER does not allow",
        ErrorKind::TrailingData { .. } => "there are bytes after its end",
        _ => parts(error, OUTER),
    }
}

/// What is wrong within it: BER where that is the reason, otherwise what was wanted.
fn parts(error: &der::Error, wanted: &'static str) -> &'static str {
    match error.kind() {
        ErrorKind::IndefiniteLength => "a length is indefinite, which only BER allows",
        _ => wanted,
    }
}

fn check_version(version: &[u8]) -> Result<(), CsrError> {
    let found = match version {
        [0] => return Ok(()),
        [number] => (*number as i8).to_string(),
        octets => format!("{} octets long", octets.len()),
    };
    Err(CsrError::Version { found })
}

fn read_attributes(set: AnyRef<'_>) -> Result<Vec<Extension>, CsrError> {
    let malformed =
        |_| CsrError::Malformed("an attribute is not SEQUENCE { type, SET OF at least one value }");
    let mut reader = SliceReader::new(set.value()).map_err(malformed)?;
    let mut seen = Vec::new();
    let mut extensions = Vec::new();
    while !reader.is_finished() {
        let attribute = Attribute::decode(&mut reader).map_err(malformed)?;
        check_values(attribute.values).map_err(malformed)?;
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

fn check_values(set: AnyRef<'_>) -> der::Result<()> {
    set.tag().assert_eq(Tag::Set)?;
    let mut values = SliceReader::new(set.value())?;
    AnyRef::decode(&mut values)?;
    while !values.is_finished() {
        AnyRef::decode(&mut values)?;
    }
    Ok(())
}

fn read_extensions(values: &[u8]) -> Result<Vec<Extension>, CsrError> {
    let requested: Vec<RequestedExtension<'_>> = Vec::from_der(values)
        .map_err(|_| CsrError::Malformed("an extensionRequest holds one SEQUENCE OF Extension"))?;
    let mut extensions: Vec<Extension> = Vec::new();
    for wanted in requested {
        // X.690 section 11.5: DER does not write a value that is the default.
        if wanted.critical == Some(false) {
            return Err(CsrError::Malformed(
                "an extension says critical FALSE, which DER leaves out",
            ));
        }
        if extensions.iter().any(|known| known.oid == wanted.oid) {
            return Err(CsrError::DuplicateExtension(wanted.oid));
        }
        extensions.push(Extension {
            oid: wanted.oid,
            critical: wanted.critical.is_some(),
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
    critical: Option<bool>,
    value: &'a der::asn1::OctetStringRef,
}

/// Far above what any request needs (an RSA-8192 key with a long subject has 3 KB), small enough to bound a batch.
pub const MAX_BYTES: usize = 16 * 1024;

/// What people call an attribute or extension a request may hold: its name in the RFCs or the dotted number.
pub fn label(oid: ObjectIdentifier) -> String {
    let dotted = oid.to_string();
    let name = match dotted.as_str() {
        "1.2.840.113549.1.9.2" => "unstructuredName",
        "1.2.840.113549.1.9.7" => "challengePassword",
        "1.2.840.113549.1.9.14" => "extensionRequest",
        "2.5.29.14" => "subjectKeyIdentifier",
        "2.5.29.15" => "keyUsage",
        "2.5.29.17" => "subjectAltName",
        "2.5.29.19" => "basicConstraints",
        "2.5.29.32" => "certificatePolicies",
        "2.5.29.37" => "extKeyUsage",
        _ => return dotted,
    };
    name.to_owned()
}

/// What a request consists of.
const OUTER: &str = "wanted is SEQUENCE { info, signature algorithm, signature }";

/// What its signed part consists of.
const INFO: &str =
    "wanted is SEQUENCE { version, subject, public key, [0] attributes } as its info";

/// The tag every DER request starts with.
const SEQUENCE: u8 = 0x30;

const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// RFC 7468 section 7 names the first; old tools write the second.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
