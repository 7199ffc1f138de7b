//! What in a device's request cannot be.

/// Why a device gets no sota.toml: it asked for something that cannot be. The answer is 400.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SotaError {
    /// A key that says which servers the device trusts.
    #[error("`overrides` names `{0}`, which only this server decides")]
    Ours(String),
    /// A section or a key that is there twice.
    #[error("`{0}` is there twice")]
    Repeated(String),
    /// A section that is not taken.
    #[error("`overrides` has the section {found}; taken are {taken}")]
    Section {
        /// Its name, fit to be shown.
        found: String,
        /// The sections that are taken.
        taken: String,
    },
    /// More than anybody needs.
    #[error("`overrides` has {found} {what}, at most {most} are taken")]
    TooMany {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// A value that cannot be.
    #[error("`{field}` is {found}, wanted is {wanted}")]
    Value {
        /// Where it stands in the body.
        field: String,
        /// The value, fit to be shown.
        found: String,
        /// The value wanted.
        wanted: &'static str,
    },
}

impl SotaError {
    /// The field of the body that is at fault, as in `overrides.tls.server`.
    pub fn field(&self) -> String {
        match self {
            SotaError::Ours(key) => format!("overrides.{key}"),
            SotaError::Repeated(field) | SotaError::Value { field, .. } => field.clone(),
            SotaError::Section { .. } | SotaError::TooMany { .. } => "overrides".to_owned(),
        }
    }

    pub(super) fn value(field: &str, found: &str, wanted: &'static str) -> SotaError {
        SotaError::Value {
            field: field.to_owned(),
            found: shown(found),
            wanted,
        }
    }

    pub(super) fn section(found: &str, taken: &[String]) -> SotaError {
        let taken: Vec<String> = taken.iter().map(|name| format!("`{name}`")).collect();
        SotaError::Section {
            found: shown(found),
            taken: taken.join(", "),
        }
    }

    pub(super) fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), SotaError> {
        match found <= most {
            true => Ok(()),
            false => Err(SotaError::TooMany { what, found, most }),
        }
    }
}

/// A value of the request as it may be shown: quoted, control characters escaped, no longer than a line.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", cut.escape_debug())
}
