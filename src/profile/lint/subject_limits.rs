//! Attribute values keep to their upper bounds and hold no control characters.

use super::{Examined, Lint, Outcome, expect};
use crate::x509::Name;
use crate::x509::name::AttributeType;

pub(super) const LINT: Lint = Lint {
    name: "subject-limits",
    clause: "RFC 5280 appendix A.1",
    object: "a subject attribute",
    check,
};

fn check(examined: &Examined<'_>) -> Outcome {
    let Ok(subject) = Name::from_der(examined.tbs.subject.as_raw()) else {
        return expect(false, "unreadable", "a name in DER");
    };
    for attribute in subject.attributes() {
        let Some(kind) = AttributeType::of(attribute.oid) else {
            return expect(false, attribute.oid, "a known attribute type");
        };
        let Some(text) = &attribute.text else {
            return expect(
                false,
                "of another string type",
                "UTF8String, PrintableString or IA5String",
            );
        };
        let length = text.chars().count();
        let wanted = format_args!("1 to {} characters", kind.longest);
        expect(
            (1..=kind.longest).contains(&length),
            format_args!("{} of {length} characters", kind.short),
            wanted,
        )?;
        let clean = !text.chars().any(char::is_control);
        expect(
            clean,
            format_args!("{} with control characters", kind.short),
            "plain text",
        )?;
    }
    Ok(())
}
