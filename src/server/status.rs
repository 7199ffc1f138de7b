//! Whether devices can be registered: token, ledger, validity of the CAs; asked every second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::metrics::Metrics;
use crate::authority::desk::Desk;
use crate::authority::{Error, Issuer};
use crate::error;
use crate::ledger::Ledger;
use crate::profile::{Period, Profile};
use crate::timestamp::Timestamp;

/// What the monitor saw last.
pub(super) struct Status {
    seen: Mutex<Seen>,
    ready: watch::Sender<bool>,
}

struct Seen {
    at: Instant,
    /// By part: `token of line-1`, `ledger`, `validity of line-1`; what is wrong, or nothing.
    parts: BTreeMap<String, Option<String>>,
}

impl Status {
    pub(super) fn new() -> Status {
        Status {
            seen: Mutex::new(Seen {
                at: Instant::now(),
                parts: BTreeMap::new(),
            }),
            ready: watch::channel(false).0,
        }
    }

    /// Whether everything was well when it was asked last, and that was not long ago.
    pub(super) fn is_ready(&self) -> bool {
        *self.ready.borrow() && self.age() < STALE
    }

    /// Waits until everything is well; whether it was in time.
    pub(super) async fn wait(&self, until: tokio::time::Instant) -> bool {
        let mut looks = self.ready.subscribe();
        while !self.is_ready() {
            let look = tokio::time::timeout_at(until, looks.changed()).await;
            if !matches!(look, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }

    /// The report of `/readyz`.
    pub(super) fn report(&self) -> Value {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let parts: BTreeMap<&String, &str> = seen
            .parts
            .iter()
            .map(|(part, fault)| (part, fault.as_deref().unwrap_or("ok")))
            .collect();
        let mut report = json!({ "parts": parts });
        if seen.at.elapsed() >= STALE {
            report["stale"] = "the token or the ledger has not answered for a while".into();
        }
        drop(seen);
        report["ready"] = self.is_ready().into();
        report
    }

    fn age(&self) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.at.elapsed()
    }

    /// Keeps what was seen; says in the log what changed.
    fn update(&self, parts: BTreeMap<String, Option<String>>) -> bool {
        let ready = parts.values().all(Option::is_none);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (part, fault) in &parts {
            match (seen.parts.get(part).unwrap_or(&None), fault) {
                (None, Some(fault)) => tracing::warn!(part, fault, "not ready"),
                (Some(_), None) => tracing::info!(part, "ready again"),
                _ => {}
            }
        }
        *seen = Seen {
            at: Instant::now(),
            parts,
        };
        drop(seen);
        self.ready.send_replace(ready);
        ready
    }
}

/// Asks token, ledger and clock once a second until it is told to stop.
pub(super) struct Monitor {
    pub(super) desk: Arc<Desk>,
    pub(super) profile: Profile,
    pub(super) ledger: Arc<Ledger>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: Arc<Status>,
    pub(super) clock: fn() -> Timestamp,
}

impl Monitor {
    /// Looks once.
    pub(super) fn look(&self) {
        let now = (self.clock)();
        let mut parts = BTreeMap::new();
        for issuer in self.desk.issuers() {
            let name = issuer.name();
            let token = issuer.check();
            self.metrics.token_is_up(name, token.is_ok());
            parts.insert(
                format!("token of {name}"),
                token.as_ref().err().map(error::on_one_line),
            );
            if let Err(error) = token {
                self.desk.consider(error);
            }
            parts.insert(format!("validity of {name}"), fault(issuer.check_time(now)));
            let (not_after, issues_until) = validity(issuer, &self.profile);
            self.metrics
                .validity(name, not_after.unix(), issues_until.unix());
        }
        let read = fault(self.ledger.check_clock(now).map_err(Error::from));
        let ledger = self.desk.ledger_fault().or(read);
        self.metrics.ledger_is_up(ledger.is_none());
        parts.insert("ledger".to_owned(), ledger);
        let ready = self.status.update(parts);
        self.metrics.is_ready(ready);
    }

    /// Looks until `stop` is dropped.
    pub(super) fn run(self, stop: &std::sync::mpsc::Receiver<()>) {
        use std::sync::mpsc::RecvTimeoutError::Timeout;
        while stop.recv_timeout(PERIOD) == Err(Timeout) {
            self.look();
        }
    }
}

/// When the first certificate of the chain expires, and until when it leaves what the profile demands.
fn validity(issuer: &Issuer, profile: &Profile) -> (Timestamp, Timestamp) {
    let expires = issuer
        .chain()
        .iter()
        .map(|certificate| certificate.not_after());
    let not_after = expires.min().unwrap_or(Timestamp::EPOCH);
    let least = profile
        .at_least()
        .map(|least: Period| least.before(not_after));
    (not_after, least.unwrap_or(not_after))
}

fn fault<T>(result: Result<T, Error>) -> Option<String> {
    result.err().map(|error| error::on_one_line(&error))
}

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// A look that takes longer hangs in the token or the ledger.
const STALE: Duration = Duration::from_secs(5);
