//! Arguments of `ca`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::help;

#[derive(Debug, Subcommand)]
pub enum Ca {
    /// Make the CA that the configuration declares: key in its token, certificate from its issuer
    #[command(after_help = help::CA_CREATE)]
    Create(CaCreate),
    /// Online: make a CA's key and write its request for the machine with the root
    #[command(after_help = help::CA_REQUEST)]
    Request(CaRequest),
    /// Offline: certify a CA's request with the root and write the answer
    #[command(after_help = help::CA_SIGN)]
    Sign(CaSign),
    /// Online: take the answer in
    #[command(after_help = help::CA_IMPORT)]
    Import(CaImport),
    /// Certify a request that somebody brings: a TLS server's, an EST server's, or another CA's
    #[command(after_help = help::CA_SIGN_CSR)]
    SignCsr(SignCsr),
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

/// The CA that is made, here or with an answer from the root's machine.
#[derive(Debug, Args)]
pub struct NewCa {
    /// Its name in factory-ca.yaml
    pub name: String,
    /// Its common name (default: `common-name` in factory-ca.yaml, or its name there)
    #[arg(long, value_name = "CN")]
    pub common_name: Option<String>,
    /// The key's curve
    #[arg(long, value_enum, default_value_t = KeyType::P256)]
    pub key_type: KeyType,
    /// Take the key that is in the token already
    #[arg(long)]
    pub existing_key: bool,
}

#[derive(Debug, Args)]
pub struct CaCreate {
    #[command(flatten)]
    pub ca: NewCa,
    /// The name again, to create a root without being asked
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KeyType {
    P256,
    P384,
}

#[derive(Debug, Args)]
pub struct SignCsr {
    /// The certification request, PEM or DER; `-` is stdin
    pub csr: PathBuf,
    /// The certificate profile; `device-ca` for a CA
    #[arg(long, default_value = "tls-server", value_name = "NAME")]
    pub profile: String,
    /// The CA that signs (default: the root)
    #[arg(long, value_name = "NAME")]
    pub authority: Option<String>,
    /// A DNS name that this request may have, beside those of the profile; may be given several times
    #[arg(long, value_name = "NAME")]
    pub allow_dns: Vec<String>,
    /// An IP address that this request may have, beside those of the profile; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub allow_ip: Vec<IpAddr>,
    /// Sign a new certificate even if one for this key and these names is valid
    #[arg(long)]
    pub renew: bool,
    /// Sign without being asked
    #[arg(long)]
    pub yes: bool,
    /// The subject's common name, to certify a CA without being asked
    #[arg(long, value_name = "CN")]
    pub confirm: Option<String>,
    /// Where the certificate goes; `-` is stdout
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct CaRequest {
    #[command(flatten)]
    pub ca: NewCa,
    /// Where the request goes; `-` is stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct CaSign {
    /// The request's file
    pub request: PathBuf,
    /// The CA that signs (default: the root)
    #[arg(long, value_name = "NAME")]
    pub authority: Option<String>,
    /// The certificate profile
    #[arg(long, default_value = "device-ca", value_name = "NAME")]
    pub profile: String,
    /// The CA's common name, to sign without being asked
    #[arg(long, value_name = "CN")]
    pub confirm: Option<String>,
    /// Where the answer goes; `-` is stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct CaImport {
    /// The answer's file
    pub answer: PathBuf,
    /// Take the root in, if it is not here yet, without being asked: its SHA-256 as the offline machine shows it
    #[arg(long, value_name = "SHA-256")]
    pub confirm: Option<String>,
}
