//! The ledger thread: whatever waits goes into one transaction.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::inbox::Inbox;
use super::waiting::Reserved;
use super::{Alarm, Case, Fault, Job};
use crate::authority::{Authority, Entropy, Error, Issued, Origin, shown_serials};
use crate::ledger::{
    self, AtGateway, EntryId, GatewayAnswer, Group, Refused, Registering, Reservation, Writer,
};
use crate::profile::Profile;
use crate::timestamp::Timestamp;

pub(super) struct Books {
    pub(super) profile: Profile,
    pub(super) writer: Arc<Writer>,
    pub(super) entropy: Entropy,
    pub(super) clock: fn() -> Timestamp,
    pub(super) alarm: Arc<Alarm>,
    pub(super) fault: Fault,
    pub(super) inbox: Arc<Inbox>,
    /// What could not be written, and is true all the same: it goes into the next group.
    pub(super) owed: Vec<Owed>,
}

/// Something about an entry that the ledger has yet to hear.
#[derive(Clone, Copy)]
pub(super) enum Owed {
    /// It was reserved, and came to nothing.
    Abandon(EntryId),
    /// Its certificate was handed out.
    Offer(EntryId),
}

/// What became of a job within a transaction; it counts once that is committed.
enum Outcome {
    Done,
    Reserved(Reservation),
    /// Its certificate does not stand any more.
    Withdrawn,
}

impl Books {
    pub(super) fn run(mut self) {
        loop {
            let mut jobs = self.inbox.take(!self.owed.is_empty());
            let ended = jobs.iter().any(|job| matches!(job, Job::End));
            jobs.retain(|job| !matches!(job, Job::End));
            if !jobs.is_empty() || !self.owed.is_empty() {
                self.commit(jobs);
            }
            if ended {
                return;
            }
        }
    }

    /// One transaction for all jobs, then their consequences.
    ///
    /// A crash before the commit leaves nothing reserved, and what was signed as intents without result. After it,
    /// reserved intents, or certificates that the same request fetches again.
    fn commit(&mut self, jobs: Vec<Job>) {
        let (new, jobs) = match self.alarm.is_raised() {
            true => jobs
                .into_iter()
                .partition(|job| matches!(job, Job::Reserve(_))),
            false => (Vec::new(), jobs),
        };
        self.fail(new, Error::NotReleased);
        match self.transact(&jobs) {
            Ok(outcomes) => {
                self.owed.clear();
                self.note(None);
                let reserved = jobs.into_iter().zip(outcomes);
                let reserved = reserved.filter_map(|(job, outcome)| job.follow_up(outcome));
                self.send_to_sign(reserved.collect());
            }
            Err(error) => {
                self.note(Some((Instant::now(), error.to_string())));
                self.fail(jobs, error);
            }
        }
    }

    /// Hands reserved cases to the signers of their tokens.
    fn send_to_sign(&self, reserved: Vec<Reserved>) {
        self.inbox.signing(reserved.len());
        let mut reserved = reserved.into_iter().peekable();
        while let Some(first) = reserved.next() {
            let counter = first.0.counter.clone();
            let mut cases = vec![first];
            let same = |next: &Reserved| Arc::ptr_eq(&next.0.counter, &counter);
            while let Some(next) = reserved.next_if(same) {
                cases.push(next);
            }
            counter.waiting.put(cases);
        }
    }

