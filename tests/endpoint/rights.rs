//! Who may register what, and what is kept of those who may not.

use std::fs;
use std::io::{BufReader, Write};
use std::time::{Duration, Instant};

use factory_ca::ledger::Ledger;
use factory_ca::x509::Certificate;
use rustix::process::Signal;
use serde_json::Value;

use crate::books::{assert_clean, refusals, wait_for, wait_for_refusals};
use crate::support::device::Device;
use crate::support::endpoint::{Answer, Endpoint, read_answer};
use crate::support::factory::Factory;
use crate::support::requests::{DEVICE, OTHER_DEVICE};

/// Posts what a device sends, with these header lines.
fn ask(endpoint: &Endpoint, device: &Device, headers: &str) -> Answer {
    let body = device.body(&device.request());
    let request = format!(
        "POST /sign HTTP/1.1\r\nHost: ca\r\nContent-type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    endpoint.send(request.as_bytes())
}

/// A token that a running endpoint knows: it looks for tokens it does not know ten times a second.
fn fresh(factory: &Factory, name: &str, options: &str) -> String {
    let token = factory.registrar(name, options);
    std::thread::sleep(Duration::from_millis(150));
    token
}

/// Status, and the message if there is one.
fn told(answer: &Answer) -> (u16, String) {
    match answer.status {
        201 => (201, String::new()),
        status => (status, answer.message()),
    }
}

fn issuer(answer: &Answer) -> String {
    let json = answer.json();
    let pem = json["client.pem"].as_str().unwrap();
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    certificate.issuer().to_string()
}

#[test]
fn production_is_a_right_of_the_token() {
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let mut number = 0;
    for (right, plain, production) in [
        ("allow", Ok(()), Ok(())),
        (
            "require",
            Err(
                "registrar token `require` may register production devices only: the subject has no businessCategory=production",
            ),
            Ok(()),
        ),
        (
            "refuse",
            Ok(()),
            Err("registrar token `refuse` may not register production devices"),
        ),
    ] {
        let token = fresh(&factory, right, &format!("--production {right}"));
        for (is_production, wanted) in [(false, plain), (true, production)] {
            number += 1;
            let device = Device::number(number);
            let device = if is_production {
                device.production()
            } else {
                device
            };
            let answer = ask(&endpoint, &device, &format!("OSF-TOKEN: {token}\r\n"));
            let wanted =
                wanted.map_or_else(|text| (403, text.to_owned()), |()| (201, String::new()));
            assert_eq!(told(&answer), wanted);
        }
    }
    assert_eq!(factory.issued(), 2 + 4);
    let kept = wait_for_refusals(&factory, 2);
    let rules: Vec<&str> = kept.iter().map(|refusal| refusal.rule.as_str()).collect();
    assert_eq!(rules, ["production-required", "production-refused"]);
}

#[test]
fn production_is_a_right_of_anonymous_requests_too() {
    let factory = Factory::with_endpoint("server: {anonymous: refuse}");
    let mut number = 0;
    let mut before = "anonymous: refuse".to_owned();
    for (right, warning, plain, production) in [
        ("allow", "(production devices, too)", Ok(()), Ok(())),
        (
            "require",
            "(production devices only)",
            Err(
                "an anonymous request may register production devices only: the subject has no businessCategory=production",
            ),
            Ok(()),
        ),
        (
            "refuse",
            "(no production devices)",
            Ok(()),
            Err("an anonymous request may not register production devices"),
        ),
    ] {
        let now = format!("anonymous: {{production: {right}}}");
        factory.configure(&before, &now);
        before = now;
        let endpoint = factory.serve();
        assert!(endpoint.log().contains(&format!(
            "WARN anonymous registration is on: whoever can connect gets certificates for devices of any UUID {warning}\n"
        )), "{}", endpoint.log());
        // Any text skips a client's own authorisation.
        for headers in [
            "",
            "OSF-TOKEN: anything\r\n",
            "Authorization: Basic dTpw\r\n",
        ] {
            for (is_production, wanted) in [(false, plain), (true, production)] {
                number += 1;
                let device = Device::number(number);
                let device = if is_production {
                    device.production()
                } else {
                    device
                };
                let answer = ask(&endpoint, &device, headers);
                let wanted =
                    wanted.map_or_else(|text| (403, text.to_owned()), |()| (201, String::new()));
                assert_eq!(told(&answer), wanted);
            }
        }
    }
    // Nobody vouched for those who were refused.
    assert_eq!(refusals(&factory), []);
}

#[test]
fn who_is_not_known_is_told_to_send_a_token() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    assert!(!endpoint.log().contains("anonymous"));
    let unknown = "fcr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let missing = "a registrar token is needed: the device sends it with `-T TOKEN`, as `OSF-TOKEN` or `Authorization: Bearer`";
    let (not_known, two) = (
        "the registrar token is not known",
        "two different registrar tokens were sent",
    );
    let upper = token.to_uppercase();
    for (headers, wanted) in [
        (String::new(), missing),
        ("OSF-TOKEN:\r\n".to_owned(), missing),
        ("Authorization: Bearer \r\n".to_owned(), missing),
        ("Authorization: Basic dTpw\r\n".to_owned(), missing),
        (format!("Authorization: {token}\r\n"), missing),
        (format!("X-Token: {token}\r\n"), missing),
        ("OSF-TOKEN: anything\r\n".to_owned(), not_known),
        (format!("OSF-TOKEN: {unknown}\r\n"), not_known),
        (format!("OSF-TOKEN: {upper}\r\n"), not_known),
        (format!("OSF-TOKEN: {token}x\r\n"), not_known),
        (
            format!("OSF-TOKEN: {}\r\n", &token[..token.len() - 1]),
            not_known,
        ),
        (format!("OSF-TOKEN: Bearer {token}\r\n"), not_known),
        (format!("Authorization: Bearer {unknown}\r\n"), not_known),
        (
            format!("OSF-TOKEN: {token}\r\nAuthorization: Bearer {unknown}\r\n"),
            two,
        ),
        (
            format!("OSF-TOKEN: {unknown}\r\nOSF-TOKEN: {token}\r\n"),
            two,
        ),
    ] {
        let answer = ask(&endpoint, &Device::new(DEVICE), &headers);
        assert_eq!(told(&answer), (401, wanted.to_owned()), "{headers}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(factory.issued(), 2);
    assert_eq!(refusals(&factory), []);
}

#[test]
fn a_token_may_come_in_either_header_or_in_both() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: refuse}}");
    let token = factory.registrar("line", "--production require");
    let endpoint = factory.serve();
    for (number, headers) in [
        format!("OSF-TOKEN: {token}\r\n"),
        format!("osf-token:{token}  \r\n"),
        format!("Authorization: Bearer {token}\r\n"),
        format!("authorization: bearer  {token}\r\n"),
        format!("OSF-TOKEN: {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("OSF-TOKEN: {token}\r\nAuthorization: Basic dTpw\r\n"),
    ]
    .iter()
    .enumerate()
    {
        let answer = ask(&endpoint, &Device::number(number).production(), headers);
        assert_eq!(told(&answer), (201, String::new()), "{headers}");
    }
    // A token that is sent has to be good, even where none is needed.
    let unknown = "fcr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for headers in [
        format!("OSF-TOKEN: {unknown}\r\n"),
        format!("OSF-TOKEN: {token}\r\nAuthorization: Bearer {unknown}\r\n"),
    ] {
        assert_eq!(ask(&endpoint, &Device::new(DEVICE), &headers).status, 401);
    }
    let rest = ask(&endpoint, &Device::new(DEVICE), "");
    assert_eq!(rest.status, 201);
}

