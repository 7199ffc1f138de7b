//! The command line: arguments → library call → report.
//!
//! stdout is the data asked for and nothing else; people are spoken to on stderr. This is the only place that
//! prints, prompts, reads the environment and the clock, and decides the exit code.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod batch;
mod bench;
mod bundle;
mod ca;
mod clap_args;
mod crl;
mod device;
mod edge;
mod embedded;
mod files;
mod gateway;
mod generate;
mod help;
mod init;
mod ledger;
mod private_tokens;
mod profile;
mod progress;
mod registrar;
mod report;
mod serve;
mod staging;
mod tls;
mod token;

use std::process::ExitCode;

use clap::Parser;

use crate::authority::Pki;
use crate::error::{Error, Exit};
use crate::ledger::Writer;
use crate::timestamp::Timestamp;
use crate::token::PinSource;
use clap_args::{Cli, Command, Global};
use report::Report;

/// Runs the program and returns its exit code.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let json = cli.global.json;
    let outcome = embedded::enter(&cli).and_then(|()| dispatch(cli));
    embedded::leave();
    match outcome {
        Ok(report) => report.print(json),
        Err(error) => report::print_error(&error, json),
    }
}

/// Help and version are printed; wrong arguments are an error like any other when JSON was asked for.
fn unparsed(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let what = text.split("\n\n").next().unwrap_or_default();
        let lines: Vec<&str> = what.lines().map(str::trim).collect();
        let message = lines.join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let error = Error::usage(message, "run the command with `--help`");
        return report::print_error(&error, true);
    }
    let _ = error.print();
    ExitCode::from(
        if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Done
        }
        .code(),
    )
}

fn dispatch(cli: Cli) -> Result<Report, Error> {
    let global = &cli.global;
    match cli.command {
        Command::Init(arguments) => init::run(global, arguments),
        Command::Token(command) => token::run(global, command),
        Command::Ca(command) => ca::run(global, command),
        Command::Crl(command) => crl::run(global, command),
        Command::Tls(command) => tls::run(global, command),
        Command::Device(command) => device::run(global, command),
        Command::Batch(command) => batch::run(global, command),
        Command::Registrar(command) => registrar::run(global, command),
        Command::Bundle(command) => bundle::run(global, command),
        Command::Profile(command) => profile::run(global, command),
        Command::Ledger(command) => ledger::run(global, command),
        Command::Gateway(command) => gateway::run(global, command),
        Command::Serve(arguments) => serve::run(global, &arguments),
        Command::Bench(arguments) => bench::run(global, arguments),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { directory } => generate::man(&directory),
    }
}

/// Opens the PKI directory with the PIN overrides of the command line.
fn open(global: &Global) -> Result<Pki, Error> {
    let mut pki = Pki::open(&global.pki_dir)?;
    for given in &global.pin_file {
        pki.override_pin(&given.token, PinSource::File(given.value.clone().into()))?;
    }
    for given in &global.pin_fd {
        let fd = given.value.parse().map_err(|_| {
            let message = format!(
                "`--pin-fd {}={}` names no file descriptor",
                given.token, given.value
            );
            Error::usage(message, "give a number, as in `--pin-fd line=3 3<pin`")
        })?;
        pki.override_pin(&given.token, PinSource::Fd(fd))?;
    }
    Ok(pki)
}

/// Starts writing to the ledger; says what dead writers left behind.
fn writer(pki: &Pki, command: &str, notes: &mut Vec<String>) -> Result<Writer, Error> {
    let writer = pki.ledger()?.writer(command, Timestamp::now())?;
    for intent in writer.reconciled() {
        let device = intent.device.as_deref().unwrap_or("no device");
        notes.push(format!(
            "note: intent {} ({device}) was left without result by an earlier run; its serial is abandoned",
            intent.serial
        ));
    }
    Ok(writer)
}
