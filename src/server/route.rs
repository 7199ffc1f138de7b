//! From a request to the room that answers it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::address;
use super::handover::{Outbox, Reply};
use super::metrics::Metrics;
use super::problem::{Problem, shown};
use super::quiet::Quiet;
use super::register::Registration;
use super::registrars::Caller;
use super::status::Status;
use crate::authority::{Issued, Issuer};

/// What a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// `/sign` and what is below.
    Everything,
    /// `/sign`.
    Sign,
    /// `/healthz`, `/readyz`, `/metrics`.
    Operations,
}

/// Everything that answers requests.
pub(super) struct Endpoint {
    pub(super) registration: Registration,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: Arc<Status>,
    /// Makes request numbers differ from those of an earlier run.
    pub(super) run: String,
    pub(super) requests: AtomicU64,
    pub(super) quiet: Quiet,
}

impl Endpoint {
    /// Answers one request.
    pub(super) async fn answer(
        self: &Arc<Endpoint>,
        room: Room,
        request: Request<Incoming>,
        peer: SocketAddr,
        outbox: &Outbox,
    ) -> Response<Reply> {
        let begun = Instant::now();
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", self.run);
        let response = match (request.uri().path(), room) {
            ("/sign", Room::Everything | Room::Sign) => {
                self.sign(request, peer, &id, begun, outbox).await
            }
            ("/healthz", Room::Everything | Room::Operations) => self.only_get(
                request.method(),
                || text(StatusCode::OK, TEXT, "ok\n".into()),
                &id,
            ),
            ("/readyz", Room::Everything | Room::Operations) => {
                self.only_get(request.method(), || self.ready(), &id)
            }
            ("/metrics", Room::Everything | Room::Operations) => {
                let metrics = || text(StatusCode::OK, METRICS, self.metrics.text());
                self.only_get(request.method(), metrics, &id)
            }
            (path, _) => {
                let message = format!("there is no `{}` here", shown(path));
                problem(&Problem::new(StatusCode::NOT_FOUND, "path", message), &id)
            }
        };
        self.metrics.responded(response.status().as_u16());
        response
    }

    /// Something that nobody can be held to, and that must not fill the log.
    pub(super) fn strange(&self, what: &str) {
        self.quiet.say(what);
    }

    /// A certificate is being handed out.
    pub(super) fn note_issued(&self, issued: &Issued, issuer: &Issuer, caller: &Caller, id: &str) {
        match issued.repeated {
            true => self.metrics.repeated(),
            false => self.metrics.issued(issuer.name()),
        }
        tracing::info!(
            request = id,
            source = caller.source(),
            device = issued.device.as_deref().unwrap_or_default(),
            serial = %issued.serial,
            authority = issuer.name(),
            "{}",
            if issued.repeated { "issued again" } else { "issued" }
        );
    }

    async fn sign(
        self: &Arc<Endpoint>,
        request: Request<Incoming>,
        peer: SocketAddr,
        id: &str,
        begun: Instant,
        outbox: &Outbox,
    ) -> Response<Reply> {
        match *request.method() {
            // A device asks before it makes a key: it stops at 500 and above.
            Method::HEAD => match self.status.is_ready() {
                true => text(StatusCode::OK, JSON, String::new()),
                false => text(StatusCode::SERVICE_UNAVAILABLE, JSON, String::new()),
            },
            Method::POST => {
                let client = address::client(peer, request.headers(), &self.registration.proxies);
                let answer = Registration::register(self, request, client, id).await;
                self.metrics.took("request", begun.elapsed());
                match answer {
                    Ok((body, handover)) => {
                        let mut response = text(StatusCode::CREATED, JSON, body);
                        response.body_mut().hand_over(handover, outbox);
                        response
                    }
                    Err(fault) => problem(&fault, id),
                }
            }
            _ => problem(
                &not_answered(request.method()).header("allow", "HEAD, POST"),
                id,
            ),
        }
    }

    fn only_get(
        &self,
        method: &Method,
        answer: impl FnOnce() -> Response<Reply>,
        id: &str,
    ) -> Response<Reply> {
        if matches!(*method, Method::GET | Method::HEAD) {
            return answer();
        }
        problem(&not_answered(method).header("allow", "GET, HEAD"), id)
    }

    fn ready(&self) -> Response<Reply> {
        let report = format!("{:#}\n", self.status.report());
        match self.status.is_ready() {
            true => text(StatusCode::OK, JSON, report),
            false => text(StatusCode::SERVICE_UNAVAILABLE, JSON, report),
        }
    }
}

fn not_answered(method: &Method) -> Problem {
    let message = format!("`{}` is not answered here", shown(method.as_str()));
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", message)
}

fn problem(fault: &Problem, id: &str) -> Response<Reply> {
    let mut response = text(fault.status, JSON, fault.to_json(id));
    if let Some((name, value)) = fault.header {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Reply> {
    let mut response = Response::new(Reply::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
