//! What those who run the endpoint see of it: health, readiness, metrics, log, its end, and why it does not start.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use factory_ca::x509::Certificate;
use regex::Regex;
use rustix::process::Signal;
use serde_json::{Value, json};
use snapbox::str;

use crate::books::wait_for;
use crate::support::badday::{FOR_EVER, Function};
use crate::support::device::Device;
use crate::support::endpoint::{Answer, Endpoint, post, read_answer};
use crate::support::factory::{BINARY, Factory};
use crate::support::foreign::ALWAYS;
use crate::support::requests::{DEVICE, openssl};

fn register(endpoint: &Endpoint, token: &str, device: &Device) -> Answer {
    endpoint.post(Some(token), &device.body(&device.request()))
}

#[test]
fn health_is_that_it_answers_and_readiness_that_it_can_sign() {
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let answer = endpoint.get("/healthz");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let answer = endpoint.get("/readyz");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let parts = json!({ "ledger": "ok", "token of line-1": "ok", "validity of line-1": "ok" });
    assert_eq!(answer.json(), json!({ "parts": parts, "ready": true }));
    for path in ["/healthz", "/readyz", "/metrics"] {
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n");
        let mut connection = endpoint.connect();
        connection.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n"));
    }
}

#[test]
fn an_expired_ca_is_not_ready() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: refuse}}");
    factory.foreign_ca(((2020, 1, 1), (2021, 1, 1)), ALWAYS);
    let endpoint = factory.serve();
    let answer = endpoint.get("/readyz");
    assert_eq!(answer.status, 503);
    let json = answer.json();
    assert_eq!(json["ready"], false);
    assert_eq!(json["parts"]["token of line-1"], "ok");
    assert_eq!(json["parts"]["ledger"], "ok");
    let told = json["parts"]["validity of line-1"].as_str().unwrap();
    assert!(
        told.starts_with("authority `line-1`: certificate `CN=Factory-CA, OU=demo-factory` is valid from 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z, and now is "),
        "{told}"
    );
    let told = Device::new(DEVICE).register(&endpoint.address, &factory.path("sota"));
    assert_eq!(told, Err("HEAD: 503".to_owned()));
    let device = Device::new(DEVICE);
    let answer = endpoint.post(None, &device.body(&device.request()));
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (
            503,
            "the CA is outside its validity, or this server's clock is wrong"
        )
    );
    let metrics = Metrics::of(&endpoint);
    let authority = "{authority=\"line-1\"}";
    assert_eq!(
        metrics.value(&format!(
            "factory_ca_authority_not_after_timestamp_seconds{authority}"
        )),
        1_609_459_200.0
    );
    assert_eq!(metrics.value("factory_ca_ready"), 0.0);
}

/// Samples by name and labels. Reading them holds them to the text format of OpenMetrics as far as it goes.
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn of(endpoint: &Endpoint) -> Metrics {
        let answer = endpoint.get("/metrics");
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        let text = answer.text();
        let samples = text.strip_suffix("# EOF\n").unwrap();
        let name = r"factory_ca_[a-z_]+";
        let label = r#"[a-z_]+="[^"\\]*""#;
        let sample = format!(r"^({name}(?:\{{{label}(?:,{label})*\}})?) (-?[0-9.e+-]+)$");
        let sample = Regex::new(&sample).unwrap();
        let comment = Regex::new(&format!("^# (HELP|TYPE|UNIT) {name} .+$")).unwrap();
        let mut found = BTreeMap::new();
        for line in samples.lines().filter(|line| !comment.is_match(line)) {
            let parts = sample
                .captures(line)
                .unwrap_or_else(|| panic!("no sample: {line}"));
            let value = parts[2].parse().unwrap();
            let before = found.insert(parts[1].to_owned(), value);
            assert_eq!(before, None, "{line} is there twice");
        }
        Metrics(found)
    }

    fn value(&self, sample: &str) -> f64 {
        let value = self.0.get(sample);
        *value.unwrap_or_else(|| panic!("no {sample} in {:#?}", self.0))
    }

    /// Everything but histograms.
    fn starting_with(&self, prefix: &str) -> Vec<(&str, f64)> {
        let samples = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        samples.map(|(name, value)| (&**name, *value)).collect()
    }
}

