//! Requests that are HTTP and yet not what devices send.

use super::rows::{Lab, Row, Wanted};

pub fn rows(lab: &Lab) -> Vec<Row> {
    let mut rows = methods(lab);
    rows.extend(targets(lab));
    rows.extend(types(lab));
    rows.extend(heads(lab));
    rows.extend(transfers(lab));
    rows
}

fn methods(lab: &Lab) -> Vec<Row> {
    let mut rows = Vec::new();
    for method in [
        "GET",
        "PUT",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "PATCH",
        "PROPFIND",
        "post",
        "Post",
        "POSTPOST",
        "BREW",
        "M-SEARCH",
        "{}",
        "!#$%&*+-.^_`|~",
    ] {
        let octets = bare(&format!("{method} /sign HTTP/1.1"), &["Host: ca"]);
        match octets.starts_with(b"{") {
            // A brace is no character of a method.
            true => rows.push(Row::new("method {}", octets, Wanted::NoRequest(400))),
            false => {
                let message = format!("`{method}` is not answered here");
                rows.push(Row::error(
                    format!("method {method}"),
                    octets,
                    405,
                    &message,
                ));
            }
        }
    }
    for (path, method) in [
        ("/healthz", "POST"),
        ("/readyz", "PUT"),
        ("/metrics", "DELETE"),
    ] {
        let octets = bare(&format!("{method} {path} HTTP/1.1"), &["Host: ca"]);
        let message = format!("`{method}` is not answered here");
        rows.push(Row::error(
            format!("{method} {path}"),
            octets,
            405,
            &message,
        ));
    }
    let long = "M".repeat(8000);
    let octets = bare(&format!("{long} /sign HTTP/1.1"), &["Host: ca"]);
    let message = format!("`{}…` is not answered here", "M".repeat(80));
    rows.push(Row::error(
        "a method of 8000 letters",
        octets,
        405,
        &message,
    ));
    let octets = bare("CONNECT evil.example:443 HTTP/1.1", &["Host: ca"]);
    rows.push(Row::error("CONNECT", octets, 404, "there is no `` here"));
    let head = bare("HEAD /sign HTTP/1.1", &["Host: ca", "Connection: close"]);
    rows.push(Row::new("HEAD", head, Wanted::Empty(200)));
    let token = format!("OSF-TOKEN: {}", lab.token);
    let octets = bare("GET /sign HTTP/1.1", &["Host: ca", &token]);
    rows.push(Row::error(
        "GET with a token",
        octets,
        405,
        "`GET` is not answered here",
    ));
    rows
}

fn targets(lab: &Lab) -> Vec<Row> {
    let long = format!("/{}", "a".repeat(8000));
    let cut = format!("{}…", &long[..80]);
    let mut rows: Vec<Row> = [
        ("/", "/"),
        ("//sign", "//sign"),
        ("/sign/", "/sign/"),
        ("/SIGN", "/SIGN"),
        ("/sign;x", "/sign;x"),
        ("/./sign", "/./sign"),
        ("/x/../sign", "/x/../sign"),
        ("/%73ign", "/%73ign"),
        ("/sign%00", "/sign%00"),
        ("/sign%2f", "/sign%2f"),
        ("/%2e%2e/sign", "/%2e%2e/sign"),
        ("/sign.json", "/sign.json"),
        ("/sign/../../etc/passwd", "/sign/../../etc/passwd"),
        ("/healthz/sign", "/healthz/sign"),
        ("/{}%25s%25n", "/{}%25s%25n"),
        ("sign", ""),
        ("/'--", "/\\'--"),
        ("/sïgn", "/sïgn"),
        (&long, &cut),
        ("http://evil.example/", "/"),
        ("http://evil.example", "/"),
        ("*", "*"),
    ]
    .into_iter()
    .map(|(target, shown)| {
        let octets = good(lab, &format!("POST {target} HTTP/1.1"), &[], &lab.csr());
        let name = format!("target {}", &target[..target.len().min(40)]);
        let name = if target == long {
            "a target of 8000 letters".to_owned()
        } else {
            name
        };
        Row::error(name, octets, 404, &format!("there is no `{shown}` here"))
    })
    .collect();
    for target in [
        "/sign?x",
        "/sign?",
        "/sign?csr=evil&{}%s",
        "/sign#x",
        "http://evil.example/sign",
        "https://user:password@evil.example:1/sign?x",
    ] {
        let csr = lab.csr();
        let octets = good(lab, &format!("POST {target} HTTP/1.1"), &[], &csr);
        rows.push(Row::new(
            format!("target {target}"),
            octets,
            Wanted::Certificate(csr),
        ));
    }
    rows
}

