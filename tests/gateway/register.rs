//! The story: attempts, look-ups, and what is left for later.

use factory_ca::gateway::Registration;

use crate::support::http::{Answer, MockServer, ok, status};
use crate::{Device, Pauses, TOKEN, client, client_with, patience};

/// How it ends, what was asked, how long the pauses were.
struct Told {
    end: Registration,
    lines: Vec<String>,
    pauses: Vec<u128>,
    url: String,
}

fn tell(device: &Device, resumed: bool, answers: Vec<Answer>) -> Told {
    let patience = patience(&answers);
    let server = MockServer::start(answers);
    let (api, pauses) = (client_with(patience, &server.url()), Pauses::default());
    let end = match resumed {
        false => api.register(&device.borrow(), &pauses.take()),
        true => api.resume(&device.borrow(), &pauses.take()),
    };
    for received in server.received() {
        assert_eq!(received.header("osf-token"), Some(TOKEN));
    }
    let (lines, pauses) = (server.lines(), pauses.taken());
    let url = server.url();
    Told {
        end,
        lines,
        pauses,
        url,
    }
}

fn register(device: &Device, answers: Vec<Answer>) -> Told {
    tell(device, false, answers)
}

fn resume(device: &Device, answers: Vec<Answer>) -> Told {
    tell(device, true, answers)
}

fn pending(reason: String) -> Registration {
    Registration::Pending(reason)
}

fn conflict(reason: &str) -> Registration {
    Registration::Conflict(reason.to_owned())
}

const PUT: &str = "PUT /ota/devices/";
const GET: &str =
    "GET /ota/devices/56b2fa41-d79a-4aad-ba26-e26e719878bb/?factory=demo-factory&by-uuid=1";
const OTHER_KEY: &str = "the API knows the device with another key";

#[test]
fn a_clear_answer_ends_it() {
    let device = Device::new();
    let refused = |status| Registration::Refused {
        status,
        message: "no".to_owned(),
    };
    for (answer, wanted, our_fault) in [
        (status(201, "{}"), Registration::Registered, false),
        (status(400, "no"), refused(400), false),
        (status(403, "no"), refused(403), true),
        (
            Answer::With(302, "Location: /x\r\n", String::new()),
            Registration::Redirected("/x".to_owned()),
            true,
        ),
    ] {
        let told = register(&device, vec![answer]);
        assert_eq!(told.end, wanted);
        assert_eq!(told.end.is_our_fault(), our_fault);
        assert_eq!(told.lines, [PUT]);
        assert_eq!(told.pauses, [0; 0]);
    }
}

#[test]
fn what_may_get_better_is_tried_three_times() {
    let device = Device::new();
    let told = register(
        &device,
        vec![status(503, ""), status(500, ""), status(201, "")],
    );
    assert_eq!(told.end, Registration::Registered);
    assert_eq!(told.lines, [PUT, PUT, PUT]);
    assert_eq!(told.pauses, [250, 1000]);

    let told = register(
        &device,
        vec![status(503, ""), status(429, ""), status(500, "full")],
    );
    let wanted = pending(format!("`{}`: it answered 500: full", told.url));
    assert_eq!(told.end, wanted);
    assert_eq!(told.lines, [PUT, PUT, PUT]);
    assert_eq!(told.pauses, [250, 1000]);
}

#[test]
fn nobody_there_is_pending() {
    let url = format!("http://127.0.0.1:{}", crate::support::http::closed_port());
    let (device, pauses) = (Device::new(), Pauses::default());
    let end = client(&url).register(&device.borrow(), &pauses.take());
    assert_eq!(end, pending(format!("`{url}`: the connection was refused")));
    assert_eq!(pauses.taken(), [250, 1000]);
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let device = Device::new();
    for lost in [
        || Answer::Close,
        || Answer::Hang,
        || status(502, ""),
        || status(504, ""),
        || Answer::Raw(b"?\r\n\r\n".to_vec()),
    ] {
        // It had arrived.
        let told = register(&device, vec![lost(), ok(&device.known())]);
        assert_eq!(told.end, Registration::Registered);
        assert_eq!(told.lines, [PUT, GET]);
        assert_eq!(told.pauses, [0; 0]);
        // It had not.
        let told = register(&device, vec![lost(), status(404, ""), status(201, "")]);
        assert_eq!(told.end, Registration::Registered);
        assert_eq!(told.lines, [PUT, GET, PUT]);
        assert_eq!(told.pauses, [250]);
        // Another device was faster.
        let told = register(&device, vec![lost(), ok(&Device::new().known())]);
        assert_eq!(told.end, conflict(OTHER_KEY));
        assert_eq!(told.lines, [PUT, GET]);
    }
}

