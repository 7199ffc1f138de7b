//! Serial numbers: positive, unguessable, at most 20 octets, of the profile's length.

use super::{Examined, Lint, Outcome, expect};
use crate::hex::Hex;

pub(super) const LINT: Lint = Lint {
    name: "serial-number",
    clause: "RFC 5280 section 4.1.2.2",
    object: "the serial number",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let octets = examined.tbs.raw_serial();
    let positive = octets
        .first()
        .is_some_and(|first| (1..0x80).contains(first));
    expect(positive, Hex(octets), "positive")?;
    let wanted = examined.profile.serial_octets();
    expect(
        octets.len() == wanted,
        format_args!("{} octets", octets.len()),
        format_args!("{wanted} octets"),
    )
}
