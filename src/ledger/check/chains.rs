//! The audit chains: link by link, every fact against its row, every row's facts.

use rusqlite::Connection;

use crate::hex;
use crate::ledger::CrlId;
use crate::ledger::digest::{GENESIS, Link};
use crate::ledger::fact::{Fact, Verb};
use crate::ledger::store::audit::{self, EventRow, WriterRow};
use crate::ledger::store::{crl, registrar};
use crate::timestamp::Timestamp;

use super::Findings;

type Result<T> = rusqlite::Result<T>;

/// Which facts were met, four bytes of flags for each row.
pub(super) struct Seen {
    crls: Flags,
    pub(super) entries: Flags,
    permits: Flags,
    refusals: Flags,
    registrars: Flags,
    writers: Flags,
}

/// Facts met about the rows of one table.
pub(super) struct Flags(Vec<u32>);

/// Verifies every chain; what it met about the entries is compared with their states afterwards.
pub(super) fn walk(connection: &Connection, ledger: &str, findings: &mut Findings) -> Result<Seen> {
    let writers = audit::writers(connection)?;
    let mut walk = Walk {
        connection,
        writers: &writers,
        seen: Seen {
            crls: Flags::new(audit::last(connection, "crl")?),
            entries: Flags::new(audit::last(connection, "entry")?),
            permits: Flags::new(audit::last(connection, "permit")?),
            refusals: Flags::new(audit::last(connection, "refusal")?),
            registrars: Flags::new(audit::last(connection, "registrar")?),
            writers: Flags::new(audit::last(connection, "writer")?),
        },
        findings,
    };
    for writer in &writers {
        walk.chain(ledger, writer)?;
    }
    walk.rows_without_facts()?;
    Ok(walk.seen)
}

pub(super) struct Walk<'a> {
    pub(super) connection: &'a Connection,
    pub(super) writers: &'a [WriterRow],
    seen: Seen,
    findings: &'a mut Findings,
}

impl Walk<'_> {
    fn chain(&mut self, ledger: &str, writer: &WriterRow) -> Result<()> {
        let (mut previous, mut seq, mut newest) = (GENESIS, 0, writer.started_at);
        let connection = self.connection;
        audit::events(connection, writer.id, |event| {
            let object = format!("event {} of writer {}", event.seq, writer.id);
            seq += 1;
            self.findings
                .compare("chain-sequence", &object, event.seq, seq);
            let link = Link {
                previous,
                ledger,
                writer: &writer.name,
                seq: event.seq,
                at: event.at,
                body: &event.body,
            };
            let (found, wanted) = (hex::encode(event.hash), hex::encode(link.hash()));
            self.findings.compare("chain-hash", object, found, wanted);
            (previous, seq, newest) = (event.hash, event.seq, newest.max(event.at));
            self.findings.events += 1;
            self.facts(writer, event)
        })?;
        let end = |seq: i64, hash: [u8; 32], at: Timestamp| {
            format!("event {seq} with hash {} by {at}", hex::encode(hash))
        };
        self.findings.compare(
            "chain-head",
            format!("writer {}", writer.id),
            end(writer.head_seq, writer.head_hash, writer.head_at),
            end(seq, previous, newest),
        );
        Ok(())
    }

    fn facts(&mut self, writer: &WriterRow, event: &EventRow) -> Result<()> {
        for line in event.body.lines() {
            let object = format!("event {} of writer {}", event.seq, writer.id);
            let Some(fact) = Fact::from_line(line) else {
                self.findings.add("fact-unknown", object, line, "a fact");
                continue;
            };
            if self.seen.of(fact.verb).set(fact.id, flag(fact.verb)) == Some(true)
                && fact.verb != Verb::PermitUsed
            {
                self.findings
                    .add("fact-repeated", object, line, "each fact once");
                continue;
            }
            match self.wanted(&fact, writer, event)? {
                Some(wanted) => self.findings.compare("fact-differs", object, line, &wanted),
                None => self
                    .findings
                    .add("fact-without-row", object, line, "a row it is about"),
            }
        }
        Ok(())
    }

    fn rows_without_facts(&mut self) -> Result<()> {
        for writer in self.writers {
            let ended = writer.ended_at.map_or(0, |_| flag(Verb::WriterEnded));
            let wanted = flag(Verb::WriterStarted) | ended;
            self.missing(
                "writer",
                writer.id,
                self.seen.writers.get(writer.id),
                wanted,
            );
        }
        for id in 1..=audit::last(self.connection, "permit")? {
            if let Some(permit) = audit::permit(self.connection, id)? {
                let used = permit.used_by.map_or(0, |_| flag(Verb::PermitUsed));
                let wanted = flag(Verb::Permitted) | used;
                self.missing("permit", id, self.seen.permits.get(id), wanted);
            }
        }
        for id in 1..=audit::last(self.connection, "refusal")? {
            if audit::refusal(self.connection, id)?.is_some() {
                let found = self.seen.refusals.get(id);
                self.missing("refusal", id, found, flag(Verb::Refused));
            }
        }
        for id in 1..=audit::last(self.connection, "crl")? {
            if let Some(list) = crl::by_id(self.connection, CrlId(id))? {
                let issued = list.sha256.map_or(0, |_| flag(Verb::CrlIssued));
                let wanted = flag(Verb::CrlReserved) | issued;
                self.missing("crl", id, self.seen.crls.get(id), wanted);
            }
        }
        for registrar in registrar::all(self.connection)? {
            let closed = registrar
                .closed_at
                .map_or(0, |_| flag(Verb::RegistrarClosed));
            let wanted = flag(Verb::RegistrarCreated) | closed;
            let id = registrar.id.0;
            self.missing("registrar", id, self.seen.registrars.get(id), wanted);
        }
        Ok(())
    }

    fn missing(&mut self, table: &str, id: i64, found: u32, wanted: u32) {
        if found != wanted {
            let object = format!("{table} {id}");
            self.findings
                .add("fact-missing", object, names(found), names(wanted));
        }
    }
}

