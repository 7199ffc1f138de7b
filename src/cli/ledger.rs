//! `ledger`: check, export, backup.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::clap_args::Global;
use super::clap_args::ledger::{ExportFormat, Ledger as Command};
use super::report::Report;
use crate::error::{Error, Exit};
use crate::ledger::export::Format;
use crate::ledger::{Filter, Ledger};
use crate::output::file::{self, Access, OutputError};

pub fn run(global: &Global, command: Command) -> Result<Report, Error> {
    let ledger = super::open(global)?.ledger()?;
    match command {
        Command::Check => check(&ledger),
        Command::Export { format, output } => export(&ledger, format, &output),
        Command::Backup { file } => backup(&ledger, &file),
    }
}

fn check(ledger: &Ledger) -> Result<Report, Error> {
    let check = ledger.check()?;
    let intents: Vec<String> = check
        .intents_without_result
        .iter()
        .map(|intent| intent.serial.to_string())
        .collect();
    let violations: Vec<String> = check.violations.iter().map(ToString::to_string).collect();
    let counts = check.counts;
    let mut refused = 0u64;
    ledger.refusals(|_| {
        refused += 1;
        Ok::<_, Error>(())
    })?;
    let json = json!({
        "clean": violations.is_empty(), "violations": violations, "intents_without_result": intents,
        "reserved": counts.reserved, "issued": counts.issued, "revoked": counts.revoked,
        "abandoned": counts.abandoned, "refused": refused, "events": check.events,
    });
    let mut text = format!(
        "issued {}, revoked {}, abandoned {}, reserved {}, refused {}; {} audit events\n",
        counts.issued, counts.revoked, counts.abandoned, counts.reserved, refused, check.events
    );
    for intent in &check.intents_without_result {
        let device = intent.device.as_deref().unwrap_or("no device");
        text.push_str(&format!(
            "intent without result: {} ({device})\n",
            intent.serial
        ));
    }
    for violation in &violations {
        text.push_str(&format!("broken: {violation}\n"));
    }
    let mut report = Report::new(text, json);
    report.exit = match violations.is_empty() {
        true => Exit::Done,
        false => Exit::Stop,
    };
    Ok(match violations.is_empty() {
        true => report.note("the ledger is clean"),
        false => report.note("error: the ledger contradicts itself: stop issuing on this station and keep a copy of it"),
    })
}

fn export(ledger: &Ledger, format: ExportFormat, output: &Path) -> Result<Report, Error> {
    let write = |mut sink: &mut dyn Write| match format {
        ExportFormat::Csv => ledger.export(Format::Csv, &Filter::default(), &mut sink),
        ExportFormat::Ndjson => ledger.export(Format::Ndjson, &Filter::default(), &mut sink),
    };
    if output == Path::new("-") {
        let mut sink = BufWriter::new(std::io::stdout().lock());
        write(&mut sink)?;
        sink.flush().map_err(OutputError::at(output))?;
        return Ok(Report::new("", Value::Null));
    }
    if output.exists() {
        return Err(OutputError::Taken(output.to_owned()).into());
    }
    let mut sink = BufWriter::new(file::begin(output, Access::Public)?);
    write(&mut sink)?;
    let finished = sink
        .into_inner()
        .map_err(|error| OutputError::Write(output.to_owned(), error.into_error()))?;
    file::finish(finished, output)?;
    let note = format!("the ledger's entries are in `{}`", output.display());
    Ok(Report::done(note, json!({ "output": output })))
}

fn backup(ledger: &Ledger, file: &Path) -> Result<Report, Error> {
    ledger.backup(file)?;
    let note = format!(
        "`{}` is a copy of the ledger that stands for itself",
        file.display()
    );
    Ok(Report::done(note, json!({ "file": file })))
}
