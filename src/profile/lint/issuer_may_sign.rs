//! Only a CA certificate with keyCertSign signs, and no deeper than its path length allows.

use super::{Examined, Lint, Outcome, expect};
use crate::profile::Kind;

pub(super) const LINT: Lint = Lint {
    name: "issuer-may-sign",
    clause: "RFC 5280 section 4.2.1.9",
    object: "the issuer",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let is_root = examined.profile.kind() == Kind::Root;
    let Some(issuer) = examined.issuer.certificate else {
        return expect(
            is_root,
            "the certificate itself",
            "another CA, because this is no root",
        );
    };
    expect(
        !is_root,
        format_args!("`{}`", issuer.subject()),
        "the root itself",
    )?;
    expect(
        issuer.signs_certificates(),
        "not allowed to sign certificates",
        "a CA with keyCertSign",
    )?;
    let deepest = issuer.path_length() == Some(0);
    let for_a_ca = examined.profile.kind() == Kind::Ca;
    expect(
        !(deepest && for_a_ca),
        "a CA with path length 0",
        "a CA that may have CAs below it",
    )
}
