//! Only extensions the profile writes are there.

use super::{Examined, Lint, Outcome, expect, oids};

pub(super) const LINT: Lint = Lint {
    name: "extensions-listed",
    clause: "RFC 5280 section 4.2",
    object: "an extension",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let profile = examined.profile;
    let wanted = [
        (
            oids::AUTHORITY_KEY_IDENTIFIER,
            examined.issuer.certificate.is_some(),
        ),
        (oids::BASIC_CONSTRAINTS, true),
        (oids::KEY_USAGE, true),
        (
            oids::EXTENDED_KEY_USAGE,
            profile.extended_key_usage.is_some(),
        ),
        (
            oids::SUBJECT_KEY_IDENTIFIER,
            profile.key_identifier.is_some(),
        ),
        (oids::SUBJECT_ALT_NAME, profile.alternative_names.is_some()),
        (
            oids::CRL_DISTRIBUTION_POINTS,
            !profile.crl_distribution_points.is_empty(),
        ),
        (oids::AUTHORITY_INFO_ACCESS, !profile.ca_issuers.is_empty()),
    ];
    for extension in examined.tbs.extensions() {
        let oid = extension.oid.as_bytes();
        let listed = wanted
            .iter()
            .any(|(known, written)| *written && known.as_bytes() == oid);
        expect(listed, &extension.oid, "one the profile writes")?;
    }
    for (oid, written) in wanted {
        expect(
            !written || examined.extension(oid).is_some(),
            format_args!("{oid} missing"),
            "every one the profile writes",
        )?;
    }
    Ok(())
}
