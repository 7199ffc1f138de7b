//! From a request, or an officer's wish, to what will be certified.

use std::net::IpAddr;

use x509_parser::prelude::FromDer;

use super::alternative_names::SUBJECT_ALT_NAME;
use super::schema::{Nesting, RequestedExtensions, Source};
use super::subject::{self, Rule};
use super::{Kind, Profile, Refusal};
use crate::timestamp::Timestamp;
use crate::x509::csr::label;
use crate::x509::key::SignatureAlgorithm;
use crate::x509::name::AttributeType;
use crate::x509::template::{AlternativeName, Template};
use crate::x509::{Certificate, Csr, Curve, Extension, KeyKind, Name, PublicKey, Serial};

/// What a profile admitted: everything about a certificate but its serial number.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) subject: Name,
    key: PublicKey,
    device: Option<String>,
    pub(super) alternative_names: Vec<AlternativeName>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

/// What admission and lints need to know of the issuer.
#[derive(Clone, Copy, Debug)]
pub struct IssuerView<'a> {
    /// Its subject, byte for byte.
    pub subject: &'a Name,
    /// What it signs with.
    pub signature: SignatureAlgorithm,
    /// Its certificate; `None` for a root that is about to sign itself.
    pub certificate: Option<&'a Certificate>,
}

/// The names an officer and the configuration give to a CA.
#[derive(Clone, Copy, Debug)]
pub struct Naming<'a> {
    /// The CA's own name, if one was given.
    pub name: Option<&'a str>,
    /// The factory's name.
    pub factory: &'a str,
}

impl Profile {
    /// Holds a request against this profile.
    ///
    /// The CSR supplies a key, whose possession it has proven, and a claim. The subject's bytes are kept when the
    /// profile takes them from the request; everything else comes from the profile and the issuer. A request for a CA
    /// certificate is refused whatever the profile says about extensions.
    pub fn admit(
        &self,
        csr: &Csr,
        issuer: IssuerView<'_>,
        now: Timestamp,
    ) -> Result<Request, Refusal> {
        self.admit_kind(csr.key().kind())?;
        self.admit_extensions(csr.extensions())?;
        let alternative_names = self.admit_alternative_names(csr.extensions())?;
        let (subject, device) = match self.subject.iter().any(|rule| rule.source() == Source::Csr) {
            true => (
                csr.subject().clone(),
                subject::admit(&self.subject, csr.subject(), issuer.subject)?,
            ),
            false => (self.subject_from_names(&alternative_names)?, None),
        };
        let (not_before, not_after) = self.validity(issuer.certificate, now)?;
        let key = csr.key().clone();
        Ok(Request {
            subject,
            key,
            device,
            alternative_names,
            not_before,
            not_after,
        })
    }

    /// Makes the request for a CA certificate that an officer asked for.
    pub fn admit_ca(
        &self,
        key: &PublicKey,
        naming: Naming<'_>,
        issuer: Option<&Certificate>,
        now: Timestamp,
    ) -> Result<Request, Refusal> {
        self.admit_kind(key.kind())?;
        let subject = self.ca_subject(naming)?;
        let (not_before, not_after) = self.validity(issuer, now)?;
        let key = key.clone();
        Ok(Request {
            subject,
            key,
            device: None,
            alternative_names: Vec::new(),
            not_before,
            not_after,
        })
    }

    /// Holds a CA's request, whose key is elsewhere, against this profile.
    ///
    /// The subject's bytes are kept. It has to say what the profile's subject says and nothing else, in any order: the
    /// factory's name where the profile takes it from there, a name of the CA's own where an officer would give one.
    pub fn admit_ca_csr(
        &self,
        csr: &Csr,
        factory: &str,
        issuer: &Certificate,
        now: Timestamp,
    ) -> Result<Request, Refusal> {
        self.admit_kind(csr.key().kind())?;
        subject::admit_ca(&self.subject, csr.subject(), factory)?;
        let (not_before, not_after) = self.validity(Some(issuer), now)?;
        Ok(Request {
            subject: csr.subject().clone(),
            key: csr.key().clone(),
            device: None,
            alternative_names: Vec::new(),
            not_before,
            not_after,
        })
    }

