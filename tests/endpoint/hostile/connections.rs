//! Where a request ends: what follows it on the connection is never taken for something it is not.

use std::io::{BufReader, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::rows::Lab;
use crate::support::endpoint::{Answer, read_answer};

/// Everything that comes back for some octets, and whether the connection was closed then.
fn answers(lab: &Lab, octets: &[u8]) -> (Vec<Answer>, bool) {
    let mut connection = lab.endpoint.connect();
    connection
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let _ = connection.write_all(octets);
    let mut reader = BufReader::new(connection);
    let mut found = Vec::new();
    loop {
        // Nothing for a second is a connection that is kept; nothing at once is its end.
        let begun = Instant::now();
        match read_answer(&mut reader) {
            Some(answer) => found.push(answer),
            None => return (found, begun.elapsed() < Duration::from_millis(900)),
        }
    }
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

#[test]
fn a_body_is_not_a_request_and_a_request_is_not_a_body() {
    let lab = Lab::open("");
    let hidden = "GET /healthz HTTP/1.1\r\nHost: ca\r\n\r\n";
    let json = "Content-Type: application/json";
    let chunked = format!("2\r\n{{}}\r\n0\r\n\r\n{hidden}");
    let with =
        |lines: &[&str], body: &str| lab.request(&[&[json], lines].concat(), body.as_bytes());
    let length = format!("Content-Length: {}", chunked.len());
    let post = |target: &str, token: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: ca\r\n{token}Content-Length: {}\r\n\r\n{hidden}",
            hidden.len()
        )
    };
    // The first two: chunks are counted, the length is not, and nothing after them is read.
    for (name, octets, wanted, closed) in [
        (
            "length, then chunks",
            with(&[&length, "Transfer-Encoding: chunked"], &chunked),
            vec![400],
            true,
        ),
        (
            "chunks, then length",
            with(&["Transfer-Encoding: chunked", &length], &chunked),
            vec![400],
            true,
        ),
        (
            "chunks, then a length that is none",
            with(
                &["Transfer-Encoding: chunked", "Content-Length: x"],
                &chunked,
            ),
            vec![400],
            true,
        ),
        (
            "chunks, then another request",
            with(&["Transfer-Encoding: chunked"], &chunked),
            vec![400, 200],
            false,
        ),
        (
            "chunks twice",
            with(
                &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
                &chunked,
            ),
            vec![400, 200],
            false,
        ),
        (
            "a length, then another request",
            with(&["Content-Length: 2"], &format!("{{}}{hidden}")),
            vec![400, 200],
            false,
        ),
        (
            "the same length twice",
            with(
                &["Content-Length: 2", "Content-Length: 2"],
                &format!("{{}}{hidden}"),
            ),
            vec![400, 200],
            false,
        ),
        (
            "a length that is too short",
            with(&["Content-Length: 1"], "{}"),
            vec![400, 400],
            true,
        ),
        ("no length", with(&[], hidden), vec![400, 200], false),
        (
            "a path that is not there",
            post("/x", "").into_bytes(),
            vec![404],
            false,
        ),
        ("no token", post("/sign", "").into_bytes(), vec![401], false),
        (
            "a type that is not wanted",
            post("/sign", &format!("OSF-TOKEN: {}\r\n", lab.token)).into_bytes(),
            vec![415],
            false,
        ),
        (
            "chunks in HTTP/1.0",
            [
                &b"POST /sign HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
                chunked.as_bytes(),
            ]
            .concat(),
            vec![400],
            true,
        ),
        (
            "a request that closes",
            [
                &b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"[..],
                hidden.as_bytes(),
            ]
            .concat(),
            vec![200],
            true,
        ),
        (
            "a request of HTTP/1.0",
            [&b"GET /healthz HTTP/1.0\r\n\r\n"[..], hidden.as_bytes()].concat(),
            vec![200],
            true,
        ),
        (
            "an upgrade",
            [
                &b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"[..],
                hidden.as_bytes(),
            ]
            .concat(),
            vec![200, 200],
            false,
        ),
        (
            "three requests",
            hidden.repeat(3).into_bytes(),
            vec![200, 200, 200],
            false,
        ),
    ] {
        let (found, end) = answers(&lab, &octets);
        assert_eq!(
            (statuses(&found), end),
            (wanted, closed),
            "{name}: {found:?}"
        );
    }
    lab.register().unwrap();
    lab.end();
}