#[test]
fn metrics_count_what_was_issued_and_what_was_refused() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let device = Device::number(1);
    let body = device.body(&device.request());
    for _ in 0..2 {
        assert_eq!(endpoint.post(Some(&token), &body).status, 201);
    }
    assert_eq!(register(&endpoint, &token, &Device::number(2)).status, 201);
    for (device, status) in [
        (Device::number(1), 409),
        (Device::number(3).production(), 403),
        (Device::number(3).factory("acme"), 400),
        (Device::new("x"), 400),
    ] {
        assert_eq!(register(&endpoint, &token, &device).status, status);
    }
    assert_eq!(endpoint.post(Some(&token), "{}").status, 400);
    assert_eq!(register(&endpoint, "unknown", &device).status, 401);
    assert_eq!(endpoint.post(None, &body).status, 401);
    assert_eq!(endpoint.get("/nowhere").status, 404);

    let metrics = Metrics::of(&endpoint);
    for (sample, value) in [
        (
            "factory_ca_certificates_issued_total{authority=\"line-1\"}",
            2.0,
        ),
        ("factory_ca_certificates_repeated_total", 1.0),
        ("factory_ca_token_up{authority=\"line-1\"}", 1.0),
        ("factory_ca_ledger_up", 1.0),
        ("factory_ca_ready", 1.0),
        ("factory_ca_registrations_under_way", 0.0),
    ] {
        assert_eq!(metrics.value(sample), value, "{sample}");
    }
    assert_eq!(
        metrics.starting_with("factory_ca_refusals_total"),
        [
            ("factory_ca_refusals_total{rule=\"body\"}", 1.0),
            ("factory_ca_refusals_total{rule=\"device-live\"}", 1.0),
            ("factory_ca_refusals_total{rule=\"factory\"}", 1.0),
            (
                "factory_ca_refusals_total{rule=\"production-refused\"}",
                1.0
            ),
            ("factory_ca_refusals_total{rule=\"registrar-missing\"}", 1.0),
            ("factory_ca_refusals_total{rule=\"registrar-unknown\"}", 1.0),
            ("factory_ca_refusals_total{rule=\"subject-uuid\"}", 1.0),
        ]
    );
    assert_eq!(
        metrics.starting_with("factory_ca_responses_total"),
        [
            ("factory_ca_responses_total{status=\"201\"}", 3.0),
            ("factory_ca_responses_total{status=\"400\"}", 3.0),
            ("factory_ca_responses_total{status=\"401\"}", 2.0),
            ("factory_ca_responses_total{status=\"403\"}", 1.0),
            ("factory_ca_responses_total{status=\"404\"}", 1.0),
            ("factory_ca_responses_total{status=\"409\"}", 1.0),
        ]
    );
    assert!(metrics.value("factory_ca_connections") >= 1.0);
}

#[test]
fn metrics_tell_how_long_each_step_took() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    for number in 0..5 {
        let answer = register(&endpoint, &token, &Device::number(number));
        assert_eq!(answer.status, 201);
    }
    let metrics = Metrics::of(&endpoint);
    for step in ["admit", "reserve", "sign", "record", "request"] {
        let count = metrics.value(&format!("factory_ca_step_seconds_count{{step=\"{step}\"}}"));
        assert_eq!(count, 5.0, "{step}");
        let sum = metrics.value(&format!("factory_ca_step_seconds_sum{{step=\"{step}\"}}"));
        assert!(sum > 0.0 && sum < 50.0, "{step} {sum}");
        let mut buckets: Vec<(f64, f64)> = metrics
            .starting_with("factory_ca_step_seconds_bucket{")
            .iter()
            .filter(|(name, _)| name.contains(&format!("step=\"{step}\"")))
            .map(|(name, value)| {
                let (_, bound) = name.split_once("le=\"").unwrap();
                let bound = bound.split('"').next().unwrap().replace("+Inf", "inf");
                (bound.parse().unwrap(), *value)
            })
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.len() > 10 && buckets.is_sorted_by_key(|(_, count)| *count));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 5.0)));
    }
}

#[test]
fn metrics_tell_when_the_ca_ends_and_when_it_is_too_late_for_devices() {
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let metrics = Metrics::of(&endpoint);
    let until = |name: &str| {
        let pem = factory.read(&format!("pki/certs/{name}.pem"));
        Certificate::from_pem(pem.as_bytes()).unwrap().not_after()
    };
    let end = until("line-1").unix().min(until("factory_ca").unix()) as f64;
    let authority = "{authority=\"line-1\"}";
    let not_after = metrics.value(&format!(
        "factory_ca_authority_not_after_timestamp_seconds{authority}"
    ));
    assert_eq!(not_after, end);
    // A device wants five years.
    let last = metrics.value(&format!(
        "factory_ca_authority_issues_until_timestamp_seconds{authority}"
    ));
    let years = (end - last) / (365.2425 * 86400.0);
    assert!((4.99..5.01).contains(&years), "{years}");
}

