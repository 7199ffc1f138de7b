//! No extension twice.

use super::{Examined, Lint, Outcome, expect};
use std::collections::BTreeSet;

pub(super) const LINT: Lint = Lint {
    name: "extensions-unique",
    clause: "RFC 5280 section 4.2",
    object: "an extension",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let mut seen = BTreeSet::new();
    for extension in examined.tbs.extensions() {
        let oid = extension.oid.to_id_string();
        expect(
            seen.insert(oid.clone()),
            format!("{oid} twice"),
            "each once",
        )?;
    }
    Ok(())
}
