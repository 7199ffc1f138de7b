//! A signer: holds one lane of a token and does nothing but sign and verify.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::{Alarm, Case, Job, Queue, Work};
use crate::authority::Error;
use crate::ledger::EntryId;
use crate::token;

pub(super) struct Signer {
    queue: Queue<Work>,
    jobs: Sender<Job>,
    alarm: Arc<Alarm>,
    /// What a signature takes, as seen lately.
    pace: Duration,
}

impl Signer {
    pub(super) fn new(queue: &Queue<Work>, jobs: &Sender<Job>, alarm: &Arc<Alarm>) -> Signer {
        Signer {
            queue: queue.clone(),
            jobs: jobs.clone(),
            alarm: alarm.clone(),
            pace: A_WHILE,
        }
    }

    /// Signs what waits, a few at a time: with a fast token the ledger is woken once for several, with a slow one
    /// each lane takes one.
    pub(super) fn run(mut self) {
        while let Ok(Work::Sign(case, entry)) = self.queue.recv() {
            let mut results = vec![self.sign(case, entry)];
            let most = A_WHILE.as_nanos() / self.pace.as_nanos().max(1);
            while (results.len() as u128) < most {
                match self.queue.try_recv() {
                    Ok(Work::Sign(case, entry)) => results.push(self.sign(case, entry)),
                    Ok(Work::End) => {
                        self.hand_on(results);
                        return;
                    }
                    Err(_) => break,
                }
            }
            self.hand_on(results);
        }
    }

    fn hand_on(&self, results: Vec<Job>) {
        for job in results {
            let _ = self.jobs.send(job);
        }
    }

    /// Tries until the case's deadline. No signature bytes were received before a repetition, so it is harmless.
    fn sign(&mut self, mut case: Box<Case>, entry: EntryId) -> Job {
        loop {
            if self.alarm.is_raised() {
                return Job::Abandon(case, entry, Error::NotReleased);
            }
            let begun = Instant::now();
            let error = match case.counter.issuer.sign(case.application.prepared.linted()) {
                Ok(certificate) => {
                    self.pace = (self.pace * 7 + begun.elapsed()) / 8;
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

/// A signature that does not verify, or a PIN that must not be tried again.
fn ends_the_desk(error: &Error) -> bool {
    match error {
        Error::SignatureWrong { .. } => true,
        Error::Token(error) => token_wants_an_officer(error),
        _ => false,
    }
}

fn token_wants_an_officer(error: &token::Error) -> bool {
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
const A_WHILE: Duration = Duration::from_micros(500);
