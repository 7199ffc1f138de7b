//! Arguments of `tls`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ca::KeyType;
use crate::cli::help;
use crate::profile::is_host_name;

#[derive(Debug, Subcommand)]
pub enum Tls {
    /// Make the key and the certificate of the endpoint or of another server of the factory
    #[command(after_help = help::TLS_CREATE)]
    Create(TlsCreate),
}

#[derive(Debug, Args)]
pub struct TlsCreate {
    /// A DNS name of the server; may be given several times, the first is its common name
    #[arg(long, value_name = "NAME", required_unless_present = "ip", value_parser = host_name)]
    pub dns: Vec<String>,
    /// An IP address of the server; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<IpAddr>,
    /// Make the key in this new file, which only its owner can read
    #[arg(long, value_name = "FILE", required_unless_present = "token")]
    pub key: Option<PathBuf>,
    /// Make the key in this token
    #[arg(long, value_name = "NAME", conflicts_with = "key", requires = "object")]
    pub token: Option<String>,
    /// The key's label in the token
    #[arg(long, value_name = "LABEL", requires = "token")]
    pub object: Option<String>,
    /// The curve of a key in a token
    #[arg(long, value_enum, default_value_t = KeyType::P256, conflicts_with = "key")]
    pub key_type: KeyType,
    /// Certify the key that is there already
    #[arg(long)]
    pub existing_key: bool,
    /// The CA that signs (default: the root)
    #[arg(long, value_name = "NAME", conflicts_with = "request")]
    pub authority: Option<String>,
    /// Write a request for `ca sign-csr` instead of a certificate: the CA's token is elsewhere
    #[arg(long)]
    pub request: bool,
    /// Where the certificate, or the request, goes; `-` is stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

fn host_name(text: &str) -> Result<String, String> {
    match is_host_name(text) {
        true => Ok(text.to_owned()),
        false => Err("wanted is a host name".to_owned()),
    }
}
