//! The gateway's backend creates the device before its certificate is handed out: whatever it answers, or does not.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::books::{assert_clean, certificates, wait_for};
use crate::support::device::{Device, Request};
use crate::support::endpoint::{self, Endpoint, post};
use crate::support::factory::Factory;
use crate::support::http::{Answer, MockServer, closed_port, ok, status};
use crate::support::requests::{DEVICE, openssl, text};

const API_TOKEN: &str = "s3cr3t-of-the-api";

const DONE: &str = "issued, gateway done, offered";
const PENDING: &str = "issued, gateway pending, never offered";
const REFUSED: &str = "revoked (5), gateway refused, never offered";

const WAITS: &str = "the gateway's backend does not answer; the certificate waits until it does";
const ELSEWHERE: &str =
    "the gateway's backend is not where the endpoint looks for it; the certificate waits";

const PUT: &str = "PUT /ota/devices/";

/// A factory whose devices are created at a server; anybody may register them.
fn factory(api: &str) -> Factory {
    let factory = Factory::with_endpoint(&format!(
        "server: {{anonymous: {{production: allow}}}}\nfoundries: {{api: \"{api}\", token: {{file: api.token}}, register-devices: true, timeout: 1s, device-group: line-1}}"
    ));
    factory.write_secret("pki/api.token", API_TOKEN);
    factory
}

fn register(endpoint: &Endpoint, device: &Device, request: &Request) -> endpoint::Answer {
    endpoint.post(None, &device.body(request))
}

/// What the backend says of a device that has this key.
fn known(factory: &Factory, device: &Device, request: &Request) -> Answer {
    let key = factory.write_secret("known.key", request.key());
    let public = openssl(&["pkey", "-in", text(&key), "-pubout"]);
    let public = String::from_utf8(public).unwrap();
    ok(&json!({ "uuid": device.uuid, "name": "x", "public-key": public }).to_string())
}

fn get(device: &Device) -> String {
    format!(
        "GET /ota/devices/{}/?factory=demo-factory&by-uuid=1",
        device.uuid
    )
}

