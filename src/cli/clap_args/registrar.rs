//! Arguments of `registrar`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::help;

fn devices(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "wanted is a number from 1".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum Registrar {
    /// Create a token with which devices register themselves; it is shown once
    #[command(after_help = help::REGISTRAR_CREATE)]
    Create(RegistrarCreate),
    /// List the registrars and how often each was used
    #[command(after_help = help::REGISTRAR_LIST)]
    List,
    /// Close a registrar for ever: its token is refused from now on
    #[command(after_help = help::REGISTRAR_CLOSE)]
    Close {
        /// Its name
        name: String,
        /// Who closes it (default: the login name)
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct RegistrarCreate {
    /// Its name, which is never used again: letters, digits, `-`, `_`, `.`
    pub name: String,
    /// Whether it may register production devices
    #[arg(long, value_enum, default_value_t = ProductionRight::Refuse)]
    pub production: ProductionRight,
    /// Let it replace the live certificate of a device that comes with another key
    #[arg(long)]
    pub reissue: bool,
    /// Only requests from this network; may be given several times (default: from anywhere)
    #[arg(long, value_name = "CIDR")]
    pub from: Vec<String>,
    /// How long it is good for, or until when
    #[arg(long, value_name = "PERIOD|DATE")]
    pub expires: Option<String>,
    /// How many devices it may register (default: any number)
    #[arg(long, value_name = "N", value_parser = devices)]
    pub max: Option<u32>,
    /// An authority it may ask for; may be given several times (default: the endpoint's)
    #[arg(long = "ca", value_name = "NAME")]
    pub authorities: Vec<String>,
    /// Who creates it (default: the login name)
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Where the token goes, in a file that only its owner can read; `-` is stdout
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ProductionRight {
    /// Production devices and others
    Allow,
    /// Production devices only
    Require,
    /// No production devices
    Refuse,
}
