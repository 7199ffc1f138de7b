//! Shell completions and man pages, generated from the declared arguments.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use super::clap_args::Cli;
use super::report::Report;
use crate::error::Error;
use crate::output::file::OutputError;

pub fn completions(shell: Shell) -> Result<Report, Error> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "factory-ca", &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let json = json!({ "shell": shell.to_string(), "completions": text });
    Ok(Report::new(text, json))
}

/// One page for each command, as `factory-ca-batch-issue.1`. Pages that are there are replaced: they are generated.
pub fn man(directory: &Path) -> Result<Report, Error> {
    std::fs::create_dir_all(directory).map_err(OutputError::at(directory))?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(OutputError::at(directory))?;
    let json = json!({ "directory": directory });
    Ok(Report::done(
        format!("man pages are in `{}`", directory.display()),
        json,
    ))
}
