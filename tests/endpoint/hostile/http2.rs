//! HTTP/2 over TLS, misused: streams, header blocks, windows, and floods of frames that ask for nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::frames::*;
use super::rows::Lab;
use crate::support::endpoint::Answer;
use crate::support::factory::Factory;

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;

/// How long a connection without requests is kept, and what its client gets to take its leave.
const IDLE: Duration = Duration::from_secs(15);
const FAREWELL: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(8);

#[test]
fn http2_that_is_misused_ends_its_own_connection_and_no_other() {
    let lab = lab();
    std::thread::scope(|scope| {
        let idle = [
            scope.spawn(|| outstay(&lab, &[])),
            scope.spawn(|| outstay(&lab, &[0, 4, 0, 0, 0, 0])),
            scope.spawn(|| handshake(&lab)),
        ];
        for (name, misuse) in MISUSES {
            misuse(&lab);
            register(&lab).unwrap_or_else(|text| panic!("after {name}: {text}"));
        }
        for client in idle {
            client.join().unwrap();
        }
    });
    register(&lab).unwrap();
    lab.assert_small(60);
    lab.end();
}

type Misuse = fn(&Lab);

const MISUSES: [(&str, Misuse); 13] = [
    ("200 streams", many_streams),
    ("2000 streams that are reset", rapid_reset),
    ("registrations that are reset", registrations_reset),
    ("a header list of 20 KB", large_header),
    ("a header list that grows when it is read", header_bomb),
    ("header blocks without end", continuations),
    ("pings", |lab| flood(lab, &frame(PING, 0, 0, &[7; 8]))),
    ("settings", |lab| {
        flood(lab, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0x40, 0]))
    }),
    ("empty data", |lab| flood(lab, &frame(DATA, 0, 1, &[]))),
    ("windows", |lab| {
        flood(lab, &frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))
    }),
    ("more data than the window", no_window),
    ("odd requests", odd_requests),
    ("no HTTP/2", no_http2),
];

/// An endpoint with a certificate of its own.
fn lab() -> Lab {
    let tls = "server: {tls: {certificate: endpoint.pem, key: {file: endpoint.key}}}";
    let factory = Factory::with_endpoint(tls);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    factory.write("pki/endpoint.pem", certificate.pem());
    factory.write_secret("pki/endpoint.key", &key.serialize_pem());
    let token = factory.registrar("line", "");
    Lab::start(factory, token, Factory::serve)
}

fn open(lab: &Lab) -> Frames {
    Frames::open(&lab.endpoint.address, &[])
}

/// The header list of a `POST /sign`.
fn post(lab: &Lab) -> [(&str, &str); 6] {
    [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "ca"),
        (":path", "/sign"),
        ("content-type", "application/json"),
        ("osf-token", &lab.token),
    ]
}

const HEALTH: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "ca"),
    (":path", "/healthz"),
];

/// A new device gets what it should.
fn register(lab: &Lab) -> Result<(), String> {
    let csr = lab.csr();
    let mut client = open(lab);
    client.ask(1, &post(lab), lab.body(&csr).to_string().as_bytes());
    let mut heard = client.hear(1);
    let body = heard.bodies.remove(&1).ok_or(format!("{heard:?}"))?;
    let json: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    if json.get("client.pem").is_none() {
        return Err(json.to_string());
    }
    let head = String::new();
    let answer = Answer {
        status: 201,
        head,
        body,
    };
    lab.check(&answer, &csr)
}

fn many_streams(lab: &Lab) {
    let mut client = open(lab);
    let streams: Vec<u32> = (0..200).map(|number| 2 * number + 1).collect();
    let requests = streams
        .iter()
        .flat_map(|stream| frame(HEADERS, END_HEADERS | END_STREAM, *stream, &block(&HEALTH)));
    assert!(client.raw(&requests.collect::<Vec<u8>>()));
    let heard = client.hear(200);
    assert_eq!(heard.bodies.len() + heard.resets.len(), 200, "{heard:?}");
    assert!(heard.bodies.len() >= 32);
    assert!(heard.bodies.values().all(|body| body == b"ok\n"));
    assert!(heard.resets.values().all(|code| *code == REFUSED_STREAM));
    // Those that were not taken can be tried again.
    client.ask(1001, &HEALTH, &[]);
    assert_eq!(client.hear(1).bodies[&1001], b"ok\n");
}

