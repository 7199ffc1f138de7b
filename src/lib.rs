//! An HSM-backed PKI and factory CA toolkit.
//!
//! A factory owns the PKI of its device gateway: a root whose key stays in an offline token, device CAs whose keys
//! live in online tokens, and the certificates that gateways, stations and devices need. Start reading at
//! [`authority::Authority::issue`]: the whole flow is that one function.
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

pub mod hex;
pub mod ledger;
pub mod timestamp;
pub mod x509;
