//! The subject: what a profile wants of each attribute, and whether a name keeps to it.

use ::der::Tag;

use super::schema::{Equals, Form, Source, SubjectYaml};
use super::{ProfileError, Refusal, inconsistent};
use crate::x509::Name;
use crate::x509::name::{self, Attribute, AttributeType};

/// What a profile wants of one subject attribute.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    kind: AttributeType,
    source: Source,
    default: Option<String>,
    check: Check,
    optional: bool,
}

#[derive(Clone, Debug)]
enum Check {
    Anything,
    EqualsIssuer,
    Uuid,
    OneOf(Vec<String>),
}

impl Rule {
    pub(super) fn from_yaml(yaml: &SubjectYaml) -> Result<Rule, ProfileError> {
        let kind = AttributeType::named(&yaml.attribute).ok_or_else(|| {
            let similarity = |name: &&str| strsim::jaro_winkler(name, &yaml.attribute);
            let nearest = AttributeType::names()
                .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
                .unwrap_or_default();
            let wanted = format!("`{nearest}` or another known attribute type");
            inconsistent("subject.attribute", format!("`{}`", yaml.attribute), wanted)
        })?;
        let check = match (&yaml.equals, &yaml.r#match, &yaml.one_of) {
            (None, None, None) => Check::Anything,
            (Some(Equals::Issuer), None, None) => Check::EqualsIssuer,
            (None, Some(Form::Uuid), None) => Check::Uuid,
            (None, None, Some(values)) => Check::OneOf(values.clone()),
            _ => {
                return Err(inconsistent(
                    "subject",
                    "more than one of `equals`, `match`, `one-of`",
                    "at most one for an attribute",
                ));
            }
        };
        if yaml.source_is_ours() && !matches!(check, Check::Anything) {
            return Err(inconsistent(
                "subject",
                "a check of a value that is not the request's",
                "`equals`, `match` and `one-of` only with `from: csr`",
            ));
        }
        if yaml.default.is_some() && yaml.from != Source::Name {
            return Err(inconsistent(
                "subject.default",
                "set",
                "`default` only with `from: name`",
            ));
        }
        Ok(Rule {
            kind,
            source: yaml.from,
            default: yaml.default.clone(),
            check,
            optional: yaml.optional,
        })
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }

    pub(super) fn kind(&self) -> AttributeType {
        self.kind
    }

    pub(super) fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    pub(super) fn is_optional(&self) -> bool {
        self.optional
    }

    /// Whether this attribute is what a device is known by.
    pub(super) fn names_device(&self) -> bool {
        matches!(self.check, Check::Uuid)
    }

    fn admit(&self, text: &str, issuer: &Name) -> Result<(), Refusal> {
        let object = format!("the subject's {}", self.kind.short);
        let refuse = |rule, wanted: String| Err(Refusal::new(rule, object, shown(text), wanted));
        match &self.check {
            Check::Uuid if !is_uuid(text) => refuse(
                "subject-uuid",
                "a UUID (8-4-4-4-12 hexadecimal digits)".into(),
            ),
            Check::EqualsIssuer if issuer.first(self.kind) != Some(text) => {
                let wanted = match issuer.first(self.kind) {
                    Some(wanted) => format!("{}, as in the issuer's name", shown(wanted)),
                    None => "that of the issuer's name, which has none".to_owned(),
                };
                refuse("subject-factory", wanted)
            }
            Check::OneOf(values) if !values.iter().any(|value| value == text) => {
                let values: Vec<String> = values.iter().map(|value| shown(value)).collect();
                refuse("subject-value", values.join(" or "))
            }
            _ => Ok(()),
        }
    }
}

impl SubjectYaml {
    fn source_is_ours(&self) -> bool {
        self.from != Source::Csr
    }
}

/// Holds a request's subject against the rules; returns the device it names, in lower case.
pub(super) fn admit(
    rules: &[Rule],
    subject: &Name,
    issuer: &Name,
) -> Result<Option<String>, Refusal> {
    let mut attributes = subject.attributes().iter().enumerate().peekable();
    let mut device = None;
    for rule in rules {
        let next = attributes.next_if(|(_, attribute)| attribute.oid == rule.kind.oid);
        let Some((position, attribute)) = next else {
            if rule.optional {
                continue;
            }
            let found = attributes.peek().map(|(_, attribute)| *attribute);
            return Err(missing(rules, rule, found));
        };
        let text = readable(position, attribute, rule.kind)?;
        rule.admit(text, issuer)?;
        if rule.names_device() {
            device = Some(text.to_ascii_lowercase());
        }
    }
    match attributes.next() {
        Some((_, attribute)) => Err(unwanted(rules, attribute)),
        None => Ok(device),
    }
}

