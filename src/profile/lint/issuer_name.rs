//! Path building compares names byte for byte.

use super::{Examined, Lint, NameBytes, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "issuer-name",
    clause: "RFC 5280 section 4.1.2.4",
    object: "the issuer",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let found = examined.tbs.issuer.as_raw();
    let wanted = examined.issuer.subject;
    let same = found == wanted.der();
    expect(
        same,
        NameBytes(found),
        format_args!("`{wanted}`, byte for byte"),
    )?;
    expect(!wanted.attributes().is_empty(), "empty", "the name of a CA")
}
