//! Requests whose public key is wrong.

use super::{Case, P256};
use crate::build::*;

pub fn odd_keys() -> Vec<Case> {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let with = |spki: Vec<u8>| proper.clone().spki(spki).sign(&key);
    let ec = |parameters: &[u8], bits: &[u8]| with(spki(EC, parameters, bits));
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let numbers = tlv(
            SEQUENCE,
            &[&tlv(INTEGER, &[modulus]), &tlv(INTEGER, &[exponent])],
        );
        with(spki(RSA, &[NULL, 0], &numbers))
    };
    let point = key.point();
    let off_curve = [&point[..64], &[point[64] ^ 1]].concat();
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
    let modulus = |octets: usize| [vec![0, 0xc1], vec![0x5b; octets - 1]].concat();
    let f4 = [1, 0, 1];
    let p256 = oid(P256);
    let unused = tlv(
        SEQUENCE,
        &[
            &tlv(SEQUENCE, &[&oid(EC), &p256]),
            &tlv(BIT_STRING, &[&[1], &point[..64], &[point[64] & 0xfe]]),
        ],
    );
    vec![
        (
            "a point off the curve",
            ec(&p256, &off_curve),
            "the public key is malformed: the EC point is not on its curve",
        ),
        (
            "the point 0, 0",
            ec(&p256, &[&[4][..], &[0; 64]].concat()),
            "the public key is malformed: the EC point is not on its curve",
        ),
        (
            "coordinates above p",
            ec(&p256, &[&[4][..], &[0xff; 64]].concat()),
            "the public key is malformed: the EC point is not on its curve",
        ),
        ("a compressed point", ec(&p256, &compressed), UNCOMPRESSED),
        ("a hybrid point", ec(&p256, &hybrid), UNCOMPRESSED),
        ("the point at infinity", ec(&p256, &[0]), UNCOMPRESSED),
        ("no point", ec(&p256, &[]), UNCOMPRESSED),
        (
            "a P-256 point said to be on P-384",
            ec(&oid("1.3.132.0.34"), point),
            UNCOMPRESSED,
        ),
        (
            "a P-256 point said to be on secp256k1",
            ec(&oid("1.3.132.0.10"), point),
            "the key is secp256k1, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        (
            "a P-256 point said to be on P-521",
            ec(&oid("1.3.132.0.35"), point),
            "the key is P-521, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        (
            "a curve nobody named",
            ec(&oid("1.2.3.4"), point),
            "the key is 1.2.3.4, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        ("a curve from the CA (NULL)", ec(&[NULL, 0], point), CURVE),
        ("no curve", ec(&[], point), CURVE),
        (
            "a curve by its parameters",
            ec(&[SEQUENCE, 3, INTEGER, 1, 1], point),
            CURVE,
        ),
        (
            "an X25519 key",
            with(spki("1.3.101.110", &[], &[9; 32])),
            "the key is X25519, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        (
            "a DSA key",
            with(spki("1.2.840.10040.4.1", &[], &[INTEGER, 1, 5])),
            "the key is DSA, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        (
            "a short Ed25519 key",
            with(spki(ED25519, &[], &[1; 31])),
            "the public key is malformed: an Ed25519 key has 32 octets and no parameters",
        ),
        (
            "an Ed25519 key with NULL",
            with(spki(ED25519, &[NULL, 0], &[1; 32])),
            "the public key is malformed: an Ed25519 key has 32 octets and no parameters",
        ),
        (
            "RSA-512",
            rsa(&modulus(64), &f4),
            "the key is RSA-512, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        (
            "RSA-1023",
            rsa(
                &modulus(128)[1..]
                    .iter()
                    .enumerate()
                    .map(|(at, octet)| if at == 0 { 0x41 } else { *octet })
                    .collect::<Vec<_>>(),
                &f4,
            ),
            "the key is RSA-1023, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        (
            "RSA-8200",
            rsa(&modulus(1025), &f4),
            "the key is RSA-8200, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        (
            "RSA-0",
            rsa(&[0], &f4),
            "the key is RSA-0, wanted is P-256, P-384, Ed25519 or RSA",
        ),
        ("an RSA exponent of 1", rsa(&modulus(256), &[1]), EXPONENT),
        ("an RSA exponent of 0", rsa(&modulus(256), &[0]), EXPONENT),
        (
            "an even RSA exponent",
            rsa(&modulus(256), &[1, 0, 0]),
            EXPONENT,
        ),
        (
            "a negative RSA exponent",
            rsa(&modulus(256), &[0xff]),
            RSA_DER,
        ),
        (
            "a negative RSA modulus",
            rsa(&modulus(256)[1..], &f4),
            RSA_DER,
        ),
        ("an RSA modulus of no octets", rsa(&[], &f4), RSA_DER),
        (
            "an RSA modulus with a needless zero",
            rsa(&[&[0], modulus(256).as_slice()].concat(), &f4),
            RSA_DER,
        ),
        (
            "an RSA key without NULL",
            with(spki(RSA, &[], &[SEQUENCE, 0])),
            "the public key is malformed: an RSA key has NULL parameters",
        ),
        ("no key at all", with(vec![NULL, 0]), SPKI),
        ("a key with unused bits", with(unused), SPKI),
        (
            "a key with something after it",
            with(tlv(SEQUENCE, &[&key.public().spki()[2..], &[NULL, 0]])),
            SPKI,
        ),
    ]
}

const ED25519: &str = "1.3.101.112";
const CURVE: &str = "the public key is malformed: an EC key must name its curve";
const EXPONENT: &str = "the public key is malformed: the RSA exponent must be odd and above 1";
const RSA_DER: &str = "the public key is malformed: not an RSAPublicKey in DER";
const SPKI: &str = "the public key is malformed: not one SubjectPublicKeyInfo in DER";
const UNCOMPRESSED: &str = "the public key is malformed: an EC point must be uncompressed";
const EC: &str = "1.2.840.10045.2.1";
const RSA: &str = "1.2.840.113549.1.1.1";
