//! One attempt, and everything that can become of it.

use std::time::{Duration, Instant};

use factory_ca::gateway::DeviceApi;
use factory_ca::gateway::device_api::Outcome;

use crate::support::http::{Answer, MockServer, closed_port, ok, status};
use crate::{Device, TOKEN, client, client_with, config, patience, token};

fn put(answer: Answer) -> Outcome {
    let answers = vec![answer];
    let patience = patience(&answers);
    let server = MockServer::start(answers);
    let outcome = client_with(patience, &server.url()).put(&Device::new().borrow());
    assert_eq!(server.lines(), ["PUT /ota/devices/"]);
    outcome
}

fn retriable(reason: &str) -> Outcome {
    Outcome::Retriable(reason.to_owned())
}

fn ambiguous(reason: &str) -> Outcome {
    Outcome::Ambiguous(reason.to_owned())
}

#[test]
fn the_request_is_what_the_api_expects() {
    let server = MockServer::start(vec![status(201, ""), status(201, "")]);
    let mut device = Device::new();
    assert_eq!(
        client(&server.url()).put(&device.borrow()),
        Outcome::Created
    );
    device.name = Some("dev \"1\"");
    let mut config = config(&server.url());
    config.device_group = Some("line-1".to_owned());
    let api = DeviceApi::new(&config, "demo-factory", token());
    assert_eq!(api.put(&device.borrow()), Outcome::Created);

    let pem = device.certificate.to_pem();
    let bodies = [
        serde_json::json!({"client.pem": pem}),
        serde_json::json!({"client.pem": pem, "name": "dev \"1\"", "group": "line-1"}),
    ];
    for (received, body) in server.received().iter().zip(bodies) {
        assert_eq!(received.line(), "PUT /ota/devices/");
        assert_eq!(received.header("osf-token"), Some(TOKEN));
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.header("transfer-encoding"), None);
        assert_eq!(received.header("expect"), None);
        assert_eq!(received.header("authorization"), None);
        let agent = received.header("user-agent").unwrap();
        assert_eq!(agent, concat!("factory-ca/", env!("CARGO_PKG_VERSION")));
        let found: serde_json::Value = serde_json::from_str(&received.body).unwrap();
        assert_eq!(found, body);
    }
}

#[test]
fn every_status_has_its_meaning() {
    let refused = |status, message: &str| Outcome::Refused {
        status,
        message: message.to_owned(),
    };
    let no = r#"{"message": "no"}"#;
    for (code, body, wanted) in [
        (200, "{}", Outcome::Created),
        (201, "not even JSON", Outcome::Created),
        (202, "", Outcome::Created),
        (409, no, Outcome::Conflict("no".to_owned())),
        (409, "", Outcome::Conflict(String::new())),
        (400, no, refused(400, "no")),
        (401, "", refused(401, "")),
        (403, "<b>no</b>", refused(403, "<b>no</b>")),
        (404, no, refused(404, "no")),
        (405, no, refused(405, "no")),
        (413, no, refused(413, "no")),
        (422, no, refused(422, "no")),
        (408, no, retriable("it answered 408: no")),
        (425, no, retriable("it answered 425: no")),
        (429, no, retriable("it answered 429: no")),
        (500, no, retriable("it answered 500: no")),
        (501, "", retriable("it answered 501")),
        (503, "", retriable("it answered 503")),
        (599, "", retriable("it answered 599")),
        (502, no, ambiguous("it answered 502: no")),
        (504, "", ambiguous("it answered 504")),
        (600, "", ambiguous("it answered 600")),
    ] {
        assert_eq!(put(status(code, body)), wanted, "{code}");
    }
}

#[test]
fn a_redirect_is_not_followed_and_the_token_stays_here() {
    let other = MockServer::start(vec![ok("{}")]);
    for code in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/ota/devices/\r\n", other.url());
        let location: &'static str = Box::leak(location.into());
        let outcome = put(Answer::With(code, location, "moved".to_owned()));
        let wanted = Outcome::Redirected(format!("{}/ota/devices/", other.url()));
        assert_eq!(outcome, wanted, "{code}");
    }
    assert_eq!(other.lines(), [""; 0]);
    for code in [300, 304, 399] {
        let wanted = Outcome::Redirected("nowhere".to_owned());
        assert_eq!(put(status(code, "")), wanted, "{code}");
    }
    let hostile = "Location: https://evil.example/?s3cr3t-api-token\t\u{202e}x\r\n";
    let wanted = Outcome::Redirected("https://evil.example/?… x".to_owned());
    assert_eq!(put(Answer::With(302, hostile, String::new())), wanted);
}

