//! Token and ledger on a bad day: the endpoint stays up, says so, signs nothing it cannot account for, and recovers by
//! itself; or it ends with the code that says why.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use factory_ca::ledger::Ledger;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::books::{assert_clean, certificates, wait_for};
use crate::support::badday::{BadDay, CKR_DEVICE_ERROR, FOR_EVER, Function};
use crate::support::device::Device;
use crate::support::endpoint::{Answer, Endpoint, post, read_answer};
use crate::support::factory::{BINARY, Factory};
use crate::support::fulldisk::FullDisk;
use crate::support::requests::DEVICE;
use crate::support::softhsm_path;

const NOT_READY: &str = "the endpoint cannot sign at the moment; nothing was signed";
const NOT_AVAILABLE: &str = "the token or the ledger is not available; nothing was released";
const OFFERED: &str = "issued, gateway none, offered";

/// A factory on a module of its own, whose tokens are in a directory that can be moved away.
fn factory() -> Factory {
    let factory = Factory::with_module("p256");
    factory.add_endpoint("server: {anonymous: {production: allow}}");
    factory
}

fn serve(factory: &Factory) -> Endpoint {
    factory.serve_with(&["--pin-file", "line=line.pin"])
}

/// Tokens that were moved away.
struct Away<'a>(&'a Factory);

impl Away<'_> {
    fn move_away(factory: &Factory) -> Away<'_> {
        fs::rename(factory.path("tokens"), factory.path("away")).unwrap();
        Away(factory)
    }

    fn move_back(self) {
        fs::rename(self.0.path("away"), self.0.path("tokens")).unwrap();
    }
}

fn body(device: &Device) -> String {
    device.body(&device.request())
}

fn head(endpoint: &Endpoint) -> u16 {
    endpoint
        .send(b"HEAD /sign HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n")
        .status
}

fn told(answer: &Answer) -> (u16, String) {
    match answer.status {
        201 => (201, String::new()),
        status => (status, answer.message()),
    }
}

/// What `/readyz` says of one part.
fn part(endpoint: &Endpoint, name: &str) -> String {
    let json = endpoint.get("/readyz").json();
    let part = json["parts"][name].as_str();
    part.unwrap_or_else(|| panic!("no {name} in {json}"))
        .to_owned()
}

/// How many entries of the ledger are reserved, issued and abandoned.
fn counts(factory: &Factory) -> (u64, u64, u64) {
    let ledger = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
    let counts = ledger.counts().unwrap();
    (counts.reserved, counts.issued, counts.abandoned)
}

/// They wait most of the time, and they do it together.
#[test]
fn those_that_take_their_time() {
    let all: [(&str, fn()); 5] = [
        (
            "a_token_that_goes_away_is_said_and_waited_for",
            a_token_that_goes_away_is_said_and_waited_for,
        ),
        (
            "a_token_that_fails_under_a_request_leaves_an_abandoned_entry",
            a_token_that_fails_under_a_request_leaves_an_abandoned_entry,
        ),
        (
            "a_token_that_takes_too_long_answers_the_devices_next_request",
            a_token_that_takes_too_long_answers_the_devices_next_request,
        ),
        (
            "a_pin_that_was_changed_ends_it_with_the_code_for_that",
            a_pin_that_was_changed_ends_it_with_the_code_for_that,
        ),
        (
            "a_ledger_that_others_hold_is_said_and_waited_for_by_nobody_for_long",
            a_ledger_that_others_hold_is_said_and_waited_for_by_nobody_for_long,
        ),
    ];
    std::thread::scope(|scope| {
        for (name, test) in all {
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, test).unwrap();
        }
    });
}