#[test]
fn operations_can_be_a_room_of_their_own() {
    let factory = Factory::with_endpoint("server: {operations: \"127.0.0.1:0\"}");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    endpoint.wait_for_log("listening address=");
    let begun = Instant::now();
    let addresses = loop {
        match endpoint.addresses() {
            both if both.len() == 2 => break both,
            _ => assert!(begun.elapsed() < Duration::from_secs(10)),
        }
    };
    let operations = |request: &str| {
        let mut connection = TcpStream::connect(&addresses[1]).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        read_answer(&mut BufReader::new(connection)).unwrap().status
    };
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(endpoint.get(path).status, 404, "{path}");
        let get = format!("GET {path} HTTP/1.1\r\nHost: ca\r\n\r\n");
        assert_eq!(operations(&get), 200);
    }
    let device = Device::new(DEVICE);
    let body = device.body(&device.request());
    let request = String::from_utf8(post(Some(&token), &body)).unwrap();
    assert_eq!(operations(&request), 404);
    assert_eq!(factory.issued(), 2);
    assert_eq!(endpoint.post(Some(&token), &body).status, 201);
}

#[test]
fn the_log_tells_of_each_certificate_and_has_the_number_that_a_device_is_told() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let body = device.body(&device.request());
    for _ in 0..2 {
        assert_eq!(endpoint.post(Some(&token), &body).status, 201);
    }
    let refused = register(&endpoint, &token, &device).json();
    let number = refused["request"].as_str().unwrap();
    let (run, _) = number.split_once('-').unwrap();
    endpoint.wait_for_log(number);
    let log = endpoint.log();
    let line = r#"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z  INFO WORD request="RUN-N" source="registrar `line`, 127\.0\.0\.1" device="UUID" serial=[0-9a-f]{32} authority="line-1"$"#;
    for (number, word) in [("1", "issued"), ("2", "issued again")] {
        let line = line.replace("WORD", word).replace("UUID", DEVICE);
        let line = line.replace("RUN-N", &format!("{run}-{number}"));
        assert!(Regex::new(&line).unwrap().is_match(&log), "{line}: {log}");
    }
    let line = log.lines().find(|line| line.contains(number)).unwrap();
    assert!(line.contains("rule=\"device-live\" status=409"), "{line}");
    // Numbers of another run are others.
    drop(endpoint);
    let endpoint = factory.serve();
    let refused = register(&endpoint, &token, &device).json();
    assert!(!refused["request"].as_str().unwrap().starts_with(run));
}

