//! What a station might pick up instead of a request.

use factory_ca::x509::Csr;

use super::{NEITHER, refused};
use crate::build::*;

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

const BASE64: &str = "the text between the PEM lines is not base64";
const EMPTY: &str = "it is empty, wanted is a certification request in PEM or DER";
const END: &str = "the PEM block has no END line that matches its BEGIN line";
const LABEL: &str = "the PEM label is not 1 to 64 printable ASCII characters";
const OUTSIDE: &str = "there is text outside the PEM blocks";
