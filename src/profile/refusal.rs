//! A refusal: which rule, what was found, what was wanted.

/// Why a profile does not admit a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object} is {found}, wanted is {wanted}")]
pub struct Refusal {
    /// The rule's stable name, as the ledger records it.
    pub rule: &'static str,
    /// What was looked at: "the key", "the subject's CN".
    pub object: String,
    /// The value found.
    pub found: String,
    /// The value wanted.
    pub wanted: String,
}

impl Refusal {
    /// Puts a refusal together.
    pub fn new(
        rule: &'static str,
        object: impl Into<String>,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Refusal {
        Refusal {
            rule,
            object: object.into(),
            found: found.into(),
            wanted: wanted.into(),
        }
    }
}
