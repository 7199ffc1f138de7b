//! Reading keys out of a token: label, id, kind, attributes and public key.

use cryptoki::error::{Error as BindingError, Result};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::Encode;

use super::attributes::{self, KeyAttributes};
use super::query::KeyQuery;
use crate::x509::key::KeyError;
use crate::x509::{Curve, KeyKind, PublicKey};

/// A private or public key as the token shows it.
#[derive(Debug)]
pub struct KeyObject {
    /// Private or public.
    pub class: KeyClass,
    /// CKA_LABEL; bytes that are not UTF-8 are replaced.
    pub label: String,
    /// CKA_ID, the same for both halves of a pair.
    pub id: Vec<u8>,
    /// The kind of key, where this tool knows it.
    pub kind: Option<KeyKind>,
    /// What the token says about its protection.
    pub attributes: KeyAttributes,
    /// The public key, if this object shows it. Private keys rarely do.
    pub public_key: Option<PublicKey>,
    pub(super) handle: ObjectHandle,
    /// The public key shown is not one.
    pub(super) problem: Option<KeyError>,
}

/// Which half of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// CKO_PRIVATE_KEY.
    Private,
    /// CKO_PUBLIC_KEY.
    Public,
}

impl std::fmt::Display for KeyClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KeyClass::Private => "private",
            KeyClass::Public => "public",
        })
    }
}

impl KeyObject {
    /// All keys of a class that fit the query.
    pub(super) fn find(
        session: &Session,
        class: KeyClass,
        query: &KeyQuery,
    ) -> Result<Vec<KeyObject>> {
        let mut template = vec![Attribute::Class(class.object_class())];
        template.extend(query.template());
        let handles = session.find_objects(&template)?;
        handles
            .into_iter()
            .map(|handle| KeyObject::read(session, class, handle))
            .collect()
    }

    /// Reads one key.
    pub(super) fn read(
        session: &Session,
        class: KeyClass,
        handle: ObjectHandle,
    ) -> Result<KeyObject> {
        let mut shown = Shown::default();
        let mut attributes = KeyAttributes::default();
        for attribute in read_attributes(session, handle, &class.wanted())? {
            attributes.take(&attribute);
            shown.take(attribute);
        }
        let (public_key, problem) = match shown.public_key() {
            Some(Ok(key)) => (Some(key), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (None, None),
        };
        Ok(KeyObject {
            class,
            kind: public_key.as_ref().map(PublicKey::kind).or(shown.kind()),
            label: String::from_utf8_lossy(&shown.label).into_owned(),
            id: shown.id,
            attributes,
            public_key,
            handle,
            problem,
        })
    }

    /// "`root-ca` (id `01af`)", as errors list it.
    pub(super) fn name(&self) -> String {
        format!("`{}` (id `{}`)", self.label, crate::hex::encode(&self.id))
    }
}

impl KeyClass {
    fn object_class(self) -> ObjectClass {
        match self {
            KeyClass::Private => ObjectClass::PRIVATE_KEY,
            KeyClass::Public => ObjectClass::PUBLIC_KEY,
        }
    }

    fn wanted(self) -> Vec<AttributeType> {
        let attributes = match self {
            KeyClass::Private => attributes::PRIVATE,
            KeyClass::Public => attributes::PUBLIC,
        };
        [DESCRIPTION, attributes].concat()
    }
}

/// What describes a key, as far as the token shows it.
#[derive(Default)]
struct Shown {
    label: Vec<u8>,
    id: Vec<u8>,
    key_type: Option<KeyType>,
    curve: Option<Vec<u8>>,
    point: Option<Vec<u8>>,
    modulus: Option<Vec<u8>>,
}

impl Shown {
    fn take(&mut self, attribute: Attribute) {
        match attribute {
            Attribute::Label(label) => self.label = label,
            Attribute::Id(id) => self.id = id,
            Attribute::KeyType(key_type) => self.key_type = Some(key_type),
            Attribute::EcParams(curve) => self.curve = Some(curve),
            Attribute::EcPoint(point) => self.point = Some(point),
            Attribute::Modulus(modulus) => self.modulus = Some(modulus),
            _ => {}
        }
    }

