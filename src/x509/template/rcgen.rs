//! The TBS as rcgen writes it.
//!
//! rcgen signs while it serialises. Here its "key" keeps the bytes it is asked to sign and returns a placeholder, so
//! the bytes can be linted and reserved before a token sees them.

use std::sync::Mutex;

use rcgen::{
    CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber, SigningKey,
};

use super::{
    AlternativeName, BasicConstraints, KeyUsage, Tbs, Template, TemplateError, extensions,
};
use crate::x509::key::{Curve, KeyKind, PublicKey, SignatureAlgorithm};
use crate::x509::name::{self, Name};

impl Template {
    /// Writes the TBSCertificate with rcgen.
    ///
    /// Refused are templates rcgen cannot express: keys other than EC, names whose attribute types repeat, extended
    /// key usages marked critical, an SKI without basicConstraints. The linter compares what was written with what
    /// was wanted, so a name that rcgen spells differently never reaches a token.
    pub fn to_tbs_with_rcgen(&self) -> Result<Tbs, TemplateError> {
        let capture = Capture {
            algorithm: algorithm(self.signature)?,
            written: Mutex::default(),
        };
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = distinguished_name(&self.issuer)?;
        issuer.key_identifier_method =
            KeyIdMethod::PreSpecified(self.authority_key_identifier.clone().unwrap_or_default());
        self.parameters()?
            .signed_by(&Subject::of(&self.key)?, &Issuer::new(issuer, &capture))
            .map_err(refused)?;
        let der = capture.written.into_inner().unwrap_or_default();
        Ok(Tbs {
            der,
            signature: self.signature,
        })
    }

    fn parameters(&self) -> Result<CertificateParams, TemplateError> {
        let mut wanted = CertificateParams::default();
        wanted.serial_number = Some(SerialNumber::from_slice(self.serial.as_bytes()));
        wanted.not_before = self.not_before.calendar();
        wanted.not_after = self.not_after.calendar();
        wanted.distinguished_name = distinguished_name(&self.subject)?;
        wanted.use_authority_key_identifier_extension = self.authority_key_identifier.is_some();
        wanted.subject_alt_names = self.rcgen_alternative_names()?;
        wanted.key_usages = self
            .key_usage
            .map(|usage| usages(usage.content))
            .unwrap_or_default();
        wanted.extended_key_usages = self.rcgen_purposes()?;
        wanted.is_ca = self.rcgen_is_ca()?;
        if let Some(id) = &self.subject_key_identifier {
            wanted.key_identifier_method = KeyIdMethod::PreSpecified(id.clone());
        }
        if !self.crl_distribution_points.is_empty() {
            let uris = self.crl_distribution_points.clone();
            wanted.crl_distribution_points = vec![CrlDistributionPoint { uris }];
        }
        if !self.ca_issuers.is_empty() {
            let content = extensions::ca_issuers(&self.ca_issuers)?;
            wanted.custom_extensions = vec![CustomExtension::from_oid_content(AIA, content)];
        }
        Ok(wanted)
    }

    fn rcgen_alternative_names(&self) -> Result<Vec<SanType>, TemplateError> {
        let convert = |name: &AlternativeName| match name {
            AlternativeName::Dns(name) => {
                Ok(SanType::DnsName(name.as_str().try_into().map_err(refused)?))
            }
            AlternativeName::Ip(address) => Ok(SanType::IpAddress(*address)),
        };
        self.subject_alternative_names.iter().map(convert).collect()
    }

    fn rcgen_purposes(&self) -> Result<Vec<ExtendedKeyUsagePurpose>, TemplateError> {
        let Some(purposes) = &self.extended_key_usage else {
            return Ok(Vec::new());
        };
        if purposes.critical {
            return Err(unsupported(
                "it writes extendedKeyUsage as non-critical only",
            ));
        }
        let convert = |oid: &der::asn1::ObjectIdentifier| {
            ExtendedKeyUsagePurpose::Other(oid.arcs().map(u64::from).collect())
        };
        Ok(purposes.content.iter().map(convert).collect())
    }

