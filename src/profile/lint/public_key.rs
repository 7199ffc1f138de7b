//! The certified key is the one whose possession was proven, and of a kind the profile admits.

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "public-key",
    clause: "RFC 5280 section 4.1.2.7",
    object: "the public key",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let admitted = examined.request.key();
    let same = examined.tbs.subject_pki.raw == admitted.spki();
    expect(same, "another key", "the key that was admitted")?;
    match examined.profile.admits(admitted.kind()) {
        true => Ok(()),
        false => expect(false, admitted.kind(), examined.profile.keys_wanted()),
    }
}
