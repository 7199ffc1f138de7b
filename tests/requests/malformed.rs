//! Requests that are wrong in one place, and the exact words each is refused with.
//!
//! Every case is signed after it was bent, so none is refused merely because its signature no longer fits.

use factory_ca::x509::Csr;

use crate::build::*;

/// A case's name, the bytes and the message.
type Case = (&'static str, Vec<u8>, &'static str);

#[test]
fn files_that_are_no_request_are_refused() {
    let key = Key::new();
    let der = Draft::proper(&key).sign(&key);
    let pem = to_pem(&der);
    let text = |from: &str, to: &str| pem.replace(from, to).into_bytes();
    let around = |before: &[u8], after: &[u8]| [before, pem.as_bytes(), after].concat();
    refused(vec![
        ("empty", vec![], EMPTY),
        ("white space", b" \r\n\n".to_vec(), EMPTY),
        ("text", b"hello".to_vec(), NEITHER),
        ("zeros", vec![0; 300], NEITHER),
        (
            "UTF-16",
            pem.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            NEITHER,
        ),
        ("base64 alone", pem.lines().nth(1).unwrap().into(), NEITHER),
        (
            "text that starts like DER",
            b"0 requests".to_vec(),
            "not a certification request in DER: it is cut short",
        ),
        (
            "text before",
            around(b"Certificate Request:\n", b""),
            OUTSIDE,
        ),
        ("text after", around(b"", b"regards, device"), OUTSIDE),
        ("a byte order mark", around(b"\xef\xbb\xbf", b""), OUTSIDE),
        ("a NUL after", around(b"", b"\0"), OUTSIDE),
        (
            "two blocks",
            around(b"", pem.as_bytes()),
            "there are 2 PEM blocks, wanted is one",
        ),
        (
            "a certificate",
            text("CERTIFICATE REQUEST", "CERTIFICATE"),
            "the PEM block is a `CERTIFICATE`, wanted is a `CERTIFICATE REQUEST`",
        ),
        (
            "a private key",
            text("CERTIFICATE REQUEST", "EC PRIVATE KEY"),
            "the PEM block is a `EC PRIVATE KEY`, wanted is a `CERTIFICATE REQUEST`",
        ),
        (
            "a label in lower case",
            text("CERTIFICATE REQUEST", "certificate request"),
            "the PEM block is a `certificate request`, wanted is a `CERTIFICATE REQUEST`",
        ),
        (
            "a label that clears the screen",
            text("CERTIFICATE REQUEST", "\u{1b}[2J"),
            LABEL,
        ),
        (
            "a label over lines",
            text("CERTIFICATE REQUEST", "A\nB"),
            LABEL,
        ),
        (
            "an endless label",
            text("CERTIFICATE REQUEST", &"A".repeat(65)),
            LABEL,
        ),
        ("an empty label", text("CERTIFICATE REQUEST", ""), LABEL),
        ("other dashes at the end", text("-----END", "----END"), END),
        ("no END line", pem[..pem.len() - 34].into(), END),
        (
            "a BEGIN line alone",
            b"-----BEGIN CERTIFICATE REQUEST-----\n".to_vec(),
            END,
        ),
        (
            "another END line",
            text("END CERTIFICATE REQUEST", "END CERTIFICATE"),
            END,
        ),
        ("a star in the base64", text("MII", "M*I"), BASE64),
        (
            "a header in the block",
            text("-----\nMII", "-----\nProc-Type: 4\n\nMII"),
            BASE64,
        ),
        ("a missing character", text("MII", "MI"), BASE64),
        (
            "nothing in the block",
            to_pem(&[]).into(),
            "not a certification request in DER: it is cut short",
        ),
        ("an HTML page", b"<html>404</html>".to_vec(), NEITHER),
    ]);
}

#[test]
fn requests_over_the_size_limit_are_refused_before_they_are_read() {
    let key = Key::new();
    let draft = Draft::proper(&key);
    let padding = |length: usize| {
        let password = tlv(UTF8, &[&vec![b'a'; length]]);
        draft
            .clone()
            .attributes(&[&attribute(CHALLENGE_PASSWORD, &[&password])])
            .sign(&key)
    };
    assert!(Csr::from_bytes(&padding(11_000)).is_ok());
    assert!(Csr::from_bytes(to_pem(&padding(11_000)).as_bytes()).is_ok());
    let spaces = [to_pem(&draft.sign(&key)).as_bytes(), &[b' '; 16_384]].concat();
    let large = padding(20_000);
    let message = |found: usize| format!("it has {found} bytes, at most 16384 are read");
    for bytes in [large, spaces, vec![0x30; 16_385]] {
        let error = Csr::from_bytes(&bytes).unwrap_err();
        assert_eq!(error.to_string(), message(bytes.len()));
        let error = Csr::from_der(&bytes).unwrap_err();
        assert_eq!(error.to_string(), message(bytes.len()));
    }
}