#[test]
fn with_json_every_line_of_the_log_is_an_object() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: refuse}}");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve_with(&["--json"]);
    let device = Device::new(DEVICE).named("a\"b\\c\u{1b}");
    assert_eq!(register(&endpoint, &token, &device).status, 400);
    let device = Device::new(DEVICE);
    assert_eq!(register(&endpoint, &token, &device).status, 201);
    assert_eq!(register(&endpoint, &token, &device).status, 409);
    assert_eq!(register(&endpoint, "fcr_unknown", &device).status, 401);
    endpoint.signal(Signal::TERM);
    let (status, log) = endpoint.wait();
    assert!(status.success());
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    for line in &lines {
        for key in ["timestamp", "level", "message"] {
            assert!(line[key].is_string(), "{line}");
        }
    }
    let issued = lines.iter().find(|line| line["message"] == "issued");
    let issued = issued.unwrap();
    assert_eq!(issued["device"], DEVICE);
    assert_eq!(issued["source"], "registrar `line`, 127.0.0.1");
    assert_eq!(issued["authority"], "line-1");
    let refused = lines.iter().find(|line| line["rule"] == "device-live");
    assert_eq!(refused.unwrap()["status"], 409);
    assert_eq!(lines.last().unwrap()["message"], "stopped");
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    // It is told a free port, because it cannot say which one it has.
    let address = format!("127.0.0.1:{}", crate::support::http::closed_port());
    let script = format!("exec \"$0\" serve --listen {address} 2>/dev/full");
    let mut command = factory.program(Path::new("sh"), &["-c", &script, BINARY]);
    let mut process = command.spawn().unwrap();
    let begun = Instant::now();
    while TcpStream::connect(&address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert_eq!(process.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(20));
    }
    for number in 0..2 {
        let device = Device::number(number).token(&token);
        let sota = factory.path(&format!("sota-{number}"));
        let told = device.register(&address, &sota);
        assert_eq!(told, Ok(()));
    }
    let id = rustix::process::Pid::from_raw(process.id() as i32).unwrap();
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn at_its_end_it_finishes_what_it_took() {
    for signal in [Signal::TERM, Signal::INT] {
        let factory = Factory::with_endpoint("");
        let bad = factory.bad_day();
        let token = factory.registrar("line", "");
        let endpoint = factory.serve();
        let idle = endpoint.connect();
        let address = endpoint.address.clone();
        let device = Device::new(DEVICE);
        let request = post(Some(&token), &device.body(&device.request()));
        bad.slow(Function::Sign, Duration::from_millis(1500), FOR_EVER);
        let before = bad.calls(Function::Sign);
        let mut connection = endpoint.connect();
        connection.write_all(&request).unwrap();
        let begun = Instant::now();
        while bad.calls(Function::Sign) == before {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(5));
        }
        endpoint.signal(signal);
        endpoint.wait_for_log("stopping: what was taken is finished first");
        let begun = Instant::now();
        while TcpStream::connect(&address).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(1), "it still listens");
        }
        let answer = read_answer(&mut BufReader::new(&connection)).unwrap();
        assert_eq!(answer.status, 201);
        let (status, log) = endpoint.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.ends_with("INFO stopped\n"), "{log}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        drop(idle);
        wait_for(&factory, DEVICE, &["issued, gateway none, offered"]);
    }
}

/// It has as long as any header has, so this is for the full scale.
#[test]
fn a_header_that_never_ends_does_not_hold_up_the_end_for_long() {
    if std::env::var("FACTORY_CA_TEST_SCALE").as_deref() != Ok("full") {
        return;
    }
    let factory = Factory::with_endpoint("");
    let endpoint = factory.serve();
    let mut unfinished = endpoint.connect();
    let begun = Instant::now();
    unfinished
        .write_all(b"POST /sign HTTP/1.1\r\nHost:")
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert!(endpoint.end(Signal::TERM).success());
    assert!(begun.elapsed() < Duration::from_secs(17));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let factory = Factory::with_endpoint("");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = format!("serve --listen {address}");
    let outcome = factory.run(&line).ends_with(2);
    let wanted = |key: &str| {
        format!(
            "error: `{address}` cannot be listened on: Address already in use (os error 98)\nhint: name another address with `server.{key}` in factory-ca.yaml\n"
        )
    };
    assert_eq!(outcome.stderr, wanted("listen"));
    factory.add_to_server(&format!("operations: \"{address}\""));
    let outcome = factory.run("serve --listen 127.0.0.1:0").ends_with(2);
    assert_eq!(outcome.stderr, wanted("operations"));
}

#[test]
fn without_a_gateway_there_is_nothing_to_tell_devices() {
    let factory = Factory::demo();
    factory.refuses_to_serve(2, str![[r#"
error: `gateway.url` is not configured, and there is no TLS certificate of the gateway to read it from
hint: say where the gateway is with `gateway: {url: …}` in factory-ca.yaml

"#]]);
    // The names in the gateway's certificate will do.
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=gateway",
        "-keyout",
        "/dev/null",
        "-out",
        factory.path("pki/certs/tls-crt").to_str().unwrap(),
        "-addext",
        "subjectAltName=DNS:gw.acme.example,DNS:ostree.acme.example",
    ]);
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let answer = register(&endpoint, &token, &Device::new(DEVICE));
    let sota = answer.json()["sota.toml"].as_str().unwrap().to_owned();
    assert!(
        sota.contains("\nserver = \"https://gw.acme.example:8443\"\n"),
        "{sota}"
    );
    assert!(
        sota.contains("\nostree_server = \"https://ostree.acme.example:8443/ostree\"\n"),
        "{sota}"
    );
    assert!(endpoint.end(Signal::TERM).success());
    factory.write("pki/certs/tls-crt", "no certificate\n");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: the gateway's TLS certificate cannot be used
  Caused by: there is text outside the PEM blocks

"#]],
    );
}

