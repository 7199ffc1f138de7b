//! The extensions lints look at, by their dotted numbers.

pub(super) const AUTHORITY_INFO_ACCESS: &str = "1.3.6.1.5.5.7.1.1";
pub(super) const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
pub(super) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(super) const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
pub(super) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub(super) const KEY_USAGE: &str = "2.5.29.15";
pub(super) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
pub(super) const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
