//! Every argument, declared and nothing else.

pub mod gateway;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::help;

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

fn devices(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "wanted is a number from 1".to_owned())
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
    /// Issue and look up device certificates
    #[command(subcommand)]
    Device(Device),
    /// Issue certificates for many requests
    #[command(subcommand)]
    Batch(Batch),
    /// Create, list and close the tokens with which devices register themselves
    #[command(subcommand)]
    Registrar(Registrar),
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
    Gateway(gateway::Gateway),
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
    /// Use this PKCS#11 module and make no tokens or CAs yet
    #[arg(long, value_name = "PATH", conflicts_with = "softhsm")]
    pub module: Option<PathBuf>,
    /// Make SoftHSM2 tokens inside the PKI directory (the default without --module); for evaluation
    #[arg(long)]
    pub softhsm: bool,
}

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

#[derive(Debug, Subcommand)]
pub enum Device {
    /// Issue a certificate for one request
    #[command(after_help = help::DEVICE_ISSUE)]
    Issue(DeviceIssue),
    /// List issued certificates
    #[command(after_help = help::DEVICE_LIST)]
    List(DeviceList),
    /// Show a device and all its certificates
    #[command(after_help = help::DEVICE_SHOW)]
    Show {
        /// The device's UUID
        uuid: String,
    },
    /// Allow a device one certificate for another key
    #[command(after_help = help::DEVICE_ALLOW)]
    AllowReissue(AllowReissue),
}

#[derive(Debug, Args)]
pub struct Issuing {
    /// The CA that signs (default: the one that issues the profile)
    #[arg(long, value_name = "NAME")]
    pub authority: Option<String>,
    /// The certificate profile
    #[arg(long, default_value = "device", value_name = "NAME")]
    pub profile: String,
}

#[derive(Debug, Args)]
pub struct DeviceIssue {
    /// The certification request, PEM or DER; `-` is stdin
    pub csr: PathBuf,
    #[command(flatten)]
    pub issuing: Issuing,
    /// Where the certificate goes; `-` is stdout
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,
    /// Append the device CA's certificate
    #[arg(long)]
    pub chained: bool,
}

#[derive(Debug, Args)]
pub struct DeviceList {
    /// Only certificates in this state
    #[arg(long, value_enum)]
    pub state: Option<StateName>,
    /// Only devices whose UUID begins so
    #[arg(long, value_name = "UUID")]
    pub prefix: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StateName {
    Reserved,
    Issued,
    Revoked,
    Abandoned,
}

#[derive(Debug, Args)]
pub struct AllowReissue {
    /// The device's UUID
    pub uuid: String,
    /// Who allows it (default: the login name)
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// How long the permit is good for
    #[arg(long, default_value = "24h", value_name = "PERIOD")]
    pub within: String,
    /// The certificate profile
    #[arg(long, default_value = "device", value_name = "NAME")]
    pub profile: String,
}

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