#[test]
fn requests_whose_outer_structure_is_no_der_are_refused() {
    let key = Key::new();
    let draft = Draft::proper(&key);
    let der = draft.sign(&key);
    let (info, algorithm) = (draft.info(), draft.algorithm.clone());
    let bits = tlv(BIT_STRING, &[&[0], &key.sign(&info)]);
    let retagged = |tag: u8| [&[tag], &der[1..]].concat();
    refused(vec![
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
    ]);
}

#[test]
fn requests_whose_info_is_wrong_are_refused() {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let bent = |bend: &dyn Fn(&mut Draft)| {
        let mut draft = proper.clone();
        bend(&mut draft);
        draft.sign(&key)
    };
    let version = |content: &[u8]| bent(&|draft| draft.version = tlv(INTEGER, &[content]));
    refused(vec![
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
    ]);
}

#[test]
fn requests_with_odd_keys_are_refused() {
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
    let twisted = [&[SEQUENCE], &key.public().spki()[1..]].concat();
    let unused = tlv(
        SEQUENCE,
        &[
            &tlv(SEQUENCE, &[&oid(EC), &p256]),
            &tlv(BIT_STRING, &[&[1], &point[..64], &[point[64] & 0xfe]]),
        ],
    );
    assert!(Csr::from_bytes(&with(twisted)).is_ok());
    refused(vec![
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
    ]);
}

#[test]
fn requests_with_odd_attributes_are_refused() {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let attributes = |list: &[&[u8]]| proper.clone().attributes(list).sign(&key);
    let extensions = |list: &[&[u8]]| proper.clone().extensions(list).sign(&key);
    let usage = extension(KEY_USAGE, &TRUE, &[3, 2, 7, 0x80]);
    let request = extension_request(&[&usage]);
    let password = attribute(CHALLENGE_PASSWORD, &[&[UTF8, 1, b'a']]);
    let list = tlv(SEQUENCE, &[&usage]);
    let critical = |octets: &[u8]| extensions(&[&extension(KEY_USAGE, octets, &[3, 2, 7, 0x80])]);
    refused(vec![
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
    ]);
    for proper in [
        attributes(&[]),
        attributes(&[&password]),
        attributes(&[&password, &request]),
        extensions(&[]),
    ] {
        assert!(Csr::from_bytes(&proper).is_ok());
    }
}

#[test]
fn requests_with_odd_signature_algorithms_are_refused() {
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
    refused(vec![
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
    ]);
}

#[test]
fn requests_with_empty_or_huge_subjects_are_read_and_left_to_the_profile() {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let many = vec![(CN, UTF8, b"a".as_slice()); 500];
    for (subject, attributes) in [
        (name(&[]), 0),
        (name(&[(CN, UTF8, &[b'a'; 9000])]), 1),
        (name(&many), 500),
    ] {
        let csr = Csr::from_bytes(&proper.clone().subject(subject.clone()).sign(&key)).unwrap();
        assert_eq!(csr.subject().attributes().len(), attributes);
        assert_eq!(csr.subject().der(), subject);
    }
}

/// Compares all cases of a table before it fails, so that one run shows everything that changed.
fn refused(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (case, bytes, wanted) in cases {
        let found = match Csr::from_bytes(&bytes) {
            Ok(_) => "it is read".to_owned(),
            Err(error) => error.to_string(),
        };
        if found != wanted {
            wrong.push(format!("{case}:\n  found:  {found}\n  wanted: {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const RSA: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";

const ATTRIBUTE: &str = "not a certification request in DER: an attribute is not SEQUENCE { type, SET OF at least one value }";
const BASE64: &str = "the text between the PEM lines is not base64";
const CURVE: &str = "the public key is malformed: an EC key must name its curve";
const EMPTY: &str = "it is empty, wanted is a certification request in PEM or DER";
const END: &str = "the PEM block has no END line that matches its BEGIN line";
const EXPONENT: &str = "the public key is malformed: the RSA exponent must be odd and above 1";
const INDEFINITE: &str =
    "not a certification request in DER: a length is indefinite, which only BER allows";
const INFO: &str = "not a certification request in DER: wanted is SEQUENCE { version, subject, public key, [0] attributes } as its info";
const LABEL: &str = "the PEM label is not 1 to 64 printable ASCII characters";
const NEITHER: &str = "it is neither PEM nor DER, wanted is a certification request in one of them";
const OUTER: &str = "not a certification request in DER: wanted is SEQUENCE { info, signature algorithm, signature }";
const OUTSIDE: &str = "there is text outside the PEM blocks";
const OVERLONG: &str =
    "not a certification request in DER: its length is written in a way DER does not allow";
const REQUESTED: &str =
    "not a certification request in DER: an extensionRequest holds one SEQUENCE OF Extension";
const RSA_DER: &str = "the public key is malformed: not an RSAPublicKey in DER";
const SHORT: &str = "not a certification request in DER: it is cut short";
const SPKI: &str = "the public key is malformed: not one SubjectPublicKeyInfo in DER";
const SUBJECT: &str = "not a certification request in DER: the subject is not a name";
const TRAILING: &str = "not a certification request in DER: there are bytes after its end";
const UNCOMPRESSED: &str = "the public key is malformed: an EC point must be uncompressed";
