//! Good registrations with octets changed, dropped, repeated and moved: refused, or certified for exactly what they say.

use std::io::BufReader;
use std::time::Duration;

use factory_ca::x509::pem;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::rows::{Lab, write};
use crate::support::endpoint::{Answer, read_answer};

/// One change to a text.
#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Drop(Index, Index),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index, Index),
    Replace(Index, u8),
    Swap(Index, Index),
}

impl Change {
    fn any() -> impl Strategy<Value = Change> {
        let at = any::<Index>;
        let odd = prop_oneof![
            Just(b"\"".to_vec()),
            Just(b"\\".to_vec()),
            Just(b"\\u0000".to_vec()),
            Just(b"\\ud800".to_vec()),
            Just(b"{}".to_vec()),
            Just(b"[[[[".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"null".to_vec()),
            Just(b"1e999".to_vec()),
            Just(b"\xff".to_vec()),
            vec(any::<u8>(), 1..9),
        ];
        prop_oneof![
            1 => at().prop_map(Change::Cut),
            3 => (at(), at()).prop_map(|(from, to)| Change::Drop(from, to)),
            4 => (at(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
            4 => (at(), odd).prop_map(|(at, octets)| Change::Insert(at, octets)),
            2 => (at(), at(), at()).prop_map(|(from, to, at)| Change::Repeat(from, to, at)),
            4 => (at(), any::<u8>()).prop_map(|(at, octet)| Change::Replace(at, octet)),
            2 => (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
        ]
    }

    fn apply(&self, octets: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        let at = |index: &Index| index.index(octets.len());
        // Spans are short, so that something is left of the rest.
        let span = |from: &Index, to: &Index| {
            let from = at(from);
            from..octets.len().min(from + 1 + to.index(40))
        };
        match self {
            Change::Cut(end) => octets.truncate(at(end)),
            Change::Drop(from, to) => drop(octets.drain(span(from, to))),
            Change::Flip(place, bit) => {
                let place = at(place);
                octets[place] ^= 1 << bit;
            }
            Change::Insert(place, odd) => {
                let place = at(place);
                octets.splice(place..place, odd.iter().copied());
            }
            Change::Repeat(from, to, place) => {
                let copied = octets[span(from, to)].to_vec();
                let place = at(place);
                octets.splice(place..place, copied);
            }
            Change::Replace(place, octet) => {
                let place = at(place);
                octets[place] = *octet;
            }
            Change::Swap(one, other) => {
                let (one, other) = (at(one), at(other));
                octets.swap(one, other);
            }
        }
    }
}

#[test]
fn a_changed_body_is_refused_or_certified_for_what_it_says() {
    let lab = Lab::open("");
    changed(&lab, ALWAYS, |lab, changes| {
        let mut body = good(lab).to_string().into_bytes();
        changes.iter().for_each(|change| change.apply(&mut body));
        (lab.post(&body), body)
    });
    lab.end();
}

#[test]
fn a_changed_request_inside_a_good_body_is_refused_or_certified_for_what_it_says() {
    let lab = Lab::open("");
    changed(&lab, ALWAYS, |lab, changes| {
        let mut csr = lab.csr();
        changes.iter().for_each(|change| change.apply(&mut csr));
        let body = lab.body(&csr).to_string().into_bytes();
        (lab.post(&body), body)
    });
    lab.end();
}

#[test]
fn a_changed_head_is_answered_as_http_or_the_connection_is_closed() {
    let lab = Lab::open("");
    changed(&lab, AT_ONCE, |lab, changes| {
        let body = good(lab).to_string();
        let octets = lab.post(body.as_bytes());
        let mut head = octets[..octets.len() - body.len()].to_vec();
        changes.iter().for_each(|change| change.apply(&mut head));
        (
            [head, body.clone().into_bytes()].concat(),
            body.into_bytes(),
        )
    });
    lab.end();
}

/// A body with everything in it that a device may send.
fn good(lab: &Lab) -> Value {
    let mut body = lab.body(&lab.csr());
    body["name"] = "a-device".into();
    body["sota-config-dir"] = "/var/sota".into();
    body["use-ostree-server"] = "true".into();
    body["overrides"] = serde_json::json!({
        "pacman": { "tags": "\"main\"", "compose_apps": "\"a,b\"", "reset_apps": "\" \"" },
        "tls": { "pkey_source": "\"pkcs11\"" },
    });
    body
}

/// Sends changed requests; `change` makes one, and says which body it has. An answer is waited for only so long: a
/// request that is said to be longer than it is gets none for a while.
fn changed(lab: &Lab, patience: Duration, change: impl Fn(&Lab, &[Change]) -> (Vec<u8>, Vec<u8>)) {
    let mut runner = TestRunner::new(Config {
        cases: scaled(150, 20_000),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let outcome = runner.run(&vec(Change::any(), 1..4), |changes| {
        let (octets, body) = change(lab, &changes);
        let mut connection = lab.endpoint.connect();
        write(&mut connection, &octets);
        connection.set_read_timeout(Some(patience)).unwrap();
        match read_answer(&mut BufReader::new(connection)) {
            Some(answer) => check(lab, &answer, &body).map_err(TestCaseError::fail)?,
            None => prop_assert!(patience == AT_ONCE, "no answer"),
        }
        lab.register().map_err(TestCaseError::fail)
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// An error below 500, in JSON unless HTTP itself gave it; or a certificate for the request in the body.
fn check(lab: &Lab, answer: &Answer, body: &[u8]) -> Result<(), String> {
    match answer.status {
        201 => {
            // What is in other members may be anything.
            let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            let blocks = pem::read(body.csr.as_bytes()).map_err(|error| error.to_string())?;
            lab.check(answer, &blocks[0].contents)
        }
        400 | 431 if answer.body.is_empty() => Ok(()),
        200 => Ok(()),
        400..500 if answer.json()["message"].is_string() => Ok(()),
        _ => Err(format!("{answer:?}")),
    }
}

#[derive(serde::Deserialize)]
struct Body {
    csr: String,
}

/// Small in CI, large where FACTORY_CA_TEST_SCALE is `full`.
fn scaled(small: u32, full: u32) -> u32 {
    match std::env::var("FACTORY_CA_TEST_SCALE").as_deref() {
        Ok("full") => full,
        _ => small,
    }
}

/// Every body that is whole is answered.
const ALWAYS: Duration = Duration::from_secs(20);

/// For what is answered at all.
const AT_ONCE: Duration = Duration::from_millis(400);