impl Seen {
    fn of(&mut self, verb: Verb) -> &mut Flags {
        match verb {
            Verb::Reserved
            | Verb::Issued
            | Verb::Superseded
            | Verb::Revoked
            | Verb::Abandoned
            | Verb::Registered
            | Verb::Offered
            | Verb::GatewayDone
            | Verb::GatewayRefused => &mut self.entries,
            Verb::CrlReserved | Verb::CrlIssued => &mut self.crls,
            Verb::RegistrarCreated | Verb::RegistrarClosed => &mut self.registrars,
            Verb::Permitted | Verb::PermitUsed => &mut self.permits,
            Verb::Refused => &mut self.refusals,
            Verb::WriterStarted | Verb::WriterEnded => &mut self.writers,
        }
    }
}

impl Flags {
    fn new(last: i64) -> Flags {
        Flags(vec![
            0;
            usize::try_from(last).unwrap_or(0).saturating_add(1)
        ])
    }

    /// The flags of a row; none for a row that is not there.
    pub(super) fn get(&self, id: i64) -> u32 {
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        self.0.get(index).copied().unwrap_or(0)
    }

    /// Sets a flag; whether it was set before, `None` for a row that is not there.
    fn set(&mut self, id: i64, flag: u32) -> Option<bool> {
        let flags = self.0.get_mut(usize::try_from(id).ok()?)?;
        let before = *flags & flag != 0;
        *flags |= flag;
        Some(before)
    }
}

/// The flag of a fact within its table.
pub(super) fn flag(verb: Verb) -> u32 {
    1 << verb as u32
}

/// The facts a set of flags stands for.
pub(super) fn names(flags: u32) -> String {
    let verbs = Verb::ALL
        .into_iter()
        .filter(|verb| flags & flag(*verb) != 0);
    let names: Vec<&str> = verbs.map(Verb::as_str).collect();
    match names.is_empty() {
        true => "no fact".to_owned(),
        false => names.join(", "),
    }
}
