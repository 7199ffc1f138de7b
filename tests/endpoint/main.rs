//! The signing endpoint as its clients see it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod registration;
mod wire;
