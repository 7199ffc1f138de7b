//! Batch runs as a pipeline: list → read, verify, lint → reserve → sign → verify → record → write.
//!
//! ```text
//! reader ──► workers ──► ledger ──► signers ──► workers ──► ledger ──► output
//!            prepare     reserve    C_Sign      verify      record     durable files
//! ```
//!
//! Work moves in chunks. The one ledger thread takes every chunk that waits for it into a single transaction, whether
//! it comes to be reserved or to be recorded: one sync for a group, not for a certificate. At most `IN_FLIGHT` chunks
//! are under way, so memory does not grow with the batch. One bad request never stops the rest; a token or a ledger
//! that fails does, and so does an interrupt: what is in flight is finished, and the same command resumes.

mod chunk;
mod ledger;
mod sign;
mod work;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::{Authority, Error, Issued};
use crate::ledger::OnLive;
use crate::output::batch::{BatchOutput, Delivery};
use crate::output::file::OutputError;
use crate::profile::Profile;
use crate::timestamp::Timestamp;
use chunk::{Chunk, Job, Stage};

/// What a batch needs to run.
pub struct Batch<'a> {
    /// Who issues.
    pub authority: &'a Authority<'a>,
    /// Under which profile.
    pub profile: &'a Profile,
    /// What to do about devices that have a live certificate.
    pub on_live: OnLive,
    /// Reads the clock, once per chunk and step.
    pub clock: fn() -> Timestamp,
    /// Set from outside: no new chunk is begun.
    pub interrupt: &'a AtomicBool,
    /// Items of a chunk.
    pub chunk: usize,
}

/// What became of one request.
#[derive(Debug)]
pub enum Outcome {
    /// A new certificate, written durably.
    Issued(Issued),
    /// The certificate of the same request, there before; its files are in place.
    Repeated(Issued),
    /// It was refused; the ledger holds the rule.
    Refused {
        /// The rule's name.
        rule: &'static str,
        /// The error to show.
        error: Error,
    },
    /// It was not answered, and that was not its fault.
    Failed(Error),
    /// A certificate exists, but it could not be written out.
    Undelivered(Issued, OutputError),
    /// Another request of this batch for the same device was under way.
    Deferred,
    /// The run ended before its turn.
    Left,
}

/// What the caller is told about each request, as it happens.
pub struct Item<'a> {
    /// Where it came from.
    pub source: &'a str,
    /// What became of it.
    pub outcome: &'a Outcome,
}

impl Batch<'_> {
    /// Runs a batch over the given files.
    ///
    /// `report` is called for each request once its outcome is durable. Requests for a device that was under way in
    /// the same run are tried once more at the end. The error is the one that stopped the run, if one did.
    pub fn run(
        &self,
        sources: &mut (dyn Iterator<Item = PathBuf> + Send),
        output: &mut BatchOutput,
        report: &mut dyn FnMut(Item<'_>),
    ) -> Result<(), Error> {
        let deferred = self.pass(sources, output, report)?;
        match deferred.is_empty() {
            true => Ok(()),
            false => self
                .pass(&mut deferred.into_iter(), output, report)
                .map(|_| ()),
        }
    }

    fn pass(
        &self,
        sources: &mut (dyn Iterator<Item = PathBuf> + Send),
        output: &mut BatchOutput,
        report: &mut dyn FnMut(Item<'_>),
    ) -> Result<Vec<PathBuf>, Error> {
        let halt = Halt {
            interrupt: self.interrupt,
            stopped: AtomicBool::new(false),
            cause: Mutex::new(None),
        };
        let lines = Lines::new();
        let mut deferred = Vec::new();
        std::thread::scope(|scope| {
            let signers = self.authority.issuer().lanes();
            scope.spawn(|| self.read(sources, &lines, &halt));
            for _ in 0..processors() {
                scope.spawn(|| self.work(&lines, &halt));
            }
            for _ in 0..signers {
                scope.spawn(|| self.sign(&lines, &halt));
            }
            scope.spawn(|| self.keep_ledger(&lines, &halt));
            while let Some(chunks) = lines.finished() {
                deferred.extend(self.deliver(chunks, output, report, &halt));
            }
            lines.close(processors(), signers);
        });
        match halt.cause.into_inner() {
            Ok(Some(error)) => Err(error),
            _ => Ok(deferred),
        }
    }

    /// Lists the sources in chunks; a chunk waits here until one in flight is finished.
    fn read(&self, sources: &mut dyn Iterator<Item = PathBuf>, lines: &Lines, halt: &Halt<'_>) {
        let mut begun = 0;
        loop {
            let items: Vec<PathBuf> = match halt.is_set() {
                true => Vec::new(),
                false => (0..self.chunk.max(1))
                    .map_while(|_| sources.next())
                    .collect(),
            };
            if items.is_empty() {
                break;
            }
            lines.wait_for_room();
            begun += 1;
            lines.to_workers(Job::Prepare(Chunk::of(items)));
        }
        lines.all_begun(begun);
    }

    /// Writes the certificates of finished chunks and reports their items; returns what has to be tried again.
    fn deliver(
        &self,
        chunks: Vec<Chunk>,
        output: &mut BatchOutput,
        report: &mut dyn FnMut(Item<'_>),
        halt: &Halt<'_>,
    ) -> Vec<PathBuf> {
        let outcomes: Vec<(PathBuf, String, Outcome)> =
            chunks.into_iter().flat_map(Chunk::into_outcomes).collect();
        let deliveries: Vec<Delivery<'_>> = outcomes
            .iter()
            .filter_map(|(_, _, outcome)| delivery(outcome))
            .collect();
        let mut results = output.write(&deliveries).into_iter();
        let mut deferred = Vec::new();
        for (path, source, mut outcome) in outcomes {
            if delivery(&outcome).is_some()
                && let Some(Err(error)) = results.next()
            {
                outcome = undelivered(outcome, error, halt);
            }
            match outcome {
                Outcome::Deferred => deferred.push(path),
                outcome => report(Item {
                    source: &source,
                    outcome: &outcome,
                }),
            }
        }
        deferred
    }
}

fn delivery(outcome: &Outcome) -> Option<Delivery<'_>> {
    match outcome {
        Outcome::Issued(issued) | Outcome::Repeated(issued) => Some(Delivery {
            device: issued.device.as_deref().unwrap_or_default(),
            serial: &issued.serial,
            not_after: issued.not_after,
            certificate: &issued.certificate,
        }),
        _ => None,
    }
}

/// The certificate is in the ledger; the same command writes it again. A full disk stops the run, a foreign file in
/// one device's place does not.
fn undelivered(outcome: Outcome, error: OutputError, halt: &Halt<'_>) -> Outcome {
    if matches!(error, OutputError::Write(..)) {
        halt.stop();
    }
    match outcome {
        Outcome::Issued(issued) | Outcome::Repeated(issued) => Outcome::Undelivered(issued, error),
        other => other,
    }
}

/// Why and whether the run is to end early.
struct Halt<'a> {
    interrupt: &'a AtomicBool,
    stopped: AtomicBool,
    cause: Mutex<Option<Error>>,
}

