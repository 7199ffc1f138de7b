//! The AKI is the issuer's SKI, byte for byte; OpenSSL, GnuTLS and NSS reject a chain where it is not.

use super::{Examined, Lint, Outcome, expect, oids};
use crate::hex::Hex;
use x509_parser::extensions::ParsedExtension;

pub(super) const LINT: Lint = Lint {
    name: "authority-key-identifier",
    clause: "RFC 5280 section 4.2.1.1",
    object: "the authority key identifier",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let found = examined.parsed(oids::AUTHORITY_KEY_IDENTIFIER);
    let Some(issuer) = examined.issuer.certificate else {
        return expect(found.is_none(), "there", "none on a root");
    };
    let Some(wanted) = issuer.subject_key_identifier() else {
        return expect(
            false,
            "without a counterpart",
            "an issuer that has a subject key identifier",
        );
    };
    let Some((ParsedExtension::AuthorityKeyIdentifier(id), critical)) = found else {
        return expect(false, "missing or unreadable", Hex(wanted));
    };
    expect(!critical, "critical", "non-critical")?;
    let bytes = id
        .key_identifier
        .as_ref()
        .map(|id| id.0)
        .unwrap_or_default();
    expect(
        bytes == wanted,
        Hex(bytes),
        format_args!("{}, the issuer's SKI", Hex(wanted)),
    )
}
