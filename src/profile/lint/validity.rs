//! Validity is exactly what was admitted, and it ends after it begins.

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "validity",
    clause: "RFC 5280 section 4.1.2.5",
    object: "the validity",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let validity = &examined.tbs.validity;
    let from = validity.not_before.timestamp();
    let until = validity.not_after.timestamp();
    let shown = format!("{} to {}", validity.not_before, validity.not_after);
    expect(from < until, &shown, "an end after its begin")?;
    let request = examined.request;
    let wanted = format!("{} to {}", request.not_before, request.not_after);
    expect(
        from == request.not_before.unix() && until == request.not_after.unix(),
        shown,
        wanted,
    )
}
