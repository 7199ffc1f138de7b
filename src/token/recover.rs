//! Getting a token back: session, login and key first; its module is finalised and initialised again only if that does not
//! help.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use cryptoki::error::RvError;

use super::Error;
use super::cause::Reason;
use super::circuit::{Open, Proof};
use super::gate::Inside;
use super::login::Login;
use super::module::Restart;

impl Login {
    /// Runs `work`, or fails at once while the token is known to be out of order.
    pub(super) fn unless_out_of_order<T>(
        &self,
        proof: Proof,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let admission = self.circuit.admit(Instant::now());
        let admission = admission.map_err(|open| self.out_of_order(open))?;
        let outcome = work();
        match &outcome {
            Ok(_) => self.circuit.works(proof),
            Err(error) if error.is_outage() => {
                let problem = with_causes(error);
                self.circuit.fails(admission, Instant::now(), problem);
            }
            Err(_) => self.circuit.undecided(admission),
        }
        outcome
    }

    /// Runs `first`, which may restore session, login and key; if the token is out of order all the same, initialises the
    /// module again and runs `last`.
    ///
    /// A PIN that was rejected, or a key that is not the one wanted, is no reason to initialise anything.
    pub(super) fn recovering<T>(
        &self,
        first: impl FnOnce(&Inside<'_>) -> Result<T, Error>,
        last: impl FnOnce(&Inside<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let inside = self.enter()?;
        let seen = inside.epoch();
        let error = match first(&inside) {
            Err(error) if error.is_outage() => error,
            outcome => return outcome,
        };
        // Whoever is inside cannot have it finalised.
        drop(inside);
        match self.module.restart(seen) {
            Ok(Restart::Done) => last(&self.enter()?),
            Ok(Restart::Withheld) => Err(error),
            Err(cause) => Err(self.unavailable("initialising its module again")(cause)),
        }
    }

    fn out_of_order(&self, open: Open) -> Error {
        let since = seconds(open.since);
        let doing = match open.again {
            Some(again) => format!(
                "out of order for {since} s, tried again in {} s",
                seconds(again)
            ),
            None => format!("out of order for {since} s, being tried again now"),
        };
        self.unavailable(doing)(Reason::Earlier(open.problem))
    }
}

impl Error {
    /// Whether the token is out of order, not what was asked of it.
    fn is_outage(&self) -> bool {
        match self {
            Error::ModuleFailed { .. } | Error::TokenLost { .. } => true,
            // Others have the sessions.
            Error::TokenUnavailable { source, .. } => !source.is(RvError::SessionCount),
            _ => false,
        }
    }
}

fn with_causes(error: &Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}
