//! The bits are exactly the profile's; fioconfig compares the bytes 03 02 07 80.

use super::{Examined, Lint, Outcome, expect, oids};
use crate::hex::Hex;

pub(super) const LINT: Lint = Lint {
    name: "key-usage",
    clause: "RFC 5280 section 4.2.1.3",
    object: "keyUsage",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let wanted = examined.profile.key_usage;
    let Some(found) = examined.extension(oids::KEY_USAGE) else {
        return expect(false, "missing", "there");
    };
    expect(
        found.critical == wanted.critical,
        format_args!("critical: {}", found.critical),
        format_args!("critical: {}", wanted.critical),
    )?;
    let bytes = der_of(wanted.content.0);
    expect(found.value == bytes, Hex(found.value), Hex(&bytes))
}

/// A named bit list without its trailing zero bits (X.690 section 11.2.2), written independently of `x509`.
fn der_of(bits: u16) -> Vec<u8> {
    let [high, low] = bits.to_be_bytes();
    match low {
        0 => vec![3, 2, high.trailing_zeros() as u8, high],
        _ => vec![3, 3, low.trailing_zeros() as u8, high, low],
    }
}
