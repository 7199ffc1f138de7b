//! What a station might pick up instead of a request.

use super::{Case, NEITHER};
use crate::build::*;

pub fn no_requests() -> Vec<Case> {
    let key = Key::new();
    let der = Draft::proper(&key).sign(&key);
    let pem = to_pem(&der);
    let text = |from: &str, to: &str| pem.replace(from, to).into_bytes();
    let around = |before: &[u8], after: &[u8]| [before, pem.as_bytes(), after].concat();
    vec![
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
    ]
}

const BASE64: &str = "the text between the PEM lines is not base64";
const EMPTY: &str = "it is empty, wanted is a certification request in PEM or DER";
const END: &str = "the PEM block has no END line that matches its BEGIN line";
const LABEL: &str = "the PEM label is not 1 to 64 printable ASCII characters";
const OUTSIDE: &str = "there is text outside the PEM blocks";
