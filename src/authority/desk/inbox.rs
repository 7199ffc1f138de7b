//! What waits for the ledger, and when it is worth a transaction.
//!
//! Whoever hands something in does not wake the ledger while it gathers a group anyway: a thread that is woken for each
//! request costs more than the request's share of the transaction.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Job;

/// Jobs for the ledger thread.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
    /// Cases that the signers have: their records are on the way.
    signing: AtomicUsize,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    /// What the ledger waits for.
    awaits: Awaited,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Awaited {
    /// Nothing: it is at work, and looks here before it rests.
    #[default]
    Nothing,
    /// Anything.
    Jobs,
    /// Something that somebody waits for.
    More,
    /// What the signers have.
    Signers,
}

impl Inbox {
    /// Hands a job in.
    pub(super) fn put(&self, job: Job) {
        let mut state = self.state();
        let wakes = match state.awaits {
            Awaited::Nothing | Awaited::Signers => false,
            Awaited::Jobs => true,
            Awaited::More => !job.can_wait(),
        };
        state.jobs.push(job);
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
    }

    /// So many cases go to the signers.
    pub(super) fn signing(&self, cases: usize) {
        self.signing.fetch_add(cases, Ordering::AcqRel);
    }

    /// What the signers did with some of them.
    pub(super) fn signed(&self, results: Vec<Job>) {
        let count = results.len();
        let mut state = self.state();
        state.jobs.extend(results);
        // Within the lock, so that the ledger sees both or neither.
        let left = self.signing.fetch_sub(count, Ordering::AcqRel) - count;
        let wakes = match state.awaits {
            Awaited::Nothing => false,
            Awaited::Jobs | Awaited::More => true,
            Awaited::Signers => left == 0,
        };
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
    }

    /// Waits for something to do, then for what is worth waiting for.
    ///
    /// Who owes the ledger something is not kept waiting: then there may be nothing new after a second.
    pub(super) fn take(&self, owes: bool) -> Vec<Job> {
        let mut state = self.state();
        let nothing = |state: &mut State| state.jobs.is_empty();
        if owes {
            state = self.wait(state, Awaited::Jobs, PATIENCE_OF_DEBTS, nothing);
            if state.jobs.is_empty() {
                state.awaits = Awaited::Nothing;
                return Vec::new();
            }
        }
        while state.jobs.is_empty() {
            state.awaits = Awaited::Jobs;
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let notes = |state: &mut State| state.jobs.iter().all(Job::can_wait);
        let state = self.wait(state, Awaited::More, PATIENCE_OF_NOTES, notes);
        let more = |state: &mut State| {
            self.signing.load(Ordering::Acquire) > 0 && state.jobs.len() < LARGEST_GROUP
        };
        let mut state = self.wait(state, Awaited::Signers, PATIENCE, more);
        state.awaits = Awaited::Nothing;
        std::mem::take(&mut state.jobs)
    }

    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        awaits: Awaited,
        patience: Duration,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        state.awaits = awaits;
        let waited = self.changed.wait_timeout_while(state, patience, condition);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Jobs worth a transaction without waiting for more: another process waits for the ledger some 20 ms at most.
const LARGEST_GROUP: usize = 512;

/// How long a group waits for what the signers have: a page that several certificates touch is written once, and
/// a sync is shared. A slow token does not hold it up longer.
const PATIENCE: Duration = Duration::from_millis(2);

/// How long what could not be written waits before it is tried again.
const PATIENCE_OF_DEBTS: Duration = Duration::from_secs(1);

/// How long notes that nobody waits for wait for company.
const PATIENCE_OF_NOTES: Duration = Duration::from_millis(20);
