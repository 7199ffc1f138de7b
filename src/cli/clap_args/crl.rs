//! Arguments of `crl`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::help;

#[derive(Debug, Subcommand)]
pub enum Crl {
    /// Issue a CA's certificate revocation list
    #[command(after_help = help::CRL_ISSUE)]
    Issue(CrlIssue),
    /// Show a revocation list
    #[command(after_help = help::CRL_SHOW)]
    Show {
        /// The list, PEM or DER
        file: PathBuf,
        /// How many of its certificates are shown
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
    },
}

#[derive(Debug, Args)]
pub struct CrlIssue {
    /// The CA's name in factory-ca.yaml
    pub name: String,
    /// How often a new list is made (default: 7d, of a root 180d)
    #[arg(long, value_name = "PERIOD")]
    pub every: Option<String>,
    /// How much longer a list is good (default: 1d, of a root 14d)
    #[arg(long, value_name = "PERIOD")]
    pub overlap: Option<String>,
    /// Sign so many more lists, each for the period after the one before
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub ahead: u32,
    /// Where the lists go (default: `crl` in the PKI directory)
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Show what would be listed, and sign nothing
    #[arg(long)]
    pub dry_run: bool,
}
