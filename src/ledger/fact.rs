//! The lines of an audit event: one fact each.
//!
//! ```text
//! reserved 17 serial=40ab… tbs=<sha256> row=<digest of everything about the entry that never changes>
//! issued 17 certificate=<sha256 of the DER>
//! superseded 12 by=17
//! revoked 17 reason=5
//! abandoned 17
//! registered 17 row=<digest>
//! offered 17
//! gateway-done 17
//! gateway-refused 17
//! refused 9 row=<digest> rule="key-too-small"
//! crl-reserved 2 row=<digest> number=17
//! crl-issued 2 sha256=<of the DER>
//! permitted 3 row=<digest> device="…"
//! permit-used 3 by=17
//! registrar-created 2 row=<digest> name="…"
//! registrar-closed 2 by="…"
//! writer-started 4 row=<digest> command="batch issue"
//! writer-ended 4
//! ```
//!
//! Free text stands last and is quoted as JSON, so a line cannot be forged from inside a name.

use std::fmt::{self, Write};

use crate::hex;
use crate::timestamp::Timestamp;

use super::digest::Digest;
use super::intent::Refused;

/// Something that happened to a row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) verb: Verb,
    /// The row: an entry, refusal, permit or writer, as the verb says.
    pub(super) id: i64,
    /// `key=value` words after the number, as written.
    details: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Abandoned,
    CrlIssued,
    CrlReserved,
    GatewayDone,
    GatewayRefused,
    Issued,
    Offered,
    PermitUsed,
    Permitted,
    Refused,
    Registered,
    RegistrarClosed,
    RegistrarCreated,
    Reserved,
    Revoked,
    Superseded,
    WriterEnded,
    WriterStarted,
}

impl Fact {
    pub(super) fn reserved(entry: i64, serial: &[u8], tbs: [u8; 32], row: [u8; 32]) -> Fact {
        let mut details = String::with_capacity(192);
        for (name, bytes) in [("serial=", serial), (" tbs=", &tbs), (" row=", &row)] {
            details.push_str(name);
            hex::push(&mut details, bytes);
        }
        Fact::new(Verb::Reserved, entry, details)
    }

    pub(super) fn issued(entry: i64, certificate: [u8; 32]) -> Fact {
        let details = format!("certificate={}", hex::encode(certificate));
        Fact::new(Verb::Issued, entry, details)
    }

    pub(super) fn superseded(entry: i64, by: i64) -> Fact {
        Fact::new(Verb::Superseded, entry, format!("by={by}"))
    }

    pub(super) fn abandoned(entry: i64) -> Fact {
        Fact::new(Verb::Abandoned, entry, String::new())
    }

    pub(super) fn refused(refusal: i64, row: [u8; 32], rule: &str) -> Fact {
        Fact::described(Verb::Refused, refusal, row, "rule", rule)
    }

    pub(super) fn permitted(permit: i64, row: [u8; 32], device: &str) -> Fact {
        Fact::described(Verb::Permitted, permit, row, "device", device)
    }

    pub(super) fn permit_used(permit: i64, by: i64) -> Fact {
        Fact::new(Verb::PermitUsed, permit, format!("by={by}"))
    }

    pub(super) fn revoked(entry: i64, reason: u8) -> Fact {
        Fact::new(Verb::Revoked, entry, format!("reason={reason}"))
    }

    pub(super) fn registered(entry: i64, row: [u8; 32]) -> Fact {
        Fact::new(Verb::Registered, entry, format!("row={}", hex::encode(row)))
    }

    pub(super) fn offered(entry: i64) -> Fact {
        Fact::new(Verb::Offered, entry, String::new())
    }

    pub(super) fn gateway_done(entry: i64) -> Fact {
        Fact::new(Verb::GatewayDone, entry, String::new())
    }

    pub(super) fn gateway_refused(entry: i64) -> Fact {
        Fact::new(Verb::GatewayRefused, entry, String::new())
    }

    pub(super) fn registrar_created(registrar: i64, row: [u8; 32], name: &str) -> Fact {
        Fact::described(Verb::RegistrarCreated, registrar, row, "name", name)
    }

    pub(super) fn registrar_closed(registrar: i64, by: &str) -> Fact {
        let by = serde_json::Value::from(by);
        Fact::new(Verb::RegistrarClosed, registrar, format!("by={by}"))
    }

    pub(super) fn crl_reserved(crl: i64, row: [u8; 32], number: u32) -> Fact {
        let row = hex::encode(row);
        Fact::new(Verb::CrlReserved, crl, format!("row={row} number={number}"))
    }

    pub(super) fn crl_issued(crl: i64, sha256: [u8; 32]) -> Fact {
        let details = format!("sha256={}", hex::encode(sha256));
        Fact::new(Verb::CrlIssued, crl, details)
    }

    pub(super) fn writer_started(writer: i64, row: [u8; 32], command: &str) -> Fact {
        Fact::described(Verb::WriterStarted, writer, row, "command", command)
    }

    pub(super) fn writer_ended(writer: i64) -> Fact {
        Fact::new(Verb::WriterEnded, writer, String::new())
    }

