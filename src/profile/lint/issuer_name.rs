//! Path building compares names byte for byte.

use super::{Examined, Lint, Outcome, expect};
use crate::x509::Name;

pub(super) const LINT: Lint = Lint {
    name: "issuer-name",
    clause: "RFC 5280 section 4.1.2.4",
    object: "the issuer",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let found = examined.tbs.issuer.as_raw();
    let wanted = examined.issuer.subject;
    let shown =
        || Name::from_der(found).map_or("unreadable".to_owned(), |name| format!("`{name}`"));
    expect(
        found == wanted.der(),
        shown(),
        format!("`{wanted}`, byte for byte"),
    )?;
    expect(!wanted.attributes().is_empty(), "empty", "the name of a CA")
}
