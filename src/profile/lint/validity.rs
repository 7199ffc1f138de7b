//! Validity is exactly what was admitted, and it ends after it begins.

use std::fmt::{self, Display, Formatter};

use x509_parser::certificate::Validity;

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "validity",
    clause: "RFC 5280 section 4.1.2.5",
    object: "the validity",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let found = &examined.tbs.validity;
    let from = found.not_before.timestamp();
    let until = found.not_after.timestamp();
    expect(from < until, Period(found), "an end after its begin")?;
    let request = examined.request;
    let same = from == request.not_before.unix() && until == request.not_after.unix();
    let wanted = format_args!("{} to {}", request.not_before, request.not_after);
    expect(same, Period(found), wanted)
}

struct Period<'a>(&'a Validity);

impl Display for Period<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.0.not_before, self.0.not_after)
    }
}
