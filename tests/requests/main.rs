//! What the request reader takes, and what it says about everything else.
#![allow(clippy::unwrap_used)]

mod admission;
mod build;
mod captured;
mod corpus;
mod issuer;
mod kinds;
mod malformed;
mod possession;
mod properties;
mod servers;
mod wycheproof;