/// CVE-2023-44487.
fn rapid_reset(lab: &Lab) {
    let mut client = open(lab);
    for number in 0..2000 {
        let stream = 2 * number + 1;
        let ask = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&HEALTH));
        let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        if !client.raw(&[ask, reset].concat()) {
            break;
        }
    }
    let _ = client.hear(usize::MAX);
}

/// Whole registrations whose clients do not want the answer.
fn registrations_reset(lab: &Lab) {
    let mut client = open(lab);
    for number in 0..20 {
        let stream = 2 * number + 1;
        client.ask(
            stream,
            &post(lab),
            lab.body(&lab.csr()).to_string().as_bytes(),
        );
        client.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    }
    client.ask(1001, &HEALTH, &[]);
    // A registration that was answered before its reset came is heard of first; there are twenty at most.
    let mut heard = client.hear(1);
    for _ in 0..20 {
        if heard.bodies.contains_key(&1001) || heard.closed {
            break;
        }
        heard = client.hear(1);
    }
    assert_eq!(
        heard.bodies.get(&1001).map(Vec::as_slice),
        Some(&b"ok\n"[..]),
        "{heard:?}"
    );
}

fn large_header(lab: &Lab) {
    let mut client = open(lab);
    let value = "x".repeat(20_000);
    let lines = [&HEALTH[..], &[("x-long", value.as_str())]].concat();
    let block = block(&lines);
    let (first, rest) = block.split_at(16_000);
    client.send(HEADERS, END_STREAM, 1, first);
    client.send(CONTINUATION, END_HEADERS, 1, rest);
    let heard = client.hear(1);
    let refused = heard.bodies.get(&1).is_some_and(Vec::is_empty) || heard.resets.contains_key(&1);
    assert!(refused, "{heard:?}");
    client.ask(3, &HEALTH, &[]);
    let heard = client.hear(1);
    assert!(
        heard.goaway.is_some() || heard.bodies.contains_key(&3),
        "{heard:?}"
    );
}

/// One header of 4 KB, looked up 3000 times.
fn header_bomb(lab: &Lab) {
    let mut client = open(lab);
    let mut bomb = block(&HEALTH);
    bomb.extend(kept("x-bomb", &"x".repeat(4000)));
    bomb.extend([0xbe; 3000]);
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, &bomb);
    let heard = client.hear(1);
    assert_ne!(
        heard.bodies.get(&1).map(Vec::as_slice),
        Some(&b"ok\n"[..]),
        "{heard:?}"
    );
}

/// CVE-2024-27316 and its kin.
fn continuations(lab: &Lab) {
    let mut client = open(lab);
    client.send(HEADERS, END_STREAM, 1, &block(&HEALTH));
    let line = block(&[("x-more", &"x".repeat(1000))]);
    let mut sent = 0;
    while sent < 20_000 && client.send(CONTINUATION, 0, 1, &line) {
        sent += 1;
    }
    let heard = client.hear(1);
    assert!(
        heard.closed || heard.goaway.is_some(),
        "{heard:?} after {sent}"
    );
    assert!(sent < 20_000, "nobody stopped it");
}

/// Frames that cost their sender little; whatever is said to them is not read.
fn flood(lab: &Lab, octets: &[u8]) {
    let mut client = open(lab);
    client.polite = false;
    let lines = [("content-length", "100")];
    let lines = [&post(lab)[..], &lines[..]].concat();
    client.send(HEADERS, END_HEADERS, 1, &block(&lines));
    let thousand = octets.repeat(1000);
    for _ in 0..100 {
        if !client.raw(&thousand) {
            return;
        }
    }
}

fn no_window(lab: &Lab) {
    let mut client = open(lab);
    client.send(HEADERS, END_HEADERS, 1, &block(&post(lab)[..5]));
    for _ in 0..640 {
        if !client.send(DATA, 0, 1, &[b'a'; 16_384]) {
            break;
        }
    }
    let heard = client.hear(usize::MAX);
    assert!(heard.closed && heard.bodies.is_empty(), "{heard:?}");
}

