//! The TBS assembled around bytes that are carried verbatim.

use der::asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, OctetStringRef, UintRef, UtcTime};
use der::{DateTime, Decode, Encode, Sequence, asn1::Any};

use super::{Tbs, Template, TemplateError, extensions};
use crate::timestamp::Timestamp;

impl Template {
    /// Writes the TBSCertificate with the issuer, the subject and the key exactly as they were read.
    pub fn to_tbs(&self) -> Result<Tbs, TemplateError> {
        let algorithm = self.signature.to_der();
        let extensions = extensions::write(self)?;
        let body = Body {
            version: V3,
            serial: UintRef::new(self.serial.as_bytes())?,
            signature: AnyRef::from_der(&algorithm)?,
            issuer: AnyRef::from_der(self.issuer.der())?,
            validity: Validity {
                not_before: time(self.not_before)?,
                not_after: time(self.not_after)?,
            },
            subject: AnyRef::from_der(self.subject.der())?,
            spki: AnyRef::from_der(self.key.spki())?,
            extensions: extensions
                .iter()
                .map(Extension::of)
                .collect::<Result<_, _>>()?,
        };
        Ok(Tbs {
            der: body.to_der()?,
            signature: self.signature,
        })
    }
}

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
pub(crate) fn time(moment: Timestamp) -> der::Result<Any> {
    let calendar = moment.calendar();
    let year = u16::try_from(calendar.year()).map_err(|_| der::ErrorKind::DateTime)?;
    let moment = DateTime::new(
        year,
        calendar.month().into(),
        calendar.day(),
        calendar.hour(),
        calendar.minute(),
        calendar.second(),
    )?;
    match year {
        ..2050 => Any::encode_from(&UtcTime::from_date_time(moment)?),
        _ => Any::encode_from(&GeneralizedTime::from_date_time(moment)),
    }
}

#[derive(Sequence)]
struct Body<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: UintRef<'a>,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    spki: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension<'a>>,
}

#[derive(Sequence)]
struct Validity {
    not_before: Any,
    not_after: Any,
}

#[derive(Sequence)]
struct Extension<'a> {
    oid: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

impl<'a> Extension<'a> {
    fn of(extension: &'a crate::x509::Extension) -> der::Result<Extension<'a>> {
        Ok(Extension {
            oid: extension.oid,
            critical: extension.critical,
            value: OctetStringRef::new(&extension.value)?,
        })
    }
}

/// RFC 5280 section 4.1.2.1: version 3 is written as 2.
const V3: u8 = 2;
