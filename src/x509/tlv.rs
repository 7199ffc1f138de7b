//! Tag, length, value: pieces of DER that no type of the `der` crate stands for.

use ::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use ::der::{Encode, Tag, TagNumber};

/// Writes a tag and a length around a content.
pub(super) fn tlv(tag: Tag, content: &[u8]) -> ::der::Result<Vec<u8>> {
    AnyRef::new(tag, content)?.to_der()
}

/// A context-specific tag.
pub(super) fn context(number: u32, constructed: bool) -> Tag {
    let number = TagNumber(number);
    Tag::ContextSpecific {
        constructed,
        number,
    }
}

/// An extension that is not critical (RFC 5280 section 4.1).
pub(super) fn extension(oid: ObjectIdentifier, value: &[u8]) -> ::der::Result<Vec<u8>> {
    let value = OctetStringRef::new(value)?.to_der()?;
    tlv(Tag::Sequence, &[oid.to_der()?, value].concat())
}
