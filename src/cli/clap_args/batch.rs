//! Arguments of `batch`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::device::Issuing;
use crate::cli::help;

#[derive(Debug, Subcommand)]
pub enum Batch {
    /// Issue a certificate for every request in a directory; run again to resume
    #[command(after_help = help::BATCH_ISSUE)]
    Issue(BatchIssue),
}

#[derive(Debug, Args)]
pub struct BatchIssue {
    /// The directory of requests: `*.csr`, `*.pem`, `*.der`, `*.req`
    pub directory: PathBuf,
    #[command(flatten)]
    pub issuing: Issuing,
    /// Where certificates go: a directory for each device below DIR, or one file with --format
    #[arg(short, long, value_name = "PATH")]
    pub out: PathBuf,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Dir)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// DIR/<uuid>/client.pem, client.chained, root.crt, and DIR/report.ndjson
    Dir,
    /// One file, a JSON object to the line
    Ndjson,
    /// One file of PEM certificates
    Pem,
}