fn types(lab: &Lab) -> Vec<Row> {
    let long = "x".repeat(8000);
    let mut rows: Vec<Row> = [
        ("text/plain", "text/plain"),
        ("text/json", "text/json"),
        (
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded",
        ),
        (
            "multipart/form-data; boundary=x",
            "multipart/form-data; boundary=x",
        ),
        ("application/pkcs10", "application/pkcs10"),
        ("application/jsonp", "application/jsonp"),
        ("application/+json", "application/+json"),
        (
            "application/json, text/plain",
            "application/json, text/plain",
        ),
        ("application/json x", "application/json x"),
        ("xapplication/json", "xapplication/json"),
        ("*/*", "*/*"),
        ("{}%s%n", "{}%s%n"),
        ("", ""),
        (&long, &format!("{}…", &long[..80])),
    ]
    .into_iter()
    .map(|(kind, shown)| {
        let octets = typed(
            lab,
            &[format!("Content-Type: {kind}").as_bytes()],
            &lab.csr(),
        );
        let message = format!("the content type is `{shown}`, wanted is `application/json`");
        let name = format!("content type {}", &kind[..kind.len().min(60)]);
        Row::error(name, octets, 415, &message)
    })
    .collect();
    let none = typed(lab, &[], &lab.csr());
    let message = "the content type is ``, wanted is `application/json`";
    rows.push(Row::error("no content type", none, 415, message));
    let odd = typed(lab, &[b"Content-Type: \xff\xfe"], &lab.csr());
    let message = "the content type is `?`, wanted is `application/json`";
    rows.push(Row::error("a content type above ASCII", odd, 415, message));
    for kind in [
        "application/json; charset=utf-16",
        "APPLICATION/JSON;x={}%s",
        "application/vnd.evil+json",
        "application/json;",
        " application/json ",
    ] {
        let csr = lab.csr();
        let octets = typed(lab, &[format!("Content-Type: {kind}").as_bytes()], &csr);
        rows.push(Row::new(
            format!("content type taken {kind}"),
            octets,
            Wanted::Certificate(csr),
        ));
    }
    rows
}