fn a_token_that_goes_away_is_said_and_waited_for() {
    let factory = factory();
    let endpoint = serve(&factory);
    assert_eq!(head(&endpoint), 200);
    let tokens = Away::move_away(&factory);
    endpoint.wait_until_ready(false);
    let answer = endpoint.get("/readyz").json();
    assert_eq!(answer["parts"]["ledger"], "ok");
    assert_eq!(answer["parts"]["validity of line-1"], "ok");
    let why = part(&endpoint, "token of line-1");
    assert!(
        why.starts_with("token `demo-factory-line` is unavailable: "),
        "{why}"
    );
    assert_eq!(head(&endpoint), 503);
    assert_eq!(endpoint.get("/healthz").status, 200);
    let metrics = endpoint.get("/metrics").text();
    for line in [
        "factory_ca_token_up{authority=\"line-1\"} 0\n",
        "factory_ca_ledger_up 1\n",
        "factory_ca_ready 0\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let device = Device::new(DEVICE);
    let told_before = device.register(&endpoint.address, &factory.path("sota"));
    assert_eq!(told_before, Err("HEAD: 503".to_owned()));

    // One that comes all the same waits, in vain; another one not.
    let request = body(&device);
    let begun = Instant::now();
    let answer = endpoint.post(None, &request);
    let waited = begun.elapsed();
    assert_eq!(told(&answer), (503, NOT_READY.to_owned()));
    assert_eq!(answer.header("retry-after"), Some("10"));
    assert!((9..12).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(counts(&factory), (0, 2, 0));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| endpoint.post(None, &request));
        std::thread::sleep(Duration::from_millis(500));
        tokens.move_back();
        let answer = answer.join().unwrap();
        // The token is tried again after up to eight seconds.
        assert_eq!(told(&answer), (201, String::new()));
    });
    endpoint.wait_until_ready(true);
    assert_eq!(head(&endpoint), 200);
    assert_eq!(counts(&factory), (0, 3, 0));
    let log = endpoint.log();
    assert_eq!(
        log.matches(" WARN not ready part=\"token of line-1\"")
            .count(),
        1,
        "{log}"
    );
    assert_eq!(
        log.matches(" INFO ready again part=\"token of line-1\"")
            .count(),
        1,
        "{log}"
    );
    wait_for(&factory, DEVICE, &[OFFERED]);
}

fn a_token_that_fails_under_a_request_leaves_an_abandoned_entry() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: allow}}");
    let bad = factory.bad_day();
    let endpoint = factory.serve();
    bad.fail(Function::Sign, CKR_DEVICE_ERROR, FOR_EVER);
    let device = Device::new(DEVICE);
    let request = body(&device);
    let begun = Instant::now();
    let answer = endpoint.post(None, &request);
    let waited = begun.elapsed();
    assert!(matches!(answer.status, 503), "{answer:?}");
    assert!((8..13).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(counts(&factory), (0, 2, 1));
    bad.well(Function::Sign);
    // It is left alone for a while, and then it signs for whoever waits.
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (201, String::new()));
    wait_for(
        &factory,
        DEVICE,
        &[OFFERED, "abandoned, gateway none, never offered"],
    );
    let found = certificates(&factory, DEVICE);
    assert_ne!(found[0].serial, found[1].serial);
}

fn a_token_that_takes_too_long_answers_the_devices_next_request() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: allow}}");
    let bad = factory.bad_day();
    let endpoint = factory.serve();
    bad.slow(Function::Sign, Duration::from_secs(14), 1);
    let device = Device::new(DEVICE);
    let request = body(&device);
    let begun = Instant::now();
    let answer = endpoint.post(None, &request);
    let waited = begun.elapsed();
    let wanted = "the token has not answered in time; nothing was released";
    assert_eq!(told(&answer), (503, wanted.to_owned()));
    assert!((11..14).contains(&waited.as_secs()), "{waited:?}");
    // It comes back while the signature is still being made, and again after that: no second one is made.
    let busy = format!(
        "a certificate for device `{DEVICE}` is being issued by this process; nothing was signed"
    );
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (503, busy));
    while counts(&factory) != (0, 3, 0) {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (201, String::new()));
    wait_for(&factory, DEVICE, &[OFFERED]);
}

