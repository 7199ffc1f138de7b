//! What the ledger says after devices were answered.

use std::time::{Duration, Instant};

use factory_ca::ledger::{Ledger, Refusal};
use serde_json::Value;

use crate::support::factory::Factory;

/// A certificate of a device, as `device show` tells of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub state: String,
    /// RFC 5280 section 5.3.1.
    pub reason: Option<u64>,
    pub gateway: String,
    pub was_offered: bool,
    pub serial: String,
    /// PEM; nothing as long as none was recorded.
    pub certificate: Option<String>,
}

/// The certificates of a device, newest first. The ledger must be clean, and at most one of them live.
pub fn certificates(factory: &Factory, device: &str) -> Vec<Shown> {
    assert_clean(factory);
    let shown = factory.run(&format!("device show {device} --json"));
    let shown = shown.succeeds().json();
    let certificates = shown["certificates"].as_array().unwrap();
    let certificates: Vec<Shown> = certificates.iter().map(read).collect();
    let live = certificates.iter().filter(|shown| shown.state == "issued");
    assert!(live.count() <= 1, "{certificates:?}");
    certificates
}

fn read(entry: &Value) -> Shown {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Shown {
        state: text(&entry["state"]),
        reason: entry["reason"].as_u64(),
        gateway: text(&entry["registration"]["gateway"]),
        was_offered: entry["registration"]["offered_at"].is_string(),
        serial: text(&entry["serial"]),
        certificate: entry["certificate"].as_str().map(str::to_owned),
    }
}

impl Shown {
    /// `issued, gateway none, offered`: all that tells one state from another.
    pub fn standing(&self) -> String {
        let reason = self
            .reason
            .map_or(String::new(), |reason| format!(" ({reason})"));
        let offered = if self.was_offered {
            "offered"
        } else {
            "never offered"
        };
        format!(
            "{}{reason}, gateway {}, {offered}",
            self.state, self.gateway
        )
    }
}

/// Waits until the certificates of a device stand like this, newest first: that one was offered is written a moment
/// after the answer.
pub fn wait_for(factory: &Factory, device: &str, wanted: &[&str]) {
    let begun = Instant::now();
    loop {
        let found: Vec<String> = match factory.run(&format!("device show {device}")).code {
            0 => {
                let found = certificates(factory, device);
                found.iter().map(Shown::standing).collect()
            }
            _ => Vec::new(),
        };
        if found == wanted || begun.elapsed() > PATIENCE {
            assert_eq!(found, wanted);
            return;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

pub fn assert_clean(factory: &Factory) {
    let check = factory.run("ledger check --json").succeeds().json();
    assert_eq!(check["clean"], true, "{check}");
}

/// Refused requests, oldest first.
pub fn refusals(factory: &Factory) -> Vec<Refusal> {
    let ledger = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
    let mut found = Vec::new();
    let keep = |refusal: &Refusal| {
        found.push(refusal.clone());
        Ok::<_, factory_ca::ledger::Error>(())
    };
    ledger.refusals(keep).unwrap();
    found
}

/// Waits until the ledger holds so many refusals: they are written a moment after the answer.
pub fn wait_for_refusals(factory: &Factory, count: usize) -> Vec<Refusal> {
    let begun = Instant::now();
    loop {
        let found = refusals(factory);
        if found.len() >= count || begun.elapsed() > PATIENCE {
            assert_eq!(found.len(), count, "{found:?}");
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
