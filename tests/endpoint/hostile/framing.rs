//! Octets that are no HTTP, or HTTP whose end cannot be known: answered without JSON, and the connection is closed.

use super::rows::{Lab, Row, Wanted};

pub fn rows(lab: &Lab) -> Vec<Row> {
    let token = format!("OSF-TOKEN: {}", lab.token);
    let with = |lines: &[&str], body: &str| {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        format!("POST /sign HTTP/1.1\r\nHost: ca\r\n{token}\r\nContent-Type: application/json\r\n{lines}\r\n{body}")
            .into_bytes()
    };
    let flood: String = (0..200).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let line = "x".repeat(17_000);
    vec![
        answered("a ClientHello", CLIENT_HELLO.to_vec(), 400),
        answered("HTTP/0.9", b"GET /sign\r\n\r\n".to_vec(), 400),
        answered("HTTP/1.2", b"GET /sign HTTP/1.2\r\n\r\n".to_vec(), 400),
        answered("HTTP/9.9", b"GET /sign HTTP/9.9\r\n\r\n".to_vec(), 400),
        answered(
            "HTTP in small letters",
            b"GET /sign http/1.1\r\n\r\n".to_vec(),
            400,
        ),
        answered("no version", b"GET /sign \r\n\r\n".to_vec(), 400),
        answered("two blanks", b"GET  /sign HTTP/1.1\r\n\r\n".to_vec(), 400),
        answered(
            "a tab for a blank",
            b"GET\t/sign\tHTTP/1.1\r\n\r\n".to_vec(),
            400,
        ),
        answered(
            "a target with a bracket",
            b"GET /<script> HTTP/1.1\r\n\r\n".to_vec(),
            400,
        ),
        answered(
            "an octet above ASCII in the target",
            b"GET /\xff HTTP/1.1\r\n\r\n".to_vec(),
            400,
        ),
        answered(
            "a NUL in the target",
            b"GET /sign\0 HTTP/1.1\r\n\r\n".to_vec(),
            400,
        ),
        answered("SMTP", b"EHLO evil.example\r\n".to_vec(), 400),
        answered("SSH", b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec(), 400),
        answered("NULs", vec![0; 200], 400),
        answered(
            "random octets",
            (0..=255).rev().cycle().take(2000).collect(),
            400,
        ),
        answered("an HTTP answer", b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), 400),
        answered("a header without colon", with(&["nonsense"], ""), 400),
        answered("a header without name", with(&[": x"], ""), 400),
        answered(
            "a blank before the colon",
            with(&["Content-Length : 2"], "{}"),
            400,
        ),
        answered("a blank in a name", with(&["Content Length: 2"], "{}"), 400),
        answered("a folded line", with(&["X-Folded: a", " b"], ""), 400),
        answered("a NUL in a value", with(&["X-Odd: a\0b"], ""), 400),
        answered(
            "a carriage return in a value",
            with(&["X-Odd: a\rb"], ""),
            400,
        ),
        answered("200 headers", with(&[flood.trim_end()], ""), 431),
        answered(
            "a header of 17 KB",
            with(&[&format!("X-Long: {line}")], ""),
            431,
        ),
        answered("a name of 17 KB", with(&[&format!("{line}: x")], ""), 431),
        answered(
            "a target of 17 KB",
            format!("GET /{line} HTTP/1.1\r\n\r\n").into_bytes(),
            431,
        ),
        answered(
            "a method of 17 KB",
            format!("{line} / HTTP/1.1\r\n\r\n").into_bytes(),
            431,
        ),
        answered(
            "a negative length",
            with(&["Content-Length: -1"], "{}"),
            400,
        ),
        answered(
            "a length with a plus",
            with(&["Content-Length: +2"], "{}"),
            400,
        ),
        answered(
            "a length that is no number",
            with(&["Content-Length: two"], "{}"),
            400,
        ),
        answered(
            "a length in hexadecimal",
            with(&["Content-Length: 0x2"], "{}"),
            400,
        ),
        answered("a length of nothing", with(&["Content-Length:"], "{}"), 400),
        answered(
            "a length above 64 bits",
            with(&["Content-Length: 99999999999999999999"], "{}"),
            400,
        ),
        answered(
            "the largest length",
            with(&["Content-Length: 18446744073709551615"], "{}"),
            431,
        ),
        answered(
            "two lengths",
            with(&["Content-Length: 2", "Content-Length: 3"], "{}x"),
            400,
        ),
        answered(
            "two lengths in one",
            with(&["Content-Length: 2, 3"], "{}x"),
            400,
        ),
        answered(
            "an encoding nobody knows",
            with(&["Transfer-Encoding: gzip"], "{}"),
            400,
        ),
        answered(
            "chunked, then identity",
            with(&["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"),
            400,
        ),
        answered(
            "chunked with a blank in it",
            with(&["Transfer-Encoding: chun ked"], "0\r\n\r\n"),
            400,
        ),
        answered(
            "chunked with a vertical tab",
            with(&["Transfer-Encoding: \x0bchunked"], "0\r\n\r\n"),
            400,
        ),
        closed(
            "the preface of HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
        ),
    ]
}

fn answered(name: &str, octets: Vec<u8>, status: u16) -> Row {
    Row::new(
        format!("no HTTP: {name}"),
        octets,
        Wanted::NoRequest(status),
    )
}

fn closed(name: &str, octets: Vec<u8>) -> Row {
    Row::new(format!("no HTTP: {name}"), octets, Wanted::Closed)
}

/// The first octets that a TLS client sends.
const CLIENT_HELLO: [u8; 49] = [
    0x16, 0x03, 0x01, 0x00, 0x2c, 0x01, 0x00, 0x00, 0x28, 0x03, 0x03, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
    0x00, 0x00, 0x02, 0x13, 0x01, 0x00,
];
