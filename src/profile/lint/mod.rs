//! Lints: named checks of the TBS bytes, each against a clause, before a token may sign them.
//!
//! The bytes are parsed anew by a library that did not write them. [`check`] is the only way to a [`Linted`], and only
//! a [`Linted`] can be signed: the bytes that were linted are the bytes that are signed.

mod alternative_names;
mod authority_key_identifier;
mod basic_constraints;
mod extended_key_usage;
mod extensions_listed;
mod extensions_unique;
mod issuer_may_sign;
mod issuer_name;
mod key_usage;
mod nesting;
mod oids;
mod public_key;
mod serial_number;
mod signature_algorithm;
mod subject_key_identifier;
mod subject_limits;
mod subject_name;
mod time_encoding;
mod unique_identifiers;
mod validity;
mod version;

#[cfg(test)]
mod tests;

use std::fmt::{self, Display};

use ::der::asn1::ObjectIdentifier;
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;

use super::{IssuerView, Profile, Request};
use crate::x509::{Name, Tbs};

/// TBS bytes that passed every lint.
#[derive(Debug)]
pub struct Linted(Tbs);

/// A lint that fired: our own bytes are not what they should be, so nothing is signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lint `{lint}`: {object} is {found}, wanted is {wanted} ({clause})")]
pub struct Finding {
    /// The lint's name.
    pub lint: &'static str,
    /// The clause it holds the bytes to.
    pub clause: &'static str,
    /// What was looked at.
    pub object: &'static str,
    /// The value found.
    pub found: String,
    /// The value wanted.
    pub wanted: String,
}

/// One named check.
pub struct Lint {
    /// Its stable name.
    pub name: &'static str,
    /// The clause it cites.
    pub clause: &'static str,
    /// What it looks at.
    pub object: &'static str,
    check: fn(&Examined<'_>) -> Outcome,
}

/// Every lint, in the order they run.
pub const LINTS: [Lint; 20] = [
    version::LINT,
    serial_number::LINT,
    signature_algorithm::LINT,
    issuer_name::LINT,
    issuer_may_sign::LINT,
    time_encoding::LINT,
    validity::LINT,
    nesting::LINT,
    subject_name::LINT,
    subject_limits::LINT,
    public_key::LINT,
    unique_identifiers::LINT,
    extensions_unique::LINT,
    extensions_listed::LINT,
    authority_key_identifier::LINT,
    subject_key_identifier::LINT,
    basic_constraints::LINT,
    key_usage::LINT,
    extended_key_usage::LINT,
    alternative_names::LINT,
];

/// Runs every lint over the bytes; the first that fires is returned and nothing may be signed.
pub fn check(
    tbs: Tbs,
    profile: &Profile,
    issuer: IssuerView<'_>,
    request: &Request,
) -> Result<Linted, Finding> {
    let parsed = match TbsCertificate::from_der(tbs.der()) {
        Ok(([], parsed)) => parsed,
        Ok((rest, _)) => return Err(unreadable(format!("followed by {} bytes", rest.len()))),
        Err(_) => return Err(unreadable("not readable".to_owned())),
    };
    let examined = Examined {
        tbs: &parsed,
        profile,
        issuer,
        request,
    };
    for lint in &LINTS {
        (lint.check)(&examined).map_err(|Deviation { found, wanted }| Finding {
            lint: lint.name,
            clause: lint.clause,
            object: lint.object,
            found,
            wanted,
        })?;
    }
    drop(parsed);
    Ok(Linted(tbs))
}

impl Linted {
    /// The bytes.
    pub fn tbs(&self) -> &Tbs {
        &self.0
    }
}

/// What a lint sees: the bytes as an independent parser reads them, and what they should say.
struct Examined<'a> {
    tbs: &'a TbsCertificate<'a>,
    profile: &'a Profile,
    issuer: IssuerView<'a>,
    request: &'a Request,
}

impl<'a> Examined<'a> {
    /// The extension with an object identifier, if it is there.
    fn extension(&self, oid: ObjectIdentifier) -> Option<&'a X509Extension<'a>> {
        let mut extensions = self.tbs.extensions().iter();
        extensions.find(|extension| extension.oid.as_bytes() == oid.as_bytes())
    }

    /// Its parsed content.
    fn parsed(&self, oid: ObjectIdentifier) -> Option<(&'a ParsedExtension<'a>, bool)> {
        self.extension(oid)
            .map(|extension| (extension.parsed_extension(), extension.critical))
    }
}

/// What was found instead of what was wanted.
struct Deviation {
    found: String,
    wanted: String,
}

type Outcome = Result<(), Deviation>;

/// The texts are made only when the lint fires: pass `format_args!`, because lints run for every certificate.
fn expect(holds: bool, found: impl Display, wanted: impl Display) -> Outcome {
    match holds {
        true => Ok(()),
        false => Err(Deviation {
            found: found.to_string(),
            wanted: wanted.to_string(),
        }),
    }
}

/// A name in DER that shows itself as text.
struct NameBytes<'a>(&'a [u8]);

impl Display for NameBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Name::from_der(self.0) {
            Ok(name) => write!(f, "`{name}`"),
            Err(_) => f.write_str("unreadable"),
        }
    }
}

fn unreadable(found: String) -> Finding {
    Finding {
        lint: "structure",
        clause: "RFC 5280 section 4.1",
        object: "the TBSCertificate",
        found,
        wanted: "one DER structure".to_owned(),
    }
}