#[test]
fn what_was_not_sent_may_be_sent_again() {
    let device = Device::new();
    let refused = client(&format!("http://127.0.0.1:{}", closed_port()));
    let wanted = retriable("the connection was refused");
    assert_eq!(refused.put(&device.borrow()), wanted);

    // A TLS handshake with somebody who does not know TLS.
    let server = MockServer::start(Vec::new());
    let api = client(&format!("https://127.0.0.1:{}", server.port()));
    let outcome = api.put(&device.borrow());
    assert!(matches!(outcome, Outcome::Retriable(_)), "{outcome:?}");
    assert_eq!(server.lines(), [""; 0]);

    // Names below .invalid never exist (RFC 6761 section 6.4).
    let outcome = client("https://api.invalid").put(&device.borrow());
    assert!(matches!(outcome, Outcome::Retriable(_)), "{outcome:?}");
}

#[test]
fn what_was_sent_and_not_answered_is_ambiguous() {
    let garbage = |text: &str| Answer::Raw(text.as_bytes().to_vec());
    for (answer, wanted) in [
        (Answer::Close, "the connection was lost"),
        (Answer::Reset, "the connection was lost"),
        (
            garbage("220 mail.example ESMTP\r\n\r\n"),
            "the answer is not HTTP",
        ),
        (garbage("HTTP/1.1 2"), "the connection was lost"),
        (
            garbage("HTTP/1.1 200 OK\r\nContent-"),
            "the connection was lost",
        ),
        (Answer::Hang, "there was no answer in time"),
        (
            Answer::Slow(Duration::from_secs(2), 201, String::new()),
            "there was no answer in time",
        ),
    ] {
        assert_eq!(put(answer), ambiguous(wanted));
    }
}

#[test]
fn a_status_is_enough() {
    let cut = b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{".to_vec();
    assert_eq!(put(Answer::Raw(cut)), Outcome::Created);
    let cut = b"HTTP/1.1 400 X\r\nContent-Length: 1000\r\n\r\nno".to_vec();
    let wanted = Outcome::Refused {
        status: 400,
        message: "no".to_owned(),
    };
    assert_eq!(put(Answer::Raw(cut)), wanted);
}

#[test]
fn a_call_ends_in_time() {
    for (answer, wanted) in [
        (Answer::Hang, ambiguous("there was no answer in time")),
        (Answer::Drip, Outcome::Created),
    ] {
        let start = Instant::now();
        assert_eq!(put(answer), wanted);
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(600), "{elapsed:?}");
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
}

#[test]
fn huge_answers_are_cut_off() {
    let server = MockServer::start(vec![
        Answer::Huge(400, 100 << 20),
        Answer::Huge(201, 100 << 20),
    ]);
    let api = client(&server.url());
    let device = Device::new();
    let wanted = Outcome::Refused {
        status: 400,
        message: format!("{}…", "x".repeat(200)),
    };
    assert_eq!(api.put(&device.borrow()), wanted);
    assert_eq!(api.put(&device.borrow()), Outcome::Created);
    // What was taken besides lies in the buffers of the kernel.
    assert!(server.taken() < 32 << 20, "{}", server.taken());

    let head = format!("HTTP/1.1 400 X\r\nX: {}\r\n\r\n", "x".repeat(10 << 20));
    let wanted = ambiguous("the answer is not HTTP");
    assert_eq!(put(Answer::Raw(head.into_bytes())), wanted);
}

#[test]
fn messages_are_shown_without_tricks_and_without_the_token() {
    let body = serde_json::json!({"message": format!("bad token {TOKEN}\n\u{1b}[31m\u{202e}x")});
    let wanted = Outcome::Refused {
        status: 401,
        message: "bad token … [31m x".to_owned(),
    };
    assert_eq!(put(status(401, &body.to_string())), wanted);
    let api = client("https://api.example");
    let shown = format!("{api:?}");
    assert!(
        !shown.contains(TOKEN) && shown.contains("ApiToken(…)"),
        "{shown}"
    );
}

#[test]
fn connections_are_used_again() {
    let server = MockServer::start(vec![status(201, "{}"), status(503, ""), status(201, "{}")]);
    let api = client(&server.url());
    for _ in 0..3 {
        api.put(&Device::new().borrow());
    }
    let connections: Vec<usize> = server.received().iter().map(|one| one.connection).collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_no_lost_request() {
    let closing = b"HTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = MockServer::start(vec![Answer::Raw(closing), status(201, "")]);
    let api = client(&server.url());
    for _ in 0..2 {
        assert_eq!(api.put(&Device::new().borrow()), Outcome::Created);
        std::thread::sleep(Duration::from_millis(50));
    }
    let connections: Vec<usize> = server.received().iter().map(|one| one.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn many_threads_share_a_client() {
    let server = MockServer::start((0..40).map(|_| status(201, "{}")).collect());
    let api = client(&server.url());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let outcome = api.put(&Device::new().borrow());
                    assert_eq!(outcome, Outcome::Created);
                }
            });
        }
    });
    assert_eq!(server.received().len(), 40);
}
