//! The ledger's thread: every chunk that waits goes into one transaction.

use std::time::Duration;

use super::chunk::{Chunk, Item, Job, Stage};
use super::{Batch, Halt, Lines, Outcome};
use crate::authority::{Error, Issued, Origin, shown_serials};
use crate::ledger::{self, Conflict, Group, Refused, Reservation};

impl Batch<'_> {
    pub(super) fn keep_ledger(&self, lines: &Lines, halt: &Halt<'_>) {
        while let Ok(Job::Keep(first)) = lines.ledger.1.recv() {
            let mut chunks = vec![first];
            let mut ended = false;
            while chunks.len() < LARGEST_GROUP {
                let patience = match chunks.len() < GOOD_GROUP && lines.are_busy() {
                    true => PATIENCE,
                    false => Duration::ZERO,
                };
                match lines.ledger.1.recv_timeout(patience) {
                    Ok(Job::Keep(chunk)) => chunks.push(chunk),
                    Ok(_) => ended = true,
                    Err(_) if patience.is_zero() => break,
                    Err(_) => {}
                }
            }
            let chunks = self.commit(chunks, halt);
            chunks.into_iter().for_each(|chunk| lines.onward(chunk));
            if ended {
                return;
            }
        }
    }

    /// One transaction for all chunks. If it fails nothing of it is released and the run stops.
    ///
    /// A crash before the commit leaves nothing reserved and what was signed as intents without result; after it,
    /// reserved intents, or certificates that the same command delivers again.
    fn commit(&self, mut chunks: Vec<Chunk>, halt: &Halt<'_>) -> Vec<Chunk> {
        let signed = signed_serials(&chunks);
        if let Err(error) = self.transact(&mut chunks) {
            halt.fail(match (error, signed) {
                (Error::Ledger(source), Some(serials)) => Error::Unrecorded { serials, source },
                (error, _) => error,
            });
            for chunk in &mut chunks {
                chunk.advance(|_, _| Stage::Done(Outcome::Left));
            }
        }
        chunks
    }

    fn transact(&self, chunks: &mut [Chunk]) -> Result<(), Error> {
        let mut group = self.authority.writer().group((self.clock)())?;
        for chunk in chunks.iter_mut() {
            let mut failure = None;
            chunk.advance(|item, stage| match failure {
                Some(_) => Stage::Done(Outcome::Left),
                None => self.step(&mut group, item, stage).unwrap_or_else(|error| {
                    failure = Some(error);
                    Stage::Done(Outcome::Left)
                }),
            });
            if let Some(error) = failure {
                return Err(error);
            }
        }
        group.commit()?;
        Ok(())
    }

    fn step(&self, group: &mut Group<'_>, item: &Item, stage: Stage) -> Result<Stage, Error> {
        Ok(match stage {
            Stage::Prepared(prepared) => {
                let origin = Origin {
                    source: &item.source,
                    on_live: self.on_live,
                    registration: None,
                };
                match self
                    .authority
                    .reserve(group, &prepared, self.profile, origin)?
                {
                    Reservation::Reserved(entry) => Stage::Reserved(entry, prepared),
                    Reservation::Repeated(entry) => {
                        Stage::Done(Outcome::Repeated(Issued::again(*entry)?))
                    }
                    Reservation::Refused(Conflict::Busy { mine: true, .. }) => {
                        Stage::Done(Outcome::Deferred)
                    }
                    Reservation::Refused(conflict @ Conflict::Busy { .. }) => {
                        Stage::Done(Outcome::Failed(conflict.into()))
                    }
                    Reservation::Refused(conflict) => {
                        let rule = conflict.rule();
                        Stage::Done(Outcome::Refused {
                            rule,
                            error: conflict.into(),
                        })
                    }
                }
            }
            Stage::Verified(entry, prepared, certificate) => {
                group.record(entry, &certificate)?;
                Stage::Done(Outcome::Issued(prepared.issued(entry, certificate)))
            }
            Stage::Unsigned(entry, error) => {
                group.abandon(entry)?;
                Stage::Done(Outcome::Failed(error))
            }
            Stage::Rejected(error) => self.refuse(group, item, error)?,
            other => other,
        })
    }

    fn refuse(
        &self,
        group: &mut Group<'_>,
        item: &Item,
        error: Error,
    ) -> Result<Stage, ledger::Error> {
        let rule = error.rule().unwrap_or("refused");
        group.refuse(&Refused {
            source: &item.source,
            profile: self.profile.name(),
            device: None,
            key: None,
            rule,
            message: &error.to_string(),
        })?;
        Ok(Stage::Done(Outcome::Refused { rule, error }))
    }
}

/// The serial numbers of signed certificates, as they are shown when their record is in doubt.
fn signed_serials(chunks: &[Chunk]) -> Option<String> {
    let items = chunks.iter().flat_map(|chunk| &chunk.items);
    shown_serials(items.filter_map(|item| match &item.stage {
        Stage::Verified(_, prepared, _) => Some(prepared.serial()),
        _ => None,
    }))
}

/// Chunks worth a transaction while others still have work: a page that several certificates touch is written once.
const GOOD_GROUP: usize = 16;

/// How long the ledger waits before it looks again whether the others are still busy.
const PATIENCE: Duration = Duration::from_millis(1);

/// Chunks of one transaction: up to 2,000 certificates share a sync and the pages they touch, and another process
/// waits for the lock some 50 ms at most.
const LARGEST_GROUP: usize = 64;
