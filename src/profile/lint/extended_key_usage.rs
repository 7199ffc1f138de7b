//! The purposes are exactly the profile's.

use super::{Examined, Lint, Outcome, expect, oids};
use der::Decode;
use der::asn1::ObjectIdentifier;

pub(super) const LINT: Lint = Lint {
    name: "extended-key-usage",
    clause: "RFC 5280 section 4.2.1.12",
    object: "extendedKeyUsage",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let Some(wanted) = &examined.profile.extended_key_usage else {
        return Ok(());
    };
    let Some(found) = examined.extension(oids::EXTENDED_KEY_USAGE) else {
        return expect(false, "missing", "there");
    };
    expect(
        found.critical == wanted.critical,
        format!("critical: {}", found.critical),
        format!("critical: {}", wanted.critical),
    )?;
    let purposes = Vec::<ObjectIdentifier>::from_der(found.value).unwrap_or_default();
    expect(
        purposes == wanted.content,
        shown(&purposes),
        shown(&wanted.content),
    )
}

fn shown(purposes: &[ObjectIdentifier]) -> String {
    let purposes: Vec<String> = purposes.iter().map(ToString::to_string).collect();
    format!("[{}]", purposes.join(", "))
}
