//! The audit chains: link by link, and every fact against its row.

use rusqlite::Connection;

use crate::hex;
use crate::ledger::digest::{GENESIS, Link};
use crate::ledger::fact::{Fact, Permit, Process, Verb};
use crate::ledger::store::audit::{self, EventRow, WriterRow};
use crate::ledger::store::read;
use crate::ledger::{Entry, EntryId, Intent, Refused, State};
use crate::timestamp::Timestamp;
use crate::x509::key::sha256;

use super::Findings;

type Result<T> = rusqlite::Result<T>;

/// Which facts were met, two bytes of flags for each row.
pub(super) struct Seen {
    pub(super) entries: Flags,
    permits: Flags,
    refusals: Flags,
    writers: Flags,
}

/// Facts met about the rows of one table.
pub(super) struct Flags(Vec<u16>);

/// Verifies every chain; what it met about the entries is compared with their states afterwards.
pub(super) fn walk(connection: &Connection, ledger: &str, findings: &mut Findings) -> Result<Seen> {
    let writers = audit::writers(connection)?;
    let mut walk = Walk {
        connection,
        writers: &writers,
        seen: Seen {
            entries: Flags::new(audit::last(connection, "entry")?),
            permits: Flags::new(audit::last(connection, "permit")?),
            refusals: Flags::new(audit::last(connection, "refusal")?),
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

struct Walk<'a> {
    connection: &'a Connection,
    writers: &'a [WriterRow],
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

    /// The line as it should be according to the row it is about; `None` if there is no such row.
    fn wanted(&self, fact: &Fact, writer: &WriterRow, event: &EventRow) -> Result<Option<String>> {
        let id = fact.id;
        Ok(match fact.verb {
            Verb::Reserved | Verb::Issued | Verb::Superseded | Verb::Abandoned => {
                match read::entry(self.connection, EntryId(id))? {
                    Some(entry) => Some(self.wanted_of_entry(fact, &entry, writer, event)?),
                    None => None,
                }
            }
            Verb::Refused => audit::refusal(self.connection, id)?.map(|row| {
                let refused = Refused {
                    source: &row.source,
                    profile: &row.profile,
                    device: row.device.as_deref(),
                    key: row.key,
                    rule: &row.rule,
                    message: &row.message,
                };
                let line = Fact::refused(id, refused.digest(), &row.rule);
                told(line, event.at, row.at, &writer.name, &row.writer)
            }),
            Verb::Permitted => audit::permit(self.connection, id)?.map(|row| {
                let permit = Permit {
                    namespace: &row.namespace,
                    device: &row.device,
                    allowed_by: &row.allowed_by,
                    allowed_at: row.allowed_at,
                    expires_at: row.expires_at,
                };
                Fact::permitted(id, permit.digest(), &row.device).to_string()
            }),
            Verb::PermitUsed => self.wanted_use(fact)?,
            Verb::WriterStarted => self.writer(id).map(|row| {
                let process = Process {
                    name: &row.name,
                    command: &row.command,
                    host: &row.host,
                    pid: row.pid,
                };
                let line = Fact::writer_started(id, process.digest(), &row.command);
                told(line, event.at, row.started_at, &writer.name, &row.name)
            }),
            Verb::WriterEnded => self.writer(id).map(|row| match row.ended_at {
                Some(at) => told(Fact::writer_ended(id), event.at, at, "", ""),
                None => "a writer that has not ended".to_owned(),
            }),
        })
    }

    fn wanted_of_entry(
        &self,
        fact: &Fact,
        entry: &Entry,
        writer: &WriterRow,
        event: &EventRow,
    ) -> Result<String> {
        let id = entry.id.0;
        let stands = |at: Option<Timestamp>, line: Fact| match at {
            Some(at) => told(line, event.at, at, "", ""),
            None => format!("entry {id} is {}", entry.state),
        };
        Ok(match fact.verb {
            Verb::Issued => {
                let certificate = entry.certificate.as_deref().unwrap_or_default();
                let line = Fact::issued(id, sha256(certificate));
                match entry.writer == writer.name {
                    true => stands(entry.recorded_at, line),
                    false => format!("entry {id} was issued by writer {}", entry.writer),
                }
            }
            Verb::Superseded => {
                let by = fact.by().map(EntryId);
                let successor = match by {
                    Some(by) => read::entry(self.connection, by)?,
                    None => None,
                };
                let follows = successor.is_some_and(|next| next.previous == Some(entry.id));
                let revoked = (entry.state == State::Revoked).then_some(entry.ended_at);
                match by.filter(|_| follows) {
                    Some(by) => stands(revoked.flatten(), Fact::superseded(id, by.0)),
                    None => format!("an entry that took the place of entry {id}"),
                }
            }
            Verb::Abandoned => {
                let abandoned = (entry.state == State::Abandoned).then_some(entry.ended_at);
                stands(abandoned.flatten(), Fact::abandoned(id))
            }
            _ => {
                let row = Intent::of(entry).digest(entry.previous);
                let line = Fact::reserved(id, entry.serial.as_bytes(), entry.tbs, row);
                told(
                    line,
                    event.at,
                    entry.reserved_at,
                    &writer.name,
                    &entry.writer,
                )
            }
        })
    }

    /// A permit is used by its entry, or was by one that was abandoned.
    fn wanted_use(&self, fact: &Fact) -> Result<Option<String>> {
        let Some(permit) = audit::permit(self.connection, fact.id)? else {
            return Ok(None);
        };
        let by = fact.by().unwrap_or_default();
        let user = read::entry(self.connection, EntryId(by))?;
        let given_back = user.is_some_and(|entry| entry.state == State::Abandoned);
        Ok(match permit.used_by {
            Some(used_by) if !given_back => Some(Fact::permit_used(fact.id, used_by).to_string()),
            None => Some(format!("permit {} is unused", fact.id)),
            Some(_) => Some(Fact::permit_used(fact.id, by).to_string()),
        })
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
        Ok(())
    }

    fn missing(&mut self, table: &str, id: i64, found: u16, wanted: u16) {
        if found != wanted {
            let object = format!("{table} {id}");
            self.findings
                .add("fact-missing", object, names(found), names(wanted));
        }
    }

    fn writer(&self, id: i64) -> Option<&WriterRow> {
        self.writers.iter().find(|writer| writer.id == id)
    }
}

impl Seen {
    fn of(&mut self, verb: Verb) -> &mut Flags {
        match verb {
            Verb::Reserved | Verb::Issued | Verb::Superseded | Verb::Abandoned => &mut self.entries,
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
    pub(super) fn get(&self, id: i64) -> u16 {
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        self.0.get(index).copied().unwrap_or(0)
    }

    /// Sets a flag; whether it was set before, `None` for a row that is not there.
    fn set(&mut self, id: i64, flag: u16) -> Option<bool> {
        let flags = self.0.get_mut(usize::try_from(id).ok()?)?;
        let before = *flags & flag != 0;
        *flags |= flag;
        Some(before)
    }
}

/// The flag of a fact within its table.
pub(super) fn flag(verb: Verb) -> u16 {
    1 << verb as u16
}

/// The facts a set of flags stands for.
pub(super) fn names(flags: u16) -> String {
    let verbs = Verb::ALL
        .into_iter()
        .filter(|verb| flags & flag(*verb) != 0);
    let names: Vec<&str> = verbs.map(Verb::as_str).collect();
    match names.is_empty() {
        true => "no fact".to_owned(),
        false => names.join(", "),
    }
}

/// A line with time and writer of the event that holds it, made to differ when the row says otherwise.
fn told(
    line: Fact,
    event_at: Timestamp,
    row_at: Timestamp,
    writer: &str,
    row_writer: &str,
) -> String {
    match event_at == row_at && writer == row_writer {
        true => line.to_string(),
        false => format!("{line} (at {row_at} by writer {row_writer})"),
    }
}