#[test]
fn who_issues_what_has_to_be_clear() {
    let factory = Factory::with_endpoint("");
    let of_line = "    profiles: [device]\n";
    factory.configure(
        of_line,
        &format!("{of_line}  line-2:\n    certificate: certs/line-2.pem\n    issuer: root\n    keys: [{{token: line, object: line-2}}]\n{of_line}"),
    );
    factory.refuses_to_serve(
        2,
        str![[r#"
error: 2 authorities issue profile `device`
hint: choose with `server.authority` in factory-ca.yaml; of several the first is the default

"#]],
    );
    factory.add_to_server("authority: line-2");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: authority `line-2` has no certificate yet: there is no `pki/certs/line-2.pem`
hint: run `factory-ca ca create line-2`

"#]],
    );
    factory.configure("server: {authority: line-2}", "server: {authority: lime}");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: there is no authority `lime`; found: `line-1`, `line-2`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
    factory.configure("server: {authority: lime}", "server: {authority: root}");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: authority `root` does not issue profile `device`; it issues: nothing
hint: name another with `server.authority` in factory-ca.yaml

"#]],
    );
    factory.configure("server: {authority: root}", "server: {profile: divice}");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: there is no profile `divice`; found: `device`, `device-ca`, `root-ca`, `tls-server`
hint: run `factory-ca profile list`

"#]],
    );
    factory.configure("server: {profile: divice}", "server: {profile: tls-server}");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: profile `tls-server` is not unique: the endpoint could not know a device again
hint: name another with `server.profile` in factory-ca.yaml

"#]],
    );
    factory.configure("server: {profile: tls-server}", "server: {listen: nowhere}");
    factory.refuses_to_serve(2, str![[r#"
error: `pki/factory-ca.yaml`: `server.listen` is `nowhere`, wanted is an address and a port, as in `0.0.0.0:8080`

"#]]);
    factory.configure("server: {listen: nowhere}", "server: {authority: line-1}");
    factory.configure(of_line, "");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: authority `line-1` does not issue profile `device`; it issues: nothing
hint: name another with `server.authority` in factory-ca.yaml

"#]],
    );
    factory.configure("server: {authority: line-1}", "");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: no authority issues profile `device`
hint: add it to `profiles:` of an authority in factory-ca.yaml

"#]],
    );
}

#[test]
fn a_wrong_pin_is_tried_once_and_said() {
    let factory = Factory::with_endpoint("");
    factory.write_secret("pki/softhsm/line.pin", "1234567890\n");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: token `demo-factory-line` rejected the PIN
hint: check where the PIN comes from before trying again: few tries are left before the token locks

"#]],
    );
    std::fs::remove_file(factory.path("pki/softhsm/line.pin")).unwrap();
    factory.refuses_to_serve(2, str![[r#"
error: the PIN cannot be read from file `pki/softhsm/line.pin`
  Caused by: No such file or directory (os error 2)
hint: name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml

"#]]);
}

#[test]
fn a_token_or_a_ledger_that_is_not_there_is_named() {
    let factory = Factory::with_endpoint("");
    factory.point_line_to("pkcs11:token=elsewhere");
    factory.refuses_to_serve(3, str![[r#"
error: no token labelled `elsewhere` in `libsofthsm2.so`; found: `demo-factory-line`, `demo-factory-root`
hint: check that the token is connected, then run `factory-ca token list`

"#]]);
    factory.configure("token=elsewhere", "token=demo-factory-line");
    std::fs::rename(factory.path("pki/ledger.db"), factory.path("ledger")).unwrap();
    factory.refuses_to_serve(
        2,
        str![[r#"
error: there is no ledger at `pki/ledger.db`
hint: restore it from a backup; without it the CA no longer knows what it issued

"#]],
    );
}

#[test]
fn plain_http_beyond_this_machine_is_warned_about() {
    let factory = Factory::with_endpoint("server: {listen: \"0.0.0.0:0\"}");
    let endpoint = factory.start(&mut factory.command(&["serve"]));
    assert!(endpoint.log().contains(
        " WARN plain HTTP: registrar tokens can be read by whoever sees the traffic; use it behind a proxy or on a private network only\n"
    ));
    let here = factory.serve();
    assert!(!here.log().contains("plain HTTP"));
}
