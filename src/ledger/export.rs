//! The ledger as text: CSV for spreadsheets, NDJSON for programs.
//!
//! Columns, in this order, and members of the same names: `id`, `state`, `serial` (hexadecimal), `profile`,
//! `namespace`, `device`, `subject`, `issuer` (as text), `authority_key`, `key` (SHA-256 of the
//! SubjectPublicKeyInfo), `tbs` (SHA-256), `not_after`, `reserved_at`, `recorded_at`, `ended_at` (RFC 3339, UTC),
//! `reason` (CRLReason number), `previous` (the entry whose place it took), `writer`; and of what came through the
//! endpoint `registrar` (name; absent for an anonymous request), `source` (address), `gateway` (`none`, `pending`,
//! `done` or `refused`), `offered_at` (absent if nobody ever got the certificate). What is absent is an empty field in
//! CSV and `null` in NDJSON, which has one member more: `certificate`, as PEM.
//!
//! CSV follows RFC 4180: CRLF, every text quoted. Subjects and device names come from outside, so a text that a
//! spreadsheet would take for a formula (`=`, `+`, `-`, `@`, tab or carriage return first) gets a leading `'`.

use std::io::Write;

use crate::hex;
use crate::timestamp::Timestamp;
use crate::x509::Name;
use serde_json::{Map, Value};

use super::{Entry, Error, Filter, Ledger};

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header line.
    Csv,
    /// One JSON object per line, with certificates.
    Ndjson,
}

impl Ledger {
    /// Writes the entries that pass the filter, oldest first, as they are read; returns how many.
    pub fn export(
        &self,
        format: Format,
        filter: &Filter,
        output: &mut impl Write,
    ) -> Result<u64, Error> {
        if format == Format::Csv {
            write!(output, "{}\r\n", COLUMNS.join(","))?;
        }
        let mut written = 0;
        self.for_each(filter, |entry| {
            match format {
                Format::Csv => write!(output, "{}\r\n", csv(&values(entry)))?,
                Format::Ndjson => writeln!(output, "{}", ndjson(entry))?,
            }
            written += 1;
            Ok::<_, Error>(())
        })?;
        output.flush()?;
        Ok(written)
    }
}

fn values(entry: &Entry) -> [Value; COLUMNS.len()] {
    let text = |moment: Timestamp| Value::from(moment.to_string());
    let moment = |moment: Option<Timestamp>| moment.map_or(Value::Null, text);
    let registration = entry.registration.as_ref();
    [
        entry.id.0.into(),
        entry.state.as_str().into(),
        entry.serial.to_string().into(),
        entry.profile.as_str().into(),
        entry.namespace.as_deref().into(),
        entry.device.as_deref().into(),
        entry.subject.as_str().into(),
        issuer(&entry.issuer).into(),
        hex::encode(&entry.authority_key).into(),
        hex::encode(entry.key).into(),
        hex::encode(entry.tbs).into(),
        text(entry.not_after),
        text(entry.reserved_at),
        moment(entry.recorded_at),
        moment(entry.ended_at),
        entry.reason.into(),
        entry.previous.map(|previous| previous.0).into(),
        entry.writer.as_str().into(),
        registration
            .and_then(|known| known.registrar_name.as_deref())
            .into(),
        registration.map(|known| known.source.as_str()).into(),
        registration.map(|known| known.gateway.as_str()).into(),
        moment(registration.and_then(|known| known.offered_at)),
    ]
}

fn csv(values: &[Value]) -> String {
    let fields: Vec<String> = values.iter().map(csv_field).collect();
    fields.join(",")
}

fn csv_field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let guard = if text.starts_with(FORMULA) { "'" } else { "" };
            format!("\"{guard}{}\"", text.replace('"', "\"\""))
        }
        other => other.to_string(),
    }
}

fn ndjson(entry: &Entry) -> Value {
    let names = COLUMNS.iter().map(|name| (*name).to_owned());
    let mut object: Map<String, Value> = names.zip(values(entry)).collect();
    let certificate = entry
        .certificate
        .as_deref()
        .map(crate::x509::certificate::to_pem);
    object.insert("certificate".to_owned(), certificate.into());
    Value::Object(object)
}

/// The issuer as people write it, or its DER in hexadecimal where that cannot be read.
fn issuer(der: &[u8]) -> String {
    Name::from_der(der).map_or_else(|_| hex::encode(der), |name| name.to_string())
}

const COLUMNS: [&str; 22] = [
    "id",
    "state",
    "serial",
    "profile",
    "namespace",
    "device",
    "subject",
    "issuer",
    "authority_key",
    "key",
    "tbs",
    "not_after",
    "reserved_at",
    "recorded_at",
    "ended_at",
    "reason",
    "previous",
    "writer",
    "registrar",
    "source",
    "gateway",
    "offered_at",
];

/// What makes a spreadsheet program compute a cell instead of showing it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_never_formulas() {
        let cases = [
            ("plain", "\"plain\""),
            ("a \"b\", c", "\"a \"\"b\"\", c\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("-1", "\"'-1\""),
        ];
        for (text, wanted) in cases {
            assert_eq!(csv_field(&Value::from(text)), wanted);
        }
        assert_eq!(csv_field(&Value::Null), "");
    }
}
