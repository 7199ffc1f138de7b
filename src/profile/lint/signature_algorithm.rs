//! The algorithm fits the issuer's key; ECDSA has no parameters.

use super::{Examined, Lint, Outcome, expect, oids};
use crate::x509::SignatureAlgorithm;

pub(super) const LINT: Lint = Lint {
    name: "signature-algorithm",
    clause: "RFC 5758 section 3.2",
    object: "the signature algorithm",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let found = &examined.tbs.signature;
    let wanted = match examined.issuer.signature {
        SignatureAlgorithm::EcdsaSha256 => oids::ECDSA_WITH_SHA256,
        SignatureAlgorithm::EcdsaSha384 => oids::ECDSA_WITH_SHA384,
        other => {
            return expect(
                false,
                format_args!("{other:?}"),
                "ECDSA with SHA-256 or SHA-384",
            );
        }
    };
    let same = found.algorithm.as_bytes() == wanted.as_bytes();
    expect(same, &found.algorithm, wanted)?;
    expect(
        found.parameters.is_none(),
        "followed by parameters",
        "without parameters",
    )
}
