//! The subject is the admitted one, byte for byte; a CA has one.

use super::{Examined, Lint, NameBytes, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "subject-name",
    clause: "RFC 5280 section 4.1.2.6",
    object: "the subject",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let found = examined.tbs.subject.as_raw();
    let wanted = examined.request.subject();
    let same = found == wanted.der();
    expect(
        same,
        NameBytes(found),
        format_args!("`{wanted}`, byte for byte"),
    )?;
    let may_be_empty = !examined.request.alternative_names.is_empty();
    expect(
        may_be_empty || !wanted.attributes().is_empty(),
        "empty",
        "a name",
    )
}
