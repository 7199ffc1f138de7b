//! UTCTime through 2049, GeneralizedTime from 2050.

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "time-encoding",
    clause: "RFC 5280 section 4.1.2.5",
    object: "a time",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let validity = &examined.tbs.validity;
    for time in [&validity.not_before, &validity.not_after] {
        let wanted_utc = time.to_datetime().year() < 2050;
        let wanted = if wanted_utc {
            "UTCTime"
        } else {
            "GeneralizedTime"
        };
        let found = if time.is_utctime() {
            "UTCTime"
        } else {
            "GeneralizedTime"
        };
        expect(found == wanted, format_args!("{time} as {found}"), wanted)?;
    }
    Ok(())
}