/// Header lists that RFC 9113 section 8 forbids, or that the endpoint answers as it does in HTTP/1.1.
fn odd_requests(lab: &Lab) {
    let without = |name: &str| {
        let lines = HEALTH.iter().filter(|(line, _)| *line != name);
        lines.copied().collect::<Vec<_>>()
    };
    let with = |lines: &[(&'static str, &'static str)]| [&HEALTH[..], lines].concat();
    for lines in [
        without(":method"),
        with(&[(":path", "/sign")]),
        with(&[(":evil", "x")]),
        with(&[("X-Capital", "x")]),
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("te", "gzip")]),
        with(&[("x-line", "a\r\nosf-token: x")]),
        with(&[("x-nul", "a\0b")]),
        with(&[("", "x")]),
        with(&[("content-length", "7")]),
        [&[("x-first", "x")], &HEALTH[..]].concat(),
    ] {
        let mut client = open(lab);
        client.ask(1, &lines, &[]);
        let heard = client.hear(1);
        let code = heard.goaway.or(heard.resets.get(&1).copied());
        assert_eq!(code, Some(PROTOCOL_ERROR), "{lines:?}: {heard:?}");
    }
    for (lines, message) in [
        (vec![(":path", "//sign")], "there is no `//sign` here"),
        (vec![(":path", "*")], "there is no `*` here"),
        (
            vec![(":path", "/sign"), ("cookie", "{}")],
            "`GET` is not answered here",
        ),
    ] {
        let mut client = open(lab);
        client.ask(1, &[&without(":path")[..], &lines].concat(), &[]);
        let heard = client.hear(1);
        let json: Value = serde_json::from_slice(&heard.bodies[&1]).unwrap();
        assert_eq!(json["message"], message, "{lines:?}");
    }
}

fn no_http2(lab: &Lab) {
    for octets in [
        b"GET /sign HTTP/1.1\r\nHost: ca\r\n\r\n".to_vec(),
        frame(HEADERS, END_HEADERS, 2, &block(&HEALTH)),
        frame(HEADERS, END_HEADERS, 0, &block(&HEALTH)),
        frame(HEADERS, END_HEADERS, 1, &[0xff; 50]),
        frame(SETTINGS, 0, 0, &[1, 2, 3]),
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 0]),
        frame(PING, 0, 0, &[1]),
        frame(0x5, END_HEADERS, 1, &[0, 0, 0, 2]),
        vec![0xff; 100],
    ] {
        let mut client = open(lab);
        client.raw(&octets);
        let heard = client.hear(usize::MAX);
        assert!(heard.closed && heard.goaway != Some(0), "{heard:?}");
    }
    // And no TLS.
    for octets in [
        &b"GET /sign HTTP/1.1\r\nHost: ca\r\n\r\n"[..],
        &[0; 100],
        &[0x16; 20_000],
    ] {
        let mut connection = TcpStream::connect(&lab.endpoint.address).unwrap();
        let _ = connection.write_all(octets);
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest);
        assert!(rest.len() < 100 && begun.elapsed() < Duration::from_secs(5));
    }
}

/// It answers every ping, asks once, and perhaps takes nothing of the answer: it is sent away.
fn outstay(lab: &Lab, settings: &[u8]) {
    let begun = Instant::now();
    let mut client = Frames::open(&lab.endpoint.address, settings);
    client.ask(1, &HEALTH, &[]);
    let mut told = false;
    loop {
        match client.read() {
            Ok(frame) => told |= frame.kind == GOAWAY,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        assert!(begun.elapsed() < IDLE + FAREWELL + LATE, "it may stay");
    }
    assert!(told && begun.elapsed() >= IDLE);
}

/// It begins a handshake and says no more.
fn handshake(lab: &Lab) {
    let begun = Instant::now();
    let mut connection = TcpStream::connect(&lab.endpoint.address).unwrap();
    connection
        .write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
        .unwrap();
    let mut rest = Vec::new();
    let _ = connection.read_to_end(&mut rest);
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(9) && took < Duration::from_secs(10) + LATE,
        "{took:?}"
    );
}