#[test]
fn the_backend_gets_certificate_name_group_and_token() {
    let mock = MockServer::start(vec![status(201, ""), ok("{}"), status(204, "")]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let named = Device::number(1).named("gerät-1");
    let plain = Device::number(2);
    let answers = [
        register(&endpoint, &named, &named.request()),
        register(&endpoint, &plain, &plain.request()),
    ];
    let nameless = Device::number(3);
    let mut body: Value = serde_json::from_str(&nameless.body(&nameless.request())).unwrap();
    body.as_object_mut().unwrap().remove("name");
    let third = endpoint.post(None, &body.to_string());
    let received = mock.received();
    assert_eq!(mock.lines(), [PUT, PUT, PUT]);
    for (answer, (received, name)) in answers.iter().chain([&third]).zip(received.iter().zip([
        Some("gerät-1"),
        Some(&*plain.uuid),
        None,
    ])) {
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(received.header("osf-token"), Some(API_TOKEN));
        assert_eq!(received.header("content-type"), Some("application/json"));
        let sent: Value = serde_json::from_str(&received.body).unwrap();
        let mut wanted = json!({ "client.pem": answer.json()["client.pem"], "group": "line-1" });
        if let Some(name) = name {
            wanted["name"] = name.into();
        }
        assert_eq!(sent, wanted);
    }
    for number in 1..=3 {
        wait_for(&factory, &Device::number(number).uuid, &[DONE]);
    }
}

/// What one device meets: the server's answers, then what it is told, how it stands in the ledger, what was asked.
struct Case {
    answers: fn(&Factory, &Device, &Request) -> Vec<Answer>,
    told: (u16, String),
    standing: &'static str,
    /// `P` for PUT, `G` for the look-up.
    asked: &'static str,
}

fn case(
    answers: fn(&Factory, &Device, &Request) -> Vec<Answer>,
    told: (u16, &str),
    standing: &'static str,
    asked: &'static str,
) -> Case {
    let told = (told.0, told.1.to_owned());
    Case {
        answers,
        told,
        standing,
        asked,
    }
}

/// One device after the other, each with a new key; returns the endpoint's metrics.
fn play(cases: &[Case]) -> String {
    let mock = MockServer::start(vec![]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    for (number, case) in cases.iter().enumerate() {
        let device = Device::number(number);
        let request = device.request();
        let before = mock.lines().len();
        mock.expect((case.answers)(&factory, &device, &request));
        let answer = register(&endpoint, &device, &request);
        let told = match answer.status {
            201 => String::new(),
            _ => answer.message().replace(&device.uuid, "UUID"),
        };
        assert_eq!((answer.status, told), case.told, "case {number}");
        let retry = (answer.status == 503).then_some("10");
        assert_eq!(answer.header("retry-after"), retry);
        wait_for(&factory, &device.uuid, &[case.standing]);
        let asked: Vec<String> = case
            .asked
            .chars()
            .map(|what| match what {
                'P' => PUT.to_owned(),
                _ => get(&device),
            })
            .collect();
        assert_eq!(mock.lines()[before..], asked, "case {number}");
    }
    assert_clean(&factory);
    endpoint.get("/metrics").text()
}

#[test]
fn what_the_backend_refuses_is_revoked_and_the_device_is_told() {
    let metrics = play(&[
        case(
            |_, _, _| {
                let taken = r#"{"message": "no more \u001b[2J devices"}"#;
                vec![status(409, taken), status(404, "")]
            },
            (
                409,
                "the gateway's backend already has device `UUID` or its name: no more [2J devices",
            ),
            REFUSED,
            "PG",
        ),
        case(
            |_, _, _| vec![status(401, r#"{"message": "s3cr3t-of-the-api is wrong"}"#)],
            (
                502,
                "the gateway's backend refuses device `UUID` (401): … is wrong",
            ),
            REFUSED,
            "P",
        ),
        case(
            |_, _, _| vec![status(400, "<h1>no</h1>\n")],
            (
                502,
                "the gateway's backend refuses device `UUID` (400): <h1>no</h1>",
            ),
            REFUSED,
            "P",
        ),
        case(
            |_, _, _| vec![status(422, "")],
            (502, "the gateway's backend refuses device `UUID` (422): "),
            REFUSED,
            "P",
        ),
    ]);
    for line in [
        "factory_ca_backend_calls_total{outcome=\"conflict\"} 1\n",
        "factory_ca_backend_calls_total{outcome=\"refused\"} 3\n",
        "factory_ca_refusals_total{rule=\"backend-conflict\"} 1\n",
        "factory_ca_refusals_total{rule=\"backend-refused\"} 3\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn what_can_get_better_is_tried_up_to_three_times() {
    let metrics = play(&[
        case(
            |_, _, _| vec![status(500, ""), status(201, "")],
            (201, ""),
            DONE,
            "PP",
        ),
        case(
            |_, _, _| vec![status(503, ""), status(429, ""), status(201, "")],
            (201, ""),
            DONE,
            "PPP",
        ),
        case(
            |_, _, _| vec![status(500, "no"), status(500, ""), status(500, "")],
            (503, WAITS),
            PENDING,
            "PPP",
        ),
        // The answer to the first one was lost somewhere, and it counted.
        case(
            |factory, device, request| {
                let known = known(factory, device, request);
                vec![status(500, ""), status(409, ""), known]
            },
            (201, ""),
            DONE,
            "PPG",
        ),
        case(
            |factory, device, _| {
                let other = known(factory, device, &device.request());
                vec![status(500, ""), status(409, "taken"), other]
            },
            (
                409,
                "the gateway's backend already has device `UUID` or its name: taken",
            ),
            REFUSED,
            "PPG",
        ),
    ]);
    for line in [
        "factory_ca_backend_calls_total{outcome=\"registered\"} 3\n",
        "factory_ca_backend_calls_total{outcome=\"pending\"} 1\n",
        "factory_ca_backend_calls_total{outcome=\"conflict\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn what_may_have_arrived_is_looked_up_before_it_is_sent_again() {
    play(&[
        case(
            |_, _, _| vec![Answer::Slow(Duration::from_millis(600), 201, String::new())],
            (201, ""),
            DONE,
            "P",
        ),
        case(
            |factory, device, request| vec![Answer::Hang, known(factory, device, request)],
            (201, ""),
            DONE,
            "PG",
        ),
        case(
            |_, _, _| vec![Answer::Close, status(404, ""), status(201, "")],
            (201, ""),
            DONE,
            "PGP",
        ),
        case(
            |factory, device, _| vec![Answer::Close, known(factory, device, &device.request())],
            (
                409,
                "the gateway's backend already has device `UUID` or its name: the API knows the device with another key",
            ),
            REFUSED,
            "PG",
        ),
        case(
            |_, _, _| vec![Answer::Hang, Answer::Hang],
            (503, WAITS),
            PENDING,
            "PG",
        ),
        case(
            |_, _, _| {
                vec![
                    Answer::Raw(b"garbage\r\n\r\n".to_vec()),
                    Answer::Raw(b"HTTP/1.1 200\r\n".to_vec()),
                ]
            },
            (503, WAITS),
            PENDING,
            "PG",
        ),
        case(
            |_, _, _| vec![status(504, ""), ok("[]")],
            (503, WAITS),
            PENDING,
            "PG",
        ),
        // A success is one however it ends.
        case(|_, _, _| vec![ok("garbage")], (201, ""), DONE, "P"),
    ]);
}

#[test]
fn a_redirect_is_not_followed() {
    let target = MockServer::start(vec![]);
    let location: &'static str =
        Box::leak(format!("Location: {}/ota/devices/\r\n", target.url()).into_boxed_str());
    let mock = MockServer::start(
        [301, 302, 307, 308]
            .map(|code| Answer::With(code, location, String::new()))
            .into(),
    );
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    for number in 1..=4 {
        let device = Device::number(number);
        let answer = register(&endpoint, &device, &device.request());
        assert_eq!((answer.status, answer.message().as_str()), (502, ELSEWHERE));
        wait_for(&factory, &device.uuid, &[PENDING]);
    }
    assert_eq!(mock.lines(), [PUT, PUT, PUT, PUT]);
    assert_eq!(target.lines(), [""; 0]);
    endpoint.wait_for_log("the backend is elsewhere: correct `foundries.api` in factory-ca.yaml");
}

#[test]
fn a_server_that_cannot_be_reached_leaves_the_device_pending_until_it_can() {
    let nowhere = format!("http://127.0.0.1:{}", closed_port());
    let factory = factory(&nowhere);
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    let answer = register(&endpoint, &device, &request);
    assert_eq!((answer.status, answer.message().as_str()), (503, WAITS));
    assert_eq!(answer.json()["hint"], "register the device again later");
    wait_for(&factory, DEVICE, &[PENDING]);
    let first = certificates(&factory, DEVICE).remove(0);
    assert!(endpoint.end(Signal::TERM).success());

    let mock = MockServer::start(vec![status(404, ""), status(201, "")]);
    factory.configure(&nowhere, &mock.url());
    let endpoint = factory.serve();
    let answer = register(&endpoint, &device, &request);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(mock.lines(), [get(&device), PUT.to_owned()]);
    assert_eq!(
        answer.json()["client.pem"].as_str(),
        first.certificate.as_deref()
    );
    wait_for(&factory, DEVICE, &[DONE]);
}

#[test]
fn a_pending_device_is_taken_up_by_the_same_request() {
    let mock = MockServer::start(vec![]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let left_pending = |number: usize| {
        let device = Device::number(number);
        let request = device.request();
        mock.expect(vec![Answer::Close, Answer::Close]);
        assert_eq!(register(&endpoint, &device, &request).status, 503);
        wait_for(&factory, &device.uuid, &[PENDING]);
        (device, request)
    };
    let asked = || mock.lines().split_off(2);

    // It had arrived.
    let (device, request) = left_pending(1);
    mock.expect(vec![known(&factory, &device, &request)]);
    assert_eq!(register(&endpoint, &device, &request).status, 201);
    assert_eq!(asked(), [get(&device)]);
    wait_for(&factory, &device.uuid, &[DONE]);
    // And nobody is asked once that is known.
    assert_eq!(register(&endpoint, &device, &request).status, 201);
    assert_eq!(asked().len(), 1);

    // It still cannot be found out.
    let (device, request) = left_pending(2);
    let before = mock.lines().len();
    mock.expect(vec![Answer::Close]);
    assert_eq!(register(&endpoint, &device, &request).status, 503);
    wait_for(&factory, &device.uuid, &[PENDING]);
    assert_eq!(mock.lines()[before..], [get(&device)]);

    // Somebody else has the place.
    mock.expect(vec![known(&factory, &device, &device.request())]);
    assert_eq!(register(&endpoint, &device, &request).status, 409);
    wait_for(&factory, &device.uuid, &[REFUSED]);
}

#[test]
fn a_pending_device_that_comes_with_a_new_key_gets_a_new_certificate() {
    let mock = MockServer::start(vec![
        status(500, ""),
        status(500, ""),
        status(500, ""),
        status(201, ""),
    ]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    assert_eq!(register(&endpoint, &device, &device.request()).status, 503);
    wait_for(&factory, DEVICE, &[PENDING]);
    let answer = register(&endpoint, &device, &device.request());
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(mock.lines(), [PUT; 4]);
    wait_for(
        &factory,
        DEVICE,
        &[DONE, "revoked (4), gateway pending, never offered"],
    );
}

#[test]
fn a_refused_device_gets_a_new_certificate_with_its_next_request() {
    let mock = MockServer::start(vec![
        status(409, "deleted"),
        status(404, ""),
        status(403, "no"),
        status(201, ""),
    ]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    let answer = register(&endpoint, &device, &request);
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.json()["hint"],
        "delete the device at the backend, then from its deny-list with `factory-ca gateway denied delete`, and register it again"
    );
    wait_for(&factory, DEVICE, &[REFUSED]);
    // With a new key, then with the first one again.
    assert_eq!(register(&endpoint, &device, &device.request()).status, 502);
    wait_for(&factory, DEVICE, &[REFUSED, REFUSED]);
    let answer = register(&endpoint, &device, &request);
    assert_eq!(answer.status, 201, "{}", answer.text());
    wait_for(&factory, DEVICE, &[DONE, REFUSED, REFUSED]);
    assert_eq!(mock.lines(), [PUT, &get(&device), PUT, PUT]);
    let found = certificates(&factory, DEVICE);
    assert_eq!(
        answer.json()["client.pem"].as_str(),
        found[0].certificate.as_deref()
    );
    assert!(found[0].serial != found[1].serial && found[0].serial != found[2].serial);
}

/// Who forgets to delete the device at the backend first does that afterwards, and registers it again.
#[test]
fn a_reissue_that_the_backend_refuses_needs_no_second_permit() {
    let mock = MockServer::start(vec![
        status(201, ""),
        status(409, "it has another key"),
        status(404, ""),
        status(201, ""),
    ]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    assert_eq!(register(&endpoint, &device, &device.request()).status, 201);
    wait_for(&factory, DEVICE, &[DONE]);
    let allow = format!("device allow-reissue {DEVICE}");
    factory.run(&allow).succeeds();
    assert_eq!(register(&endpoint, &device, &device.request()).status, 409);
    let superseded = "revoked (4), gateway done, offered";
    wait_for(&factory, DEVICE, &[REFUSED, superseded]);
    assert_eq!(register(&endpoint, &device, &device.request()).status, 201);
    wait_for(&factory, DEVICE, &[DONE, REFUSED, superseded]);
    assert_eq!(mock.lines(), [PUT, PUT, &get(&device), PUT]);
}

#[test]
fn the_certificate_is_recorded_before_the_backend_hears_of_it() {
    let mock = MockServer::start(vec![Answer::Slow(
        Duration::from_millis(900),
        201,
        String::new(),
    )]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| register(&endpoint, &device, &request));
        wait_for_calls(&mock, 1);
        let found = certificates(&factory, DEVICE);
        assert_eq!(found[0].standing(), PENDING);
        let sent: Value = serde_json::from_str(&mock.received()[0].body).unwrap();
        assert_eq!(sent["client.pem"].as_str(), found[0].certificate.as_deref());
        assert!(!answer.is_finished());
        answer.join().unwrap()
    });
    assert_eq!(answer.status, 201);
    wait_for(&factory, DEVICE, &[DONE]);
}

#[test]
fn requests_that_come_together_are_one_call() {
    let mock = MockServer::start(vec![Answer::Slow(
        Duration::from_millis(500),
        201,
        String::new(),
    )]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(register(&endpoint, &device, &request).status, 201));
        }
    });
    assert_eq!(mock.lines(), [PUT]);
    wait_for(&factory, DEVICE, &[DONE]);
    assert_eq!(factory.issued(), 3);
}

#[test]
fn a_device_that_hangs_up_meanwhile_is_created_all_the_same() {
    let slow = || Answer::Slow(Duration::from_millis(500), 201, String::new());
    let mock = MockServer::start(vec![slow(), status(409, "known"), status(404, ""), slow()]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    hang_up(&endpoint, &mock, 1, &device, &request);
    wait_for(&factory, DEVICE, &["issued, gateway done, never offered"]);
    // The same request fetches it.
    let answer = register(&endpoint, &device, &request);
    assert_eq!(answer.status, 201, "{}", answer.text());
    wait_for(&factory, DEVICE, &[DONE]);
    assert_eq!(mock.lines(), [PUT]);

    // With a new key the backend has the last word: it knows the old one.
    let other = Device::number(1);
    let answer = register(&endpoint, &other, &other.request());
    assert_eq!(answer.status, 409);
    wait_for(&factory, &other.uuid, &[REFUSED]);
    hang_up(&endpoint, &mock, 4, &other, &other.request());
    let nobody_got_it = "issued, gateway done, never offered";
    wait_for(&factory, &other.uuid, &[nobody_got_it, REFUSED]);
    mock.expect(vec![status(409, "known"), status(404, "")]);
    let answer = register(&endpoint, &other, &other.request());
    assert_eq!(answer.status, 409);
    let superseded = "revoked (4), gateway done, never offered";
    wait_for(&factory, &other.uuid, &[REFUSED, superseded, REFUSED]);
}

#[test]
fn a_crash_during_the_call_leaves_a_certificate_to_be_looked_up() {
    let mock = MockServer::start(vec![Answer::Hang]);
    let factory = factory(&mock.url());
    let endpoint = factory.serve();
    let device = Device::new(DEVICE);
    let request = device.request();
    let other = Device::number(1);
    let lost = other.request();
    hang_up(&endpoint, &mock, 1, &device, &request);
    mock.expect(vec![Answer::Hang]);
    hang_up(&endpoint, &mock, 2, &other, &lost);
    assert!(!endpoint.end(Signal::KILL).success());
    wait_for(&factory, DEVICE, &[PENDING]);

    let endpoint = factory.serve();
    mock.expect(vec![known(&factory, &device, &request), status(201, "")]);
    let answer = register(&endpoint, &device, &request);
    assert_eq!(answer.status, 201, "{}", answer.text());
    wait_for(&factory, DEVICE, &[DONE]);
    // The other one comes with a new key, and the first call never arrived.
    let answer = register(&endpoint, &other, &other.request());
    assert_eq!(answer.status, 201, "{}", answer.text());
    wait_for(
        &factory,
        &other.uuid,
        &[DONE, "revoked (4), gateway pending, never offered"],
    );
    assert_eq!(mock.lines()[2..], [get(&device), PUT.to_owned()]);
}

#[test]
fn without_its_token_nothing_starts() {
    let factory = factory("http://127.0.0.1:1");
    std::fs::remove_file(factory.path("pki/api.token")).unwrap();
    factory.refuses_to_serve(
        2,
        snapbox::str![[r#"
error: there is no API token
  Caused by: file `pki/api.token` cannot be read
  Caused by: No such file or directory (os error 2)
hint: put the token where `foundries: {token: …}` in factory-ca.yaml says, and nothing else

"#]],
    );
}

/// Sends a request and closes the connection as soon as the backend was called that often.
fn hang_up(
    endpoint: &Endpoint,
    mock: &MockServer,
    calls: usize,
    device: &Device,
    request: &Request,
) {
    use std::io::Write;
    let mut connection = endpoint.connect();
    connection
        .write_all(&post(None, &device.body(request)))
        .unwrap();
    wait_for_calls(mock, calls);
}

fn wait_for_calls(mock: &MockServer, calls: usize) {
    let begun = Instant::now();
    while mock.received().len() < calls {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
}
