//! Requests whose attributes, extensions or signature algorithm are wrong.

use super::{Case, P256};
use crate::build::*;

pub fn odd_attributes() -> Vec<Case> {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let attributes = |list: &[&[u8]]| proper.clone().attributes(list).sign(&key);
    let extensions = |list: &[&[u8]]| proper.clone().extensions(list).sign(&key);
    let usage = extension(KEY_USAGE, &TRUE, &[3, 2, 7, 0x80]);
    let request = extension_request(&[&usage]);
    let password = attribute(CHALLENGE_PASSWORD, &[&[UTF8, 1, b'a']]);
    let list = tlv(SEQUENCE, &[&usage]);
    let critical = |octets: &[u8]| extensions(&[&extension(KEY_USAGE, octets, &[3, 2, 7, 0x80])]);
    vec![
        (
            "two extensionRequests",
            attributes(&[&request, &request]),
            "the attribute extensionRequest is there twice",
        ),
        (
            "two challengePasswords",
            attributes(&[&password, &request, &password]),
            "the attribute challengePassword is there twice",
        ),
        (
            "an extension twice",
            extensions(&[&usage, &usage]),
            "the extension keyUsage is requested twice",
        ),
        (
            "an unknown extension twice",
            extensions(&[
                &extension("1.2.3", &[], &[]),
                &extension("1.2.3", &TRUE, &[1]),
            ]),
            "the extension 1.2.3 is requested twice",
        ),
        (
            "two values in an extensionRequest",
            attributes(&[&attribute(EXTENSION_REQUEST, &[&list, &list])]),
            REQUESTED,
        ),
        (
            "no value in an extensionRequest",
            attributes(&[&attribute(EXTENSION_REQUEST, &[])]),
            ATTRIBUTE,
        ),
        (
            "no value in a challengePassword",
            attributes(&[&attribute(CHALLENGE_PASSWORD, &[])]),
            ATTRIBUTE,
        ),
        (
            "an attribute whose value is cut short",
            attributes(&[&attribute(CHALLENGE_PASSWORD, &[&[UTF8, 9, b'a']])]),
            ATTRIBUTE,
        ),
        (
            "an attribute without values",
            attributes(&[&tlv(SEQUENCE, &[&oid(CHALLENGE_PASSWORD)])]),
            ATTRIBUTE,
        ),
        (
            "an attribute whose values are a SEQUENCE",
            attributes(&[&tlv(SEQUENCE, &[&oid(EXTENSION_REQUEST), &list])]),
            ATTRIBUTE,
        ),
        (
            "an attribute that is an OID",
            attributes(&[&oid(EXTENSION_REQUEST)]),
            ATTRIBUTE,
        ),
        (
            "an extensionRequest that is a string",
            attributes(&[&attribute(EXTENSION_REQUEST, &[&[UTF8, 0]])]),
            REQUESTED,
        ),
        (
            "an extension without value",
            extensions(&[&tlv(SEQUENCE, &[&oid(KEY_USAGE)])]),
            REQUESTED,
        ),
        (
            "an extension whose value is a BIT STRING",
            extensions(&[&tlv(SEQUENCE, &[&oid(KEY_USAGE), &[3, 2, 7, 0x80]])]),
            REQUESTED,
        ),
        (
            "critical FALSE",
            critical(&FALSE),
            "not a certification request in DER: an extension says critical FALSE, which DER leaves out",
        ),
        ("critical 1", critical(&[BOOLEAN, 1, 1]), REQUESTED),
        ("critical of no octets", critical(&[BOOLEAN, 0]), REQUESTED),
        (
            "critical twice",
            critical(&[TRUE, TRUE].concat()),
            REQUESTED,
        ),
    ]
}

pub fn odd_signature_algorithms() -> Vec<Case> {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let algorithm = |parts: &[&[u8]]| {
        let mut draft = proper.clone();
        draft.algorithm = tlv(SEQUENCE, parts);
        draft.sign(&key)
    };
    let es256 = oid("1.2.840.10045.4.3.2");
    let rsa = oid("1.2.840.113549.1.1.11");
    let signature = key.sign(&proper.info());
    let (last, rest) = signature.split_last().unwrap();
    let bits = tlv(BIT_STRING, &[&[1], rest, &[last & 0xfe]]);
    vec![
        (
            "ECDSA with NULL",
            algorithm(&[&es256, &[NULL, 0]]),
            "proof of possession fails: the signature is malformed: its algorithm has parameters, wanted are none",
        ),
        (
            "ECDSA with a curve",
            algorithm(&[&es256, &oid(P256)]),
            "proof of possession fails: the signature is malformed: its algorithm has parameters, wanted are none",
        ),
        (
            "RSA without NULL",
            algorithm(&[&rsa]),
            "proof of possession fails: the signature is malformed: its algorithm has other parameters than NULL",
        ),
        (
            "RSA with a NULL that holds something",
            algorithm(&[&rsa, &[NULL, 1, 0]]),
            "proof of possession fails: the signature is malformed: its algorithm has other parameters than NULL",
        ),
        (
            "no algorithm",
            algorithm(&[]),
            "proof of possession fails: the signature is malformed: its algorithm is not DER",
        ),
        (
            "an unknown algorithm",
            algorithm(&[&oid("1.2.3.4")]),
            "proof of possession fails: the signature algorithm is 1.2.3.4, wanted is ECDSA with SHA-256 or SHA-384, Ed25519, or RSA with SHA-256, SHA-384 or SHA-512",
        ),
        (
            "unused bits in the signature",
            tlv(SEQUENCE, &[&proper.info(), &proper.algorithm, &bits]),
            "proof of possession fails: the signature is malformed: it has unused bits",
        ),
    ]
}

const ATTRIBUTE: &str = "not a certification request in DER: an attribute is not SEQUENCE { type, SET OF at least one value }";
const REQUESTED: &str =
    "not a certification request in DER: an extensionRequest holds one SEQUENCE OF Extension";
