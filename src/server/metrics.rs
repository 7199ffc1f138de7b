//! What `/metrics` tells, in the text format of OpenMetrics.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::authority::desk::Steps;
use crate::timestamp::Timestamp;

type Label = Vec<(&'static str, String)>;

/// Everything that is counted.
pub(super) struct Metrics {
    registry: Registry,
    issued: Family<Label, Counter>,
    repeated: Counter,
    refused: Family<Label, Counter>,
    responses: Family<Label, Counter>,
    backend: Family<Label, Counter>,
    steps: Family<Label, Histogram>,
    pub(super) connections: Gauge,
    pub(super) under_way: Gauge,
    token_up: Family<Label, Gauge>,
    ledger_up: Gauge,
    ready: Gauge,
    not_after: Family<Label, Gauge>,
    issues_until: Family<Label, Gauge>,
}

impl Metrics {
    /// `tls_not_after` is when the endpoint's own certificate expires; `None` without TLS.
    pub(super) fn new(tls_not_after: Option<Timestamp>) -> Metrics {
        let steps = Family::<Label, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_05, 2.0, 18))
        });
        let mut metrics = Metrics {
            registry: Registry::with_prefix("factory_ca"),
            issued: Family::default(),
            repeated: Counter::default(),
            refused: Family::default(),
            responses: Family::default(),
            backend: Family::default(),
            steps,
            connections: Gauge::default(),
            under_way: Gauge::default(),
            token_up: Family::default(),
            ledger_up: Gauge::default(),
            ready: Gauge::default(),
            not_after: Family::default(),
            issues_until: Family::default(),
        };
        metrics.register();
        if let Some(at) = tls_not_after {
            metrics.register_tls(at);
        }
        metrics
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        all.register(
            "certificates_issued",
            "New certificates, by authority",
            self.issued.clone(),
        );
        all.register(
            "certificates_repeated",
            "Requests that got the certificate they had before",
            self.repeated.clone(),
        );
        all.register(
            "refusals",
            "Requests refused, by rule",
            self.refused.clone(),
        );
        all.register(
            "responses",
            "Answers of the endpoint, by status",
            self.responses.clone(),
        );
        all.register(
            "backend_calls",
            "Registrations at the gateway's backend, by outcome",
            self.backend.clone(),
        );
        all.register_with_unit(
            "step",
            "Time of each step of a registration",
            Unit::Seconds,
            self.steps.clone(),
        );
        all.register("connections", "Open connections", self.connections.clone());
        all.register(
            "registrations_under_way",
            "Registrations under way",
            self.under_way.clone(),
        );
        all.register(
            "token_up",
            "1 while an authority's token signs",
            self.token_up.clone(),
        );
        all.register(
            "ledger_up",
            "1 while the ledger can be written",
            self.ledger_up.clone(),
        );
        all.register(
            "ready",
            "1 while devices can be registered",
            self.ready.clone(),
        );
        all.register(
            "authority_not_after_timestamp_seconds",
            "When an authority's certificate, or one above it, expires",
            self.not_after.clone(),
        );
        all.register(
            "authority_issues_until_timestamp_seconds",
            "When an authority can no longer give the validity that its profile demands at least",
            self.issues_until.clone(),
        );
    }

    fn register_tls(&mut self, not_after: Timestamp) {
        let gauge: Gauge = Gauge::default();
        gauge.set(not_after.unix());
        self.registry.register(
            "tls_not_after_timestamp_seconds",
            "When the endpoint's own certificate expires",
            gauge,
        );
    }

    pub(super) fn issued(&self, authority: &str) {
        self.issued
            .get_or_create(&label("authority", authority))
            .inc();
    }

    pub(super) fn repeated(&self) {
        self.repeated.inc();
    }

    pub(super) fn refused(&self, rule: &str) {
        self.refused.get_or_create(&label("rule", rule)).inc();
    }

    pub(super) fn responded(&self, status: u16) {
        self.responses
            .get_or_create(&label("status", &status.to_string()))
            .inc();
    }

    pub(super) fn backend(&self, outcome: &str) {
        self.backend.get_or_create(&label("outcome", outcome)).inc();
    }

    pub(super) fn took(&self, step: &str, time: Duration) {
        self.steps
            .get_or_create(&label("step", step))
            .observe(time.as_secs_f64());
    }

    pub(super) fn desk_took(&self, steps: Steps) {
        for (step, time) in [
            ("reserve", steps.reserve),
            ("sign", steps.sign),
            ("record", steps.record),
        ] {
            if !time.is_zero() {
                self.took(step, time);
            }
        }
    }

    pub(super) fn token_is_up(&self, authority: &str, up: bool) {
        self.token_up
            .get_or_create(&label("authority", authority))
            .set(up.into());
    }

    pub(super) fn ledger_is_up(&self, up: bool) {
        self.ledger_up.set(up.into());
    }

    pub(super) fn is_ready(&self, ready: bool) {
        self.ready.set(ready.into());
    }

    pub(super) fn validity(&self, authority: &str, not_after: i64, issues_until: i64) {
        let label = label("authority", authority);
        self.not_after.get_or_create(&label).set(not_after);
        self.issues_until.get_or_create(&label).set(issues_until);
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn label(name: &'static str, value: &str) -> Label {
    vec![(name, value.to_owned())]
}
