//! The extensions a template asks for, in the order rcgen writes them, so that both ways give the same bytes.

use std::net::IpAddr;

use der::asn1::{BitString, Ia5StringRef, ObjectIdentifier, OctetStringRef};
use der::{Encode, Sequence, Tag};

use super::{AlternativeName, BasicConstraints, KeyUsage, Template};
use crate::x509::Extension;
use crate::x509::tlv::{context, tlv};

pub(super) fn write(template: &Template) -> der::Result<Vec<Extension>> {
    let mut list = Vec::with_capacity(8);
    let mut push = |oid, critical, value| {
        list.push(Extension {
            oid,
            critical,
            value,
        })
    };
    if let Some(id) = &template.authority_key_identifier {
        push(
            AUTHORITY_KEY_IDENTIFIER,
            false,
            authority_key_identifier(id)?,
        );
    }
    if !template.subject_alternative_names.is_empty() {
        let critical = template.subject.attributes().is_empty();
        push(
            SUBJECT_ALT_NAME,
            critical,
            alternative_names(&template.subject_alternative_names)?,
        );
    }
    if let Some(usage) = &template.key_usage {
        push(KEY_USAGE, usage.critical, usage.content.to_der()?);
    }
    if let Some(purposes) = &template.extended_key_usage {
        push(
            EXTENDED_KEY_USAGE,
            purposes.critical,
            purposes.content.to_der()?,
        );
    }
    if !template.crl_distribution_points.is_empty() {
        push(
            CRL_DISTRIBUTION_POINTS,
            false,
            distribution_points(&template.crl_distribution_points)?,
        );
    }
    if let Some(id) = &template.subject_key_identifier {
        push(
            SUBJECT_KEY_IDENTIFIER,
            false,
            OctetStringRef::new(id)?.to_der()?,
        );
    }
    if let Some(constraints) = &template.basic_constraints {
        push(
            BASIC_CONSTRAINTS,
            constraints.critical,
            constraints.content.to_der()?,
        );
    }
    if !template.ca_issuers.is_empty() {
        push(
            AUTHORITY_INFO_ACCESS,
            false,
            ca_issuers(&template.ca_issuers)?,
        );
    }
    Ok(list)
}

impl KeyUsage {
    /// The bit of a usage by its RFC 5280 name.
    pub fn named(name: &str) -> Option<KeyUsage> {
        let position = KeyUsage::NAMES.iter().position(|known| *known == name)?;
        Some(KeyUsage(0x8000 >> position))
    }

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: KeyUsage) -> bool {
        self.0 & other.0 == other.0
    }

    /// keyCertSign.
    pub const KEY_CERT_SIGN: KeyUsage = KeyUsage(0x0400);

    /// The names of the bits, in their order.
    pub const NAMES: [&str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];

    /// A named BIT STRING drops trailing zero bits (X.690 section 11.2.2).
    pub(super) fn to_der(self) -> der::Result<Vec<u8>> {
        let bytes = self.0.to_be_bytes();
        let used = if bytes[1] == 0 {
            &bytes[..1]
        } else {
            &bytes[..]
        };
        let unused = used[used.len() - 1].trailing_zeros().min(7) as u8;
        BitString::new(unused, used)?.to_der()
    }
}

impl BasicConstraints {
    pub(super) fn to_der(self) -> der::Result<Vec<u8>> {
        let path_length = self.path_length;
        BasicConstraintsDer {
            ca: self.ca,
            path_length,
        }
        .to_der()
    }
}

/// The key identifier alone (RFC 5280 section 4.2.1.1).
pub(crate) fn authority_key_identifier(id: &[u8]) -> der::Result<Vec<u8>> {
    tlv(Tag::Sequence, &tlv(context(0, false), id)?)
}

pub(crate) fn alternative_names(names: &[AlternativeName]) -> der::Result<Vec<u8>> {
    let mut list = Vec::new();
    for name in names {
        list.extend(match name {
            AlternativeName::Dns(name) => tlv(context(2, false), ia5(name)?)?,
            AlternativeName::Ip(IpAddr::V4(address)) => tlv(context(7, false), &address.octets())?,
            AlternativeName::Ip(IpAddr::V6(address)) => tlv(context(7, false), &address.octets())?,
        });
    }
    tlv(Tag::Sequence, &list)
}

/// One DistributionPoint whose fullName lists all addresses (RFC 5280 section 4.2.1.13).
fn distribution_points(addresses: &[String]) -> der::Result<Vec<u8>> {
    let mut names = Vec::new();
    for address in addresses {
        names.extend(tlv(context(6, false), ia5(address)?)?);
    }
    let full_name = tlv(context(0, true), &names)?;
    let point = tlv(Tag::Sequence, &tlv(context(0, true), &full_name)?)?;
    tlv(Tag::Sequence, &point)
}

/// One AccessDescription per address (RFC 5280 section 4.2.2.1).
pub(super) fn ca_issuers(addresses: &[String]) -> der::Result<Vec<u8>> {
    let mut list = Vec::new();
    for address in addresses {
        let location = tlv(context(6, false), ia5(address)?)?;
        list.extend(tlv(
            Tag::Sequence,
            &[CA_ISSUERS.to_der()?, location].concat(),
        )?);
    }
    tlv(Tag::Sequence, &list)
}

fn ia5(text: &str) -> der::Result<&[u8]> {
    Ia5StringRef::new(text)?;
    Ok(text.as_bytes())
}

#[derive(Sequence)]
struct BasicConstraintsDer {
    #[asn1(default = "Default::default")]
    ca: bool,
    path_length: Option<u8>,
}

const AUTHORITY_INFO_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
pub(crate) const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.5.29.35");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
