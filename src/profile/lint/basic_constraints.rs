//! CA or not is said, critically where it is a CA; a leaf has no path length.

use super::{Examined, Lint, Outcome, expect, oids};
use x509_parser::extensions::ParsedExtension;

pub(super) const LINT: Lint = Lint {
    name: "basic-constraints",
    clause: "RFC 5280 section 4.2.1.9",
    object: "basicConstraints",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let wanted = examined.profile.basic_constraints;
    let Some((ParsedExtension::BasicConstraints(found), critical)) =
        examined.parsed(oids::BASIC_CONSTRAINTS)
    else {
        return expect(false, "missing or unreadable", "there");
    };
    expect(
        critical == wanted.critical,
        criticality(critical),
        criticality(wanted.critical),
    )?;
    let path_length = wanted.content.path_length.map(u32::from);
    let same = found.ca == wanted.content.ca && found.path_len_constraint == path_length;
    expect(
        same,
        format_args!("{found:?}"),
        format_args!("cA {} and path length {path_length:?}", wanted.content.ca),
    )
}

fn criticality(critical: bool) -> &'static str {
    if critical { "critical" } else { "non-critical" }
}