    /// Reads a line again; `None` for anything this version does not write.
    pub(super) fn from_line(line: &str) -> Option<Fact> {
        let mut words = line.splitn(3, ' ');
        let verb = Verb::from_word(words.next()?)?;
        let id = words.next()?.parse().ok()?;
        let details = words.next().unwrap_or_default().to_owned();
        Some(Fact { verb, id, details })
    }

    /// Appends the line.
    pub(super) fn write_line(&self, text: &mut String) {
        // Writing to a text cannot go wrong.
        let _ = writeln!(text, "{self}");
    }

    /// The number after `by=`.
    pub(super) fn by(&self) -> Option<i64> {
        self.details.strip_prefix("by=")?.parse().ok()
    }

    fn described(verb: Verb, id: i64, row: [u8; 32], name: &str, text: &str) -> Fact {
        let (row, text) = (hex::encode(row), serde_json::Value::from(text));
        Fact::new(verb, id, format!("row={row} {name}={text}"))
    }

    fn new(verb: Verb, id: i64, details: String) -> Fact {
        Fact { verb, id, details }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fact { verb, id, details } = self;
        let space = if details.is_empty() { "" } else { " " };
        write!(f, "{} {id}{space}{details}", verb.as_str())
    }
}

impl Verb {
    pub(super) const ALL: [Verb; 18] = [
        Verb::Abandoned,
        Verb::CrlIssued,
        Verb::CrlReserved,
        Verb::GatewayDone,
        Verb::GatewayRefused,
        Verb::Issued,
        Verb::Offered,
        Verb::PermitUsed,
        Verb::Permitted,
        Verb::Refused,
        Verb::Registered,
        Verb::RegistrarClosed,
        Verb::RegistrarCreated,
        Verb::Reserved,
        Verb::Revoked,
        Verb::Superseded,
        Verb::WriterEnded,
        Verb::WriterStarted,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Verb::Abandoned => "abandoned",
            Verb::CrlIssued => "crl-issued",
            Verb::CrlReserved => "crl-reserved",
            Verb::GatewayDone => "gateway-done",
            Verb::GatewayRefused => "gateway-refused",
            Verb::Issued => "issued",
            Verb::Offered => "offered",
            Verb::PermitUsed => "permit-used",
            Verb::Permitted => "permitted",
            Verb::Refused => "refused",
            Verb::Registered => "registered",
            Verb::RegistrarClosed => "registrar-closed",
            Verb::RegistrarCreated => "registrar-created",
            Verb::Reserved => "reserved",
            Verb::Revoked => "revoked",
            Verb::Superseded => "superseded",
            Verb::WriterEnded => "writer-ended",
            Verb::WriterStarted => "writer-started",
        }
    }

    fn from_word(word: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.as_str() == word)
    }
}

/// A permit, for its digest.
pub(super) struct Permit<'a> {
    pub(super) namespace: &'a str,
    pub(super) device: &'a str,
    pub(super) allowed_by: &'a str,
    pub(super) allowed_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl Permit<'_> {
    /// Domain `factory-ca ledger permit 1`, namespace, device, who allowed it, when, until when.
    pub(super) fn digest(&self) -> [u8; 32] {
        Digest::of("factory-ca ledger permit 1")
            .bytes(self.namespace)
            .bytes(self.device)
            .bytes(self.allowed_by)
            .integer(self.allowed_at.unix())
            .integer(self.expires_at.unix())
            .finish()
    }
}

impl Refused<'_> {
    /// Domain `factory-ca ledger refusal 1`, source, profile, optional device, optional key, rule, message.
    pub(super) fn digest(&self) -> [u8; 32] {
        Digest::of("factory-ca ledger refusal 1")
            .bytes(self.source)
            .bytes(self.profile)
            .optional(self.device)
            .optional(self.key)
            .bytes(self.rule)
            .bytes(self.message)
            .finish()
    }
}

/// The process behind a chain.
pub(super) struct Process<'a> {
    pub(super) name: &'a str,
    pub(super) command: &'a str,
    pub(super) host: &'a str,
    pub(super) pid: i64,
}

impl Process<'_> {
    /// Domain `factory-ca ledger writer 1`, name, command, host, process id.
    pub(super) fn digest(&self) -> [u8; 32] {
        Digest::of("factory-ca ledger writer 1")
            .bytes(self.name)
            .bytes(self.command)
            .bytes(self.host)
            .integer(self.pid)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_they_are_written() {
        let facts = [
            (Fact::superseded(12, 17), "superseded 12 by=17"),
            (Fact::abandoned(17), "abandoned 17"),
            (Fact::permit_used(3, 17), "permit-used 3 by=17"),
            (Fact::writer_ended(4), "writer-ended 4"),
        ];
        for (fact, line) in facts {
            assert_eq!(fact.to_string(), line);
            assert_eq!(Fact::from_line(line), Some(fact));
        }
        assert_eq!(Fact::superseded(12, 17).by(), Some(17));
        assert_eq!(Fact::from_line("vanished 17"), None);
    }

    #[test]
    fn free_text_cannot_start_a_line_of_its_own() {
        let fact = Fact::refused(9, [0; 32], "a\nissued 17 certificate=00");
        assert_eq!(fact.to_string().lines().count(), 1);
        assert_eq!(Fact::from_line(&fact.to_string()), Some(fact));
    }
}
