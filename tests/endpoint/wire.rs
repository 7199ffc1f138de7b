//! What passes over the wire: HTTP as clients speak it, bodies as they are written.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::build::to_pem;
use crate::support::device::Device;
use crate::support::endpoint::{Answer, Endpoint, post, read_answer};
use crate::support::factory::Factory;
use crate::support::requests::DEVICE;

/// An endpoint that everybody may ask.
fn open() -> (Factory, Endpoint) {
    let factory = Factory::with_endpoint("server: {anonymous: {production: allow}}");
    let endpoint = factory.serve();
    (factory, endpoint)
}

/// What the captured client sends, with other fields.
fn body(csr: &str, more: Value) -> String {
    let mut body = json!({ "csr": csr, "hardware-id": "intel-corei7-64", "uuid": DEVICE });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body.to_string()
}

fn device_pem() -> String {
    to_pem(&Device::new(DEVICE).request().csr)
}

#[test]
fn head_is_answered_without_token_and_without_body() {
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let mut connection = endpoint.connect();
    connection
        .write_all(b"HEAD /sign HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(rest, "");
}

#[test]
fn a_201_has_its_length_and_exactly_four_texts() {
    let (factory, endpoint) = open();
    let answer = endpoint.post(None, &body(&device_pem(), json!({})));
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let length = answer.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(&*length));
    assert_eq!(answer.header("transfer-encoding"), None);
    let json = answer.json();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["client.chained", "client.pem", "root.crt", "sota.toml"]
    );
    for (name, blocks) in [
        ("client.chained", 2),
        ("client.pem", 1),
        ("root.crt", 1),
        ("sota.toml", 0),
    ] {
        let text = json[name].as_str().unwrap();
        assert_eq!(
            text.matches("-----BEGIN CERTIFICATE-----\n").count(),
            blocks
        );
        assert!(text.ends_with('\n') && !text.contains('\r'), "{name}");
    }
    assert_eq!(factory.issued(), 3);
}

#[test]
fn pem_is_read_however_its_lines_end() {
    let (factory, endpoint) = open();
    let pem = device_pem();
    let label = "CERTIFICATE REQUEST-----";
    let digits: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let texts = [
        pem.clone(),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', " "),
        pem.replace('\n', ""),
        format!("-----BEGIN {label}\n{digits}\n-----END {label}"),
        format!("\r\n  {pem}\r\n\r\n"),
        pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
    ];
    let answers: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| {
            let answer = endpoint.post(None, &body(text, json!({})));
            assert_eq!(answer.status, 201, "{text:?}: {}", answer.text());
            answer.body
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(factory.issued(), 3);
}

#[test]
fn an_upper_case_uuid_is_the_same_device() {
    let (factory, endpoint) = open();
    let upper = Device::new(&DEVICE.to_uppercase());
    let request = upper.request();
    for uuid in [DEVICE.to_uppercase(), DEVICE.to_owned()] {
        let text = body(&to_pem(&request.csr), json!({ "uuid": uuid }));
        let answer = endpoint.post(None, &text);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let lower = Device::new(DEVICE).request_again(&request);
    let answer = endpoint.post(None, &body(&to_pem(&lower.csr), json!({})));
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(factory.issued(), 3);
}

#[test]
fn a_body_is_held_back_until_100_comes() {
    let (_factory, endpoint) = open();
    let request = String::from_utf8(post(None, &body(&device_pem(), json!({})))).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut connection = endpoint.connect();
    let head = format!("{head}\r\nExpect: 100-continue\r\n\r\n");
    connection.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "\r\n");
    // Nothing more comes before the body.
    connection
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let kind = reader.fill_buf().map(<[u8]>::len).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut));
    connection.set_read_timeout(None).unwrap();
    connection.write_all(body.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut reader).unwrap().status, 201);
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let (factory, endpoint) = open();
    let mut connection = endpoint.connect();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    for number in 1..=3 {
        let device = Device::number(number);
        let request = post(None, &device.body(&device.request()));
        connection.write_all(&request).unwrap();
        assert_eq!(read_answer(&mut reader).unwrap().status, 201);
        connection.write_all(&post(None, "{}")).unwrap();
        assert_eq!(read_answer(&mut reader).unwrap().status, 400);
        connection
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: ca\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut reader).unwrap().text(), "ok\n");
    }
    assert_eq!(factory.issued(), 5);
}

