//! An HSM-backed PKI and factory CA toolkit.
//!
//! A factory owns the PKI of its device gateway: a root whose key stays in an offline token, device CAs whose keys
//! live in online tokens, and the certificates that gateways, stations and devices need. Start reading at
//! [`authority::Authority::issue`]: the whole flow is that one function.
//!
//! ```
//! use factory_ca::profile::Profile;
//! use factory_ca::x509::device_key::DeviceKey;
//! use factory_ca::x509::name::{COMMON_NAME, Name};
//! use factory_ca::x509::{Csr, KeyKind};
//!
//! // A device makes a key and a request; reading it proves that the device holds the key.
//! let subject = Name::from_pairs(&[(COMMON_NAME, "56b2fa41-d79a-4aad-ba26-e26e719878bb")])?;
//! let csr = Csr::from_der(&DeviceKey::generate()?.request(&subject)?)?;
//! // A profile says which keys it certifies.
//! let profile = Profile::shipped("device").ok_or("no such profile")??;
//! assert!(profile.admits(csr.key().kind()));
//! assert!(!profile.admits(KeyKind::Rsa(4096)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The library neither prints, prompts, reads the environment nor exits; `cli` does.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::dbg_macro
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod authority;
pub mod cli;
pub mod config;
pub mod error;
pub mod gateway;
pub mod hex;
pub mod ledger;
pub mod output;
pub mod profile;
pub mod secret;
pub mod server;
#[cfg(test)]
mod testing;
pub mod timestamp;
pub mod token;
pub mod url;
pub mod x509;
pub mod yaml;
