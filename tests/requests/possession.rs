//! Proof of possession: no request passes with a signature other than the right one.

use factory_ca::x509::csr::CsrError;
use factory_ca::x509::key::KeyError;
use factory_ca::x509::{Csr, SignatureAlgorithm};

use crate::build::*;

const MISMATCH: &str =
    "proof of possession fails: the signature does not verify with the key it came with";

#[test]
fn a_request_with_any_single_bit_flipped_is_refused() {
    let key = Key::new();
    let proper = Draft::proper(&key).sign(&key);
    assert!(Csr::from_bytes(&proper).is_ok());
    let mut possession = 0;
    for bit in 0..proper.len() * 8 {
        let mut flipped = proper.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match Csr::from_bytes(&flipped) {
            Ok(_) => panic!("bit {bit} of the request does not matter"),
            Err(CsrError::Possession(_)) => possession += 1,
            Err(_) => {}
        }
    }
    // What is left breaks the structure, or puts the key off its curve, before the signature is looked at.
    assert!(possession > 1000, "{possession} of {}", proper.len() * 8);
}

#[test]
fn a_request_with_any_bit_of_its_signature_flipped_fails_the_proof_of_possession() {
    let key = Key::new();
    let draft = Draft::proper(&key);
    let signature = key.sign(&draft.info());
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(refusal(&draft.with_signature(&flipped)), MISMATCH, "{bit}");
    }
}

#[test]
fn a_request_whose_values_were_changed_after_signing_fails_the_proof_of_possession() {
    let (key, other) = (Key::new(), Key::new());
    let draft = Draft::proper(&key);
    let signature = key.sign(&draft.info());
    let factory = draft.clone().subject(device_name(UUID, "other-factory"));
    let replaced = draft.clone().spki(other.public().spki().to_vec());
    let without_extensions = draft.clone().attributes(&[]);
    for changed in [factory, replaced, without_extensions] {
        assert_eq!(refusal(&changed.with_signature(&signature)), MISMATCH);
    }
    assert_eq!(refusal(&draft.sign(&other)), MISMATCH);
}

#[test]
fn signatures_of_odd_values_or_encodings_fail_the_proof_of_possession() {
    let key = Key::new();
    let draft = Draft::proper(&key);
    let proper = key.sign(&draft.info());
    let (r, s) = halves(&proper);
    let zero = [INTEGER, 1, 0];
    let order = integer(&ORDER);
    let padded = |number: &[u8]| tlv(INTEGER, &[&[0], &number[2..]]);
    let pair = |r: &[u8], s: &[u8]| tlv(SEQUENCE, &[r, s]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("64 zeros", vec![0; 64]),
        ("as many zeros as a signature", vec![0; proper.len()]),
        ("an empty sequence", tlv(SEQUENCE, &[])),
        ("r = 0", pair(&zero, s)),
        ("s = 0", pair(r, &zero)),
        ("r = s = 0", pair(&zero, &zero)),
        ("r = n", pair(&order, s)),
        ("s = n", pair(r, &order)),
        ("r and s exchanged", pair(s, r)),
        ("r negative", pair(&[INTEGER, 1, 0xff], s)),
        ("r of no octets", pair(&[INTEGER, 0], s)),
        ("r with a needless zero", pair(&padded(r), s)),
        ("r alone", tlv(SEQUENCE, &[r])),
        ("a third number", tlv(SEQUENCE, &[r, s, &zero])),
        ("bytes after it", [proper.clone(), vec![0]].concat()),
        ("cut short", proper[..proper.len() - 1].to_vec()),
        (
            "a length in two octets",
            [&[SEQUENCE, 0x81], &proper[1..]].concat(),
        ),
        (
            "an indefinite length",
            [&[SEQUENCE, 0x80], r, s, &[0, 0]].concat(),
        ),
        ("r and s as raw octets", raw(r, s)),
    ];
    for (case, signature) in cases {
        assert_eq!(
            refusal(&draft.with_signature(&signature)),
            MISMATCH,
            "{case}"
        );
    }
}

#[test]
fn a_signature_of_another_kind_than_the_key_is_refused_by_name() {
    let key = Key::new();
    let mut draft = Draft::proper(&key);
    for (algorithm, shown) in [
        (SignatureAlgorithm::Ed25519, "Ed25519"),
        (SignatureAlgorithm::RsaSha256, "RSA with SHA-256"),
    ] {
        draft.algorithm = algorithm.to_der();
        let wanted = format!(
            "proof of possession fails: the signature algorithm is {shown}, wanted is one that fits the key, P-256"
        );
        assert_eq!(refusal(&draft.sign(&key)), wanted);
    }
    draft.algorithm = SignatureAlgorithm::EcdsaSha384.to_der();
    assert_eq!(
        Csr::from_der(&draft.sign(&key)).unwrap_err(),
        CsrError::Possession(KeyError::SignatureMismatch)
    );
}

#[test]
fn an_ed25519_key_that_anyone_can_sign_for_is_refused() {
    let key = Key::new();
    let mut draft = Draft::proper(&key);
    draft.algorithm = SignatureAlgorithm::Ed25519.to_der();
    // R is the neutral point and S is 0: with such a key that fits every message, or one in two, four or eight.
    let mut signature = [0; 64];
    signature[0] = 1;
    for (first, middle, last) in [
        (0x01, 0x00, 0x00),
        (0x01, 0x00, 0x80),
        (0x00, 0x00, 0x00),
        (0x00, 0x00, 0x80),
        (0xec, 0xff, 0x7f),
        (0xed, 0xff, 0x7f),
        (0xee, 0xff, 0xff),
    ] {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        draft.spki = spki("1.3.101.112", &[], &point);
        assert_eq!(
            refusal(&draft.with_signature(&signature)),
            "the public key is malformed: an Ed25519 point of small order is nobody's key"
        );
    }
}

fn refusal(request: &[u8]) -> String {
    Csr::from_bytes(request).unwrap_err().to_string()
}

/// r and s, each as its INTEGER, out of a signature of less than 128 bytes.
fn halves(signature: &[u8]) -> (&[u8], &[u8]) {
    let r_end = 4 + usize::from(signature[3]);
    (&signature[2..r_end], &signature[r_end..])
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    tlv(INTEGER, &[&[0], magnitude])
}

fn raw(r: &[u8], s: &[u8]) -> Vec<u8> {
    let half = |number: &[u8]| {
        let magnitude: Vec<u8> = number[2..]
            .iter()
            .copied()
            .skip_while(|b| *b == 0)
            .collect();
        [vec![0; 32 - magnitude.len()], magnitude].concat()
    };
    [half(r), half(s)].concat()
}

/// The order n of P-256 (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
