//! What moves through the pipeline.

use std::path::PathBuf;

use super::Outcome;
use crate::authority::{Error, Prepared};
use crate::ledger::EntryId;

/// A few requests that move together.
pub(super) struct Chunk {
    pub(super) items: Vec<Item>,
}

/// One request and how far it came.
pub(super) struct Item {
    pub(super) path: PathBuf,
    /// The file's name, as it is shown and recorded.
    pub(super) source: String,
    pub(super) stage: Stage,
}

/// How far a request came.
pub(super) enum Stage {
    /// Listed.
    Listed,
    /// Refused by the request reader or the profile; the ledger is to record it.
    Rejected(Error),
    /// Linted; to be reserved.
    Prepared(Box<Prepared>),
    /// Reserved; to be signed.
    Reserved(EntryId, Box<Prepared>),
    /// Signed; to be verified.
    Signed(EntryId, Box<Prepared>, Vec<u8>),
    /// The token did not sign; to be abandoned.
    Unsigned(EntryId, Error),
    /// A verified certificate; to be recorded.
    Verified(EntryId, Box<Prepared>, Vec<u8>),
    /// Done with.
    Done(Outcome),
}

/// What a thread gets to do.
pub(super) enum Job {
    /// Read and lint.
    Prepare(Chunk),
    /// Whatever the receiving stage does.
    Keep(Chunk),
    /// Go home.
    End,
}

impl Job {
    pub(super) fn into_chunk(self) -> Option<Chunk> {
        match self {
            Job::Prepare(chunk) | Job::Keep(chunk) => Some(chunk),
            Job::End => None,
        }
    }
}

impl Chunk {
    pub(super) fn of(paths: Vec<PathBuf>) -> Chunk {
        let item = |path: PathBuf| Item {
            source: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            path,
            stage: Stage::Listed,
        };
        Chunk {
            items: paths.into_iter().map(item).collect(),
        }
    }

    /// Whether any item is in a stage.
    pub(super) fn wants(&self, stage: impl Fn(&Stage) -> bool) -> bool {
        self.items.iter().any(|item| stage(&item.stage))
    }

    /// Moves every item one step.
    pub(super) fn advance(&mut self, mut step: impl FnMut(&mut Item, Stage) -> Stage) {
        for item in &mut self.items {
            let stage = std::mem::replace(&mut item.stage, Stage::Done(Outcome::Left));
            item.stage = step(item, stage);
        }
    }

    /// Takes the chunk apart when all is done; what is not done was left.
    pub(super) fn into_outcomes(self) -> Vec<(PathBuf, String, Outcome)> {
        let outcome = |stage| match stage {
            Stage::Done(outcome) => outcome,
            _ => Outcome::Left,
        };
        self.items
            .into_iter()
            .map(|item| (item.path, item.source, outcome(item.stage)))
            .collect()
    }
}
