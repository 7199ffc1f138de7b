//! The workers: everything that needs a processor and neither the ledger nor the token.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::chunk::{Chunk, Job, Stage};
use super::{Batch, Halt, Lines, Outcome};
use crate::authority::Error;
use crate::timestamp::Timestamp;
use crate::x509::Csr;
use crate::x509::csr::{CsrError, MAX_BYTES};

impl Batch<'_> {
    pub(super) fn work(&self, lines: &Lines, halt: &Halt<'_>) {
        while let Ok(job) = lines.work.1.recv() {
            match job {
                Job::Prepare(mut chunk) => {
                    self.prepare(&mut chunk, halt);
                    lines.to_ledger(chunk);
                }
                Job::Keep(mut chunk) => {
                    self.verify(&mut chunk, halt);
                    lines.to_ledger(chunk);
                }
                Job::End => break,
            }
        }
    }

    fn prepare(&self, chunk: &mut Chunk, halt: &Halt<'_>) {
        let now = (self.clock)();
        chunk.advance(|item, _| match self.prepare_one(&item.path, now) {
            Ok(prepared) => Stage::Prepared(Box::new(prepared)),
            Err(error) if error.rule().is_some() => Stage::Rejected(error),
            Err(error @ Error::AuthorityNotValid { .. }) => {
                halt.fail(error);
                Stage::Done(Outcome::Left)
            }
            Err(error) => Stage::Done(Outcome::Failed(error)),
        });
    }

    fn prepare_one(
        &self,
        path: &Path,
        now: Timestamp,
    ) -> Result<crate::authority::Prepared, Error> {
        let csr = Csr::from_bytes(&read(path)?)?;
        self.authority.prepare(&csr, self.profile, now)
    }

    /// A signature that its own key does not verify means the token is broken: the run stops, nothing is released.
    fn verify(&self, chunk: &mut Chunk, halt: &Halt<'_>) {
        chunk.advance(|_, stage| match stage {
            Stage::Signed(entry, prepared, signature) => {
                match self
                    .authority
                    .issuer()
                    .finish(prepared.linted(), &signature)
                {
                    Ok(certificate) => Stage::Verified(entry, prepared, certificate),
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

/// Reads a request file, but never more than a request may have.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error| Error::File(path.to_owned(), error);
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::with_capacity(1024);
    let limit = MAX_BYTES as u64 + 1;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match bytes.len() {
        found if found > MAX_BYTES => Err(CsrError::TooLarge { found }.into()),
        _ => Ok(bytes),
    }
}
