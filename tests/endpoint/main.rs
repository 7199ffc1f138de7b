//! The signing endpoint as its clients see it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../requests/corpus/mod.rs"]
mod corpus;
#[path = "../support/mod.rs"]
mod support;

mod backend;
mod books;
mod hostile;
mod operation;
mod outage;
mod registration;
mod repetition;
mod rights;
mod tls;
mod wire;

use support::build;