#[test]
fn without_an_answer_to_the_look_up_nothing_is_sent_again() {
    let device = Device::new();
    let lost = "the connection was lost";
    for (answer, why) in [
        (status(403, "no"), "`URL` answered 403: no"),
        (status(500, ""), "`URL` is not available: it answered 500"),
        (
            Answer::Close,
            "`URL` is not available: the connection was lost",
        ),
        (
            Answer::Hang,
            "`URL` is not available: there was no answer in time",
        ),
        (
            Answer::With(301, "Location: https://evil.example\r\n", String::new()),
            "`URL` sends us to `https://evil.example`, and redirects are not followed",
        ),
        (
            ok("{}"),
            "the answer of `URL` cannot be used: it is not the JSON that is wanted",
        ),
        (
            ok(&device.known().replace("56b2", "56b3")),
            "the answer of `URL` cannot be used: it is about another device",
        ),
        (
            Answer::Huge(200, 1 << 20),
            "the answer of `URL` cannot be used: it is longer than 64 KiB, or breaks off",
        ),
        (
            Answer::Drip,
            "the answer of `URL` cannot be used: it is longer than 64 KiB, or breaks off",
        ),
        (
            ok(&device.known().replace("public-key", "public-kex")),
            "the API knows the device and does not tell its key",
        ),
        (
            ok(&device.known().replace("PUBLIC KEY", "PRIVATE KEY")),
            "the API knows the device and does not tell its key",
        ),
    ] {
        let told = register(&device, vec![Answer::Close, answer]);
        let why = why.replace("URL", &told.url);
        assert_eq!(told.end, pending(format!("{lost}; {why}")));
        assert_eq!(told.lines, [PUT, GET]);
    }
}

#[test]
fn a_conflict_may_be_with_another_endpoint_that_was_asked_too() {
    let device = Device::new();
    for (answer, wanted) in [
        (ok(&device.known()), Registration::Registered),
        (ok(&Device::new().known()), conflict("taken")),
        (status(404, ""), conflict("taken")),
        // A token with the scope devices:create alone.
        (status(403, ""), conflict("taken")),
    ] {
        let told = register(&device, vec![status(409, "taken"), answer]);
        assert_eq!(told.end, wanted);
        assert_eq!(told.lines, [PUT, GET]);
    }
}

#[test]
fn a_conflict_after_an_attempt_may_be_with_ourselves() {
    let device = Device::new();
    let taken = || status(409, "taken");
    let told = register(&device, vec![status(500, ""), taken(), ok(&device.known())]);
    assert_eq!(told.end, Registration::Registered);
    assert_eq!(told.lines, [PUT, PUT, GET]);
    for (answer, wanted) in [
        (ok(&Device::new().known()), conflict("taken")),
        (status(404, ""), conflict("taken")),
    ] {
        let told = register(&device, vec![status(500, ""), taken(), answer]);
        assert_eq!(told.end, wanted);
    }
    let told = register(&device, vec![status(500, ""), taken(), status(401, "")]);
    let wanted = pending(format!("`{}` answered 401", told.url));
    assert_eq!(told.end, wanted);
}

#[test]
fn a_server_that_loses_everything_is_asked_six_times() {
    let device = Device::new();
    let lost = || [Answer::Close, status(404, "")];
    let told = register(
        &device,
        [lost(), lost(), lost()].into_iter().flatten().collect(),
    );
    let wanted = pending(format!("`{}`: the connection was lost", told.url));
    assert_eq!(told.end, wanted);
    assert_eq!(told.lines, [PUT, GET, PUT, GET, PUT, GET]);
    assert_eq!(told.pauses, [250, 1000]);
    assert_eq!(factory_ca::gateway::device_api::LONGEST_REGISTRATION, 7);
}

#[test]
fn what_was_pending_is_looked_up_first() {
    let device = Device::new();
    let told = resume(&device, vec![ok(&device.known())]);
    assert_eq!(told.end, Registration::Registered);
    assert_eq!(told.lines, [GET]);

    let told = resume(&device, vec![ok(&Device::new().known())]);
    assert_eq!(told.end, conflict(OTHER_KEY));
    assert_eq!(told.lines, [GET]);

    let told = resume(&device, vec![status(404, ""), status(201, "")]);
    assert_eq!(told.end, Registration::Registered);
    assert_eq!(told.lines, [GET, PUT]);

    let told = resume(&device, vec![status(403, "")]);
    assert_eq!(told.end, pending(format!("`{}` answered 403", told.url)));
    assert_eq!(told.lines, [GET]);

    // Its request of before the crash arrives late.
    let answers = vec![status(404, ""), status(409, "taken"), ok(&device.known())];
    let told = resume(&device, answers);
    assert_eq!(told.end, Registration::Registered);
    assert_eq!(told.lines, [GET, PUT, GET]);
}

#[test]
fn a_device_is_found_whatever_the_case_of_its_uuid() {
    let device = Device::new();
    let uuid = crate::UUID.to_ascii_uppercase();
    let known = device.known().replace(crate::UUID, &uuid);
    let told = resume(&device, vec![ok(&known)]);
    assert_eq!(told.end, Registration::Registered);
}
