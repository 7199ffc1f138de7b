//! From a request, or an officer's wish, to what will be certified.

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::schema::{AlternativeNamesYaml, Nesting, RequestedExtensions, Source};
use super::subject::{self, Rule, shown};
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

    fn admit_alternative_names(
        &self,
        extensions: &[Extension],
    ) -> Result<Vec<AlternativeName>, Refusal> {
        let Some(allowed) = &self.alternative_names else {
            return Ok(Vec::new());
        };
        let requested = extensions
            .iter()
            .find(|extension| extension.oid.to_string() == SUBJECT_ALT_NAME);
        let names = match requested {
            Some(extension) => read_alternative_names(&extension.value)?,
            None => Vec::new(),
        };
        if names.is_empty() {
            return Err(Refusal::new(
                "san-missing",
                "the requested subjectAltName",
                "missing",
                "at least one dNSName or iPAddress",
            ));
        }
        match names.iter().find(|name| !allowed.allows(name)) {
            Some(name) => {
                let wanted = format!("one that the lists of profile `{}` allow", self.name);
                Err(Refusal::new(
                    "san-not-allowed",
                    "a requested alternative name",
                    name.shown(),
                    wanted,
                ))
            }
            None => Ok(names),
        }
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

impl AlternativeNamesYaml {
    fn allows(&self, name: &AlternativeName) -> bool {
        match name {
            AlternativeName::Ip(address) => self.ip.contains(address),
            AlternativeName::Dns(name) => self.dns.iter().any(|pattern| dns_matches(pattern, name)),
        }
    }
}

impl AlternativeName {
    fn shown(&self) -> String {
        match self {
            AlternativeName::Dns(name) => shown(name),
            AlternativeName::Ip(address) => address.to_string(),
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
    let length = value.chars().count();
    if length == 0 || length > kind.longest {
        let wanted = format!("1 to {} characters", kind.longest);
        return Err(Refusal::new(
            "subject-length",
            object,
            format!("{length} characters long"),
            wanted,
        ));
    }
    match value.chars().any(char::is_control) {
        true => Err(Refusal::new(
            "subject-characters",
            object,
            shown(value),
            "text without control characters",
        )),
        false => Ok(value),
    }
}

/// A leading `*` stands for exactly one label.
fn dns_matches(pattern: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(parent) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => name == pattern,
    }
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

fn read_alternative_names(value: &[u8]) -> Result<Vec<AlternativeName>, Refusal> {
    use x509_parser::extensions::SubjectAlternativeName;
    let Ok(([], list)) = SubjectAlternativeName::from_der(value) else {
        let object = "the requested subjectAltName";
        let wanted = "SEQUENCE OF GeneralName in DER";
        return Err(Refusal::new("san-kind", object, "unreadable", wanted));
    };
    list.general_names
        .iter()
        .map(read_alternative_name)
        .collect()
}

fn read_alternative_name(name: &GeneralName<'_>) -> Result<AlternativeName, Refusal> {
    let (object, found, wanted) = match name {
        GeneralName::DNSName(name) if is_host_name(name) => {
            return Ok(AlternativeName::Dns((*name).to_owned()));
        }
        GeneralName::DNSName(name) => ("a requested dNSName", shown(name), "a host name"),
        GeneralName::IPAddress(octets) => match address(octets) {
            Some(address) => return Ok(AlternativeName::Ip(address)),
            None => (
                "a requested iPAddress",
                format!("{} octets long", octets.len()),
                "4 or 16 octets",
            ),
        },
        other => (
            "a requested alternative name",
            kind_of(other),
            "a dNSName or iPAddress",
        ),
    };
    Err(Refusal::new("san-kind", object, found, wanted))
}

/// What RFC 5280 section 4.2.1.6 calls a kind of name that no profile takes, with its value where it is text.
fn kind_of(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::URI(uri) => format!("the uniformResourceIdentifier {}", shown(uri)),
        GeneralName::RFC822Name(mailbox) => format!("the rfc822Name {}", shown(mailbox)),
        GeneralName::DirectoryName(_) => "a directoryName".to_owned(),
        GeneralName::OtherName(kind, _) => format!("an otherName of type {kind}"),
        GeneralName::RegisteredID(number) => format!("the registeredID {number}"),
        _ => "of another kind".to_owned(),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

/// RFC 1123 host names, a leading `*` label allowed.
pub(super) fn is_host_name(name: &str) -> bool {
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let sane = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && labels.split('.').all(sane)
}

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
/// Extensions every profile writes itself: a request may ask for them, its values are not used.
const LISTED: [&str; 5] = [
    "2.5.29.14",
    "2.5.29.15",
    BASIC_CONSTRAINTS,
    "2.5.29.37",
    SUBJECT_ALT_NAME,
];
