//! What a token says about a key.

use cryptoki::object::{Attribute, AttributeType};
use serde::Serialize;

/// The attributes that decide how well a key is kept; `None` where the token does not report one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyAttributes {
    /// CKA_TOKEN: it outlives the session.
    pub token: Option<bool>,
    /// CKA_PRIVATE: visible only after login.
    pub private: Option<bool>,
    /// CKA_SENSITIVE: its value cannot be read.
    pub sensitive: Option<bool>,
    /// CKA_ALWAYS_SENSITIVE: and never could be.
    pub always_sensitive: Option<bool>,
    /// CKA_EXTRACTABLE: it can be wrapped and taken out.
    pub extractable: Option<bool>,
    /// CKA_NEVER_EXTRACTABLE: and never could be.
    pub never_extractable: Option<bool>,
    /// CKA_LOCAL: it was generated in this token. NSS says false always.
    pub local: Option<bool>,
    /// CKA_SIGN.
    pub sign: Option<bool>,
    /// CKA_SIGN_RECOVER.
    pub sign_recover: Option<bool>,
    /// CKA_DECRYPT.
    pub decrypt: Option<bool>,
    /// CKA_UNWRAP.
    pub unwrap: Option<bool>,
    /// CKA_DERIVE.
    pub derive: Option<bool>,
    /// CKA_VERIFY, on public keys.
    pub verify: Option<bool>,
    /// CKA_ALWAYS_AUTHENTICATE: the PIN is wanted for each signature.
    pub always_authenticate: Option<bool>,
}

impl std::fmt::Display for KeyAttributes {
    /// Names what the key is and may do: `sensitive, not extractable, …, sign`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = [
            (self.sensitive == Some(true), "sensitive"),
            (self.sensitive == Some(false), "NOT sensitive"),
            (self.extractable == Some(false), "not extractable"),
            (self.extractable == Some(true), "EXTRACTABLE"),
            (self.always_sensitive == Some(true), "always sensitive"),
            (self.never_extractable == Some(true), "never extractable"),
            (self.local == Some(true), "local"),
            (self.sign == Some(true), "sign"),
            (self.verify == Some(true), "verify"),
            (self.sign_recover == Some(true), "sign recover"),
            (self.decrypt == Some(true), "decrypt"),
            (self.unwrap == Some(true), "unwrap"),
            (self.derive == Some(true), "derive"),
        ];
        let named = words.iter().filter(|(holds, _)| *holds);
        let words: Vec<&str> = named.map(|(_, word)| *word).collect();
        f.write_str(&words.join(", "))
    }
}

impl KeyAttributes {
    /// The first thing wrong with a freshly generated private signing key, as it follows "generated key `x`".
    ///
    /// CKA_SENSITIVE and CKA_EXTRACTABLE must be reported and right; of the others only a wrong answer counts, since
    /// not every token reports them. CKA_LOCAL is recorded and not judged.
    pub(super) fn exposure(&self) -> Option<String> {
        let rules = [
            ("CKA_SENSITIVE", self.sensitive, true),
            ("CKA_EXTRACTABLE", self.extractable, false),
            (
                "CKA_ALWAYS_SENSITIVE",
                self.always_sensitive.or(Some(true)),
                true,
            ),
            (
                "CKA_NEVER_EXTRACTABLE",
                self.never_extractable.or(Some(true)),
                true,
            ),
            ("CKA_PRIVATE", self.private.or(Some(true)), true),
            ("CKA_SIGN_RECOVER", self.sign_recover.or(Some(false)), false),
            ("CKA_DECRYPT", self.decrypt.or(Some(false)), false),
            ("CKA_UNWRAP", self.unwrap.or(Some(false)), false),
            ("CKA_DERIVE", self.derive.or(Some(false)), false),
        ];
        rules
            .into_iter()
            .find_map(|(name, found, wanted)| match found {
                Some(found) if found == wanted => None,
                Some(found) => Some(format!("with {name} {found}")),
                None => Some(format!("and does not report {name}")),
            })
    }

    pub(super) fn take(&mut self, attribute: &Attribute) {
        let (field, value) = match *attribute {
            Attribute::Token(value) => (&mut self.token, value),
            Attribute::Private(value) => (&mut self.private, value),
            Attribute::Sensitive(value) => (&mut self.sensitive, value),
            Attribute::AlwaysSensitive(value) => (&mut self.always_sensitive, value),
            Attribute::Extractable(value) => (&mut self.extractable, value),
            Attribute::NeverExtractable(value) => (&mut self.never_extractable, value),
            Attribute::Local(value) => (&mut self.local, value),
            Attribute::Sign(value) => (&mut self.sign, value),
            Attribute::SignRecover(value) => (&mut self.sign_recover, value),
            Attribute::Decrypt(value) => (&mut self.decrypt, value),
            Attribute::Unwrap(value) => (&mut self.unwrap, value),
            Attribute::Derive(value) => (&mut self.derive, value),
            Attribute::Verify(value) => (&mut self.verify, value),
            Attribute::AlwaysAuthenticate(value) => (&mut self.always_authenticate, value),
            _ => return,
        };
        *field = Some(value);
    }
}

pub(super) const PRIVATE: &[AttributeType] = &[
    AttributeType::Token,
    AttributeType::Private,
    AttributeType::Sensitive,
    AttributeType::AlwaysSensitive,
    AttributeType::Extractable,
    AttributeType::NeverExtractable,
    AttributeType::Local,
    AttributeType::Sign,
    AttributeType::SignRecover,
    AttributeType::Decrypt,
    AttributeType::Unwrap,
    AttributeType::Derive,
    AttributeType::AlwaysAuthenticate,
];
pub(super) const PUBLIC: &[AttributeType] = &[
    AttributeType::Token,
    AttributeType::Private,
    AttributeType::Local,
    AttributeType::Derive,
    AttributeType::Verify,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_leave_the_token_are_told_apart() {
        let good = KeyAttributes {
            sensitive: Some(true),
            extractable: Some(false),
            local: Some(false),
            ..KeyAttributes::default()
        };
        assert_eq!(good.exposure(), None);
        let extractable = KeyAttributes {
            extractable: Some(true),
            ..good
        };
        assert_eq!(
            extractable.exposure().as_deref(),
            Some("with CKA_EXTRACTABLE true")
        );
        let silent = KeyAttributes {
            sensitive: None,
            ..good
        };
        assert_eq!(
            silent.exposure().as_deref(),
            Some("and does not report CKA_SENSITIVE")
        );
        let derives = KeyAttributes {
            derive: Some(true),
            ..good
        };
        assert_eq!(derives.exposure().as_deref(), Some("with CKA_DERIVE true"));
    }
}
