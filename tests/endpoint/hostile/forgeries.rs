//! Signatures that prove nothing, and requests of keys and devices that belong to others.

use super::rows::{Lab, Row, Wanted};
use crate::build::*;

pub fn rows(lab: &Lab) -> Vec<Row> {
    let mut rows = signatures(lab);
    rows.extend(changed_after_signing(lab));
    rows.extend(of_others(lab));
    rows
}

/// As Wycheproof has them for ECDSA: values out of range, odd encodings, other algorithms.
fn signatures(lab: &Lab) -> Vec<Row> {
    let key = Key::new();
    let draft = Draft::proper(&key);
    let proper = key.sign(&draft.info());
    let r_end = 4 + usize::from(proper[3]);
    let (r, s) = (&proper[2..r_end], &proper[r_end..]);
    let pair = |r: &[u8], s: &[u8]| tlv(SEQUENCE, &[r, s]);
    let number = |octets: &[u8]| tlv(INTEGER, &[octets]);
    let padded = |value: &[u8]| number(&[&[0], &value[2..]].concat());
    let order = number(&[&[0], ORDER.as_slice()].concat());
    let above = number(&[&[0][..], &ORDER[..31], &[0x52]].concat());
    let (zero, one) = ([INTEGER, 1, 0], [INTEGER, 1, 1]);
    let huge = number(&[1; 4000]);
    [
        ("no octets", vec![]),
        ("zeros", vec![0; 64]),
        ("an empty sequence", pair(&[], &[])),
        ("r = 0", pair(&zero, s)),
        ("s = 0", pair(r, &zero)),
        ("r = s = 0", pair(&zero, &zero)),
        ("r = s = 1", pair(&one, &one)),
        ("r = n", pair(&order, s)),
        ("s = n", pair(r, &order)),
        ("r = n + 1", pair(&above, s)),
        ("r and s exchanged", pair(s, r)),
        ("r = -1", pair(&[INTEGER, 1, 0xff], s)),
        ("r of no octets", pair(&[INTEGER, 0], s)),
        ("r with a needless zero", pair(&padded(r), s)),
        ("s with a needless zero", pair(r, &padded(s))),
        ("r of 4000 octets", pair(&huge, s)),
        (
            "r as an OCTET STRING",
            pair(&[&[OCTET_STRING], &r[1..]].concat(), s),
        ),
        ("r alone", tlv(SEQUENCE, &[r])),
        ("a third number", tlv(SEQUENCE, &[r, s, &zero])),
        ("octets after it", [proper.clone(), vec![0]].concat()),
        ("cut short", proper[..proper.len() - 1].to_vec()),
        ("a long length", [&[SEQUENCE, 0x81], &proper[1..]].concat()),
        (
            "an indefinite length",
            [&[SEQUENCE, 0x80], r, s, &[0, 0]].concat(),
        ),
        ("a SET", [&[SET], &proper[1..]].concat()),
        ("NULL", vec![NULL, 0]),
    ]
    .into_iter()
    .map(|(name, signature)| {
        let csr = draft.with_signature(&signature);
        Row::csr(format!("a signature: {name}"), post(lab, &csr), MISMATCH)
    })
    .collect()
}

fn changed_after_signing(lab: &Lab) -> Vec<Row> {
    let (key, other) = (Key::new(), Key::new());
    let draft = Draft::proper(&key);
    let signature = key.sign(&draft.info());
    let mut version = draft.clone();
    version.version = vec![INTEGER, 1, 0];
    let mut algorithm = draft.clone();
    algorithm.algorithm = tlv(SEQUENCE, &[&oid("1.2.840.10045.4.3.3")]);
    let device = device_name(&lab.device(), FACTORY);
    let production = name(&[
        (CN, UTF8, UUID.as_bytes()),
        (OU, UTF8, FACTORY.as_bytes()),
        (BUSINESS_CATEGORY, UTF8, b"production"),
    ]);
    [
        ("another device", draft.clone().subject(device)),
        ("production", draft.clone().subject(production)),
        (
            "another key",
            draft.clone().spki(other.public().spki().to_vec()),
        ),
        ("no attributes", draft.clone().attributes(&[])),
        ("another hash", algorithm),
    ]
    .into_iter()
    .map(|(name, draft)| {
        let csr = draft.with_signature(&signature);
        Row::csr(format!("after signing: {name}"), post(lab, &csr), MISMATCH)
    })
    .chain([Row::csr(
        "signed by another key",
        post(lab, &draft.sign(&other)),
        MISMATCH,
    )])
    .collect()
}

/// What belongs to a device stays its own.
fn of_others(lab: &Lab) -> Vec<Row> {
    let (key, clone) = (Key::new(), Key::new());
    let device = lab.device();
    let draft = |key: &Key, device: &str| {
        let subject = device_name(device, FACTORY);
        Draft::proper(key).subject(subject).sign(key)
    };
    let first = draft(&key, &device);
    let again = draft(&key, &device);
    let upper = draft(&clone, &device.to_ascii_uppercase());
    let stolen = draft(&key, &lab.device());
    let conflict = |name: &str, csr: &[u8], start: &str| {
        let start = format!("{start} `{device}`");
        Row::new(name, post(lab, csr), Wanted::Conflict(start))
    };
    vec![
        Row::new(
            "a device",
            post(lab, &first),
            Wanted::Certificate(first.clone()),
        ),
        Row::new(
            "the same request again",
            post(lab, &first),
            Wanted::Certificate(first),
        ),
        Row::new(
            "the same key, signed again",
            post(lab, &again),
            Wanted::Certificate(again),
        ),
        conflict("another key for the device, in capitals", &upper, "device"),
        conflict(
            "the device's key for another device",
            &stolen,
            "the key belongs to device",
        ),
    ]
}

fn post(lab: &Lab, csr: &[u8]) -> Vec<u8> {
    lab.post(lab.body(csr).to_string().as_bytes())
}

const MISMATCH: &str =
    "proof of possession fails: the signature does not verify with the key it came with";

/// The order n of P-256 (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
