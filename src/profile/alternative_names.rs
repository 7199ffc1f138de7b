//! Alternative names: what a request asks for, held against the profile's lists.

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::schema::AlternativeNamesYaml;
use super::subject::shown;
use super::{Profile, Refusal};
use crate::x509::Extension;
use crate::x509::certificate::address;
use crate::x509::template::AlternativeName;

impl Profile {
    pub(super) fn admit_alternative_names(
        &self,
        extensions: &[Extension],
    ) -> Result<Vec<AlternativeName>, Refusal> {
        if self.alternative_names.is_none() {
            return Ok(Vec::new());
        }
        let requested = extensions
            .iter()
            .find(|extension| extension.oid.to_string() == SUBJECT_ALT_NAME);
        let names = match requested {
            Some(extension) => read_alternative_names(&extension.value)?,
            None => Vec::new(),
        };
        self.allow_names(&names)?;
        Ok(names)
    }

    /// Holds names against the profile's lists; a profile without lists takes none, and refuses none.
    pub(super) fn allow_names(&self, names: &[AlternativeName]) -> Result<(), Refusal> {
        let Some(allowed) = &self.alternative_names else {
            return Ok(());
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
                let found = match name {
                    AlternativeName::Dns(name) => shown(name),
                    AlternativeName::Ip(address) => address.to_string(),
                };
                let wanted = format!("one that the lists of profile `{}` allow", self.name);
                let object = "a requested alternative name";
                Err(Refusal::new("san-not-allowed", object, found, wanted))
            }
            None => Ok(()),
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

/// Whether it is a host name as RFC 1123 has them; a leading `*` label is allowed.
pub fn is_host_name(name: &str) -> bool {
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

pub(super) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
