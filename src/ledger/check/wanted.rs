//! What a fact should say according to the row it is about.

use crate::ledger::fact::{Fact, Permit, Process, Verb};
use crate::ledger::store::audit::{self, EventRow, WriterRow};
use crate::ledger::store::{crl, read, registrar};
use crate::ledger::{CrlId, Entry, EntryId, GatewayState, Intent, Refused, RegistrarId, State};
use crate::timestamp::Timestamp;
use crate::x509::key::sha256;

use super::chains::Walk;

type Result<T> = rusqlite::Result<T>;

impl Walk<'_> {
    /// The line as it should be according to the row it is about; `None` if there is no such row.
    pub(super) fn wanted(
        &self,
        fact: &Fact,
        writer: &WriterRow,
        event: &EventRow,
    ) -> Result<Option<String>> {
        let id = fact.id;
        Ok(match fact.verb {
            Verb::Reserved | Verb::Issued | Verb::Superseded | Verb::Revoked | Verb::Abandoned => {
                match read::entry(self.connection, EntryId(id))? {
                    Some(entry) => Some(self.wanted_of_entry(fact, &entry, writer, event)?),
                    None => None,
                }
            }
            Verb::Registered | Verb::Offered | Verb::GatewayDone | Verb::GatewayRefused => {
                read::entry(self.connection, EntryId(id))?
                    .and_then(|entry| wanted_of_registration(fact.verb, &entry, writer, event))
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
            Verb::RegistrarCreated => {
                registrar::by_id(self.connection, RegistrarId(id))?.map(|row| {
                    let line = Fact::registrar_created(id, row.digest(), &row.name);
                    told(line, event.at, row.created_at, "", "")
                })
            }
            Verb::RegistrarClosed => {
                registrar::by_id(self.connection, RegistrarId(id))?.map(|row| {
                    match (row.closed_at, &row.closed_by) {
                        (Some(at), Some(by)) => {
                            told(Fact::registrar_closed(id, by), event.at, at, "", "")
                        }
                        _ => "a registrar that was not closed".to_owned(),
                    }
                })
            }
            Verb::CrlReserved => crl::by_id(self.connection, CrlId(id))?.map(|row| {
                let line = Fact::crl_reserved(id, row.asked().digest(row.number), row.number);
                told(line, event.at, row.reserved_at, &writer.name, &row.writer)
            }),
            Verb::CrlIssued => crl::by_id(self.connection, CrlId(id))?.map(|row| {
                match (row.recorded_at, row.sha256) {
                    (Some(at), Some(sha256)) => {
                        let line = Fact::crl_issued(id, sha256);
                        told(line, event.at, at, &writer.name, &row.writer)
                    }
                    _ => "a list that was not issued".to_owned(),
                }
            }),
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
        let ended_as = |state| (entry.state == state).then_some(entry.ended_at).flatten();
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
                match by.filter(|_| follows) {
                    Some(by) => stands(ended_as(State::Revoked), Fact::superseded(id, by.0)),
                    None => format!("an entry that took the place of entry {id}"),
                }
            }
            Verb::Revoked => {
                let line = Fact::revoked(id, entry.reason.unwrap_or_default());
                stands(ended_as(State::Revoked), line)
            }
            Verb::Abandoned => stands(ended_as(State::Abandoned), Fact::abandoned(id)),
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

    fn writer(&self, id: i64) -> Option<&WriterRow> {
        self.writers.iter().find(|writer| writer.id == id)
    }
}

fn wanted_of_registration(
    verb: Verb,
    entry: &Entry,
    writer: &WriterRow,
    event: &EventRow,
) -> Option<String> {
    let registration = entry.registration.as_ref()?;
    let id = entry.id.0;
    let at_gateway = |wanted, line: Fact| match registration.gateway == wanted {
        true => line.to_string(),
        false => format!("entry {id} is `{}` at the gateway", registration.gateway),
    };
    Some(match verb {
        Verb::Offered => match registration.offered_at {
            Some(at) => told(Fact::offered(id), event.at, at, "", ""),
            None => format!("entry {id} was never offered"),
        },
        Verb::GatewayDone => at_gateway(GatewayState::Done, Fact::gateway_done(id)),
        Verb::GatewayRefused => at_gateway(GatewayState::Refused, Fact::gateway_refused(id)),
        _ => {
            let line = Fact::registered(id, registration.asked().digest());
            let (found, wanted) = (&writer.name, &entry.writer);
            told(line, event.at, entry.reserved_at, found, wanted)
        }
    })
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
