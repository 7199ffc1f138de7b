//! Requests whose outer structure, version, subject or length is wrong.

use super::{Case, NEITHER};
use crate::build::*;

pub fn odd_structure() -> Vec<Case> {
    let key = Key::new();
    let draft = Draft::proper(&key);
    let der = draft.sign(&key);
    let (info, algorithm) = (draft.info(), draft.algorithm.clone());
    let bits = tlv(BIT_STRING, &[&[0], &key.sign(&info)]);
    let retagged = |tag: u8| [&[tag], &der[1..]].concat();
    vec![
        ("trailing byte", [der.clone(), vec![0]].concat(), TRAILING),
        (
            "trailing line feed",
            [der.clone(), vec![b'\n']].concat(),
            TRAILING,
        ),
        (
            "trailing byte inside PEM",
            to_pem(&[der.clone(), vec![0]].concat()).into(),
            TRAILING,
        ),
        (
            "two requests",
            [der.clone(), der.clone()].concat(),
            TRAILING,
        ),
        ("cut short", der[..der.len() - 1].to_vec(), SHORT),
        ("cut short inside PEM", to_pem(&der[..100]).into(), SHORT),
        ("a tag alone", vec![SEQUENCE], SHORT),
        ("a SET", to_pem(&retagged(SET)).into(), OUTER),
        (
            "an OCTET STRING",
            to_pem(&retagged(OCTET_STRING)).into(),
            OUTER,
        ),
        ("an empty SEQUENCE", vec![SEQUENCE, 0], OUTER),
        ("no signature", tlv(SEQUENCE, &[&info, &algorithm]), OUTER),
        ("no algorithm", tlv(SEQUENCE, &[&info, &bits]), OUTER),
        (
            "a fourth part",
            tlv(SEQUENCE, &[&info, &algorithm, &bits, &[NULL, 0]]),
            OUTER,
        ),
        (
            "a signature that is an OCTET STRING",
            tlv(SEQUENCE, &[&info, &algorithm, &tlv(OCTET_STRING, &[&bits])]),
            OUTER,
        ),
        (
            "a signature of no octets",
            tlv(SEQUENCE, &[&info, &algorithm, &[BIT_STRING, 0]]),
            OUTER,
        ),
        (
            "a signature with eight unused bits",
            tlv(SEQUENCE, &[&info, &algorithm, &[BIT_STRING, 2, 8, 0]]),
            OUTER,
        ),
        (
            "an indefinite length",
            [
                &[SEQUENCE, 0x80],
                info.as_slice(),
                &algorithm,
                &bits,
                &[0, 0],
            ]
            .concat(),
            INDEFINITE,
        ),
        ("a length in three octets", lengthened(&der), OVERLONG),
        (
            "an info with a length in three octets",
            tlv(SEQUENCE, &[&lengthened(&info), &algorithm, &bits]),
            OUTER,
        ),
        (
            "a length of four gigabytes",
            [&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff], &der[4..]].concat(),
            OUTER,
        ),
        (
            "a length of five octets",
            [&[SEQUENCE, 0x85, 1, 0, 0, 0, 0], &der[4..]].concat(),
            OVERLONG,
        ),
        (
            "a tag number in more octets",
            [&[0x3f, 0x90], &der[1..]].concat(),
            NEITHER,
        ),
    ]
}