    fn kind(&self) -> Option<KeyKind> {
        match self.key_type? {
            KeyType::EC => self.curve().map(KeyKind::Ec),
            KeyType::EC_EDWARDS => Some(KeyKind::Ed25519),
            KeyType::RSA => self.modulus.as_deref().and_then(bits).map(KeyKind::Rsa),
            _ => None,
        }
    }

    fn curve(&self) -> Option<Curve> {
        let named = self.curve.as_deref()?;
        CURVES
            .into_iter()
            .find(|curve| curve.oid().to_der().is_ok_and(|oid| oid == named))
    }

    fn public_key(&self) -> Option<std::result::Result<PublicKey, KeyError>> {
        let (curve, point) = (self.curve()?, self.point.as_deref()?);
        Some(match uncompressed(curve, point) {
            Some(point) => PublicKey::from_ec_point(curve, point),
            None => Err(KeyError::Malformed("CKA_EC_POINT has an unknown length")),
        })
    }
}

/// Finds the point in CKA_EC_POINT, which is a DER OCTET STRING (PKCS#11 section 6.3.3) or, on some tokens, the bare point.
///
/// Both begin with 0x04, so the exact length decides: 65 or 67 bytes for P-256, 97 or 99 for P-384.
fn uncompressed(curve: Curve, value: &[u8]) -> Option<&[u8]> {
    let len = 1 + 2 * curve.coordinate_len();
    match value {
        point if point.len() == len => Some(point),
        [0x04, inner, point @ ..] if point.len() == len && usize::from(*inner) == len => {
            Some(point)
        }
        _ => None,
    }
}

fn bits(modulus: &[u8]) -> Option<u32> {
    let significant = modulus.iter().position(|byte| *byte != 0)?;
    let bytes = u32::try_from(modulus.len() - significant).ok()?;
    Some(bytes * 8 - modulus[significant].leading_zeros())
}

/// Reads attributes together, or one by one if the token answers some of them with values of the wrong shape.
fn read_attributes(
    session: &Session,
    handle: ObjectHandle,
    wanted: &[AttributeType],
) -> Result<Vec<Attribute>> {
    match session.get_attributes(handle, wanted) {
        Err(BindingError::Pkcs11(code, function)) => Err(BindingError::Pkcs11(code, function)),
        Err(_) => Ok(wanted
            .iter()
            .filter_map(|one| session.get_attributes(handle, &[*one]).ok())
            .flatten()
            .collect()),
        read => read,
    }
}

const CURVES: [Curve; 2] = [Curve::P256, Curve::P384];
const DESCRIPTION: &[AttributeType] = &[
    AttributeType::Label,
    AttributeType::Id,
    AttributeType::KeyType,
    AttributeType::EcParams,
    AttributeType::EcPoint,
    AttributeType::Modulus,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_bare_and_as_octet_strings() {
        for (curve, len) in [(Curve::P256, 65), (Curve::P384, 97)] {
            // The second byte of a bare point may look like the length of an OCTET STRING.
            let mut point = vec![len as u8; len];
            point[0] = 4;
            let wrapped = [&[4, len as u8][..], &point].concat();
            assert_eq!(uncompressed(curve, &point), Some(&point[..]));
            assert_eq!(uncompressed(curve, &wrapped), Some(&point[..]));
            assert_eq!(uncompressed(curve, &point[1..]), None);
            assert_eq!(uncompressed(curve, &[&wrapped[..], &[0]].concat()), None);
        }
    }

    #[test]
    fn leading_zeros_of_a_modulus_do_not_count() {
        assert_eq!(bits(&[0, 0x80, 0]), Some(16));
        assert_eq!(bits(&[0x01, 0]), Some(9));
        assert_eq!(bits(&[]), None);
    }
}
