//! A signer: holds one lane of a token and does nothing but sign and verify.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::{Alarm, Case, Job, Queue, Work};
use crate::authority::Error;
use crate::ledger::EntryId;
use crate::token;

pub(super) struct Signer {
    pub(super) queue: Queue<Work>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) alarm: Arc<Alarm>,
}

impl Signer {
    /// Signs what it is given, then hands all of it on.
    pub(super) fn run(self) {
        while let Ok(Work::Sign(cases)) = self.queue.recv() {
            let sign = |(case, entry)| self.sign(case, entry);
            self.inbox.signed(cases.into_iter().map(sign).collect());
        }
    }

    /// Tries until the case's deadline. No signature bytes were received before a repetition, so it is harmless.
    fn sign(&self, mut case: Box<Case>, entry: EntryId) -> Job {
        loop {
            if self.alarm.is_raised() {
                return Job::Abandon(case, entry, Error::NotReleased);
            }
            let begun = Instant::now();
            let error = match case.counter.issuer.sign(case.application.prepared.linted()) {
                Ok(certificate) => {
                    case.counter.pace.saw(begun.elapsed());
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
            std::thread::sleep(PAUSE);
        }
    }
}

/// What a signature takes, as seen lately, in nanoseconds.
#[derive(Default)]
pub(super) struct Pace(AtomicU64);

impl Pace {
    fn saw(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let before = self.0.load(Ordering::Relaxed);
        let now = if before == 0 {
            time
        } else {
            before / 8 * 7 + time / 8
        };
        self.0.store(now, Ordering::Relaxed);
    }

    /// How many cases one signer gets at once: with a fast token as many as it signs in a while, because threads that
    /// share it slow each other down; with a slow one each lane gets its own.
    pub(super) fn share(&self) -> usize {
        let pace = self.0.load(Ordering::Relaxed).max(1);
        let share = A_WHILE.as_nanos() / u128::from(pace);
        usize::try_from(share).unwrap_or(usize::MAX).clamp(1, 64)
    }
}

/// A signature that does not verify, or a PIN that must not be tried again.
fn ends_the_desk(error: &Error) -> bool {
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

/// A signer signs for so long before the ledger hears of it: longer would keep the first of them waiting.
const A_WHILE: Duration = Duration::from_millis(2);
