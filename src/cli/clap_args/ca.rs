//! Arguments of `ca`.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::help;

#[derive(Debug, Subcommand)]
pub enum Ca {
    /// Make the CA that the configuration declares: key in its token, certificate from its issuer
    #[command(after_help = help::CA_CREATE)]
    Create(CaCreate),
    /// List the CAs
    #[command(after_help = help::CA_LIST)]
    List,
    /// Show a CA
    #[command(after_help = help::CA_SHOW)]
    Show {
        /// Its name in factory-ca.yaml
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct CaCreate {
    /// Its name in factory-ca.yaml
    pub name: String,
    /// Its common name (default: `common-name` in factory-ca.yaml, or its name there)
    #[arg(long, value_name = "CN")]
    pub common_name: Option<String>,
    /// The key's curve
    #[arg(long, value_enum, default_value_t = KeyType::P256)]
    pub key_type: KeyType,
    /// Certify the key that is in the token already
    #[arg(long)]
    pub existing_key: bool,
    /// The name again, to create a root without being asked
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KeyType {
    P256,
    P384,
}