/// Holds the subject of a CA's request against the rules, in any order.
pub(super) fn admit_ca(rules: &[Rule], subject: &Name, factory: &str) -> Result<(), Refusal> {
    let mut seen = Vec::new();
    for (position, attribute) in subject.attributes().iter().enumerate() {
        let fits = |rule: &&Rule| attribute.oid == rule.kind.oid && !seen.contains(&rule.kind.oid);
        let Some(rule) = rules.iter().find(fits) else {
            return Err(unwanted(rules, attribute));
        };
        let text = readable(position, attribute, rule.kind)?;
        if rule.source == Source::Factory && text != factory {
            return Err(Refusal::new(
                "subject-factory",
                format!("the subject's {}", rule.kind.short),
                shown(text),
                format!("{}, the factory", shown(factory)),
            ));
        }
        seen.push(rule.kind.oid);
    }
    match rules
        .iter()
        .find(|rule| !rule.optional && !seen.contains(&rule.kind.oid))
    {
        Some(rule) => Err(missing(rules, rule, None)),
        None => Ok(()),
    }
}

/// Upper bounds and characters (RFC 5280 appendix A.1); every attribute in an RDN of its own.
fn readable(position: usize, attribute: &Attribute, kind: AttributeType) -> Result<&str, Refusal> {
    let object = format!("the subject's {}", kind.short);
    if attribute.rdn != position {
        return Err(Refusal::new(
            "subject-multi-valued",
            object,
            "in an RDN with another attribute",
            "an RDN of its own",
        ));
    }
    let Some(text) = attribute.text.as_deref() else {
        return Err(Refusal::new(
            "subject-string-type",
            object,
            unreadable(attribute.tag),
            "a UTF8String, PrintableString or IA5String",
        ));
    };
    bounded(text, kind, object)
}

fn unreadable(tag: Tag) -> String {
    match tag {
        Tag::Utf8String => "a UTF8String that is not UTF-8".to_owned(),
        Tag::PrintableString | Tag::Ia5String => {
            let article = if tag == Tag::Ia5String { "an" } else { "a" };
            format!("{article} {tag} with characters that type does not have")
        }
        Tag::BmpString | Tag::TeletexString | Tag::NumericString | Tag::VisibleString => {
            format!("a {tag}")
        }
        _ => "no string".to_owned(),
    }
}

/// A value of a length the attribute type allows, without control characters.
pub(super) fn bounded(text: &str, kind: AttributeType, object: String) -> Result<&str, Refusal> {
    let length = text.chars().count();
    if length == 0 || length > kind.longest {
        let (found, wanted) = (
            format!("{length} characters long"),
            format!("1 to {} characters", kind.longest),
        );
        return Err(Refusal::new("subject-length", object, found, wanted));
    }
    match text.chars().any(char::is_control) {
        true => Err(Refusal::new(
            "subject-characters",
            object,
            shown(text),
            "text without control characters",
        )),
        false => Ok(text),
    }
}

fn missing(rules: &[Rule], rule: &Rule, found: Option<&Attribute>) -> Refusal {
    let found = match found {
        Some(attribute) => format!("missing where {} stands", name::label(attribute.oid)),
        None => "missing".to_owned(),
    };
    let object = format!("the subject's {}", rule.kind.short);
    Refusal::new("subject-missing", object, found, order(rules))
}

fn unwanted(rules: &[Rule], attribute: &Attribute) -> Refusal {
    let label = name::label(attribute.oid);
    let repeated = rules.iter().any(|rule| rule.kind.oid == attribute.oid);
    let value = attribute
        .text
        .as_deref()
        .map_or("(unreadable)".to_owned(), shown);
    let found = match repeated {
        true => format!("there again, or out of order, as {value}"),
        false => format!("there as {value}"),
    };
    Refusal::new(
        "subject-unwanted",
        format!("the subject's {label}"),
        found,
        order(rules),
    )
}

fn order(rules: &[Rule]) -> String {
    let named = |rule: &Rule| match rule.optional {
        true => format!("{} (optional)", rule.kind.short),
        false => rule.kind.short.to_owned(),
    };
    let names: Vec<String> = rules.iter().map(named).collect();
    format!("{}, in this order and nothing else", names.join(", "))
}

/// A value from a request as it may be shown: quoted, control characters escaped, no longer than a line.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", cut.escape_debug())
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
