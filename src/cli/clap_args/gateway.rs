//! `gateway`: its arguments.

use clap::{Args, Subcommand};

use crate::cli::help;

#[derive(Debug, Subcommand)]
pub enum Gateway {
    /// Create the devices at the backend that wait for it
    #[command(after_help = help::GATEWAY_RETRY)]
    Retry(Retry),
    /// List the devices that may not register, or let them register again
    #[command(subcommand)]
    Denied(Denied),
}

#[derive(Debug, Args)]
pub struct Retry {
    /// Show which devices wait, and ask nobody
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum Denied {
    /// List the devices that were deleted from the factory and may not register again
    #[command(after_help = help::GATEWAY_DENIED_LIST)]
    List,
    /// Let deleted devices register again: take them off the list of denied ones
    #[command(after_help = help::GATEWAY_DENIED_DELETE)]
    Delete(DeniedDelete),
}

#[derive(Debug, Args)]
pub struct DeniedDelete {
    /// The devices' UUIDs
    #[arg(required = true, value_name = "UUID", value_parser = uuid)]
    pub uuids: Vec<String>,
    /// Do it without being asked
    #[arg(short, long)]
    pub yes: bool,
    /// Show which of them are on the list, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

fn uuid(text: &str) -> Result<String, String> {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    match lengths == [8, 4, 4, 4, 12] && groups.iter().all(is_hex) {
        true => Ok(text.to_owned()),
        false => Err("wanted is a UUID (8-4-4-4-12 hexadecimal digits)".to_owned()),
    }
}
