//! Which of a token's keys is meant: decided by the public key where one is known.

use cryptoki::session::Session;

use super::login::Login;
use super::object::{KeyClass, KeyObject};
use super::{Error, KeyQuery};
use crate::x509::{Curve, KeyKind, PublicKey};

/// The private key found, with its public key.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) object: KeyObject,
    pub(super) public_key: PublicKey,
    pub(super) curve: Curve,
}

/// Finds the one private key that fits the query and, if given, belongs to the expected public key.
///
/// Keys whose public key the token does not show are taken on the query's word only when nothing better fits; the
/// signature check of whoever signs tells.
pub(super) fn locate(
    login: &Login,
    session: &Session,
    query: &KeyQuery,
    expected: Option<&PublicKey>,
) -> Result<Located, Error> {
    let search = Search {
        login,
        session,
        query,
    };
    let candidates = search.candidates()?;
    let object = match expected {
        Some(expected) => search.matching(candidates, expected)?,
        None => search.only(candidates)?,
    };
    let public_key = match (expected, &object.public_key) {
        (Some(expected), _) => expected.clone(),
        (None, Some(shown)) => shown.clone(),
        (None, None) => return Err(search.without_public_key(object)),
    };
    let curve = search.usable(&object, &public_key)?;
    Ok(Located {
        object,
        public_key,
        curve,
    })
}

struct Search<'a> {
    login: &'a Login,
    session: &'a Session,
    query: &'a KeyQuery,
}

impl Search<'_> {
    /// The private keys that fit the query, with the public key of the pair filled in.
    fn candidates(&self) -> Result<Vec<KeyObject>, Error> {
        let mut keys = self.find(KeyClass::Private, self.query)?;
        for key in keys.iter_mut().filter(|key| key.public_key.is_none()) {
            self.fill_in_public_key(key)?;
        }
        Ok(keys)
    }

    /// Takes the public key from the public object of the same CKA_ID, if there is exactly one.
    fn fill_in_public_key(&self, key: &mut KeyObject) -> Result<(), Error> {
        if key.id.is_empty() {
            return Ok(());
        }
        let mut halves = self.find(KeyClass::Public, &KeyQuery::with_id(&key.id))?;
        if let (Some(half), true) = (halves.pop(), halves.is_empty()) {
            key.public_key = half.public_key;
            key.problem = half.problem;
            key.kind = key.kind.or(half.kind);
        }
        Ok(())
    }

    fn only(&self, mut candidates: Vec<KeyObject>) -> Result<KeyObject, Error> {
        match (candidates.pop(), candidates.is_empty()) {
            (Some(key), true) => Ok(key),
            (Some(last), false) => {
                candidates.push(last);
                Err(self.ambiguous(&candidates))
            }
            (None, _) => Err(self.not_found()?),
        }
    }

    fn matching(&self, found: Vec<KeyObject>, expected: &PublicKey) -> Result<KeyObject, Error> {
        if found.is_empty() {
            return Err(self.not_found()?);
        }
        let (shown, hidden): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|key| key.public_key.is_some());
        let (same, others): (Vec<_>, Vec<_>) = shown
            .into_iter()
            .partition(|key| key.public_key.as_ref() == Some(expected));
        match (same.is_empty(), hidden.is_empty()) {
            (false, _) => self.only(same),
            (true, false) => self.only(hidden),
            (true, true) => Err(Error::KeyMismatch {
                token: self.login.label(),
                wanted: self.query.to_string(),
                expected: describe(expected),
                found: others.iter().map(with_fingerprint).collect(),
            }),
        }
    }

    fn usable(&self, object: &KeyObject, public_key: &PublicKey) -> Result<Curve, Error> {
        let unusable = |found: String, wanted| Error::KeyUnusable {
            token: self.login.label(),
            key: object.label.clone(),
            found,
            wanted,
        };
        match public_key.kind() {
            _ if object.attributes.sign == Some(false) => {
                Err(unusable("not for signing".to_owned(), "CKA_SIGN true"))
            }
            _ if object.attributes.always_authenticate == Some(true) => Err(unusable(
                "asking for the PIN at every signature".to_owned(),
                "CKA_ALWAYS_AUTHENTICATE false",
            )),
            KeyKind::Ec(curve) => Ok(curve),
            kind => Err(unusable(kind.to_string(), "P-256 or P-384")),
        }
    }

    fn without_public_key(&self, object: KeyObject) -> Error {
        let (token, name) = (self.login.label(), object.name());
        match (object.kind, object.problem) {
            (_, Some(source)) => Error::PublicKey {
                token,
                key: object.label,
                source,
            },
            (Some(kind @ (KeyKind::Rsa(_) | KeyKind::Ed25519)), None) => Error::KeyUnusable {
                token,
                key: object.label,
                found: kind.to_string(),
                wanted: "P-256 or P-384",
            },
            (_, None) => Error::PublicKeyUnknown { token, key: name },
        }
    }

    fn ambiguous(&self, found: &[KeyObject]) -> Error {
        Error::KeyAmbiguous {
            token: self.login.label(),
            wanted: self.query.to_string(),
            found: found.iter().map(KeyObject::name).collect(),
        }
    }

    fn not_found(&self) -> Result<Error, Error> {
        let all = self.find(KeyClass::Private, &KeyQuery::default())?;
        Ok(Error::KeyNotFound {
            token: self.login.label(),
            wanted: self.query.to_string(),
            found: all.iter().map(KeyObject::name).collect(),
        })
    }

    fn find(&self, class: KeyClass, query: &KeyQuery) -> Result<Vec<KeyObject>, Error> {
        KeyObject::find(self.session, class, query)
            .map_err(self.login.unavailable("searching for a key"))
    }
}

fn with_fingerprint(key: &KeyObject) -> String {
    match &key.public_key {
        Some(public_key) => format!("{} {}", key.name(), describe(public_key)),
        None => key.name(),
    }
}

/// "P-256, SHA-256 01af…": enough of the fingerprint to compare by eye.
fn describe(key: &PublicKey) -> String {
    let fingerprint = crate::hex::encode(&key.fingerprint()[..8]);
    format!("{}, SHA-256 {fingerprint}…", key.kind())
}
