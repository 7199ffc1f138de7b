//! Arguments of `device`, and what every command that issues takes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::help;

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
