//! Extensions need version 3.

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "version",
    clause: "RFC 5280 section 4.1.2.1",
    object: "the version",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let version = examined.tbs.version.0;
    expect(version == 2, version, "2, which means v3")
}
