//! Asking again: the same request gets the same bytes, another key gets nothing unless somebody allowed it, and a
//! certificate that nobody got stands in nobody's way.

use std::io::Write;
use std::time::{Duration, Instant};

use factory_ca::ledger::Ledger;
use rustix::process::Signal;

use crate::books::{certificates, wait_for, wait_for_refusals};
use crate::support::badday::{BadDay, FOR_EVER, Function};
use crate::support::device::Device;
use crate::support::endpoint::{Answer, Endpoint, post};
use crate::support::factory::Factory;
use crate::support::requests::{DEVICE, OTHER_DEVICE};

/// Posts a request with a key that was made for it.
fn with_new_key(endpoint: &Endpoint, token: &str, device: &Device) -> Answer {
    endpoint.post(Some(token), &device.body(&device.request()))
}

/// Sends a request and closes the connection while the token signs, which takes a while from now on.
fn hang_up_while_signing(endpoint: &Endpoint, bad: &BadDay, request: &[u8]) {
    bad.slow(Function::Sign, Duration::from_millis(700), FOR_EVER);
    let before = bad.calls(Function::Sign);
    let mut connection = endpoint.connect();
    connection.write_all(request).unwrap();
    let begun = Instant::now();
    while bad.calls(Function::Sign) == before {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The serial number in an error's message, and the day in it, are left out.
fn conflict(answer: &Answer) -> String {
    let varying = regex::Regex::new("[0-9a-f]{32}|20[0-9]{2}-[0-9]{2}-[0-9]{2}").unwrap();
    varying.replace_all(&answer.message(), "…").into_owned()
}

const LIVE: &str = "device `56b2fa41-d79a-4aad-ba26-e26e719878bb` already has certificate …, valid until …; nothing was signed";

#[test]
fn the_same_request_gets_the_same_bytes_whoever_comes_first_and_after_a_restart() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    let body = device.body(&request);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let ask = || endpoint.post(Some(&token), &body);
        let threads: Vec<_> = (0..32).map(|_| scope.spawn(ask)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap();
        threads.into_iter().map(join).collect()
    });
    for answer in &answers {
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert!(answer.body == answers[0].body);
    }
    let metrics = endpoint.get("/metrics").text();
    for line in [
        "factory_ca_certificates_issued_total{authority=\"line-1\"} 1\n",
        "factory_ca_certificates_repeated_total 31\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }

    // ECDSA signs anew each time: another request for the same key.
    let anew = device.request_again(&request);
    assert_ne!(anew.csr, request.csr);
    let anew = endpoint.post(Some(&token), &device.body(&anew));
    assert!(anew.status == 201 && anew.body == answers[0].body);

    assert!(!endpoint.end(Signal::KILL).success());
    let endpoint = factory.serve();
    let again = endpoint.post(Some(&token), &body);
    assert!(again.status == 201 && again.body == answers[0].body);
    wait_for(&factory, DEVICE, &["issued, gateway none, offered"]);
    assert_eq!(factory.issued(), 3);
}

#[test]
fn many_devices_at_once_each_get_their_own() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (endpoint, token) = (&endpoint, &token);
            scope.spawn(move || {
                for number in [2 * number, 2 * number + 1] {
                    let device = Device::number(number);
                    let body = device.body(&device.request());
                    let first = endpoint.post(Some(token), &body);
                    assert_eq!(first.status, 201);
                    assert_eq!(endpoint.post(Some(token), &body).body, first.body);
                }
            });
        }
    });
    assert_eq!(factory.issued(), 2 + 16);
}

#[test]
fn another_key_for_a_live_device_is_a_conflict_that_says_what_to_do() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let body = device.body(&device.request());
    let first = endpoint.post(Some(&token), &body);
    assert_eq!(first.status, 201);
    let answer = with_new_key(&endpoint, &token, &device);
    assert_eq!((answer.status, conflict(&answer)), (409, LIVE.to_owned()));
    assert_eq!(
        answer.json()["hint"],
        format!("to replace it, run `factory-ca device allow-reissue {DEVICE}` and try again")
    );
    // The first key's certificate is still there for it.
    assert_eq!(endpoint.post(Some(&token), &body).body, first.body);
    assert_eq!(wait_for_refusals(&factory, 1)[0].rule, "device-live");
    assert_eq!(factory.issued(), 3);
}