#[test]
fn a_token_is_good_and_closed_without_a_restart() {
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let token = fresh(&factory, "line", "");
    let header = format!("OSF-TOKEN: {token}\r\n");
    let device = Device::number(1);
    let first = device.body(&device.request());
    let answer = endpoint.post(Some(&token), &first);
    assert_eq!(answer.status, 201, "{}", answer.text());

    factory.run("registrar close line --by alice").succeeds();
    let answer = ask(&endpoint, &Device::number(2), &header);
    // What was read of the registrars a moment ago does not count when a certificate is reserved.
    let (status, message) = told(&answer);
    match status {
        401 => assert_eq!(message, "registrar token `line` is closed"),
        403 => assert!(
            message.starts_with("registrar `line` was closed on 2")
                && message.ends_with("; nothing was signed"),
            "{message}"
        ),
        _ => panic!("{status} {message}"),
    }
    std::thread::sleep(Duration::from_millis(1100));
    for body in [&first, &device.body(&device.request())] {
        let answer = endpoint.post(Some(&token), body);
        let closed = "registrar token `line` is closed".to_owned();
        assert_eq!(told(&answer), (401, closed));
    }
    assert_eq!(factory.issued(), 3);
    assert_clean(&factory);
}

#[test]
fn a_token_expires() {
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let token = fresh(&factory, "line", "--expires 3s");
    let header = format!("OSF-TOKEN: {token}\r\n");
    let begun = Instant::now();
    assert_eq!(ask(&endpoint, &Device::number(1), &header).status, 201);
    std::thread::sleep(Duration::from_secs(4).saturating_sub(begun.elapsed()));
    let answer = ask(&endpoint, &Device::number(2), &header);
    let wanted = "registrar token `line` is no longer good".to_owned();
    assert_eq!(told(&answer), (401, wanted));
    assert_eq!(factory.issued(), 3);
}

