//! The algorithm fits the issuer's key; ECDSA has no parameters.

use super::{Examined, Lint, Outcome, expect};
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
        SignatureAlgorithm::EcdsaSha256 => "1.2.840.10045.4.3.2",
        SignatureAlgorithm::EcdsaSha384 => "1.2.840.10045.4.3.3",
        other => return expect(false, format!("{other:?}"), "ECDSA with SHA-256 or SHA-384"),
    };
    let oid = found.algorithm.to_id_string();
    expect(oid == wanted, oid, wanted)?;
    expect(
        found.parameters.is_none(),
        "followed by parameters",
        "without parameters",
    )
}
