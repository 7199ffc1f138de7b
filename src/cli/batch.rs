//! `batch issue`: a directory of requests.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::clap_args::Global;
use super::clap_args::batch::{Batch, BatchIssue, Format};
use super::edge::{Terminal, entropy};
use super::progress::Progress;
use super::report::Report;
use crate::authority::batch::{self, Item, Outcome};
use crate::authority::{self, Authority, Issuer};
use crate::error::{self, Error, Exit};
use crate::ledger::OnLive;
use crate::output::batch::{BatchOutput, Bundle, BundleFormat, Directories};
use crate::output::file::OutputError;
use crate::timestamp::Timestamp;

pub fn run(global: &Global, command: Batch) -> Result<Report, Error> {
    let Batch::Issue(arguments) = command;
    issue(global, &arguments)
}

fn issue(global: &Global, arguments: &BatchIssue) -> Result<Report, Error> {
    let pki = super::open(global)?;
    let (config, profile) = super::device::choose(&pki, &arguments.issuing)?;
    if profile.namespace().is_none() {
        let message = format!(
            "profile `{}` is not for batches: it names no device",
            profile.name()
        );
        return Err(Error::usage(
            message,
            "issue its certificates one by one with `factory-ca device issue`",
        ));
    }
    let (total, others) = count(&arguments.directory)?;
    let issuer = pki.issuer(config, &Terminal)?;
    issuer.check_time(Timestamp::now())?;
    let mut output = open_output(arguments, &issuer)?;
    let mut notes = Vec::new();
    if others > 0 {
        notes.push(format!(
            "note: files with other endings, passed over: {others}"
        ));
    }
    let writer = super::writer(&pki, "batch issue", &mut notes)?;
    let mut tally = Tally::begin(arguments, writer.name(), total, global.json)?;
    let interrupt = interrupt()?;
    let engine = Authority::new(&issuer, &writer, entropy);
    let run = batch::Batch {
        authority: &engine,
        profile: &profile,
        on_live: OnLive::Refuse,
        clock: Timestamp::now,
        interrupt: &interrupt,
        chunk: batch::chunk_size(total, issuer.lanes()),
    };
    let stopped = run.run(
        &mut requests(&arguments.directory)?,
        &mut output,
        &mut |item| tally.take(item),
    );
    let interrupted = interrupt.load(Ordering::Relaxed) && tally.left() > 0;
    let worst = tally.worst;
    let report = tally.end(arguments, notes, interrupted);
    if let Err(error) = stopped {
        let error = Error::from(error);
        return Err(match error.explain().exit < worst {
            true => Error::Batch(error.lines().join(": "), worst),
            false => error,
        });
    }
    if !interrupted {
        output.finish()?;
    }
    writer.finish(Timestamp::now())?;
    report
}

/// How many requests a directory holds, and how many other files. None at all is most likely the wrong directory.
fn count(directory: &Path) -> Result<(usize, usize), Error> {
    let (mut requests, mut others) = (0, 0);
    let unreadable = |error| Error::from(authority::Error::File(directory.to_owned(), error));
    for file in fs::read_dir(directory).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        match is_request(&path) {
            true => requests += 1,
            false => others += usize::from(path.is_file()),
        }
    }
    match requests {
        0 => {
            let message = format!(
                "`{}` holds no requests; other files: {others}",
                directory.display()
            );
            Err(Error::usage(
                message,
                "requests are the files that end in `.csr`, `.pem`, `.der` or `.req`",
            ))
        }
        _ => Ok((requests, others)),
    }
}

/// The requests of a directory, in the order the file system lists them.
fn requests(directory: &Path) -> Result<impl Iterator<Item = PathBuf> + Send + use<>, Error> {
    let unreadable = |error| Error::from(authority::Error::File(directory.to_owned(), error));
    let listing = fs::read_dir(directory).map_err(unreadable)?;
    let paths = listing.filter_map(Result::ok).map(|file| file.path());
    Ok(paths.filter(|path| is_request(path)))
}

fn is_request(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    ["csr", "pem", "der", "req"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

fn open_output(arguments: &BatchIssue, issuer: &Issuer) -> Result<BatchOutput, Error> {
    Ok(match arguments.format {
        Format::Dir => BatchOutput::Directories(Directories::open(
            &arguments.out,
            issuer.certificate(),
            issuer.root(),
        )?),
        Format::Ndjson => BatchOutput::Bundle(Bundle::begin(&arguments.out, BundleFormat::Ndjson)?),
        Format::Pem => BatchOutput::Bundle(Bundle::begin(&arguments.out, BundleFormat::Pem)?),
    })
}

/// The first Ctrl-C or SIGTERM ends the run after what is in flight; a second one ends the process.
fn interrupt() -> Result<Arc<AtomicBool>, Error> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            i32::from(Exit::Interrupted.code()),
            Arc::clone(&flag),
        )
        .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
        .map_err(|error| {
            Error::usage(format!("signals cannot be handled: {error}"), "try again")
        })?;
    }
    Ok(flag)
}

/// Counts outcomes, tells people of trouble as it happens, keeps the report file.
struct Tally {
    progress: Progress,
    json: bool,
    total: u64,
    issued: u64,
    repeated: u64,
    refused: u64,
    failed: u64,
    undelivered: u64,
    worst: Exit,
    run: String,
    report: Option<BufWriter<File>>,
    trouble: Vec<Value>,
}

