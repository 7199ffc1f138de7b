//! Arguments of `token`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::help;

#[derive(Debug, Subcommand)]
pub enum Token {
    /// List the tokens of the configured modules, or of one module
    #[command(after_help = help::TOKEN_LIST)]
    List {
        /// A PKCS#11 module
        #[arg(long, value_name = "PATH")]
        module: Option<PathBuf>,
    },
    /// Initialise the token that the configuration names: label, security officer's PIN, user PIN
    #[command(after_help = help::TOKEN_INIT)]
    Init(TokenInit),
    /// Show a token and the keys in it
    #[command(after_help = help::TOKEN_SHOW)]
    Show {
        /// Its name in factory-ca.yaml
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct TokenInit {
    /// Its name in factory-ca.yaml
    pub name: String,
    /// Read the security officer's PIN from a file that only its owner can read
    #[arg(long, value_name = "PATH", conflicts_with = "so_pin_fd")]
    pub so_pin_file: Option<PathBuf>,
    /// Read the security officer's PIN from an open file descriptor
    #[arg(long, value_name = "N")]
    pub so_pin_fd: Option<i32>,
    /// The token to initialise, when the module offers several: its serial number
    #[arg(long)]
    pub serial: Option<String>,
    /// Initialise a token that is in use; every key in it is lost
    #[arg(long)]
    pub erase: bool,
    /// The label of the token that may be erased
    #[arg(long, value_name = "LABEL")]
    pub confirm: Option<String>,
}
