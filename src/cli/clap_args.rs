//! Every argument, declared and nothing else.

pub mod batch;
pub mod ca;
pub mod crl;
pub mod device;
pub mod gateway;
pub mod ledger;
pub mod registrar;
pub mod tls;
pub mod token;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::help;
use batch::Batch;
use ca::Ca;
use crl::Crl;
use device::Device;
use gateway::Gateway;
use ledger::Ledger;
use registrar::Registrar;
use tls::Tls;
use token::Token;

/// A factory CA for Linux devices: keys in PKCS#11 tokens, every certificate accounted for.
#[derive(Debug, Parser)]
#[command(name = "factory-ca", version, propagate_version = true, max_term_width = 100, after_help = help::TOP)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The PKI directory
    #[arg(
        long,
        global = true,
        env = "FACTORY_CA_PKI_DIR",
        default_value = "pki",
        value_name = "DIR"
    )]
    pub pki_dir: PathBuf,
    /// Report as JSON, errors too
    #[arg(long, global = true)]
    pub json: bool,
    /// Read a token's PIN from a file that only its owner can read
    #[arg(long, global = true, value_name = "TOKEN=PATH", value_parser = TokenValue::parse)]
    pub pin_file: Vec<TokenValue>,
    /// Read a token's PIN from an open file descriptor
    #[arg(long, global = true, value_name = "TOKEN=N", value_parser = TokenValue::parse)]
    pub pin_fd: Vec<TokenValue>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "wanted is a number from 1".to_owned())
}

/// `TOKEN=VALUE`
#[derive(Clone, Debug)]
pub struct TokenValue {
    pub token: String,
    pub value: String,
}

impl TokenValue {
    fn parse(text: &str) -> Result<TokenValue, String> {
        match text.split_once('=') {
            Some((token, value)) if !token.is_empty() && !value.is_empty() => Ok(TokenValue {
                token: token.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("wanted is TOKEN=VALUE, with the token's name in factory-ca.yaml".to_owned()),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a PKI directory: by default with SoftHSM2 tokens, a root and a first device CA
    #[command(after_help = help::INIT)]
    Init(Init),
    /// List, initialise and inspect tokens
    #[command(subcommand)]
    Token(Token),
    /// Create and inspect CAs
    #[command(subcommand)]
    Ca(Ca),
    /// Make certificates for the factory's own servers
    #[command(subcommand)]
    Tls(Tls),
    /// Issue and look up device certificates
    #[command(subcommand)]
    Device(Device),
    /// Issue certificates for many requests
    #[command(subcommand)]
    Batch(Batch),
    /// Create, list and close the tokens with which devices register themselves
    #[command(subcommand)]
    Registrar(Registrar),
    /// Issue and show certificate revocation lists
    #[command(subcommand)]
    Crl(Crl),
    /// Export trust bundles
    #[command(subcommand)]
    Bundle(Bundle),
    /// Inspect certificate profiles
    #[command(subcommand)]
    Profile(Profile),
    /// Check, export and back up the ledger
    #[command(subcommand)]
    Ledger(Ledger),
    /// Speak with the Foundries API about the factory's devices
    #[command(subcommand)]
    Gateway(Gateway),
    /// Answer devices that register themselves
    #[command(after_help = help::SERVE)]
    Serve(Serve),
    /// Measure the token's raw signing rate beside end-to-end issuance
    #[command(after_help = help::BENCH)]
    Bench(Bench),
    /// Print shell completions
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Write the man pages into a directory
    #[command(after_help = help::MAN)]
    Man {
        /// The directory
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Init {
    /// The factory's name: the OU of every certificate
    #[arg(long)]
    pub factory: String,
    /// The common name of the first device CA (`fio-<user id>` for the Foundries backend)
    #[arg(long, value_name = "CN")]
    pub device_ca_name: Option<String>,
    /// For a root that is offline: only its token and itself, the CAs below it are on other machines
    #[arg(long, conflicts_with = "device_ca_name")]
    pub offline_root: bool,
    /// For a machine without the root: its certificate comes with the first `ca import`
    #[arg(long, conflicts_with = "offline_root")]
    pub online: bool,
    /// Use this PKCS#11 module and make no tokens or CAs yet
    #[arg(long, value_name = "PATH", conflicts_with = "softhsm")]
    pub module: Option<PathBuf>,
    /// Make SoftHSM2 tokens inside the PKI directory (the default without --module); for evaluation
    #[arg(long)]
    pub softhsm: bool,
}

#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Write root.crt, cas.pem and chain.pem
    #[command(after_help = help::BUNDLE_EXPORT)]
    Export {
        /// The directory (default: `bundles` in the PKI directory)
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Profile {
    /// List the profiles
    #[command(after_help = help::PROFILE_LIST)]
    List,
    /// Print a profile's YAML
    #[command(after_help = help::PROFILE_SHOW)]
    Show {
        /// Its name
        name: String,
    },
    /// Check a profile file
    #[command(after_help = help::PROFILE_CHECK)]
    Check {
        /// The YAML file
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Where devices connect (default: `server.listen` in factory-ca.yaml, or 127.0.0.1:8080)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub struct Bench {
    /// How many certificates
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = at_least_one)]
    pub count: usize,
    /// How many sessions sign at once (default: one for each processor)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub sessions: Option<usize>,
    /// A token of the configuration instead of a throw-away SoftHSM2 one; a session key is made in it
    #[arg(long, value_name = "NAME")]
    pub token: Option<String>,
    /// Where the throw-away files go: measure on the disk you will use
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}
