//! What somebody may cause without a registrar's token, or with one from the wrong place: no row in the ledger, no
//! flood in the log, no certificate.

use factory_ca::ledger::{self, Ledger, Refusal};

use super::rows::{Lab, send};
use crate::build::*;
use crate::support::factory::Factory;

/// Everything the ledger has refused.
fn refusals(factory: &Factory) -> Vec<Refusal> {
    let ledger = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
    let mut all = Vec::new();
    let walk = ledger.refusals(|refused| {
        all.push(refused.clone());
        Ok::<(), ledger::Error>(())
    });
    walk.unwrap();
    all
}

/// The events of all audit chains.
fn events(factory: &Factory) -> u64 {
    let ledger = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
    ledger.check().unwrap().events
}

#[test]
fn strangers_leave_nothing_in_the_ledger_and_little_in_the_log() {
    let lab = Lab::open("");
    let (before, lines) = (events(&lab.factory), lab.endpoint.log().lines().count());
    let body = lab.body(&lab.csr()).to_string();
    for number in 0..500 {
        let token = format!("fcr_{number}\x1b[2J{{}}%s");
        let octets = format!(
            "POST /sign HTTP/1.1\r\nHost: ca\r\nContent-Type: application/json\r\nAuthorization: Bearer x{number}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(send(&lab.endpoint, octets.as_bytes()).unwrap().status, 401);
        let octets = octets.replace(&format!("Bearer x{number}"), &format!("Basic {token}"));
        // A control character is no HTTP.
        assert_eq!(send(&lab.endpoint, octets.as_bytes()).unwrap().status, 400);
    }
    assert_eq!(events(&lab.factory), before);
    let said = lab.endpoint.log().lines().count() - lines;
    assert!((1..=30).contains(&said), "{}", lab.endpoint.log());
    let metrics = lab.endpoint.get("/metrics").text();
    let counted = "factory_ca_refusals_total{rule=\"registrar-unknown\"} 500";
    assert!(metrics.contains(counted), "{metrics}");
    lab.register().unwrap();
    lab.end();
}

#[test]
fn where_nobody_has_to_vouch_a_conflict_is_not_kept_either() {
    let anonymous = "server: {anonymous: {production: refuse}}";
    let factory = Factory::with_endpoint(anonymous);
    let token = factory.registrar("line", "");
    let lab = Lab::start(factory, token, Factory::serve);
    let device = lab.device();
    let body = || {
        let key = Key::new();
        let subject = device_name(&device, FACTORY);
        lab.body(&Draft::proper(&key).subject(subject).sign(&key))
    };
    let first = lab.endpoint.post(None, &body().to_string());
    assert_eq!(first.status, 201, "{}", first.text());
    // The offer is noted a moment later.
    lab.register().unwrap();
    lab.register().unwrap();
    let before = refusals(&lab.factory).len();
    for _ in 0..20 {
        let answer = lab.endpoint.post(None, &body().to_string());
        assert_eq!(answer.status, 409, "{}", answer.text());
        let mut wrong = body();
        wrong["csr"] = "x".into();
        assert_eq!(lab.endpoint.post(None, &wrong.to_string()).status, 400);
    }
    assert_eq!(refusals(&lab.factory).len(), before);
    // Who has a token is kept.
    let answer = lab.endpoint.post(Some(&lab.token), &body().to_string());
    assert_eq!(answer.status, 409, "{}", answer.text());
    lab.register().unwrap();
    assert_eq!(refusals(&lab.factory).len(), before + 1);
    lab.end();
}

#[test]
fn what_is_kept_of_a_refused_request_is_no_longer_than_a_line() {
    let lab = Lab::open("");
    let key = Key::new();
    let long = "l".repeat(5000);
    let csr = Draft::proper(&key)
        .subject(device_name(&long, &long))
        .sign(&key);
    let octets = lab.body(&csr).to_string();
    let answer = lab.endpoint.post(Some(&lab.token), &octets);
    assert_eq!(answer.status, 400, "{}", answer.text());
    let Lab {
        factory, endpoint, ..
    } = lab;
    let status = endpoint.end(rustix::process::Signal::TERM);
    assert!(status.success());
    let kept = refusals(&factory).pop().unwrap();
    let cut = format!("{}…", "l".repeat(80));
    assert_eq!(kept.device, Some(cut.clone()));
    assert_eq!(kept.rule, "factory");
    assert_eq!(
        kept.message,
        format!("Invalid factory({cut}) must be demo-factory")
    );
}

#[test]
fn a_token_for_one_network_is_not_good_from_another_whatever_the_client_says() {
    let factory = Factory::with_endpoint("server: {trusted-proxies: [127.0.0.1]}");
    let token = factory.registrar("line", "--from 198.51.100.0/24");
    let endpoint = factory.serve();
    let body = include_str!("../../data/lmp-device-register/register-plain.json");
    let register = |forwarded: &[&[u8]]| {
        let lines: Vec<u8> = forwarded
            .iter()
            .flat_map(|line| [b"X-Forwarded-For: ", *line, b"\r\n"].concat())
            .collect();
        let head = format!(
            "POST /sign HTTP/1.1\r\nHost: ca\r\nContent-Type: application/json\r\nOSF-TOKEN: {token}\r\nContent-Length: {}\r\n",
            body.len()
        );
        let octets = [head.as_bytes(), &lines, b"\r\n", body.as_bytes()].concat();
        send(&endpoint, &octets).unwrap()
    };
    // The last address is what the proxy saw; everything before it, the client wrote.
    for (forwarded, found) in [
        (&[b"203.0.113.9".as_slice()] as &[&[u8]], "203.0.113.9"),
        (&[b"198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        (&[b"198.51.100.7", b"203.0.113.9"], "203.0.113.9"),
        (&[b"198.51.100.7", b"\xff, 203.0.113.9"], "203.0.113.9"),
        (&[b"198.51.100.7", b"\xff"], "127.0.0.1"),
        (&[b"198.51.100.7, "], "127.0.0.1"),
        (&[b"198.51.100.7, 198.51.100.300"], "127.0.0.1"),
        (&[b"198.51.100.7 203.0.113.9"], "127.0.0.1"),
        (&[b"[198.51.100.7]:x, unknown"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        let answer = register(forwarded);
        assert_eq!(answer.status, 403, "{forwarded:?}");
        let wanted =
            format!("registrar token `line` may be used from 198.51.100.0/24, this is {found}");
        assert_eq!(answer.message(), wanted, "{forwarded:?}");
    }
    assert_eq!(register(&[b"203.0.113.9, 198.51.100.7"]).status, 201);
}
