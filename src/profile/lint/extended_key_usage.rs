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
        format_args!("critical: {}", found.critical),
        format_args!("critical: {}", wanted.critical),
    )?;
    let purposes = Vec::<ObjectIdentifier>::from_der(found.value).unwrap_or_default();
    let same = purposes == wanted.content;
    expect(
        same,
        format_args!("{purposes:?}"),
        format_args!("{:?}", wanted.content),
    )
}