impl Tally {
    fn begin(arguments: &BatchIssue, run: &str, total: usize, json: bool) -> Result<Tally, Error> {
        let report = match arguments.format {
            Format::Dir => Some(BufWriter::new(open_report(
                &arguments.out.join("report.ndjson"),
            )?)),
            _ => None,
        };
        Ok(Tally {
            progress: Progress::new(total as u64, json),
            json,
            total: total as u64,
            issued: 0,
            repeated: 0,
            refused: 0,
            failed: 0,
            undelivered: 0,
            worst: Exit::Done,
            run: run.to_owned(),
            report,
            trouble: Vec::new(),
        })
    }

    fn take(&mut self, item: Item<'_>) {
        match item.outcome {
            Outcome::Issued(_) => self.issued += 1,
            Outcome::Repeated(_) => self.repeated += 1,
            Outcome::Refused { error, .. } => {
                self.refused += 1;
                self.tell(
                    item.source,
                    error::on_one_line(error),
                    error::explain(error).exit,
                    "refused",
                );
            }
            Outcome::Failed(error) => {
                self.failed += 1;
                self.tell(
                    item.source,
                    error::on_one_line(error),
                    error::explain(error).exit,
                    "failed",
                );
            }
            Outcome::Undelivered(_, error) => {
                self.undelivered += 1;
                self.tell(
                    item.source,
                    error.to_string(),
                    error::explain_output(error).exit,
                    "undelivered",
                );
            }
            Outcome::Deferred | Outcome::Left => return,
        }
        self.progress
            .step(self.refused + self.failed + self.undelivered);
        self.write_line(&item);
    }

    fn tell(&mut self, source: &str, message: String, exit: Exit, outcome: &str) {
        self.worst = self.worst.max(exit);
        if self.json && self.trouble.len() < MOST_LISTED {
            self.trouble
                .push(json!({ "source": source, "outcome": outcome, "message": message }));
        }
        if !self.json {
            self.progress
                .line(&format!("{outcome} `{source}`: {message}"));
        }
    }

    /// One line of report.ndjson. It repeats what the ledger holds, so a line lost in a crash costs nothing.
    fn write_line(&mut self, item: &Item<'_>) {
        let Some(report) = &mut self.report else {
            return;
        };
        let line = match item.outcome {
            Outcome::Issued(issued) => issued_line("issued", issued),
            Outcome::Repeated(issued) => issued_line("repeated", issued),
            Outcome::Undelivered(issued, error) => {
                let mut line = issued_line("undelivered", issued);
                line["message"] = error.to_string().into();
                line
            }
            Outcome::Refused { rule, error } => {
                json!({ "outcome": "refused", "rule": rule, "message": error::on_one_line(error) })
            }
            Outcome::Failed(error) => {
                json!({ "outcome": "failed", "message": error::on_one_line(error) })
            }
            Outcome::Deferred | Outcome::Left => return,
        };
        let mut line = line;
        line["source"] = item.source.into();
        line["run"] = self.run.clone().into();
        let _ = writeln!(report, "{line}");
    }

    /// Requests that have no outcome yet.
    fn left(&self) -> u64 {
        let answered = self.issued + self.repeated + self.refused + self.failed + self.undelivered;
        self.total.saturating_sub(answered)
    }

    fn end(
        mut self,
        arguments: &BatchIssue,
        notes: Vec<String>,
        interrupted: bool,
    ) -> Result<Report, Error> {
        if let Some(report) = &mut self.report {
            let synced = report.flush().and_then(|()| report.get_ref().sync_all());
            let path = arguments.out.join("report.ndjson");
            synced.map_err(OutputError::at(&path))?;
        }
        let left = self.left();
        self.progress.finish();
        let json = json!({
            "total": self.total, "issued": self.issued, "repeated": self.repeated, "refused": self.refused,
            "failed": self.failed, "undelivered": self.undelivered, "left": left, "interrupted": interrupted, "out": arguments.out, "trouble": self.trouble,
        });
        let place = match interrupted && arguments.format != Format::Dir {
            true => format!("`{}` was not written", arguments.out.display()),
            false => format!("certificates are in `{}`", arguments.out.display()),
        };
        let summary = format!(
            "{} issued, {} had a certificate already, {} refused, {} failed, {left} left; {place}",
            self.issued, self.repeated, self.refused, self.failed,
        );
        let mut report = Report::done(summary, json).after(notes);
        report.exit = self.worst;
        if interrupted {
            report.exit = match self.worst {
                Exit::Stop => Exit::Stop,
                _ => Exit::Interrupted,
            };
            return Ok(report.note("interrupted: run the same command again to do the rest"));
        }
        if left > 0 {
            report.exit = report.exit.max(Exit::Unavailable);
            report = report.note(format!(
                "{left} requests were not answered: run the same command again"
            ));
        }
        if self.undelivered > 0 {
            report = report.note(format!(
                "{} have a certificate in the ledger that could not be written: see what is in the way, then run the same command again",
                self.undelivered
            ));
        }
        if self.failed > 0 {
            return Ok(report
                .note("run the same command again: what has a certificate is not issued again"));
        }
        Ok(report)
    }
}

fn issued_line(outcome: &str, issued: &authority::Issued) -> Value {
    json!({
        "outcome": outcome, "device": issued.device, "serial": issued.serial.to_string(),
        "not_after": issued.not_after.to_string(),
    })
}

/// Opens the report to append to it; a line torn by a crash is closed first.
fn open_report(path: &Path) -> Result<File, Error> {
    use io::{Read, Seek, SeekFrom};
    let at = || OutputError::at(path);
    let mut file = File::options()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .map_err(at())?;
    if file.metadata().map_err(at())?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1)).map_err(at())?;
        file.read_exact(&mut last).map_err(at())?;
        if last != *b"\n" {
            file.write_all(b"\n").map_err(at())?;
        }
    }
    Ok(file)
}

/// With --json, so many refusals are listed; the ledger and report.ndjson hold them all.
const MOST_LISTED: usize = 1000;