impl Halt<'_> {
    /// No new chunk is begun.
    fn is_set(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.interrupt.load(Ordering::Relaxed)
    }

    /// Something failed: nothing more is sent to the token.
    fn has_failed(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Ends the run with a cause; the first one is kept, unless a later one leaves an outcome in doubt.
    fn fail(&self, error: Error) {
        self.stop();
        let grave = matches!(
            error,
            Error::Unrecorded { .. } | Error::SignatureWrong { .. }
        );
        if let Ok(mut cause) = self.cause.lock()
            && (grave || cause.is_none())
        {
            *cause = Some(error);
        }
    }
}

/// The channels between the stages. They are unbounded because the number of chunks under way is bounded: no stage
/// ever waits for a later one, so the circle through the ledger cannot block.
struct Lines {
    room: (Sender<()>, Receiver<()>),
    work: (Sender<Job>, Receiver<Job>),
    ledger: (Sender<Job>, Receiver<Job>),
    sign: (Sender<Job>, Receiver<Job>),
    output: (Sender<Job>, Receiver<Job>),
    open: Mutex<Open>,
}

/// How many chunks were begun and finished.
#[derive(Default)]
struct Open {
    begun: Option<usize>,
    finished: usize,
}

impl Lines {
    fn new() -> Lines {
        Lines {
            room: bounded(IN_FLIGHT),
            work: unbounded(),
            ledger: unbounded(),
            sign: unbounded(),
            output: unbounded(),
            open: Mutex::default(),
        }
    }

    fn wait_for_room(&self) {
        let _ = self.room.0.send(());
    }

    fn to_workers(&self, job: Job) {
        let _ = self.work.0.send(job);
    }

    fn to_ledger(&self, chunk: Chunk) {
        let _ = self.ledger.0.send(Job::Keep(chunk));
    }

    /// Whether workers or signers have chunks waiting: then nothing is lost while the ledger waits for more.
    fn are_busy(&self) -> bool {
        !self.work.1.is_empty() || !self.sign.1.is_empty()
    }

    /// After the ledger: to the signers if something is to be signed, else to the output.
    fn onward(&self, chunk: Chunk) {
        let line = match chunk.wants(|stage| matches!(stage, Stage::Reserved(..))) {
            true => &self.sign,
            false => &self.output,
        };
        let _ = line.0.send(Job::Keep(chunk));
    }

    /// The reader is done: so many chunks there are.
    fn all_begun(&self, begun: usize) {
        if let Ok(mut open) = self.open.lock() {
            open.begun = Some(begun);
        }
        let _ = self.output.0.send(Job::End);
    }

    /// The chunks that are finished and wait to be written; `None` when all that were begun have been.
    fn finished(&self) -> Option<Vec<Chunk>> {
        loop {
            if self
                .open
                .lock()
                .is_ok_and(|open| open.begun == Some(open.finished))
            {
                return None;
            }
            let first = self.output.1.recv().into_iter();
            let waiting = self.output.1.try_iter().take(LARGEST_DELIVERY - 1);
            let chunks: Vec<Chunk> = first.chain(waiting).filter_map(Job::into_chunk).collect();
            if chunks.is_empty() {
                continue;
            }
            for _ in &chunks {
                let _ = self.room.1.recv();
            }
            if let Ok(mut open) = self.open.lock() {
                open.finished += chunks.len();
            }
            return Some(chunks);
        }
    }

    /// Sends every thread home.
    fn close(&self, workers: usize, signers: usize) {
        for _ in 0..workers {
            let _ = self.work.0.send(Job::End);
        }
        for _ in 0..signers {
            let _ = self.sign.0.send(Job::End);
        }
        let _ = self.ledger.0.send(Job::End);
    }
}

/// Items of a chunk for a batch of a known size: small enough that every lane has work, large enough that handing a
/// chunk on costs nothing.
pub fn chunk_size(total: usize, lanes: usize) -> usize {
    (total / (4 * lanes.max(1))).clamp(1, 32)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Chunks whose files are synced together.
const LARGEST_DELIVERY: usize = 32;

/// Bounds memory (some 15 MB) and the work an interrupt has to wait for, and still gives the ledger large groups.
const IN_FLIGHT: usize = 128;
