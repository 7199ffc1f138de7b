//! The SKI is made from the certified key by the profile's method.

use super::{Examined, Lint, Outcome, expect, oids};
use crate::hex::Hex;
use x509_parser::extensions::ParsedExtension;

pub(super) const LINT: Lint = Lint {
    name: "subject-key-identifier",
    clause: "RFC 5280 section 4.2.1.2",
    object: "the subject key identifier",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let Some(method) = examined.profile.key_identifier else {
        return Ok(());
    };
    let wanted = examined.request.key().identifier(method);
    let Some((ParsedExtension::SubjectKeyIdentifier(id), critical)) =
        examined.parsed(oids::SUBJECT_KEY_IDENTIFIER)
    else {
        return expect(false, "missing or unreadable", Hex(wanted));
    };
    expect(!critical, "critical", "non-critical")?;
    expect(id.0 == wanted, Hex(id.0), Hex(&wanted))
}