#[test]
fn a_token_registers_exactly_so_many_devices_however_many_come_at_once() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "--max 5");
    let endpoint = factory.serve();
    let header = format!("OSF-TOKEN: {token}\r\n");
    let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..24)
            .map(|number| {
                let (endpoint, header) = (&endpoint, &header);
                scope.spawn(move || told(&ask(endpoint, &Device::number(number), header)))
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap();
        threads.into_iter().map(join).collect()
    });
    let exhausted =
        "registrar `line` has registered as many devices as it may: 5; nothing was signed";
    for (status, message) in &answers {
        assert!(
            matches!((*status, message.as_str()), (201, ""))
                || (*status, &**message) == (403, exhausted),
            "{status} {message}"
        );
    }
    let count = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(count, 5);
    assert_eq!(factory.issued(), 7);
    let list = factory.run("registrar list --json").succeeds().json();
    let line = &list["registrars"][0];
    assert_eq!(
        (&line["used"], &line["max"], &line["state"]),
        (&Value::from(5), &Value::from(5), &Value::from("exhausted"))
    );
    let kept = wait_for_refusals(&factory, 19);
    assert!(
        kept.iter()
            .all(|refusal| refusal.rule == "registrar-exhausted")
    );
}

#[test]
fn a_device_that_is_registered_asks_again_though_the_token_is_exhausted() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "--max 1");
    let endpoint = factory.serve();
    let device = Device::number(1);
    let body = device.body(&device.request());
    let first = endpoint.post(Some(&token), &body);
    assert_eq!(first.status, 201);
    assert_eq!(endpoint.post(Some(&token), &body).body, first.body);
    let other = ask(
        &endpoint,
        &Device::number(2),
        &format!("OSF-TOKEN: {token}\r\n"),
    );
    assert_eq!(other.status, 403);
    assert_eq!(
        other.json()["hint"],
        "run `factory-ca registrar list`; for a new token run `factory-ca registrar create NAME`"
    );
    assert_eq!(endpoint.post(Some(&token), &body).body, first.body);
}