#[test]
fn clients_that_go_away_in_the_middle_leave_nothing_behind() {
    let lab = Lab::open("");
    let issued = lab.factory.issued();
    let octets = |lab: &Lab| lab.post(lab.body(&lab.csr()).to_string().as_bytes());
    let whole = octets(&lab);
    for cut in [1, 10, 40, whole.len() / 2, whole.len() - 1] {
        // It shuts down its side and waits for an answer.
        let mut connection = lab.endpoint.connect();
        connection.write_all(&whole[..cut]).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest);
        assert!(begun.elapsed() < Duration::from_secs(5), "cut after {cut}");
        let text = String::from_utf8(rest).unwrap();
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 400 "),
            "{text}"
        );
        // It is gone.
        let mut connection = lab.endpoint.connect();
        connection.write_all(&whole[..cut]).unwrap();
        drop(connection);
    }
    assert_eq!(lab.factory.issued(), issued);
    for _ in 0..20 {
        // The request is whole, its client does not wait for the answer.
        let mut connection = lab.endpoint.connect();
        connection.write_all(&octets(&lab)).unwrap();
        drop(connection);
        // The answer is there, its client resets the connection instead of reading it.
        let mut connection = lab.endpoint.connect();
        connection.write_all(&octets(&lab)).unwrap();
        connection.peek(&mut [0]).unwrap();
        drop(connection);
        // Its client will not send more, and may read the answer, if there is one.
        let mut connection = lab.endpoint.connect();
        connection.write_all(&octets(&lab)).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest);
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 201 "));
        lab.register().unwrap();
    }
    assert_eq!(connections(&lab), 1);
    lab.end();
}

#[test]
fn idle_connections_keep_nobody_out_and_above_the_limit_one_waits_for_another() {
    let lab = Lab::open("");
    let idle: Vec<_> = (0..300).map(|_| lab.endpoint.connect()).collect();
    for _ in 0..5 {
        let begun = Instant::now();
        lab.register().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(connections(&lab), 301);
    drop(idle);
    let Lab {
        factory,
        token,
        endpoint,
        ..
    } = lab;
    drop(endpoint);

    // 256 of the files are not for connections.
    let lab = Lab::start(factory, token, |factory| factory.serve_with_files(300));
    let mut idle: Vec<_> = (0..44).map(|_| lab.endpoint.connect()).collect();
    let octets = lab.post(lab.body(&lab.csr()).to_string().as_bytes());
    let mut waiting = lab.endpoint.connect();
    waiting.write_all(&octets).unwrap();
    let soon = Duration::from_secs(1);
    waiting.set_read_timeout(Some(soon)).unwrap();
    assert!(waiting.peek(&mut [0]).is_err(), "it was not kept waiting");
    drop(idle.pop());
    waiting.set_read_timeout(Some(soon * 10)).unwrap();
    let answer = read_answer(&mut BufReader::new(waiting)).unwrap();
    assert_eq!(answer.status, 201);
    drop(idle);
    lab.register().unwrap();
    assert!(!lab.endpoint.log().contains("could not be accepted"));
    lab.end();
}

/// How many connections the endpoint has, this one included.
pub fn connections(lab: &Lab) -> u64 {
    let begun = Instant::now();
    loop {
        let metrics = lab.endpoint.get("/metrics").text();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("factory_ca_connections "));
        let count = line.unwrap().parse().unwrap();
        // It takes a moment to see who left.
        if count == 1 || begun.elapsed() > Duration::from_secs(2) {
            return count;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