fn heads(lab: &Lab) -> Vec<Row> {
    let padding = format!("X-Padding: {}", "x".repeat(14_000));
    let small: Vec<String> = (0..80).map(|n| format!("X-{n}: {n}")).collect();
    let small: Vec<&str> = small.iter().map(String::as_str).collect();
    let mut rows: Vec<Row> = [
        ("Expect: 100-continue", &["Expect: 100-continue"][..]),
        ("Expect: nonsense", &["Expect: nonsense"]),
        (
            "Expect: 200-ok, twice",
            &["Expect: 200-ok", "Expect: 100-continue"],
        ),
        (
            "an upgrade to h2c",
            &[
                "Connection: Upgrade, HTTP2-Settings",
                "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAAQAAP__",
            ],
        ),
        (
            "an upgrade to a socket",
            &[
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Key: x",
                "Sec-WebSocket-Version: 13",
            ],
        ),
        ("a header of 14 KB", &[&padding]),
        ("80 headers", &small),
        (
            "a method in a header",
            &[
                "X-HTTP-Method-Override: DELETE",
                "X-Original-URL: /metrics",
                "X-Rewrite-URL: /metrics",
            ],
        ),
        (
            "forwarded from elsewhere",
            &[
                "X-Forwarded-For: 10.0.0.1",
                "Forwarded: for=10.0.0.1",
                "X-Real-IP: 10.0.0.1",
            ],
        ),
        ("forwarded from nonsense", &["X-Forwarded-For: {}%s, ,,,]["]),
        ("gzip that is none", &["Content-Encoding: gzip"]),
        ("a range", &["Range: bytes=0-0", "If-None-Match: *"]),
        (
            "names and values of a shell",
            &["User-Agent: () { :; }; reboot", "Referer: ${jndi:ldap://x}"],
        ),
        (
            "Connection: nonsense",
            &["Connection: x, y, ,, keep-alive, osf-token"],
        ),
        ("an origin", &["Origin: null", "Cookie: a=b"]),
    ]
    .into_iter()
    .map(|(name, lines)| {
        let csr = lab.csr();
        let octets = good(lab, "POST /sign HTTP/1.1", lines, &csr);
        Row::new(format!("header: {name}"), octets, Wanted::Certificate(csr))
    })
    .collect();
    let csr = lab.csr();
    let octets = good(lab, "POST /sign HTTP/1.0", &[], &csr);
    rows.push(Row::new("HTTP/1.0", octets, Wanted::Certificate(csr)));
    let csr = lab.csr();
    let octets = good(
        lab,
        "POST /sign HTTP/1.0",
        &["Connection: keep-alive"],
        &csr,
    );
    rows.push(Row::new(
        "HTTP/1.0 that stays",
        octets,
        Wanted::Certificate(csr),
    ));
    let csr = lab.csr();
    let text = good(lab, "POST /sign HTTP/1.1", &[], &csr);
    let head = String::from_utf8(text.clone()).unwrap();
    let without = head.replacen("Host: ca\r\n", "", 1).into_bytes();
    rows.push(Row::new("no host", without, Wanted::Certificate(csr)));
    let csr = lab.csr();
    let text = String::from_utf8(good(lab, "POST /sign HTTP/1.1", &[], &csr)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let octets = format!("\r\n\r\n{}\n\n{body}", head.replace("\r\n", "\n"));
    rows.push(Row::new(
        "bare line feeds",
        octets.into_bytes(),
        Wanted::Certificate(csr),
    ));
    rows
}

/// How the body travels.
fn transfers(lab: &Lab) -> Vec<Row> {
    let early = "the body ended early";
    let chunked = [
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ];
    let mut rows: Vec<Row> = [
        ("a size that is no number", "xyz\r\n{}\r\n0\r\n\r\n"),
        ("a negative size", "-1\r\n{}\r\n0\r\n\r\n"),
        ("a size with 0x", "0x2\r\n{}\r\n0\r\n\r\n"),
        (
            "a size above 64 bits",
            "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
        ("a size with a plus", "+2\r\n{}\r\n0\r\n\r\n"),
        ("a size that is too small", "1\r\n{}\r\n0\r\n\r\n"),
        ("a size of nothing", "\r\n{}\r\n0\r\n\r\n"),
        ("no line end after a chunk", "2\r\n{}0\r\n\r\n"),
        ("a line feed alone after a size", "2\n{}\r\n0\r\n\r\n"),
        ("a line feed in an extension", "2;x\ny\r\n{}\r\n0\r\n\r\n"),
        ("a blank before a size", " 2\r\n{}\r\n0\r\n\r\n"),
    ]
    .into_iter()
    .map(|(name, body)| {
        let octets = lab.request(&chunked, body.as_bytes());
        Row::error(format!("chunks: {name}"), octets, 400, early)
    })
    .collect();
    for (name, split) in [("of one octet", 1), ("of seven octets", 7)] {
        let csr = lab.csr();
        let body = lab.body(&csr).to_string();
        let chunks: Vec<u8> = body
            .as_bytes()
            .chunks(split)
            .flat_map(|chunk| {
                [
                    format!("{:x};a=\"b\"\r\n", chunk.len()).as_bytes(),
                    chunk,
                    b"\r\n",
                ]
                .concat()
            })
            .collect();
        let octets = lab.request(
            &chunked,
            &[&chunks, &b"0\r\nOSF-TOKEN: x\r\n\r\n"[..]].concat(),
        );
        rows.push(Row::new(
            format!("chunks {name} with extensions"),
            octets,
            Wanted::Certificate(csr),
        ));
    }
    rows
}

/// A request without body.
fn bare(first: &str, lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{first}\r\n{lines}\r\n").into_bytes()
}

/// A good registration with another first line, and more lines.
fn good(lab: &Lab, first: &str, lines: &[&str], csr: &[u8]) -> Vec<u8> {
    let body = lab.body(csr).to_string();
    let (token, length) = (
        format!("OSF-TOKEN: {}", lab.token),
        format!("Content-Length: {}", body.len()),
    );
    let mut all = vec![
        "Host: ca",
        "Content-Type: application/json",
        &token,
        &length,
    ];
    all.extend(lines);
    [bare(first, &all), body.into_bytes()].concat()
}

/// A good registration with other content types.
fn typed(lab: &Lab, types: &[&[u8]], csr: &[u8]) -> Vec<u8> {
    let body = lab.body(csr).to_string();
    let head = format!(
        "POST /sign HTTP/1.1\r\nHost: ca\r\nOSF-TOKEN: {}\r\nContent-Length: {}\r\n",
        lab.token,
        body.len()
    );
    let types: Vec<u8> = types
        .iter()
        .flat_map(|line| [line, &b"\r\n"[..]].concat())
        .collect();
    [head.as_bytes(), &types, b"\r\n", body.as_bytes()].concat()
}