#[test]
fn a_permit_lets_one_new_key_through_and_supersedes_the_old_certificate() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let old = device.body(&device.request());
    assert_eq!(endpoint.post(Some(&token), &old).status, 201);
    let allow = format!("device allow-reissue {DEVICE} --by alice");
    factory.run(&allow).succeeds();

    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let ask = || with_new_key(&endpoint, &token, &device);
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap();
        threads.into_iter().map(join).collect()
    });
    let good: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .collect();
    assert_eq!(good.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((answer.status, conflict(answer)), (409, LIVE.to_owned()));
    }
    wait_for(
        &factory,
        DEVICE,
        &[
            "issued, gateway none, offered",
            "revoked (4), gateway none, offered",
        ],
    );
    let found = certificates(&factory, DEVICE);
    assert_eq!(
        good[0].json()["client.pem"].as_str(),
        found[0].certificate.as_deref()
    );
    // Both in one transaction.
    let ledger = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
    let [new, old_entry] = ledger.device(None, DEVICE).unwrap().try_into().unwrap();
    assert!(new.recorded_at.is_some() && new.recorded_at == old_entry.ended_at);
    assert_eq!(new.previous, Some(old_entry.id));
    // The old key is one of another certificate now.
    let answer = endpoint.post(Some(&token), &old);
    assert_eq!((answer.status, conflict(&answer)), (409, LIVE.to_owned()));
}

#[test]
fn a_token_with_that_right_replaces_certificates() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let repair = factory.registrar("repair", "--reissue");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    assert_eq!(with_new_key(&endpoint, &token, &device).status, 201);
    assert_eq!(with_new_key(&endpoint, &token, &device).status, 409);
    for _ in 0..2 {
        assert_eq!(with_new_key(&endpoint, &repair, &device).status, 201);
    }
    assert_eq!(with_new_key(&endpoint, &token, &device).status, 409);
    wait_for(
        &factory,
        DEVICE,
        &[
            "issued, gateway none, offered",
            "revoked (4), gateway none, offered",
            "revoked (4), gateway none, offered",
        ],
    );
}

#[test]
fn a_key_of_another_device_is_a_conflict() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "--reissue");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    let first = endpoint.post(Some(&token), &device.body(&request));
    assert_eq!(first.status, 201);
    let clone = Device::new(OTHER_DEVICE);
    let answer = endpoint.post(Some(&token), &clone.body(&clone.request_again(&request)));
    let wanted = format!(
        "the key belongs to device `{DEVICE}`: certificate …, valid until …; nothing was signed"
    );
    assert_eq!((answer.status, conflict(&answer)), (409, wanted));
    assert_eq!(
        answer.json()["hint"],
        "two devices with one key are most likely a cloned image: make a new key on this device"
    );
    assert_eq!(with_new_key(&endpoint, &token, &clone).status, 201);
}

#[test]
fn a_certificate_that_nobody_got_gives_way_to_a_new_key() {
    let factory = Factory::with_endpoint("");
    let bad = factory.bad_day();
    let token = factory.registrar("line", "--max 1");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let lost = device.body(&device.request());
    hang_up_while_signing(&endpoint, &bad, &post(Some(&token), &lost));
    bad.well(Function::Sign);
    wait_for(&factory, DEVICE, &["issued, gateway none, never offered"]);

    // It cannot be the same key: the real client made a new one. The registrar's one use comes back for it.
    let answer = with_new_key(&endpoint, &token, &device);
    assert_eq!(answer.status, 201, "{}", answer.text());
    wait_for(
        &factory,
        DEVICE,
        &[
            "issued, gateway none, offered",
            "revoked (4), gateway none, never offered",
        ],
    );
    for answer in [
        endpoint.post(Some(&token), &lost),
        with_new_key(&endpoint, &token, &device),
    ] {
        let wanted =
            "registrar `line` has registered as many devices as it may: 1; nothing was signed";
        assert_eq!((answer.status, answer.message()), (403, wanted.to_owned()));
    }
}

#[test]
fn a_certificate_that_nobody_got_is_there_for_its_own_key() {
    let factory = Factory::with_endpoint("");
    let bad = factory.bad_day();
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let body = device.body(&device.request());
    hang_up_while_signing(&endpoint, &bad, &post(Some(&token), &body));
    bad.well(Function::Sign);
    wait_for(&factory, DEVICE, &["issued, gateway none, never offered"]);
    let kept = certificates(&factory, DEVICE).remove(0);

    // Not even a crash takes it away.
    assert!(!endpoint.end(Signal::KILL).success());
    let endpoint = factory.serve();
    let answer = endpoint.post(Some(&token), &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(
        answer.json()["client.pem"].as_str(),
        kept.certificate.as_deref()
    );
    wait_for(&factory, DEVICE, &["issued, gateway none, offered"]);
}

#[test]
fn a_device_that_comes_back_at_once_waits_for_its_first_request() {
    let factory = Factory::with_endpoint("");
    let bad = factory.bad_day();
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let lost = device.body(&device.request());
    hang_up_while_signing(&endpoint, &bad, &post(Some(&token), &lost));
    // The first signature is still being made.
    let answer = with_new_key(&endpoint, &token, &device);
    assert_eq!(answer.status, 201, "{}", answer.text());
    wait_for(
        &factory,
        DEVICE,
        &[
            "issued, gateway none, offered",
            "revoked (4), gateway none, never offered",
        ],
    );
}
