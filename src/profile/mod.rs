//! Certificate profiles: YAML → [`Profile`]; [`Profile::admit`] turns a request into a [`Request`] or a [`Refusal`].
//!
//! The profile decides; a CSR only supplies a key and a claim. Nothing in a CSR reaches a certificate unless the
//! profile says so. Whoever can change a profile decides what a CA certifies, so profiles are compiled in and an
//! override in the PKI directory belongs under the officer's control.

mod admit;
mod alternative_names;
pub mod lint;
mod period;
mod refusal;
pub mod schema;
#[cfg(test)]
mod second_opinion;
mod subject;

pub use admit::{IssuerView, Naming, Request};
pub use alternative_names::is_host_name;
pub use lint::{Finding, Linted};
pub use period::Period;
pub use refusal::Refusal;
pub use schema::Kind;

use ::der::asn1::ObjectIdentifier;

use crate::timestamp::Timestamp;
use crate::x509::key::KeyIdentifierMethod;
use crate::x509::template::{BasicConstraints, KeyUsage, Marked};
use crate::x509::{Curve, KeyKind};
use crate::yaml::{self, YamlError};
use schema::{AdmittedKey, AlternativeNamesYaml, KeyIdentifierYaml, Nesting, ProfileYaml};
use schema::{RequestedExtensions, Source};
use subject::Rule;

/// A certificate profile that has been read and checked as a whole.
#[derive(Clone, Debug)]
pub struct Profile {
    name: String,
    kind: Kind,
    keys: Vec<AdmittedKey>,
    serial_octets: usize,
    period: Period,
    at_least: Option<Period>,
    backdate: Option<Period>,
    nesting: Nesting,
    subject: Vec<Rule>,
    alternative_names: Option<AlternativeNamesYaml>,
    basic_constraints: Marked<BasicConstraints>,
    key_usage: Marked<KeyUsage>,
    extended_key_usage: Option<Marked<Vec<ObjectIdentifier>>>,
    key_identifier: Option<KeyIdentifierMethod>,
    crl_distribution_points: Vec<String>,
    ca_issuers: Vec<String>,
    requested_extensions: RequestedExtensions,
    namespace: Option<String>,
}

/// Why a text is not a profile.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Two statements of the profile contradict each other, or a value is out of range.
    #[error("`{key}` is {found}, wanted is {wanted}")]
    Inconsistent {
        /// Where in the profile.
        key: &'static str,
        /// The value found.
        found: String,
        /// The value wanted.
        wanted: String,
    },
    /// The YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
}

/// The profiles that come with the product: name and YAML text.
pub const SHIPPED: [(&str, &str); 4] = [
    ("root-ca", include_str!("../../profiles/root-ca.yaml")),
    ("device-ca", include_str!("../../profiles/device-ca.yaml")),
    ("device", include_str!("../../profiles/device.yaml")),
    ("tls-server", include_str!("../../profiles/tls-server.yaml")),
];

impl Profile {
    /// Reads a profile and checks that its statements fit together.
    pub fn from_yaml(text: &str) -> Result<Profile, ProfileError> {
        let yaml: ProfileYaml = yaml::read(text)?;
        let subject = yaml
            .subject
            .iter()
            .map(Rule::from_yaml)
            .collect::<Result<Vec<_>, _>>()?;
        let usage = &yaml.extensions.key_usage;
        let constraints = &yaml.extensions.basic_constraints;
        let profile = Profile {
            period: Period::named("validity.period", &yaml.validity.period)?,
            at_least: optional_period("validity.at-least", yaml.validity.at_least.as_deref())?,
            backdate: optional_period("validity.backdate", yaml.validity.backdate.as_deref())?,
            nesting: yaml.validity.nesting.unwrap_or(Nesting::Refuse),
            basic_constraints: Marked {
                critical: constraints.critical,
                content: BasicConstraints {
                    ca: constraints.ca,
                    path_length: constraints.path_length,
                },
            },
            key_usage: Marked {
                critical: usage.critical,
                content: usage_bits(&usage.bits)?,
            },
            extended_key_usage: match &yaml.extensions.extended_key_usage {
                Some(wanted) => Some(Marked {
                    critical: wanted.critical,
                    content: wanted
                        .purposes
                        .iter()
                        .map(|name| purpose(name))
                        .collect::<Result<_, _>>()?,
                }),
                None => None,
            },
            key_identifier: yaml
                .extensions
                .subject_key_identifier
                .map(|method| match method {
                    KeyIdentifierYaml::Sha1 => KeyIdentifierMethod::Sha1,
                    KeyIdentifierYaml::Sha256 => KeyIdentifierMethod::Sha256,
                }),
            requested_extensions: yaml.csr.map_or(RequestedExtensions::RefuseUnlisted, |csr| {
                csr.requested_extensions
            }),
            namespace: yaml.unique.map(|unique| unique.namespace),
            name: yaml.name,
            kind: yaml.kind,
            keys: yaml.key.admit,
            serial_octets: yaml.serial.octets,
            alternative_names: yaml.subject_alternative_names,
            crl_distribution_points: yaml.extensions.crl_distribution_points,
            ca_issuers: yaml.extensions.ca_issuers,
            subject,
        };
        profile.check()?;
        Ok(profile)
    }

