//! Alternative names are there where the profile takes them, and each is well-formed.

use super::{Examined, Lint, Outcome, expect, oids};
use crate::profile::alternative_names::is_host_name;
use x509_parser::extensions::{GeneralName, ParsedExtension};

pub(super) const LINT: Lint = Lint {
    name: "subject-alternative-name",
    clause: "RFC 5280 section 4.2.1.6",
    object: "subjectAltName",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    if examined.profile.alternative_names.is_none() {
        return Ok(());
    }
    let Some((ParsedExtension::SubjectAlternativeName(names), _)) =
        examined.parsed(oids::SUBJECT_ALT_NAME)
    else {
        return expect(false, "missing or unreadable", "there");
    };
    expect(
        !names.general_names.is_empty(),
        "empty",
        "at least one name",
    )?;
    for name in &names.general_names {
        let sound = match name {
            GeneralName::DNSName(name) => is_host_name(name),
            GeneralName::IPAddress(octets) => matches!(octets.len(), 4 | 16),
            _ => false,
        };
        expect(sound, name, "a host name or an address")?;
    }
    Ok(())
}
