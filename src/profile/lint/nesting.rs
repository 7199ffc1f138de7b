//! A certificate does not outlive its issuer: verifiers judge the whole path at one moment.

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "nesting",
    clause: "RFC 5280 section 6.1.3",
    object: "the validity",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let Some(issuer) = examined.issuer.certificate else {
        return Ok(());
    };
    let validity = &examined.tbs.validity;
    let inside = validity.not_before.timestamp() >= issuer.not_before().unix()
        && validity.not_after.timestamp() <= issuer.not_after().unix();
    let found = format_args!("{} to {}", validity.not_before, validity.not_after);
    let wanted = format_args!("within {} to {}", issuer.not_before(), issuer.not_after());
    expect(inside, found, wanted)
}
