//! A circuit breaker: a token that does not work is left alone for a while, so that nobody waits for it in vain.
//!
//! It opens when a token could not be brought back, then fails at once whoever comes, and lets one caller try after a
//! second; each time in vain doubles that, up to eight. Only a signature ends the count: a token that answers and does
//! not sign is no better than before.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::lock;

#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Whether there is an outage to look at: spares the lock as long as all is well.
    troubled: AtomicBool,
    outage: Mutex<Option<Outage>>,
}

#[derive(Clone, Debug)]
struct Outage {
    open: bool,
    since: Instant,
    again: Instant,
    pause: Duration,
    trying: bool,
    problem: String,
}

/// How a caller was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// As everybody.
    Usual,
    /// To find out whether the token works again.
    Trial,
}

/// What has worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Answer,
    Signature,
}

/// Why a caller was not let through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) since: Duration,
    /// When it is tried again; nothing while somebody tries.
    pub(super) again: Option<Duration>,
    pub(super) problem: String,
}

impl Circuit {
    pub(super) fn admit(&self, now: Instant) -> Result<Admission, Open> {
        if !self.troubled.load(Ordering::Acquire) {
            return Ok(Admission::Usual);
        }
        let mut outage = lock(&self.outage);
        let Some(outage) = outage.as_mut().filter(|outage| outage.open) else {
            return Ok(Admission::Usual);
        };
        if !outage.trying && now >= outage.again {
            outage.trying = true;
            return Ok(Admission::Trial);
        }
        Err(Open {
            since: now.saturating_duration_since(outage.since),
            again: (!outage.trying).then(|| outage.again.saturating_duration_since(now)),
            problem: outage.problem.clone(),
        })
    }

    pub(super) fn works(&self, proof: Proof) {
        if !self.troubled.load(Ordering::Acquire) {
            return;
        }
        let mut outage = lock(&self.outage);
        match (proof, outage.as_mut()) {
            (Proof::Answer, Some(outage)) => (outage.open, outage.trying) = (false, false),
            _ => {
                *outage = None;
                self.troubled.store(false, Ordering::Release);
            }
        }
    }

    /// What a caller found out that does not concern the token as a whole.
    pub(super) fn undecided(&self, admission: Admission) {
        if admission == Admission::Trial {
            self.works(Proof::Answer);
        }
    }

    pub(super) fn fails(&self, admission: Admission, now: Instant, problem: String) {
        let mut outage = lock(&self.outage);
        let pause = match outage.as_ref() {
            // Others that were let through before are late, and know no more.
            Some(outage) if outage.open && admission == Admission::Usual => return,
            Some(outage) => (2 * outage.pause).min(LONGEST),
            None => SHORTEST,
        };
        *outage = Some(Outage {
            open: true,
            since: outage.as_ref().map_or(now, |outage| outage.since),
            again: now + pause,
            pause,
            trying: false,
            problem,
        });
        self.troubled.store(true, Ordering::Release);
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
/// So long a token that is back may be left alone. Each try ends the sessions of the module's other tokens, too.
const LONGEST: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn open(since: u32, again: Option<u32>) -> Result<Admission, Open> {
        Err(Open {
            since: since * SECOND,
            again: again.map(|again| again * SECOND),
            problem: "gone".to_owned(),
        })
    }

    #[test]
    fn one_caller_tries_after_a_pause_that_doubles() {
        let (circuit, start) = (Circuit::default(), Instant::now());
        assert_eq!(circuit.admit(start), Ok(Admission::Usual));
        circuit.fails(Admission::Usual, start, "gone".to_owned());
        let mut now = start;
        for (at, pause) in [(0, 1), (1, 2), (3, 4), (7, 8), (15, 8)] {
            now = start + at * SECOND;
            assert_eq!(circuit.admit(now), open(at, Some(pause)));
            now += pause * SECOND;
            assert_eq!(circuit.admit(now), Ok(Admission::Trial));
            // The others do not wait for whoever tries.
            assert_eq!(circuit.admit(now), open(at + pause, None));
            circuit.fails(Admission::Trial, now, "gone".to_owned());
        }
        circuit.works(Proof::Signature);
        assert_eq!(circuit.admit(now), Ok(Admission::Usual));
    }

    #[test]
    fn latecomers_do_not_prolong_the_pause() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        circuit.fails(Admission::Usual, now, "gone".to_owned());
        circuit.fails(Admission::Usual, now + SECOND / 2, "late".to_owned());
        assert_eq!(circuit.admit(now), open(0, Some(1)));
        assert_eq!(circuit.admit(now + SECOND), Ok(Admission::Trial));
    }

    #[test]
    fn a_token_that_answers_and_does_not_sign_is_left_alone_for_longer() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        circuit.fails(Admission::Usual, now, "gone".to_owned());
        circuit.works(Proof::Answer);
        assert_eq!(circuit.admit(now), Ok(Admission::Usual));
        circuit.fails(Admission::Usual, now, "gone".to_owned());
        assert_eq!(circuit.admit(now), open(0, Some(2)));
        circuit.works(Proof::Signature);
        circuit.fails(Admission::Usual, now, "gone".to_owned());
        assert_eq!(circuit.admit(now), open(0, Some(1)));
    }
}