    fn rcgen_is_ca(&self) -> Result<IsCa, TemplateError> {
        let with_id = self.subject_key_identifier.is_some();
        let Some(constraints) = self.basic_constraints else {
            return match with_id {
                true => Err(unsupported(
                    "it writes an SKI only together with basicConstraints",
                )),
                false => Ok(IsCa::NoCa),
            };
        };
        if !constraints.critical || !with_id {
            return Err(unsupported(
                "it writes basicConstraints as critical and with an SKI only",
            ));
        }
        Ok(match constraints.content {
            BasicConstraints { ca: false, .. } => IsCa::ExplicitNoCa,
            BasicConstraints {
                path_length: None, ..
            } => IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
            BasicConstraints {
                path_length: Some(n),
                ..
            } => IsCa::Ca(rcgen::BasicConstraints::Constrained(n)),
        })
    }
}

/// rcgen's names are maps by type: a repeated type or a multi-valued RDN would be lost silently, so it is refused.
fn distinguished_name(name: &Name) -> Result<DistinguishedName, TemplateError> {
    let mut converted = DistinguishedName::new();
    for (position, attribute) in name.attributes().iter().enumerate() {
        let kind = DnType::from_oid(&attribute.oid.arcs().map(u64::from).collect::<Vec<_>>());
        if attribute.rdn != position || converted.get(&kind).is_some() {
            return Err(unsupported(
                "it cannot write a name whose attribute types repeat",
            ));
        }
        let text = attribute
            .text
            .as_deref()
            .ok_or_else(|| unsupported("it cannot write this string type"))?;
        let printable = || {
            text.try_into()
                .map(DnValue::PrintableString)
                .map_err(refused)
        };
        let value = match name::AttributeType::of(attribute.oid) {
            Some(known) if known.is_printable() => printable()?,
            _ => DnValue::Utf8String(text.to_owned()),
        };
        converted.push(kind, value);
    }
    Ok(converted)
}

fn usages(wanted: KeyUsage) -> Vec<KeyUsagePurpose> {
    use KeyUsagePurpose::*;
    let all = [
        DigitalSignature,
        ContentCommitment,
        KeyEncipherment,
        DataEncipherment,
        KeyAgreement,
        KeyCertSign,
        CrlSign,
        EncipherOnly,
        DecipherOnly,
    ];
    let chosen = |position: &usize| wanted.contains(KeyUsage(0x8000 >> position));
    (0..all.len())
        .filter(chosen)
        .map(|position| all[position])
        .collect()
}

fn algorithm(
    signature: SignatureAlgorithm,
) -> Result<&'static rcgen::SignatureAlgorithm, TemplateError> {
    match signature {
        SignatureAlgorithm::EcdsaSha256 => Ok(&rcgen::PKCS_ECDSA_P256_SHA256),
        SignatureAlgorithm::EcdsaSha384 => Ok(&rcgen::PKCS_ECDSA_P384_SHA384),
        _ => Err(unsupported("the issuer's key must be EC")),
    }
}

fn unsupported(reason: &str) -> TemplateError {
    TemplateError::Rcgen(reason.to_owned())
}

fn refused(error: rcgen::Error) -> TemplateError {
    TemplateError::Rcgen(error.to_string())
}

/// The key to certify, as rcgen wants to see it.
struct Subject<'a> {
    key: &'a PublicKey,
    algorithm: &'static rcgen::SignatureAlgorithm,
}

impl<'a> Subject<'a> {
    fn of(key: &'a PublicKey) -> Result<Subject<'a>, TemplateError> {
        let algorithm = match key.kind() {
            KeyKind::Ec(Curve::P256) => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyKind::Ec(Curve::P384) => &rcgen::PKCS_ECDSA_P384_SHA384,
            _ => return Err(unsupported("the certified key must be EC")),
        };
        Ok(Subject { key, algorithm })
    }
}

impl PublicKeyData for Subject<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.bits()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

/// Stands in for the issuer's key and keeps what it was asked to sign.
struct Capture {
    algorithm: &'static rcgen::SignatureAlgorithm,
    written: Mutex<Vec<u8>>,
}

impl PublicKeyData for Capture {
    fn der_bytes(&self) -> &[u8] {
        &[]
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for Capture {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        if let Ok(mut written) = self.written.lock() {
            *written = message.to_vec();
        }
        Ok(Vec::new())
    }
}

/// id-pe-authorityInfoAccess, in the form rcgen takes.
const AIA: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
