//! No extension twice.

use super::{Examined, Lint, Outcome, expect};

pub(super) const LINT: Lint = Lint {
    name: "extensions-unique",
    clause: "RFC 5280 section 4.2",
    object: "an extension",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let extensions = examined.tbs.extensions();
    for (position, extension) in extensions.iter().enumerate() {
        let before = &extensions[..position];
        let new = before.iter().all(|earlier| earlier.oid != extension.oid);
        expect(new, format_args!("{} twice", extension.oid), "each once")?;
    }
    Ok(())
}
