//! What waits for a token, and how many signers it is given to.
//!
//! Threads that share a fast token slow each other down: SoftHSM2 has one lock, and waking a thread costs as much as a
//! signature. So one signer gets whatever waits, and another helps only with what has waited for a while. A token that
//! takes its time is given to all of them at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Case;
use crate::ledger::EntryId;

/// A reserved case.
pub(super) type Reserved = (Box<Case>, EntryId);

/// The cases that wait for one token.
#[derive(Default)]
pub(super) struct Waiting {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    cases: VecDeque<(Instant, Reserved)>,
    /// Signers at work.
    busy: usize,
    /// Signers that wait for something to do.
    idle: usize,
    /// What a signature takes, as seen lately.
    pace: Duration,
    ended: bool,
}

impl Waiting {
    /// Adds what is to be signed.
    pub(super) fn put(&self, cases: Vec<Reserved>) {
        let mut state = self.state();
        let now = Instant::now();
        state
            .cases
            .extend(cases.into_iter().map(|case| (now, case)));
        let (idle, slow) = (state.idle, state.is_slow());
        drop(state);
        match slow {
            _ if idle == 0 => {}
            true => self.changed.notify_all(),
            false => self.changed.notify_one(),
        }
    }

    /// A signer's next cases; `None` when there will be no more.
    pub(super) fn take(&self) -> Option<Vec<Reserved>> {
        let mut state = self.state();
        loop {
            let Some((since, _)) = state.cases.front() else {
                if state.ended {
                    return None;
                }
                state.idle += 1;
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let left = A_WHILE.saturating_sub(since.elapsed());
            if state.busy == 0 || state.is_slow() || left.is_zero() {
                let share = state.share();
                state.busy += 1;
                let cases = state.cases.drain(..share).map(|(_, case)| case).collect();
                // Another keeps an eye on what is left.
                if !state.cases.is_empty() && state.idle > 0 {
                    self.changed.notify_one();
                }
                return Some(cases);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A signer is done with so many cases, and so long it took.
    pub(super) fn done(&self, cases: usize, took: Duration) {
        let mut state = self.state();
        state.busy -= 1;
        let each = took / u32::try_from(cases.max(1)).unwrap_or(u32::MAX);
        state.pace = (state.pace * 7 + each) / 8;
    }

    /// Sends the signers home once nothing waits.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for State {
    fn default() -> State {
        State {
            cases: VecDeque::new(),
            busy: 0,
            idle: 0,
            // Slow, until it has shown that it is fast.
            pace: SLOW * 4,
            ended: false,
        }
    }
}

impl State {
    fn is_slow(&self) -> bool {
        self.pace > SLOW
    }

    /// How many of the cases one signer takes: with a slow token one, so that every lane has work.
    fn share(&self) -> usize {
        match self.is_slow() {
            true => 1,
            false => self.cases.len().min(LARGEST_SHARE),
        }
    }
}

/// After so long another signer helps.
const A_WHILE: Duration = Duration::from_millis(2);

/// A token that takes longer for a signature is worth a thread for each lane.
const SLOW: Duration = Duration::from_millis(2);

/// Cases that a signer signs before the ledger hears of them.
const LARGEST_SHARE: usize = 32;
