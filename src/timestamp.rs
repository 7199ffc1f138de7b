//! A moment in whole seconds, the precision of X.509 times and of the ledger.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970-01-01T00:00:00Z.
///
/// The clock is read at the edge ([`Timestamp::now`] is called by the command line and the server, once per
/// operation) and handed down as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 9999-12-31T23:59:59Z, which RFC 5280 section 4.1.2.5 reserves for "no well-defined expiration date".
    pub const NO_EXPIRY: Timestamp = Timestamp(253_402_300_799);

    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// Reads the system clock.
    pub fn now() -> Timestamp {
        Timestamp(OffsetDateTime::now_utc().unix_timestamp())
    }

    /// A moment given in seconds since the epoch; `None` before 1950 and after 9999, which X.509 cannot write.
    pub fn from_unix(seconds: i64) -> Option<Timestamp> {
        (EARLIEST..=Timestamp::NO_EXPIRY.0)
            .contains(&seconds)
            .then_some(Timestamp(seconds))
    }

    /// Reads RFC 3339 text such as `2026-11-24T02:00:00Z`.
    pub fn from_rfc3339(text: &str) -> Option<Timestamp> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Timestamp::from_unix(moment.unix_timestamp())
    }

    /// Seconds since the epoch.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// This moment moved by a number of seconds, held within what X.509 can write.
    pub fn plus(self, seconds: i64) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(seconds)
                .clamp(EARLIEST, Timestamp::NO_EXPIRY.0),
        )
    }

    /// The calendar view of this moment, in UTC.
    pub fn calendar(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The calendar date, as shown to people: `2046-11-24`.
    pub fn date(self) -> String {
        self.calendar().date().to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.calendar().format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// 1950-01-01T00:00:00Z: the first moment UTCTime can express (RFC 5280 section 4.1.2.5.1).
const EARLIEST: i64 = -631_152_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_rfc_3339() {
        let moment = Timestamp::from_unix(1_795_485_600).unwrap();
        assert_eq!(moment.to_string(), "2026-11-24T02:00:00Z");
        assert_eq!(Timestamp::from_rfc3339(&moment.to_string()), Some(moment));
    }

    #[test]
    fn moments_x509_cannot_write_are_refused_or_clamped() {
        assert_eq!(Timestamp::from_unix(253_402_300_800), None);
        assert_eq!(Timestamp::from_unix(-631_152_001), None);
        assert_eq!(Timestamp::NO_EXPIRY.plus(i64::MAX), Timestamp::NO_EXPIRY);
    }
}