fn a_pin_that_was_changed_ends_it_with_the_code_for_that() {
    let factory = factory();
    let endpoint = serve(&factory);
    change_pin(&factory);
    // It does not notice as long as it is logged in.
    let answer = endpoint.post(None, &body(&Device::number(1)));
    assert_eq!(told(&answer), (201, String::new()));
    let tokens = Away::move_away(&factory);
    endpoint.wait_until_ready(false);
    tokens.move_back();
    let (status, log) = endpoint.wait();
    assert_eq!(status.code(), Some(2), "{log}");
    let error = "error: token `demo-factory-line` rejected the PIN\nhint: ";
    assert!(log.contains(error), "{log}");
    assert_clean(&factory);
    assert_eq!(counts(&factory), (0, 3, 0));
}

fn change_pin(factory: &Factory) {
    let output = Command::new("pkcs11-tool")
        .env("SOFTHSM2_CONF", factory.softhsm_configuration())
        .arg("--module")
        .arg(softhsm_path())
        .args(["--token-label", "demo-factory-line", "--login", "--pin"])
        .args([
            "user-pin-of-line",
            "--change-pin",
            "--new-pin",
            "another-pin",
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

#[test]
fn a_full_disk_is_said_and_over_when_it_is_over() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: allow}}");
    let disk = FullDisk::build(factory.home());
    let arguments = ["serve", "--listen", "127.0.0.1:0"];
    let endpoint = factory.start(disk.under(&mut factory.command(&arguments)));
    let first = body(&Device::number(1));
    assert_eq!(endpoint.post(None, &first).status, 201);
    disk.fill();
    let request = body(&Device::new(DEVICE));
    let begun = Instant::now();
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (503, NOT_AVAILABLE.to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(5));
    endpoint.wait_until_ready(false);
    assert_eq!(head(&endpoint), 503);
    assert_eq!(part(&endpoint, "token of line-1"), "ok");
    disk.free();
    endpoint.wait_until_ready(true);
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (201, String::new()));
    assert_eq!(endpoint.post(None, &first).status, 201);
    wait_for(&factory, DEVICE, &[OFFERED]);
    assert_eq!(counts(&factory), (0, 4, 0));
    endpoint.signal(Signal::TERM);
    let (status, log) = endpoint.wait();
    assert!(status.success(), "{log}");
    let line = " WARN not ready part=\"ledger\" fault=\"";
    assert!(log.contains(line) && log.contains("full"), "{log}");
}

#[test]
fn a_disk_that_fills_up_while_the_token_signs_releases_nothing() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: allow}}");
    let disk = FullDisk::build(factory.home());
    let bad = factory.bad_day();
    let arguments = ["serve", "--listen", "127.0.0.1:0"];
    let endpoint = factory.start(disk.under(&mut factory.command(&arguments)));
    bad.slow(Function::Sign, Duration::from_millis(700), FOR_EVER);
    let request = body(&Device::new(DEVICE));
    let mut connection = send_and_wait_until_it_is_signed(&endpoint, &bad, &request);
    disk.fill();
    let answer = read_answer(&mut BufReader::new(&mut connection)).unwrap();
    assert_eq!(told(&answer), (503, NOT_AVAILABLE.to_owned()));
    disk.free();
    bad.well(Function::Sign);
    endpoint.wait_until_ready(true);
    // What was signed is accounted for, and the device gets another certificate.
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (201, String::new()));
    wait_for(
        &factory,
        DEVICE,
        &[OFFERED, "abandoned, gateway none, never offered"],
    );
    let check = factory.run("ledger check --json").succeeds().json();
    assert_eq!(check["intents_without_result"].as_array().unwrap().len(), 1);
}

/// Keeps a running endpoint's files from growing: its ledger cannot know what of a write was done.
fn limit_files(endpoint: &Endpoint) {
    let id = Pid::from_raw(endpoint.id() as i32);
    let limit = Rlimit {
        current: Some(0),
        maximum: None,
    };
    prlimit(id, Resource::Fsize, limit).unwrap();
}

