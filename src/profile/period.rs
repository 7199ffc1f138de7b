//! Lengths of time as people write them: `20y`, `90d`, `1h`.

use std::fmt;

use super::{ProfileError, inconsistent};
use crate::timestamp::Timestamp;

/// A length of time; years follow the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    count: u32,
    unit: char,
}

impl Period {
    /// Reads a number and a unit: `y`, `d`, `h`, `m` or `s`. `None` for anything else, and for zero.
    pub fn parse(text: &str) -> Option<Period> {
        let unit = text.chars().last().filter(|unit| "ydhms".contains(*unit))?;
        let digits = &text[..text.len() - 1];
        let count = digits
            .parse()
            .ok()
            .filter(|count| (1..=LONGEST).contains(count))?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then_some(Period { count, unit })
    }

    /// The moment this long after another. 29 February becomes 28 February in a common year.
    pub fn after(self, start: Timestamp) -> Timestamp {
        match self.unit {
            'y' => years_after(start, self.count),
            _ => start.plus(self.seconds()),
        }
    }

    /// The moment this long before another; a year counts as 365 days.
    pub fn before(self, end: Timestamp) -> Timestamp {
        end.plus(-self.seconds())
    }

    pub(super) fn named(key: &'static str, text: &str) -> Result<Period, ProfileError> {
        let wanted = "a number and one of y, d, h, m, s, such as `20y`";
        Period::parse(text)
            .ok_or_else(|| inconsistent(key, format!("`{}`", text.escape_debug()), wanted))
    }

    fn seconds(self) -> i64 {
        let unit = match self.unit {
            'y' => 365 * 86_400,
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            _ => 1,
        };
        i64::from(self.count) * unit
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            'y' => "year",
            'd' => "day",
            'h' => "hour",
            'm' => "minute",
            _ => "second",
        };
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {unit}{plural}", self.count)
    }
}

fn years_after(start: Timestamp, years: u32) -> Timestamp {
    let calendar = start.calendar();
    let year = i32::try_from(years).map_or(i32::MAX, |years| calendar.year().saturating_add(years));
    let moved = calendar.replace_year(year).or_else(|_| {
        calendar
            .replace_day(28)
            .and_then(|day| day.replace_year(year))
    });
    let seconds = moved.map_or(i64::MAX, |moved| moved.unix_timestamp());
    Timestamp::from_unix(seconds).unwrap_or(Timestamp::NO_EXPIRY)
}

/// Keeps sums of seconds far from overflow; 8,000 years end at the last moment X.509 can write anyway.
const LONGEST: u32 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_rfc3339(text).unwrap()
    }

    #[test]
    fn years_follow_the_calendar() {
        let twenty = Period::parse("20y").unwrap();
        assert_eq!(
            twenty.after(at("2026-11-24T02:00:00Z")),
            at("2046-11-24T02:00:00Z")
        );
        let one = Period::parse("1y").unwrap();
        assert_eq!(
            one.after(at("2028-02-29T00:00:00Z")),
            at("2029-02-28T00:00:00Z")
        );
        assert_eq!(
            Period::parse("9000y")
                .unwrap()
                .after(at("2026-01-01T00:00:00Z")),
            Timestamp::NO_EXPIRY
        );
    }

    #[test]
    fn other_units_are_exact() {
        let hour = Period::parse("1h").unwrap();
        assert_eq!(
            hour.before(at("2026-01-01T00:00:00Z")),
            at("2025-12-31T23:00:00Z")
        );
        assert_eq!(Period::parse("90d").unwrap().to_string(), "90 days");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "y",
            "0y",
            "-1y",
            "1",
            "1w",
            "+1y",
            "1.5y",
            "20 y",
            "999999999999y",
            "1é",
        ] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