#[test]
fn a_token_may_be_bound_to_networks() {
    let factory = Factory::with_endpoint("");
    let far = factory.registrar("far", "--from 10.0.0.0/8 --from 2001:db8::/32");
    let near = factory.registrar("near", "--from 192.0.2.1 --from 127.0.0.0/8");
    let endpoint = factory.serve();
    let answer = ask(
        &endpoint,
        &Device::number(1),
        &format!("OSF-TOKEN: {near}\r\n"),
    );
    assert_eq!(answer.status, 201);
    // Whoever connects directly may write what it likes.
    for more in ["", "X-Forwarded-For: 10.1.2.3\r\n"] {
        let headers = format!("OSF-TOKEN: {far}\r\n{more}");
        let answer = ask(&endpoint, &Device::number(2), &headers);
        let wanted =
            "registrar token `far` may be used from 10.0.0.0/8, 2001:db8::/32, this is 127.0.0.1";
        assert_eq!(told(&answer), (403, wanted.to_owned()));
    }
    for refusal in wait_for_refusals(&factory, 2) {
        assert_eq!(refusal.source, "registrar `far`, 127.0.0.1");
        assert_eq!(refusal.rule, "registrar-network");
    }
}

#[test]
fn trusted_proxies_say_where_a_request_comes_from() {
    let factory = Factory::with_endpoint("server: {trusted-proxies: [127.0.0.1, 192.0.2.0/24]}");
    let far = factory.registrar("far", "--from 10.0.0.0/8");
    let endpoint = factory.serve();
    for (number, forwarded, wanted) in [
        (1, "10.1.2.3", Ok(())),
        (2, "198.51.100.7, 10.1.2.3", Ok(())),
        (3, "10.1.2.3, 192.0.2.9", Ok(())),
        (4, "10.1.2.3, 198.51.100.7", Err("198.51.100.7")),
        (5, "10.1.2.3, nonsense", Err("127.0.0.1")),
        (6, "2001:db8::1", Err("2001:db8::1")),
        (7, "", Err("127.0.0.1")),
    ] {
        let headers = format!("OSF-TOKEN: {far}\r\nX-Forwarded-For: {forwarded}\r\n");
        let answer = ask(&endpoint, &Device::number(number), &headers);
        let wanted = wanted.map_or_else(
            |address| {
                (
                    403,
                    format!("registrar token `far` may be used from 10.0.0.0/8, this is {address}"),
                )
            },
            |()| (201, String::new()),
        );
        assert_eq!(told(&answer), wanted, "{forwarded}");
    }
    let shown = factory.run(&format!("device show {} --json", Device::number(3).uuid));
    let source = &shown.succeeds().json()["certificates"][0]["registration"]["source"];
    assert_eq!(source, "10.1.2.3");
    assert_eq!(
        wait_for_refusals(&factory, 4)[0].source,
        "registrar `far`, 198.51.100.7"
    );
}

#[test]
fn a_token_may_be_bound_to_an_authority() {
    let factory = Factory::with_endpoint("server: {authority: [line-1, line-2]}");
    for name in ["line-2", "line-3"] {
        factory.configure(
            "    profiles: [device]\n",
            &format!("    profiles: [device]\n  {name}:\n    certificate: certs/{name}.pem\n    issuer: root\n    keys: [{{token: line, object: {name}}}]\n    profiles: [device ]\n"),
        );
        factory.run(&format!("ca create {name}")).succeeds();
    }
    let tokens = [
        factory.registrar("any", ""),
        factory.registrar("one", "--ca line-1"),
        factory.registrar("two", "--ca line-2"),
        factory.registrar("both", "--ca line-2 --ca line-1"),
        factory.registrar("three", "--ca line-3"),
    ];
    let endpoint = factory.serve();
    let answers: Vec<Answer> = tokens
        .iter()
        .enumerate()
        .map(|(number, token)| {
            let headers = format!("OSF-TOKEN: {token}\r\n");
            ask(&endpoint, &Device::number(number), &headers)
        })
        .collect();
    for (answer, ca) in answers.iter().zip(["line-1", "line-1", "line-2", "line-2"]) {
        assert_eq!(issuer(answer), format!("CN={ca}, OU=demo-factory"));
        let json = answer.json();
        let chained = json["client.chained"].as_str().unwrap();
        assert!(chained.ends_with(&factory.read(&format!("pki/certs/{ca}.pem"))));
    }
    let wanted = "the registrar token is for authority `line-3`, which this endpoint does not have";
    assert_eq!(told(&answers[4]), (403, wanted.to_owned()));
    assert_eq!(
        wait_for_refusals(&factory, 1)[0].rule,
        "registrar-authority"
    );

    // A device is one device, whichever CA is asked: its live certificate is in the way.
    let headers = format!("OSF-TOKEN: {}\r\n", tokens[2]);
    let other = ask(&endpoint, &Device::number(0), &headers);
    assert_eq!(other.status, 409);
}