#[test]
fn a_commit_in_doubt_ends_it_with_the_code_for_that() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: allow}}");
    let bad = factory.bad_day();
    // The signal comes with this limit only, never with a broken disk.
    let script = "trap '' XFSZ; exec \"$0\" serve --listen 127.0.0.1:0";
    let start = || factory.start(&mut factory.program(Path::new("sh"), &["-c", script, BINARY]));
    let endpoint = start();
    // One is told to reserve when nothing can be written, another one was signed already.
    bad.slow(Function::Sign, Duration::from_millis(700), FOR_EVER);
    let request = body(&Device::new(DEVICE));
    let mut connection = send_and_wait_until_it_is_signed(&endpoint, &bad, &request);
    limit_files(&endpoint);
    let answer = read_answer(&mut BufReader::new(&mut connection)).unwrap();
    let cannot = "the endpoint cannot answer; nothing was released";
    assert_eq!(told(&answer), (500, cannot.to_owned()));
    let (status, log) = endpoint.wait();
    assert_eq!(status.code(), Some(4), "{log}");
    let error = r"(?m)^error: certificate [0-9a-f]{32} was signed but the ledger did not confirm it; it was not released";
    let error = regex::Regex::new(error).unwrap();
    assert!(error.is_match(&log), "{log}");
    let hint = "hint: stop issuing on this station, then run `factory-ca ledger check`\n";
    assert!(log.ends_with(hint), "{log}");
    assert_clean(&factory);

    bad.well(Function::Sign);
    let endpoint = start();
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (201, String::new()));
    let json = answer.json();
    let found = certificates(&factory, DEVICE);
    assert_eq!(json["client.pem"].as_str(), found[0].certificate.as_deref());
    assert_eq!(counts(&factory).0, 0);
}

fn a_ledger_that_others_hold_is_said_and_waited_for_by_nobody_for_long() {
    let factory = Factory::with_endpoint("server: {anonymous: {production: allow}}");
    let endpoint = factory.serve();
    let other = rusqlite::Connection::open(factory.path("pki/ledger.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = body(&Device::new(DEVICE));
    let begun = Instant::now();
    let answer = endpoint.post(None, &request);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(begun.elapsed() < Duration::from_secs(20));
    other.execute_batch("ROLLBACK").unwrap();
    endpoint.wait_until_ready(true);
    let answer = endpoint.post(None, &request);
    assert_eq!(told(&answer), (201, String::new()));
    assert_eq!(counts(&factory), (0, 3, 0));
}

#[test]
fn a_ledger_that_cannot_be_written_to_is_said_at_the_start() {
    let factory = factory();
    let pki = factory.path("pki");
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--pin-file",
        "line=line.pin",
    ];
    let mut command = factory.command_without_root(&arguments);
    fs::set_permissions(&pki, fs::Permissions::from_mode(0o500)).unwrap();
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        match process.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(begun.elapsed() < Duration::from_secs(20), "it started"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    fs::set_permissions(&pki, fs::Permissions::from_mode(0o700)).unwrap();
    let mut told = String::new();
    let mut stderr = process.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert_eq!(status.code(), Some(3), "{told}");
    let ledger = factory.path("pki/ledger.db").canonicalize().unwrap();
    let wanted = format!(
        "error: `{}` cannot be read\n  Caused by: Error code 1544: attempt to write a readonly database\nhint: check space and permissions, then try again\n",
        ledger.display()
    );
    assert_eq!(told, wanted);
}

/// Sends a request and waits until the token has begun to sign for it.
fn send_and_wait_until_it_is_signed(
    endpoint: &Endpoint,
    bad: &BadDay,
    body: &str,
) -> std::net::TcpStream {
    let before = bad.calls(Function::Sign);
    let mut connection = endpoint.connect();
    connection.write_all(&post(None, body)).unwrap();
    let begun = Instant::now();
    while bad.calls(Function::Sign) == before {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    connection
}