    fn note(&self, fault: Option<(Instant, String)>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn transact(&self, jobs: &[Job]) -> Result<Vec<Outcome>, Error> {
        let mut group = self.writer.group((self.clock)())?;
        for owed in &self.owed {
            match owed {
                Owed::Abandon(entry) => group.abandon(*entry)?,
                Owed::Offer(entry) => drop(group.offer(*entry)?),
            }
        }
        let outcomes = jobs
            .iter()
            .map(|job| self.step(&mut group, job))
            .collect::<Result<Vec<_>, Error>>()?;
        match group.commit() {
            Ok(()) => Ok(outcomes),
            Err(source) => Err(match signed_serials(jobs) {
                Some(serials) if matches!(source, ledger::Error::CommitUnknown { .. }) => {
                    Error::Unrecorded { serials, source }
                }
                _ => source.into(),
            }),
        }
    }

    fn step(&self, group: &mut Group<'_>, job: &Job) -> Result<Outcome, Error> {
        match job {
            Job::Reserve(case) => return self.reserve(group, case).map(Outcome::Reserved),
            Job::Record(_, entry, certificate) => group.record(*entry, certificate)?,
            Job::Abandon(_, entry, _) => group.abandon(*entry)?,
            // Whoever took the place meanwhile knows why: the reply is on its way.
            Job::Offer(entry) => drop(group.offer(*entry)?),
            Job::Reject(rejection) => group.refuse(&Refused {
                source: &rejection.source,
                profile: self.profile.name(),
                device: rejection.device.as_deref(),
                key: rejection.key,
                rule: rejection.rule,
                message: &rejection.message,
            })?,
            // Somebody else may have asked the backend meanwhile and kept its answer.
            Job::GatewayDone(entry, _) => {
                if !group.gateway(*entry, GatewayAnswer::Done)? && !group.stands(*entry)? {
                    return Ok(Outcome::Withdrawn);
                }
            }
            Job::GatewayRefused(entry, _) => drop(group.gateway(*entry, GatewayAnswer::Refused)?),
            Job::End => {}
        }
        Ok(Outcome::Done)
    }

    fn reserve(&self, group: &mut Group<'_>, case: &Case) -> Result<Reservation, Error> {
        let application = &case.application;
        let authority = Authority::new(&case.counter.issuer, &self.writer, self.entropy);
        let origin = Origin {
            source: &application.source,
            on_live: application.on_live,
            registration: Some(Registering {
                registrar: application.registrar,
                name: application.name.as_deref(),
                source: &application.address,
                at_gateway: application.at_gateway,
            }),
        };
        authority.reserve(group, &application.prepared, &self.profile, origin)
    }

    /// Nothing of the group was written, or it is in doubt: nobody gets a certificate.
    fn fail(&mut self, jobs: Vec<Job>, error: Error) {
        let error = Arc::new(error);
        // What is in doubt, or stopped because of it, is for the next writer to put in order.
        let is_over = leaves_doubt(&error);
        if is_over {
            self.owed.clear();
        }
        for job in jobs {
            match job {
                Job::Reserve(case) => (case.reply)(Err(error.clone())),
                Job::Record(case, entry, _) | Job::Abandon(case, entry, _) => {
                    if !is_over {
                        self.owed.push(Owed::Abandon(entry));
                    }
                    (case.reply)(Err(error.clone()));
                }
                Job::GatewayDone(_, done) | Job::GatewayRefused(_, done) => {
                    done(Err(error.clone()));
                }
                Job::Offer(entry) if !is_over => self.owed.push(Owed::Offer(entry)),
                // The log has it.
                Job::Offer(_) | Job::Reject(_) | Job::End => {}
            }
        }
        if is_over {
            self.alarm.raise(error);
        }
    }
}

impl Job {
    /// Whether nobody waits for it.
    pub(super) fn can_wait(&self) -> bool {
        matches!(self, Job::Offer(_) | Job::Reject(_))
    }

    /// Answers whoever waits; what was reserved is to be signed.
    fn follow_up(self, outcome: Outcome) -> Option<Reserved> {
        match (self, outcome) {
            (Job::Reserve(case), Outcome::Reserved(reservation)) => return case.go_on(reservation),
            (Job::Record(mut case, entry, certificate), _) => {
                case.steps.record = case.lap();
                let mut issued = case.application.prepared.issued(entry, certificate);
                issued.pending = case.application.at_gateway == AtGateway::Create;
                (case.reply)(Ok((issued, case.steps)));
            }
            (Job::Abandon(case, _, error), _) => (case.reply)(Err(Arc::new(error))),
            (Job::GatewayDone(_, done), Outcome::Withdrawn) => {
                done(Err(Arc::new(Error::NotReleased)));
            }
            (Job::GatewayDone(_, done) | Job::GatewayRefused(_, done), _) => done(Ok(())),
            _ => {}
        }
        None
    }
}

impl Case {
    fn go_on(mut self: Box<Case>, reservation: Reservation) -> Option<Reserved> {
        self.steps.reserve = self.lap();
        match reservation {
            Reservation::Reserved(entry) => return Some((self, entry)),
            Reservation::Repeated(entry) => {
                let steps = self.steps;
                let issued = Issued::again(*entry).map(|issued| (issued, steps));
                (self.reply)(issued.map_err(Arc::new));
            }
            Reservation::Refused(conflict) => (self.reply)(Err(Arc::new(conflict.into()))),
        }
        None
    }
}

/// Whether the ledger no longer says what was signed, or contradicts itself.
pub(super) fn leaves_doubt(error: &Error) -> bool {
    match error {
        Error::Unrecorded { .. } => true,
        Error::Ledger(error) => matches!(
            error,
            ledger::Error::CommitUnknown { .. }
                | ledger::Error::Stopped
                | ledger::Error::SerialRepeated { .. }
                | ledger::Error::CertificateMismatch { .. }
                | ledger::Error::NotReserved { .. }
        ),
        _ => false,
    }
}

/// The serial numbers of signed certificates, as they are shown when their record is in doubt.
fn signed_serials(jobs: &[Job]) -> Option<String> {
    shown_serials(jobs.iter().filter_map(|job| match job {
        Job::Record(case, ..) => Some(case.application.prepared.serial()),
        _ => None,
    }))
}