    /// The same profile with more alternative names allowed: those that an officer agrees to for one certificate.
    pub fn allowing(mut self, dns: &[String], ip: &[IpAddr]) -> Profile {
        if let Some(allowed) = &mut self.alternative_names {
            allowed.dns.extend_from_slice(dns);
            allowed.ip.extend_from_slice(ip);
        }
        self
    }

    /// Whether [`Profile::admit_ca`] would admit a key on this curve: asked before the key is made.
    pub fn check_ca(
        &self,
        curve: Curve,
        naming: Naming<'_>,
        issuer: Option<&Certificate>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.admit_kind(KeyKind::Ec(curve))?;
        self.ca_subject(naming)?;
        self.validity(issuer, now).map(|_| ())
    }

    /// Whether [`Profile::admit`] would admit a server's request with a key on this curve and these names: asked before
    /// the key is made.
    pub fn check_server(
        &self,
        curve: Curve,
        names: &[AlternativeName],
        issuer: IssuerView<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.admit_kind(KeyKind::Ec(curve))?;
        self.allow_names(names)?;
        self.validity(issuer.certificate, now).map(|_| ())
    }

    /// The name that [`Profile::admit_ca`] would give a CA with a key on this curve.
    pub fn name_ca(&self, curve: Curve, naming: Naming<'_>) -> Result<Name, Refusal> {
        self.admit_kind(KeyKind::Ec(curve))?;
        self.ca_subject(naming)
    }

    /// Everything the certificate will say.
    pub fn template(&self, request: &Request, issuer: IssuerView<'_>, serial: Serial) -> Template {
        let authority = issuer
            .certificate
            .and_then(Certificate::subject_key_identifier);
        Template {
            serial,
            signature: issuer.signature,
            issuer: issuer.subject.clone(),
            not_before: request.not_before,
            not_after: request.not_after,
            subject: request.subject.clone(),
            key: request.key.clone(),
            authority_key_identifier: authority.map(<[u8]>::to_vec),
            subject_alternative_names: request.alternative_names.clone(),
            key_usage: Some(self.key_usage),
            extended_key_usage: self.extended_key_usage.clone(),
            crl_distribution_points: self.crl_distribution_points.clone(),
            subject_key_identifier: self
                .key_identifier
                .map(|method| request.key.identifier(method)),
            basic_constraints: Some(self.basic_constraints),
            ca_issuers: self.ca_issuers.clone(),
        }
    }

    fn admit_kind(&self, kind: KeyKind) -> Result<(), Refusal> {
        match self.admits(kind) {
            true => Ok(()),
            false => Err(Refusal::new(
                "key-kind",
                "the key",
                kind.to_string(),
                self.keys_wanted(),
            )),
        }
    }

    fn ca_subject(&self, naming: Naming<'_>) -> Result<Name, Refusal> {
        let mut pairs = Vec::new();
        for rule in &self.subject {
            pairs.push((rule.kind(), ca_value(rule, naming)?));
        }
        Name::from_pairs(&pairs).map_err(|_| {
            Refusal::new(
                "subject-characters",
                "the CA's name",
                "not writable as a name",
                "plain text",
            )
        })
    }

    fn admit_extensions(&self, extensions: &[Extension]) -> Result<(), Refusal> {
        for extension in extensions {
            let oid = extension.oid.to_string();
            if self.kind == Kind::Leaf && oid == BASIC_CONSTRAINTS {
                refuse_ca(&extension.value)?;
            }
            let listed = LISTED.contains(&oid.as_str());
            if self.requested_extensions == RequestedExtensions::RefuseUnlisted && !listed {
                return Err(Refusal::new(
                    "csr-extension",
                    "a requested extension",
                    label(extension.oid),
                    "only those the profile writes",
                ));
            }
        }
        Ok(())
    }

