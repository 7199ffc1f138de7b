//! Requests built byte by byte, so that each can be wrong in one place and right, and signed, everywhere else.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use der::Encode;
use der::asn1::ObjectIdentifier;
use factory_ca::x509::{Curve, PublicKey, pem};

pub const UUID: &str = "56b2fa41-d79a-4aad-ba26-e26e719878bb";
pub const FACTORY: &str = "demo-factory";

pub const CN: &str = "2.5.4.3";
pub const O: &str = "2.5.4.10";
pub const OU: &str = "2.5.4.11";
pub const BUSINESS_CATEGORY: &str = "2.5.4.15";

pub const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";
pub const CHALLENGE_PASSWORD: &str = "1.2.840.113549.1.9.7";
pub const KEY_USAGE: &str = "2.5.29.15";
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const SUBJECT_ALT_NAME: &str = "2.5.29.17";

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const NULL: u8 = 0x05;
pub const UTF8: u8 = 0x0c;
pub const PRINTABLE: u8 = 0x13;
pub const TELETEX: u8 = 0x14;
pub const IA5: u8 = 0x16;
pub const BMP: u8 = 0x1e;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
pub const CONTEXT_0: u8 = 0xa0;

/// Everything a request says, before it is signed.
#[derive(Clone)]
pub struct Draft {
    pub version: Vec<u8>,
    pub subject: Vec<u8>,
    pub spki: Vec<u8>,
    pub attributes: Vec<u8>,
    pub algorithm: Vec<u8>,
}

/// A P-256 key in memory.
pub struct Key(EcdsaKeyPair);

impl Key {
    pub fn new() -> Key {
        Key(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub fn point(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_ec_point(Curve::P256, self.point()).unwrap()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    }
}

impl Draft {
    /// What lmp-device-register would send.
    pub fn proper(key: &Key) -> Draft {
        let usage = extension(KEY_USAGE, &TRUE, &[0x03, 0x02, 0x07, 0x80]);
        Draft {
            version: vec![INTEGER, 1, 0],
            subject: device_name(UUID, FACTORY),
            spki: key.public().spki().to_vec(),
            attributes: tlv(CONTEXT_0, &[&extension_request(&[&usage])]),
            algorithm: tlv(SEQUENCE, &[&oid("1.2.840.10045.4.3.2")]),
        }
    }

    pub fn subject(mut self, subject: Vec<u8>) -> Draft {
        self.subject = subject;
        self
    }

    pub fn spki(mut self, spki: Vec<u8>) -> Draft {
        self.spki = spki;
        self
    }

    /// The attributes one after the other, put into their [0].
    pub fn attributes(mut self, attributes: &[&[u8]]) -> Draft {
        self.attributes = tlv(CONTEXT_0, attributes);
        self
    }

    /// One extensionRequest with these extensions and no other attribute.
    pub fn extensions(self, extensions: &[&[u8]]) -> Draft {
        self.attributes(&[&extension_request(extensions)])
    }

    pub fn info(&self) -> Vec<u8> {
        tlv(
            SEQUENCE,
            &[&self.version, &self.subject, &self.spki, &self.attributes],
        )
    }

    pub fn sign(&self, key: &Key) -> Vec<u8> {
        self.with_signature(&key.sign(&self.info()))
    }

    pub fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        let bits = tlv(BIT_STRING, &[&[0], signature]);
        tlv(SEQUENCE, &[&self.info(), &self.algorithm, &bits])
    }
}

/// The PEM block a device would send.
pub fn to_pem(der: &[u8]) -> String {
    pem::write("CERTIFICATE REQUEST", der)
}

/// One DER value around others.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match content.len() {
        length @ ..0x80 => vec![length as u8],
        length @ ..0x100 => vec![0x81, length as u8],
        length => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [vec![tag], length, content].concat()
}

pub fn oid(dotted: &str) -> Vec<u8> {
    ObjectIdentifier::new(dotted).unwrap().to_der().unwrap()
}

/// CN and OU as lmp-device-register writes them.
pub fn device_name(cn: &str, ou: &str) -> Vec<u8> {
    name(&[(CN, UTF8, cn.as_bytes()), (OU, UTF8, ou.as_bytes())])
}

/// A name with each attribute in an RDN of its own.
pub fn name(attributes: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = attributes
        .iter()
        .map(|pair| tlv(SET, &[&name_attribute(*pair)]))
        .collect();
    tlv(SEQUENCE, &slices(&rdns))
}

/// A name with all attributes in one RDN.
pub fn crowded_name(attributes: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let pairs: Vec<Vec<u8>> = attributes
        .iter()
        .map(|pair| name_attribute(*pair))
        .collect();
    tlv(SEQUENCE, &[&tlv(SET, &slices(&pairs))])
}

pub fn extension_request(extensions: &[&[u8]]) -> Vec<u8> {
    attribute(EXTENSION_REQUEST, &[&tlv(SEQUENCE, extensions)])
}

pub fn attribute(kind: &str, values: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &[&oid(kind), &tlv(SET, values)])
}

/// An extension; `critical` is the BOOLEAN as it is to be written, or nothing.
pub fn extension(kind: &str, critical: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(
        SEQUENCE,
        &[&oid(kind), critical, &tlv(OCTET_STRING, &[value])],
    )
}

/// A SubjectPublicKeyInfo out of an algorithm's number, its parameters and the key's bits.
pub fn spki(algorithm: &str, parameters: &[u8], bits: &[u8]) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[&oid(algorithm), parameters]);
    tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], bits])])
}

fn name_attribute((kind, tag, value): (&str, u8, &[u8])) -> Vec<u8> {
    tlv(SEQUENCE, &[&oid(kind), &tlv(tag, &[value])])
}

fn slices(parts: &[Vec<u8>]) -> Vec<&[u8]> {
    parts.iter().map(Vec::as_slice).collect()
}

pub const TRUE: [u8; 3] = [BOOLEAN, 1, 0xff];
pub const FALSE: [u8; 3] = [BOOLEAN, 1, 0];
