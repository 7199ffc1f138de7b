//! A signer: holds one lane of a token and does nothing but sign and verify.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::{Alarm, Case, Counter, Job};
use crate::authority::Error;
use crate::ledger::EntryId;
use crate::token;

pub(super) struct Signer {
    pub(super) counter: Arc<Counter>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) alarm: Arc<Alarm>,
}

impl Signer {
    /// Signs what waits for the token, then hands all of it on.
    pub(super) fn run(self) {
        while let Some(cases) = self.counter.waiting.take() {
            let begun = Instant::now();
            let count = cases.len();
            let mut results = Vec::with_capacity(count);
            for (case, entry) in cases {
                let result = self.sign(case, entry, &mut results);
                results.push(result);
            }
            self.counter.waiting.done(count, begun.elapsed());
            self.inbox.signed(results);
        }
    }

    /// Tries until the case's deadline. No signature bytes were received before a repetition, so it is harmless.
    ///
    /// What is signed already does not wait for a token that fails, and nothing is signed for a caller that has gone.
    fn sign(&self, mut case: Box<Case>, entry: EntryId, before: &mut Vec<Job>) -> Job {
        loop {
            if self.alarm.is_raised() || Instant::now() >= case.application.deadline {
                return Job::Abandon(case, entry, Error::NotReleased);
            }
            let error = match self.counter.issuer.sign(case.application.prepared.linted()) {
                Ok(certificate) => {
                    case.steps.sign = case.lap();
                    return Job::Record(case, entry, certificate);
                }
                Err(error) => error,
            };
            if ends_the_desk(&error) {
                self.alarm.raise(Arc::new(error));
                return Job::Abandon(case, entry, Error::NotReleased);
            }
            if Instant::now() + PAUSE >= case.application.deadline {
                return Job::Abandon(case, entry, error);
            }
            self.inbox.signed(std::mem::take(before));
            std::thread::sleep(PAUSE);
        }
    }
}

/// A signature that does not verify, or a PIN that must not be tried again.
pub(super) fn ends_the_desk(error: &Error) -> bool {
    match error {
        Error::SignatureWrong { .. } => true,
        Error::Token(error) => wants_an_officer(error),
        _ => false,
    }
}

fn wants_an_officer(error: &token::Error) -> bool {
    matches!(
        error,
        token::Error::PinRejected { .. }
            | token::Error::PinLocked { .. }
            | token::Error::PinExpired { .. }
    )
}

/// Between two tries of a token that fails.
const PAUSE: Duration = Duration::from_millis(100);