#[test]
fn requests_that_are_sent_at_once_are_answered_in_their_order() {
    let (factory, endpoint) = open();
    let mut all = Vec::new();
    for number in 1..=8 {
        let device = Device::number(number);
        all.extend(post(None, &device.body(&device.request())));
        all.extend(b"GET /nowhere HTTP/1.1\r\nHost: ca\r\n\r\n");
    }
    let mut connection = endpoint.connect();
    connection.write_all(&all).unwrap();
    let mut reader = BufReader::new(connection);
    for number in 1..=8 {
        let answer = read_answer(&mut reader).unwrap();
        let json = answer.json();
        let certificate = json["client.pem"].as_str().unwrap();
        let certificate = factory_ca::x509::Certificate::from_pem(certificate.as_bytes()).unwrap();
        let name = certificate.subject().to_string();
        assert!(name.contains(&Device::number(number).uuid), "{name}");
        assert_eq!(read_answer(&mut reader).unwrap().status, 404);
    }
    assert_eq!(factory.issued(), 10);
}

#[test]
fn a_body_in_chunks_is_read() {
    let (_factory, endpoint) = open();
    let text = body(&device_pem(), json!({}));
    let (first, second) = text.split_at(100);
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let head = "POST /sign HTTP/1.1\r\nHost: ca\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        endpoint.send(format!("{head}{chunks}").as_bytes()).status,
        201
    );
}

#[test]
fn fields_nobody_knows_are_ignored() {
    let (_factory, endpoint) = open();
    let more = json!({
        "use-ostree-server": "false", "new": {"a": [1, null, {"b": 2.5}]}, "other": true,
        "name": null, "sota-config-dir": null, "group": null, "overrides": {},
    });
    let answer = endpoint.post(None, &body(&device_pem(), more));
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[test]
fn the_reference_servers_texts_come_as_json() {
    let (factory, endpoint) = open();
    let pem = device_pem();
    let other = to_pem(&Device::new(DEVICE).factory("acme").request().csr);
    for (text, wanted) in [
        (String::new(), "Missing request body"),
        ("{}".to_owned(), "Missing required field 'csr'"),
        (body("", json!({})), "Missing required field 'csr'"),
        (
            body(&pem, json!({ "csr": 7 })),
            "Invalid data type for 'csr'",
        ),
        (
            body(&pem, json!({ "hardware-id": "" })),
            "Missing required field 'hardware-id'",
        ),
        (
            body(&pem, json!({ "group": "beta" })),
            "Registration-reference does not support 'group' field",
        ),
        (
            body(&pem, json!({ "group": "" })),
            "Registration-reference does not support 'group' field",
        ),
        (
            body(&other, json!({})),
            "Invalid factory(acme) must be demo-factory",
        ),
    ] {
        let answer = endpoint.post(None, &text);
        assert_eq!((answer.status, answer.message()), (400, wanted.to_owned()));
        assert_is_error(&answer);
    }
    assert_eq!(factory.issued(), 2);
}

#[test]
fn a_uuid_that_is_not_the_requests_is_refused() {
    let (factory, endpoint) = open();
    let text = body(&device_pem(), json!({ "uuid": "x\u{1b}" }));
    let answer = endpoint.post(None, &text);
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.message(),
        "the certification request is for another device"
    );
    assert_eq!(
        answer.json()["errors"],
        json!({ "uuid": format!("is `x\\u{{1b}}`, the certification request is for `{DEVICE}`") })
    );
    assert_eq!(factory.issued(), 2);
}

