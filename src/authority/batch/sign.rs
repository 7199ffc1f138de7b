//! The signers: each holds one lane of the token and does nothing but sign.

use super::chunk::{Chunk, Job, Stage};
use super::{Batch, Halt, Lines};
use crate::authority::Error;

impl Batch<'_> {
    pub(super) fn sign(&self, lines: &Lines, halt: &Halt<'_>) {
        while let Ok(Job::Keep(mut chunk)) = lines.sign.1.recv() {
            self.sign_chunk(&mut chunk, halt);
            lines.to_workers(Job::Keep(chunk));
        }
    }

    fn sign_chunk(&self, chunk: &mut Chunk, halt: &Halt<'_>) {
        chunk.advance(|_, stage| match stage {
            Stage::Reserved(entry, _) if halt.has_failed() => {
                Stage::Unsigned(entry, Error::NotReleased)
            }
            Stage::Reserved(entry, prepared) => {
                match self.authority.issuer().sign_only(prepared.linted()) {
                    Ok(signature) => Stage::Signed(entry, prepared, signature),
                    Err(error) => {
                        halt.fail(error);
                        Stage::Unsigned(entry, Error::NotReleased)
                    }
                }
            }
            other => other,
        });
    }
}