#[test]
fn refused_requests_are_kept_with_token_address_and_rule() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let header = format!("OSF-TOKEN: {token}\r\n");
    assert_eq!(ask(&endpoint, &Device::new(DEVICE), &header).status, 201);
    let answers = [
        ask(&endpoint, &Device::new(DEVICE), &header),
        ask(&endpoint, &Device::new(OTHER_DEVICE).production(), &header),
        ask(&endpoint, &Device::new("no-uuid"), &header),
        ask(
            &endpoint,
            &Device::new(OTHER_DEVICE).factory("acme"),
            &header,
        ),
        endpoint.post(Some(&token), "{}"),
        endpoint.send(
            format!("POST /sign HTTP/1.1\r\nHost: ca\r\n{header}Content-Length: 2\r\n\r\n{{}}")
                .as_bytes(),
        ),
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [409, 403, 400, 400, 400, 415]);
    let kept = wait_for_refusals(&factory, 6);
    let found: Vec<_> = kept
        .iter()
        .map(|kept| {
            (
                kept.rule.as_str(),
                kept.device.as_deref(),
                kept.key.is_some(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("device-live", Some(DEVICE), true),
            ("production-refused", Some(OTHER_DEVICE), true),
            ("subject-uuid", Some("no-uuid"), true),
            ("factory", Some(OTHER_DEVICE), true),
            ("body", None, false),
            ("content-type", None, false),
        ]
    );
    for kept in &kept {
        assert_eq!(kept.source, "registrar `line`, 127.0.0.1");
        assert_eq!(kept.profile, "device");
    }
    assert_eq!(kept[4].message, "Missing required field 'csr'");
    assert_clean(&factory);
    for answer in &answers {
        let json = answer.json();
        endpoint.wait_for_log(json["request"].as_str().unwrap());
        let log = endpoint.log();
        let line = log
            .lines()
            .find(|line| line.contains(json["request"].as_str().unwrap()));
        let line = line.unwrap_or_else(|| panic!("{json} is not in {log}"));
        assert!(line.contains("WARN refused: "), "{line}");
        assert!(
            line.contains("source=\"registrar `line`, 127.0.0.1\""),
            "{line}"
        );
    }
    wait_for(&factory, DEVICE, &["issued, gateway none, offered"]);
}

#[test]
fn strangers_fill_neither_the_ledger_nor_the_log() {
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let size = || {
        let ledger = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
        drop(ledger);
        ["ledger.db", "ledger.db-wal"].map(|name| {
            let path = factory.path(&format!("pki/{name}"));
            fs::metadata(path).map_or(0, |file| file.len())
        })
    };
    let before = size();
    // With a body that is drained, on one connection, as fast as it goes.
    let body = "x".repeat(20_000);
    let request = format!(
        "POST /sign HTTP/1.1\r\nHost: ca\r\nOSF-TOKEN: s3cr3t-of-a-stranger\r\nContent-type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = endpoint.connect();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    for _ in 0..300 {
        connection.write_all(request.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut reader).unwrap().status, 401);
    }
    assert_eq!(before, size());
    assert_eq!(refusals(&factory), []);
    let metrics = endpoint.get("/metrics").text();
    assert!(
        metrics.contains("factory_ca_refusals_total{rule=\"registrar-unknown\"} 300\n"),
        "{metrics}"
    );
    endpoint.signal(Signal::TERM);
    let (_, log) = endpoint.wait();
    assert!(!log.contains("s3cr3t-of-a-stranger"));
    let line = "from 127.0.0.1: the registrar token is not known\n";
    assert!((1..=10).contains(&log.matches(line).count()), "{log}");
    assert!(log.lines().count() < 15, "{log}");
}
