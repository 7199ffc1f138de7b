//! What people see: every wrong input with its error, its exit code, and that nothing was signed or half-written.
//!
//! `SNAPSHOTS=overwrite cargo test --test cli` writes the snapshots anew; read the difference before committing it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod authorities;
mod configuration;
mod files;
mod gateway;
mod help;
mod json;
mod ledger;
mod pins;
mod registrars;
mod reissue;
mod requests;
mod retry;
mod tokens;
