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
