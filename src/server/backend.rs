//! Creating a device at the gateway's backend, after its certificate is recorded and before it is handed out.
//!
//! A crash anywhere in between leaves the entry pending: the device's next request, or `gateway retry`, takes it up
//! with a look at what the backend knows.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use tokio::sync::{Semaphore, oneshot};

use super::metrics::Metrics;
use super::problem::Problem;
use crate::authority::desk::Desk;
use crate::authority::{self, Issued};
use crate::gateway::{DeviceApi, NewDevice, Registration};
use crate::ledger::EntryId;
use crate::x509::Certificate;

/// The gateway's backend, and what is kept about it.
pub(super) struct Backend {
    pub(super) api: Arc<DeviceApi>,
    pub(super) desk: Arc<Desk>,
    pub(super) metrics: Arc<Metrics>,
    /// Calls at once: each takes a thread.
    pub(super) calls: Semaphore,
}

impl Backend {
    /// Creates a device there and keeps the answer in the ledger; the device gets its certificate only after that.
    pub(super) async fn announce(
        &self,
        issued: &Issued,
        name: Option<String>,
    ) -> Result<(), Problem> {
        let device = issued.device.as_deref().unwrap_or_default();
        let begun = Instant::now();
        let answer = self.ask(issued, name).await;
        self.metrics.took("backend", begun.elapsed());
        match answer {
            Registration::Registered => {
                self.metrics.backend("registered");
                self.keep(issued.entry, Desk::gateway_done).await
            }
            Registration::Conflict(message) => {
                self.metrics.backend("conflict");
                self.keep(issued.entry, Desk::gateway_refused).await?;
                let text = format!(
                    "the gateway's backend already has device `{device}` or its name: {message}"
                );
                Err(Problem::new(StatusCode::CONFLICT, "backend-conflict", text).hint(
                    "delete the device at the backend, then from its deny-list with `factory-ca gateway denied delete`, and register it again",
                ))
            }
            Registration::Refused { status, message } => {
                self.metrics.backend("refused");
                self.keep(issued.entry, Desk::gateway_refused).await?;
                tracing::error!(device, status, message, "the backend refuses a device");
                let text = format!(
                    "the gateway's backend refuses device `{device}` ({status}): {message}"
                );
                Err(Problem::new(
                    StatusCode::BAD_GATEWAY,
                    "backend-refused",
                    text,
                ))
            }
            Registration::Redirected(target) => {
                self.metrics.backend("redirected");
                tracing::error!(
                    device,
                    target,
                    "the backend is elsewhere: correct `foundries.api` in factory-ca.yaml"
                );
                let text = "the gateway's backend is not where the endpoint looks for it; the certificate waits";
                Err(Problem::new(
                    StatusCode::BAD_GATEWAY,
                    "backend-redirected",
                    text,
                ))
            }
            Registration::Pending(reason) => {
                self.metrics.backend("pending");
                tracing::warn!(device, reason, "a device waits for the backend");
                let text =
                    "the gateway's backend does not answer; the certificate waits until it does";
                Err(Problem::unavailable("backend-pending", text)
                    .hint("register the device again later"))
            }
        }
    }

    /// A certificate that is handed out again was left pending: somebody may have asked before.
    async fn ask(&self, issued: &Issued, name: Option<String>) -> Registration {
        let (api, der, resumes) = (
            self.api.clone(),
            issued.certificate.clone(),
            issued.repeated,
        );
        let _call = self.calls.acquire().await;
        let asked = tokio::task::spawn_blocking(move || {
            let certificate = Certificate::from_der(&der).ok()?;
            let device = NewDevice::new(&certificate, name.as_deref())?;
            Some(match resumes {
                true => api.resume(&device, &std::thread::sleep),
                false => api.register(&device, &std::thread::sleep),
            })
        });
        let lost = || Registration::Pending("the certificate could not be read".to_owned());
        asked.await.ok().flatten().unwrap_or_else(lost)
    }

    async fn keep<F>(&self, entry: EntryId, answer: F) -> Result<(), Problem>
    where
        F: FnOnce(&Desk, EntryId, Box<dyn FnOnce(Kept) + Send>),
    {
        let (told, kept) = oneshot::channel();
        answer(
            &self.desk,
            entry,
            Box::new(move |kept| {
                let _ = told.send(kept);
            }),
        );
        match kept.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Problem::of(&error)),
            Err(_) => Err(Problem::unavailable("stopping", "the endpoint is stopping")),
        }
    }
}

type Kept = Result<(), Arc<authority::Error>>;
