//! Distinguished names, kept byte for byte.
//!
//! A [`Name`] holds the DER it was read from: order, string types and spelling of a device's subject survive into its
//! certificate unchanged, because fioconfig compares the raw bytes when it renews.

use std::fmt;

use der::asn1::{AnyRef, ObjectIdentifier, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader, Tag, Tagged};

/// A Name (RFC 5280 section 4.1.2.4): its exact DER and what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    der: Vec<u8>,
    attributes: Vec<Attribute>,
}

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Which RDN it stands in, counted from 0. Two attributes of one RDN are a multi-valued RDN.
    pub rdn: usize,
    /// The attribute type.
    pub oid: ObjectIdentifier,
    /// The tag of its value.
    pub tag: Tag,
    /// Its value as text; `None` when the value is not a UTF8String, PrintableString or IA5String, or when its bytes
    /// do not fit that string type.
    pub text: Option<String>,
}

/// An attribute type this tool knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeType {
    /// The name used in profiles: `commonName`.
    pub name: &'static str,
    /// The short name used when a subject is shown: `CN`.
    pub short: &'static str,
    /// The object identifier.
    pub oid: ObjectIdentifier,
    /// Most characters its value may have (the upper bounds of RFC 5280 appendix A.1).
    pub longest: usize,
}

/// The bytes are not one Name in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a distinguished name in DER")]
pub struct NameError;

impl Name {
    /// Reads one DER Name; trailing bytes and empty RDNs are refused.
    pub fn from_der(der: &[u8]) -> Result<Name, NameError> {
        let attributes = read_name(der).map_err(|_| NameError)?;
        Ok(Name {
            der: der.to_vec(),
            attributes,
        })
    }

    /// Builds a name of UTF8Strings (countryName, serialNumber and dnQualifier are PrintableStrings, as RFC 5280
    /// wants them), each attribute in an RDN of its own, in the given order.
    pub fn from_pairs(pairs: &[(AttributeType, &str)]) -> Result<Name, NameError> {
        let mut rdns: Vec<SetOfVec<Pair<'_>>> = Vec::new();
        for (kind, text) in pairs {
            let mut rdn = SetOfVec::new();
            let value = string_value(*kind, text).map_err(|_| NameError)?;
            let pair = Pair {
                oid: kind.oid,
                value,
            };
            rdn.insert(pair).map_err(|_| NameError)?;
            rdns.push(rdn);
        }
        let der = rdns.to_der().map_err(|_| NameError)?;
        Name::from_der(&der)
    }

    /// The exact DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The attributes in their order.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The text of the first attribute of a type.
    pub fn first(&self, kind: AttributeType) -> Option<&str> {
        let attribute = self.attributes.iter().find(|a| a.oid == kind.oid)?;
        attribute.text.as_deref()
    }
}

impl fmt::Display for Name {
    /// Shows the attributes in their order: `CN=…, OU=…`. Control characters are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, attribute) in self.attributes.iter().enumerate() {
            let separator = match attribute.rdn {
                _ if position == 0 => "",
                rdn if rdn == self.attributes[position - 1].rdn => "+",
                _ => ", ",
            };
            let value = attribute.text.as_deref().unwrap_or("(unreadable)");
            f.write_str(separator)?;
            match AttributeType::of(attribute.oid) {
                Some(kind) => f.write_str(kind.short)?,
                None => attribute.oid.fmt(f)?,
            }
            f.write_str("=")?;
            match value
                .bytes()
                .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'\\')
            {
                true => f.write_str(value)?,
                false => value.escape_debug().fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl AttributeType {
    /// Looks an attribute type up by the name used in profiles.
    pub fn named(name: &str) -> Option<AttributeType> {
        TYPES.iter().copied().find(|kind| kind.name == name)
    }

    /// Looks an attribute type up by its object identifier.
    pub fn of(oid: ObjectIdentifier) -> Option<AttributeType> {
        TYPES.iter().copied().find(|kind| kind.oid == oid)
    }

    /// Whether RFC 5280 appendix A.1 wants a PrintableString.
    pub fn is_printable(self) -> bool {
        matches!(self.name, "countryName" | "serialNumber" | "dnQualifier")
    }

    /// All names a profile may use.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TYPES.iter().map(|kind| kind.name)
    }
}

/// What people call an attribute type: its short name or the dotted number.
pub fn label(oid: ObjectIdentifier) -> String {
    match AttributeType::of(oid) {
        Some(kind) => kind.short.to_owned(),
        None => oid.to_string(),
    }
}