pub fn odd_info() -> Vec<Case> {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let bent = |bend: &dyn Fn(&mut Draft)| {
        let mut draft = proper.clone();
        bend(&mut draft);
        draft.sign(&key)
    };
    let version = |content: &[u8]| bent(&|draft| draft.version = tlv(INTEGER, &[content]));
    vec![
        (
            "version 1",
            version(&[1]),
            "its version is 1, wanted is 0 (RFC 2986 section 4.1)",
        ),
        (
            "version 2",
            version(&[2]),
            "its version is 2, wanted is 0 (RFC 2986 section 4.1)",
        ),
        (
            "version -1",
            version(&[0xff]),
            "its version is -1, wanted is 0 (RFC 2986 section 4.1)",
        ),
        (
            "version 0 in two octets",
            version(&[0, 0]),
            "its version is 2 octets long, wanted is 0 (RFC 2986 section 4.1)",
        ),
        (
            "version of no octets",
            version(&[]),
            "its version is 0 octets long, wanted is 0 (RFC 2986 section 4.1)",
        ),
        (
            "version as BOOLEAN",
            bent(&|draft| draft.version = FALSE.to_vec()),
            INFO,
        ),
        ("no version", bent(&|draft| draft.version = vec![]), INFO),
        (
            "no attributes",
            bent(&|draft| draft.attributes = vec![]),
            INFO,
        ),
        (
            "attributes as SET",
            bent(&|draft| draft.attributes = vec![SET, 0]),
            INFO,
        ),
        (
            "attributes as [1]",
            bent(&|draft| draft.attributes[0] = 0xa1),
            INFO,
        ),
        (
            "attributes as primitive [0]",
            bent(&|draft| draft.attributes = vec![0x80, 0]),
            INFO,
        ),
        (
            "something after the attributes",
            bent(&|draft| draft.attributes.extend([NULL, 0])),
            INFO,
        ),
        (
            "a subject that is an OID",
            bent(&|draft| draft.subject = oid(CN)),
            SUBJECT,
        ),
        (
            "a subject with an empty RDN",
            bent(&|draft| draft.subject = vec![SEQUENCE, 2, SET, 0]),
            SUBJECT,
        ),
        (
            "a subject with a SEQUENCE for an RDN",
            bent(&|draft| draft.subject = tlv(SEQUENCE, &[&[SEQUENCE, 0]])),
            SUBJECT,
        ),
        (
            "a subject attribute without value",
            bent(&|draft| {
                draft.subject = tlv(SEQUENCE, &[&tlv(SET, &[&tlv(SEQUENCE, &[&oid(CN)])])])
            }),
            SUBJECT,
        ),
        (
            "a subject attribute with two values",
            bent(&|draft| {
                draft.subject = tlv(
                    SEQUENCE,
                    &[&tlv(
                        SET,
                        &[&tlv(SEQUENCE, &[&oid(CN), &[UTF8, 1, b'a', UTF8, 1, b'b']])],
                    )],
                )
            }),
            SUBJECT,
        ),
        (
            "an attribute type of no octets",
            bent(&|draft| {
                draft.subject = tlv(
                    SEQUENCE,
                    &[&tlv(SET, &[&tlv(SEQUENCE, &[&[6, 0, UTF8, 0]])])],
                )
            }),
            SUBJECT,
        ),
        (
            "a subject of nested sequences",
            bent(&|draft| draft.subject = nested(2000)),
            SUBJECT,
        ),
    ]
}

/// The same value with its two-octet length written in three.
fn lengthened(value: &[u8]) -> Vec<u8> {
    let content = &value[value.len() - der_content_len(value)..];
    let length = content.len();
    [
        &[value[0], 0x83, 0, (length >> 8) as u8, length as u8],
        content,
    ]
    .concat()
}

fn der_content_len(value: &[u8]) -> usize {
    match value[1] {
        0x81 => usize::from(value[2]),
        0x82 => usize::from(value[2]) << 8 | usize::from(value[3]),
        length => usize::from(length),
    }
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| tlv(SEQUENCE, &[&inner]))
}

const INDEFINITE: &str =
    "not a certification request in DER: a length is indefinite, which only BER allows";
const INFO: &str = "not a certification request in DER: wanted is SEQUENCE { version, subject, public key, [0] attributes } as its info";
const OUTER: &str = "not a certification request in DER: wanted is SEQUENCE { info, signature algorithm, signature }";
const OVERLONG: &str =
    "not a certification request in DER: its length is written in a way DER does not allow";
const SHORT: &str = "not a certification request in DER: it is cut short";
const SUBJECT: &str = "not a certification request in DER: the subject is not a name";
const TRAILING: &str = "not a certification request in DER: there are bytes after its end";