    /// A shipped profile by name.
    pub fn shipped(name: &str) -> Option<Result<Profile, ProfileError>> {
        let (_, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
        Some(Profile::from_yaml(text))
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of certificate it makes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Octets of a serial number.
    pub fn serial_octets(&self) -> usize {
        self.serial_octets
    }

    /// The namespace within which a device holds one live certificate; `None` if the profile does not care.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// How long certificates are valid.
    pub fn period(&self) -> Period {
        self.period
    }

    /// What must be left of validity, or issuance is refused.
    pub fn at_least(&self) -> Option<Period> {
        self.at_least
    }

    /// Whether a kind of key is admitted.
    pub fn admits(&self, kind: KeyKind) -> bool {
        let wanted = match kind {
            KeyKind::Ec(Curve::P256) => AdmittedKey::P256,
            KeyKind::Ec(Curve::P384) => AdmittedKey::P384,
            KeyKind::Ed25519 => AdmittedKey::Ed25519,
            KeyKind::Rsa(2048..) => AdmittedKey::Rsa2048,
            KeyKind::Rsa(_) => return false,
        };
        self.keys.contains(&wanted)
    }

    /// The admitted kinds of keys, as shown to people.
    pub fn keys_wanted(&self) -> String {
        let names: Vec<&str> = self.keys.iter().map(|key| key.shown()).collect();
        names.join(" or ")
    }

    fn check(&self) -> Result<(), ProfileError> {
        let certifies = self.key_usage.content.contains(KeyUsage::KEY_CERT_SIGN);
        let is_ca = self.basic_constraints.content.ca;
        let wants_ca = self.kind != Kind::Leaf;
        if is_ca != wants_ca {
            return Err(inconsistent(
                "extensions.basic-constraints.ca",
                is_ca,
                format!("{wants_ca} for this kind"),
            ));
        }
        if certifies != wants_ca {
            let wanted = if wants_ca {
                "a list with it"
            } else {
                "a list without it (RFC 5280 section 4.2.1.3)"
            };
            return Err(inconsistent(
                "extensions.key-usage.bits",
                if certifies {
                    "a list with keyCertSign"
                } else {
                    "a list without keyCertSign"
                },
                wanted,
            ));
        }
        if !is_ca && self.basic_constraints.content.path_length.is_some() {
            return Err(inconsistent(
                "extensions.basic-constraints.path-length",
                "set",
                "no path length, because this is no CA",
            ));
        }
        if is_ca && (!self.basic_constraints.critical || self.key_identifier.is_none()) {
            return Err(inconsistent(
                "extensions",
                "a CA without critical basic-constraints and subject-key-identifier",
                "both (RFC 5280 sections 4.2.1.2 and 4.2.1.9)",
            ));
        }
        if !(9..=20).contains(&self.serial_octets) {
            return Err(inconsistent("serial.octets", self.serial_octets, "9 to 20"));
        }
        let start = Timestamp::EPOCH;
        if self
            .at_least
            .is_some_and(|least| least.after(start) > self.period.after(start))
        {
            return Err(inconsistent(
                "validity.at-least",
                "longer than `validity.period`",
                "shorter",
            ));
        }
        if self.keys.is_empty() {
            return Err(inconsistent(
                "key.admit",
                "empty",
                "at least one kind of key",
            ));
        }
        let sane = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(sane) {
            return Err(inconsistent(
                "name",
                format!("`{}`", self.name.escape_debug()),
                "lower-case letters, digits and `-`",
            ));
        }
        let named_by = self
            .subject
            .iter()
            .filter(|rule| rule.names_device())
            .count();
        if self.namespace.is_some() && named_by != 1 {
            return Err(inconsistent(
                "unique",
                "set",
                "one subject attribute with `match: uuid` that names the device",
            ));
        }
        self.check_sources()
    }

    fn check_sources(&self) -> Result<(), ProfileError> {
        if self.subject.is_empty() && self.alternative_names.is_none() {
            return Err(inconsistent("subject", "empty", "at least one attribute"));
        }
        let from_csr = |rule: &&Rule| matches!(rule.source(), Source::Csr | Source::FirstDnsName);
        match self.subject.iter().find(from_csr) {
            Some(_) if self.kind != Kind::Leaf => Err(inconsistent(
                "subject",
                "`from: csr` in a CA profile",
                "`from: name` or `from: factory`: a CA is named by its officer",
            )),
            _ => Ok(()),
        }
    }
}

impl AdmittedKey {
    fn shown(self) -> &'static str {
        match self {
            AdmittedKey::Ed25519 => "Ed25519",
            AdmittedKey::P256 => "P-256",
            AdmittedKey::P384 => "P-384",
            AdmittedKey::Rsa2048 => "RSA of 2048 bits or more",
        }
    }
}

fn optional_period(key: &'static str, text: Option<&str>) -> Result<Option<Period>, ProfileError> {
    text.map(|text| Period::named(key, text)).transpose()
}

fn usage_bits(names: &[String]) -> Result<KeyUsage, ProfileError> {
    let mut bits = KeyUsage(0);
    for name in names {
        let known = KeyUsage::named(name).ok_or_else(|| {
            let wanted = format!("one of {}", KeyUsage::NAMES.join(", "));
            inconsistent("extensions.key-usage.bits", format!("`{name}`"), wanted)
        })?;
        bits = KeyUsage(bits.0 | known.0);
    }
    match bits {
        KeyUsage(0) => Err(inconsistent(
            "extensions.key-usage.bits",
            "empty",
            "at least one bit",
        )),
        bits => Ok(bits),
    }
}

fn purpose(name: &str) -> Result<ObjectIdentifier, ProfileError> {
    let dotted = match PURPOSES.iter().find(|(known, _)| *known == name) {
        Some((_, dotted)) => dotted,
        None => name,
    };
    ObjectIdentifier::new(dotted).map_err(|_| {
        let names: Vec<&str> = PURPOSES.iter().map(|(name, _)| *name).collect();
        let wanted = format!("one of {} or a dotted number", names.join(", "));
        inconsistent(
            "extensions.extended-key-usage.purposes",
            format!("`{name}`"),
            wanted,
        )
    })
}

fn inconsistent(key: &'static str, found: impl ToString, wanted: impl ToString) -> ProfileError {
    ProfileError::Inconsistent {
        key,
        found: found.to_string(),
        wanted: wanted.to_string(),
    }
}

/// RFC 5280 section 4.2.1.12.
const PURPOSES: [(&str, &str); 6] = [
    ("serverAuth", "1.3.6.1.5.5.7.3.1"),
    ("clientAuth", "1.3.6.1.5.5.7.3.2"),
    ("codeSigning", "1.3.6.1.5.5.7.3.3"),
    ("emailProtection", "1.3.6.1.5.5.7.3.4"),
    ("timeStamping", "1.3.6.1.5.5.7.3.8"),
    ("OCSPSigning", "1.3.6.1.5.5.7.3.9"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn device_with(from: &str, to: &str) -> String {
        let text = SHIPPED[2].1;
        assert!(text.contains(from), "the device profile has no `{from}`");
        Profile::from_yaml(&text.replace(from, to))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_shipped_profiles_are_sound_and_named_like_their_files() {
        for (name, text) in SHIPPED {
            assert_eq!(Profile::from_yaml(text).unwrap().name(), name);
        }
    }

    #[test]
    fn contradictions_are_refused_with_what_was_found_and_wanted() {
        for (from, to, message) in [
            (
                "perio",
                "peiro",
                "line 7, column 12: validity: unknown key `peirod`, the nearest valid one is `period`",
            ),
            (
                "ca: false",
                "ca: true",
                "`extensions.basic-constraints.ca` is true, wanted is false for this kind",
            ),
            (
                "octets: 16",
                "octets: 8",
                "`serial.octets` is 8, wanted is 9 to 20",
            ),
            (
                "at-least: 5y",
                "at-least: 21y",
                "`validity.at-least` is longer than `validity.period`, wanted is shorter",
            ),
            (
                "octets: 16",
                "octets: 21",
                "`serial.octets` is 21, wanted is 9 to 20",
            ),
            (
                "[digitalSignature]",
                "[digitalSignature, keyCertSign]",
                "`extensions.key-usage.bits` is a list with keyCertSign, wanted is a list without it (RFC 5280 section 4.2.1.3)",
            ),
            (
                "[digitalSignature]",
                "[]",
                "`extensions.key-usage.bits` is empty, wanted is at least one bit",
            ),
            (
                "[p256]",
                "[]",
                "`key.admit` is empty, wanted is at least one kind of key",
            ),
            (
                "period: 20y",
                "period: 20 years",
                "`validity.period` is `20 years`, wanted is a number and one of y, d, h, m, s, such as `20y`",
            ),
            (
                "commonName",
                "comonName",
                "`subject.attribute` is `comonName`, wanted is `commonName` or another known attribute type",
            ),
            (
                ", match: uuid",
                "",
                "`unique` is set, wanted is one subject attribute with `match: uuid` that names the device",
            ),
            (
                "name: device",
                "name: Device",
                "`name` is `Device`, wanted is lower-case letters, digits and `-`",
            ),
        ] {
            assert_eq!(device_with(from, to), message, "{from} → {to}");
        }
    }
}