    /// CN = first dNSName, left out where it exceeds 64 characters.
    fn subject_from_names(&self, names: &[AlternativeName]) -> Result<Name, Refusal> {
        let first = names.iter().find_map(|name| match name {
            AlternativeName::Dns(name) => Some(name.as_str()),
            AlternativeName::Ip(_) => None,
        });
        let mut pairs = Vec::new();
        for rule in &self.subject {
            match first.filter(|name| name.len() <= rule.kind().longest) {
                Some(name) => pairs.push((rule.kind(), name)),
                None if rule.is_optional() => {}
                None => {
                    return Err(Refusal::new(
                        "san-missing",
                        "the first dNSName",
                        "missing or too long",
                        "1 to 64 characters",
                    ));
                }
            }
        }
        Name::from_pairs(&pairs).map_err(|_| {
            Refusal::new(
                "subject-characters",
                "the first dNSName",
                "not writable as a name",
                "a host name",
            )
        })
    }

    fn validity(
        &self,
        issuer: Option<&Certificate>,
        now: Timestamp,
    ) -> Result<(Timestamp, Timestamp), Refusal> {
        let backdated = self.backdate.map_or(now, |backdate| backdate.before(now));
        let wanted = self.period.after(now);
        let Some(issuer) = issuer else {
            return Ok((backdated, wanted));
        };
        let end = issuer.not_after();
        if wanted > end && self.nesting == Nesting::Refuse {
            let found = format!("{}, after its issuer's {}", wanted.date(), end.date());
            return Err(Refusal::new(
                "validity-nesting",
                "the end of validity",
                found,
                "within the issuer's validity",
            ));
        }
        let not_after = wanted.min(end);
        match self.at_least {
            Some(least) if least.after(now) > not_after => {
                let found = format!("{}, the end of its issuer", not_after.date());
                let wanted = format!("at least {least} from now; the issuer needs to be renewed");
                Err(Refusal::new(
                    "validity-at-least",
                    "the end of validity",
                    found,
                    wanted,
                ))
            }
            _ => Ok((backdated.max(issuer.not_before()), not_after)),
        }
    }
}

impl Request {
    /// The subject, byte for byte.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key to certify.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Its alternative names, in the request's order.
    pub fn alternative_names(&self) -> &[AlternativeName] {
        &self.alternative_names
    }

    /// The device it is for, in lower case.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Last moment of validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

impl<'a> IssuerView<'a> {
    /// The view of a CA that exists.
    pub fn of(certificate: &'a Certificate, signature: SignatureAlgorithm) -> IssuerView<'a> {
        IssuerView {
            subject: certificate.subject(),
            signature,
            certificate: Some(certificate),
        }
    }

    /// The view of a root that is about to sign itself.
    pub fn self_signed(subject: &'a Name, signature: SignatureAlgorithm) -> IssuerView<'a> {
        IssuerView {
            subject,
            signature,
            certificate: None,
        }
    }
}

fn ca_value<'a>(rule: &'a Rule, naming: Naming<'a>) -> Result<&'a str, Refusal> {
    let kind: AttributeType = rule.kind();
    let object = format!("the CA's {}", kind.short);
    let value = match rule.source() {
        Source::Factory => Some(naming.factory),
        _ => naming.name.or(rule.default()),
    };
    let value = value
        .ok_or_else(|| Refusal::new("subject-missing", object.clone(), "missing", "a name"))?;
    subject::bounded(value, kind, object)
}

fn refuse_ca(value: &[u8]) -> Result<(), Refusal> {
    use x509_parser::extensions::BasicConstraints;
    let found = match BasicConstraints::from_der(value) {
        Ok(([], constraints)) if !constraints.ca => return Ok(()),
        Ok(([], _)) => "CA:TRUE",
        _ => "unreadable",
    };
    Err(Refusal::new(
        "csr-asks-for-ca",
        "the requested basicConstraints",
        found,
        "none, or CA:FALSE",
    ))
}

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
/// Extensions every profile writes itself: a request may ask for them, its values are not used.
const LISTED: [&str; 5] = [
    "2.5.29.14",
    "2.5.29.15",
    BASIC_CONSTRAINTS,
    "2.5.29.37",
    SUBJECT_ALT_NAME,
];
