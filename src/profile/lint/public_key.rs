//! The certified key is the one whose possession was proven, and of a kind the profile admits.

use super::{Examined, Lint, Outcome, expect};
use crate::x509::PublicKey;

pub(super) const LINT: Lint = Lint {
    name: "public-key",
    clause: "RFC 5280 section 4.1.2.7",
    object: "the public key",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let found = examined.tbs.subject_pki.raw;
    let same = found == examined.request.key().spki();
    expect(same, "another key", "the key that was admitted")?;
    match PublicKey::from_spki_der(found) {
        Ok(key) => {
            let admitted = examined.profile.admits(key.kind());
            expect(admitted, key.kind(), examined.profile.keys_wanted())
        }
        Err(error) => expect(false, error, examined.profile.keys_wanted()),
    }
}
