//! Which key in a token is meant.

use std::fmt;

use cryptoki::object::Attribute;

use super::TokenUri;

/// Label and id (CKA_ID) that a key must have; what is `None` may be anything.
///
/// It only narrows the search: which key it is, is decided by its public key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyQuery {
    /// CKA_LABEL.
    pub label: Option<String>,
    /// CKA_ID.
    pub id: Option<Vec<u8>>,
}

impl KeyQuery {
    /// The key with that label.
    pub fn labelled(label: &str) -> KeyQuery {
        KeyQuery {
            label: Some(label.to_owned()),
            id: None,
        }
    }

    /// The key with that CKA_ID.
    pub fn with_id(id: &[u8]) -> KeyQuery {
        KeyQuery {
            label: None,
            id: Some(id.to_vec()),
        }
    }

    pub(super) fn template(&self) -> Vec<Attribute> {
        let label = self
            .label
            .as_ref()
            .map(|label| Attribute::Label(label.clone().into_bytes()));
        let id = self.id.clone().map(Attribute::Id);
        label.into_iter().chain(id).collect()
    }

    /// What errors call the key: its label, or its id.
    pub(super) fn name(&self) -> String {
        match (&self.label, &self.id) {
            (Some(label), _) => label.clone(),
            (None, Some(id)) => crate::hex::encode(id),
            (None, None) => String::new(),
        }
    }
}

impl From<&TokenUri> for KeyQuery {
    /// The `object` and `id` of a URI.
    fn from(uri: &TokenUri) -> KeyQuery {
        KeyQuery {
            label: uri.object().map(str::to_owned),
            id: uri.id().map(<[u8]>::to_vec),
        }
    }
}

/// "labelled `root-ca` with id `01af`", as it follows "no key" in an error.
impl fmt::Display for KeyQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.label, &self.id) {
            (Some(label), Some(id)) => {
                write!(f, "labelled `{label}` with id `{}`", crate::hex::encode(id))
            }
            (Some(label), None) => write!(f, "labelled `{label}`"),
            (None, Some(id)) => write!(f, "with id `{}`", crate::hex::encode(id)),
            (None, None) => f.write_str("at all"),
        }
    }
}
