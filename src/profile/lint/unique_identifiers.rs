//! Unique identifiers are never written.

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "unique-identifiers",
    clause: "RFC 5280 section 4.1.2.8",
    object: "a unique identifier",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let there = examined.tbs.issuer_uid.is_some() || examined.tbs.subject_uid.is_some();
    expect(!there, "there", "none")
}