fn read_name(der: &[u8]) -> der::Result<Vec<Attribute>> {
    let mut attributes = Vec::new();
    let mut reader = SliceReader::new(der)?;
    let mut rdn = 0;
    reader.sequence(|rdns: &mut SliceReader<'_>| {
        while !rdns.is_finished() {
            let set = AnyRef::decode(rdns)?;
            set.tag().assert_eq(Tag::Set)?;
            let mut pairs = SliceReader::new(set.value())?;
            if pairs.is_finished() {
                return Err(Tag::Set.length_error().into());
            }
            while !pairs.is_finished() {
                let pair = Pair::decode(&mut pairs)?;
                let text = read_text(pair.value);
                attributes.push(Attribute {
                    rdn,
                    oid: pair.oid,
                    tag: pair.value.tag(),
                    text,
                });
            }
            rdn += 1;
        }
        Ok::<_, der::Error>(())
    })?;
    reader.finish()?;
    Ok(attributes)
}

fn read_text(value: AnyRef<'_>) -> Option<String> {
    let text = std::str::from_utf8(value.value()).ok()?;
    let fits = match value.tag() {
        Tag::Utf8String => true,
        Tag::PrintableString => PrintableStringRef::new(text).is_ok(),
        Tag::Ia5String => text.is_ascii(),
        _ => false,
    };
    fits.then(|| text.to_owned())
}

fn string_value(kind: AttributeType, text: &str) -> der::Result<AnyRef<'_>> {
    Ok(match kind.is_printable() {
        true => AnyRef::from(PrintableStringRef::new(text)?),
        false => AnyRef::from(Utf8StringRef::new(text)?),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Sequence, der::ValueOrd)]
struct Pair<'a> {
    oid: ObjectIdentifier,
    value: AnyRef<'a>,
}

const fn kind(
    name: &'static str,
    short: &'static str,
    oid: &'static str,
    longest: usize,
) -> AttributeType {
    AttributeType {
        name,
        short,
        oid: ObjectIdentifier::new_unwrap(oid),
        longest,
    }
}

/// commonName (2.5.4.3).
pub const COMMON_NAME: AttributeType = kind("commonName", "CN", "2.5.4.3", 64);
/// organizationalUnitName (2.5.4.11): the factory, in this PKI.
pub const ORGANIZATIONAL_UNIT: AttributeType = kind("organizationalUnitName", "OU", "2.5.4.11", 64);
/// businessCategory (2.5.4.15): `production` marks production devices.
pub const BUSINESS_CATEGORY: AttributeType =
    kind("businessCategory", "businessCategory", "2.5.4.15", 128);

const TYPES: &[AttributeType] = &[
    COMMON_NAME,
    ORGANIZATIONAL_UNIT,
    BUSINESS_CATEGORY,
    kind("serialNumber", "serialNumber", "2.5.4.5", 64),
    kind("countryName", "C", "2.5.4.6", 2),
    kind("localityName", "L", "2.5.4.7", 128),
    kind("stateOrProvinceName", "ST", "2.5.4.8", 128),
    kind("organizationName", "O", "2.5.4.10", 64),
    kind("dnQualifier", "dnQualifier", "2.5.4.46", 64),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_name_is_read_back_in_order() {
        let name = Name::from_pairs(&[(COMMON_NAME, "Factory-CA"), (ORGANIZATIONAL_UNIT, "acme")])
            .unwrap();
        assert_eq!(name.to_string(), "CN=Factory-CA, OU=acme");
        assert_eq!(name.first(ORGANIZATIONAL_UNIT), Some("acme"));
        assert_eq!(name.attributes()[1].rdn, 1);
        assert_eq!(Name::from_der(name.der()), Ok(name));
    }

    #[test]
    fn multi_valued_rdns_and_repeated_types_are_seen() {
        // SEQUENCE { SET { CN=a, CN=b } }
        let der = [
            0x30, 0x16, 0x31, 0x14, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, b'a',
            0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, b'b',
        ];
        let name = Name::from_der(&der).unwrap();
        assert_eq!(name.to_string(), "CN=a+CN=b");
        assert_eq!(name.attributes().len(), 2);
        assert!(name.attributes().iter().all(|attribute| attribute.rdn == 0));
    }

    #[test]
    fn trailing_bytes_and_empty_sets_are_refused() {
        assert_eq!(Name::from_der(&[0x30, 0x00, 0x00]), Err(NameError));
        assert_eq!(Name::from_der(&[0x30, 0x02, 0x31, 0x00]), Err(NameError));
    }

    #[test]
    fn odd_string_types_have_no_text() {
        // BMPString "a", and a PrintableString holding `@`
        for value in [[0x1e, 0x02, 0x00, b'a'].as_slice(), &[0x13, 0x01, b'@']] {
            let pair = [[0x06, 0x03, 0x55, 0x04, 0x03].as_slice(), value].concat();
            let wrap = |tag: u8, inner: &[u8]| [&[tag, inner.len() as u8], inner].concat();
            let der = wrap(0x30, &wrap(0x31, &wrap(0x30, &pair)));
            assert_eq!(Name::from_der(&der).unwrap().attributes()[0].text, None);
        }
    }
}
