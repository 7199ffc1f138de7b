//! Arguments of `ledger`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::cli::help;

#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Prove the ledger's invariants and verify its audit chains
    #[command(after_help = help::LEDGER_CHECK)]
    Check,
    /// Write all entries as CSV or NDJSON
    #[command(after_help = help::LEDGER_EXPORT)]
    Export {
        /// The format
        #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
        format: ExportFormat,
        /// Where it goes; `-` is stdout
        #[arg(short, long, default_value = "-", value_name = "FILE")]
        output: PathBuf,
    },
    /// Copy the ledger while it is in use
    #[command(after_help = help::LEDGER_BACKUP)]
    Backup {
        /// The new file
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Csv,
    Ndjson,
}