#[test]
fn json_comes_as_application_json_or_something_that_is_json_too() {
    let (_factory, endpoint) = open();
    let text = body(&device_pem(), json!({}));
    let ask = |header: &str| {
        endpoint.send(
            format!(
                "POST /sign HTTP/1.1\r\nHost: ca\r\n{header}Content-Length: {}\r\n\r\n{text}",
                text.len()
            )
            .as_bytes(),
        )
    };
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=\"utf-8\"",
        "Application/JSON",
        "application/vnd.acme+json",
        "application/problem+json; a=b",
    ] {
        let answer = ask(&format!("Content-type: {good}\r\n"));
        assert_eq!(answer.status, 201, "{good}");
    }
    for bad in [
        "text/json",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/+json",
        "application/json+xml",
        "json",
        "",
    ] {
        let answer = ask(&format!("Content-type: {bad}\r\n"));
        assert_eq!(answer.status, 415, "{bad}");
        assert_eq!(
            answer.message(),
            format!("the content type is `{bad}`, wanted is `application/json`")
        );
        assert_is_error(&answer);
    }
    let answer = ask("");
    assert_eq!(answer.status, 415);
}

#[test]
fn other_methods_are_told_what_is_answered() {
    let (_factory, endpoint) = open();
    for (path, allow, methods) in [
        (
            "/sign",
            "HEAD, POST",
            ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"],
        ),
        (
            "/healthz",
            "GET, HEAD",
            ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"],
        ),
        (
            "/metrics",
            "GET, HEAD",
            ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"],
        ),
        (
            "/readyz",
            "GET, HEAD",
            ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"],
        ),
    ] {
        for method in methods {
            let answer = endpoint.send(
                format!("{method} {path} HTTP/1.1\r\nHost: ca\r\nContent-Length: 0\r\n\r\n")
                    .as_bytes(),
            );
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allow));
            assert_eq!(answer.message(), format!("`{method}` is not answered here"));
            assert_is_error(&answer);
        }
    }
}

#[test]
fn there_is_nothing_else() {
    let (_factory, endpoint) = open();
    for path in [
        "/",
        "/sign/",
        "/Sign",
        "//sign",
        "/sign/x",
        "/metrics/",
        "/%73ign",
    ] {
        let answer = endpoint.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.message(), format!("there is no `{path}` here"));
        assert_is_error(&answer);
    }
    // A proxy may have added something behind the path.
    let text = body(&device_pem(), json!({}));
    for target in ["/sign?x=1", "http://ca.example/sign"] {
        let request = String::from_utf8(post(None, &text)).unwrap();
        let request = request.replacen("/sign", target, 1);
        assert_eq!(endpoint.send(request.as_bytes()).status, 201, "{target}");
    }
}

#[test]
fn a_client_of_http_1_0_is_answered() {
    let (_factory, endpoint) = open();
    let text = body(&device_pem(), json!({}));
    let request = String::from_utf8(post(None, &text)).unwrap();
    let request = request.replacen("HTTP/1.1", "HTTP/1.0", 1);
    let mut connection = endpoint.connect();
    connection.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(connection);
    assert_eq!(read_answer(&mut reader).unwrap().status, 201);
    // And the connection is closed.
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

/// A JSON object with a message and the request's number, as the log has it.
fn assert_is_error(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    for (key, value) in json.as_object().unwrap() {
        match key.as_str() {
            "message" | "hint" | "request" => assert!(value.is_string(), "{json}"),
            "errors" => assert!(value.is_object(), "{json}"),
            _ => panic!("{key} is in {json}"),
        }
    }
    let number = regex::Regex::new(r"^[0-9a-f]{8}-\d+$").unwrap();
    assert!(number.is_match(json["request"].as_str().unwrap()), "{json}");
}
