//! Changes. Each is one statement inside the transaction of a group.

use rusqlite::{Connection, OptionalExtension, params};

use crate::ledger::fact::{Permit, Process};
use crate::ledger::revoke::SUPERSEDED;
use crate::ledger::writer::{Head, Reserved};
use crate::ledger::{Claim, EntryId, Intent, Refused};
use crate::timestamp::Timestamp;

use super::read::moment;

type Result<T> = rusqlite::Result<T>;

pub(in crate::ledger) fn begin(connection: &Connection) -> Result<()> {
    connection
        .prepare_cached("BEGIN IMMEDIATE")?
        .execute([])
        .map(drop)
}

pub(super) fn commit(connection: &Connection) -> Result<()> {
    connection.prepare_cached("COMMIT")?.execute([]).map(drop)
}

pub(in crate::ledger) fn rollback(connection: &Connection) -> Result<()> {
    connection.execute_batch("ROLLBACK")
}

pub(in crate::ledger) fn meta(connection: &Connection, key: &str, value: &str) -> Result<()> {
    connection
        .execute("INSERT INTO meta(key, value) VALUES (?1, ?2)", [key, value])
        .map(drop)
}

/// The number of an issuer, a new one if it never issued.
pub(in crate::ledger) fn issuer(connection: &Connection, subject: &[u8]) -> Result<i64> {
    let known = connection
        .prepare_cached("SELECT id FROM issuer WHERE subject = ?1")?
        .query_row([subject], |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => connection
            .prepare_cached("INSERT INTO issuer(subject) VALUES (?1)")?
            .insert([subject]),
    }
}

/// Inserts a reserved entry; a unique constraint fails when the issuer used the serial before.
pub(in crate::ledger) fn entry(
    connection: &Connection,
    intent: &Intent<'_>,
    issuer: i64,
    writer: i64,
    previous: Option<EntryId>,
    now: Timestamp,
) -> Result<EntryId> {
    let sql = "INSERT INTO entry(issuer, serial, authority_key, profile, namespace, device, subject, \
               key, tbs, not_after, state, writer, previous, reserved_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'reserved', ?11, ?12, ?13)";
    connection
        .prepare_cached(sql)?
        .insert(params![
            issuer,
            intent.serial.as_bytes(),
            intent.authority_key,
            intent.profile,
            intent.claim.map(|claim| claim.namespace),
            intent.claim.map(|claim| claim.device),
            intent.subject,
            intent.key,
            intent.tbs,
            intent.not_after.unix(),
            writer,
            previous.map(|previous| previous.0),
            now.unix(),
        ])
        .map(EntryId)
}

/// Points a device at the entry that now holds its place.
pub(in crate::ledger) fn place(
    connection: &Connection,
    claim: &Claim<'_>,
    entry: EntryId,
    previous: Option<EntryId>,
) -> Result<()> {
    let sql = match previous {
        None => "INSERT INTO device(entry, namespace, device) VALUES (?1, ?2, ?3)",
        Some(_) => "UPDATE device SET entry = ?1 WHERE namespace = ?2 AND device = ?3",
    };
    connection
        .prepare_cached(sql)?
        .execute(params![entry.0, claim.namespace, claim.device])
        .map(drop)
}

/// Gives a key to a device.
pub(in crate::ledger) fn key(
    connection: &Connection,
    key: &[u8; 32],
    claim: &Claim<'_>,
) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO key(key, namespace, device) VALUES (?1, ?2, ?3)")?
        .execute(params![key, claim.namespace, claim.device])
        .map(drop)
}

/// What is checked before a writer's reserved entry moves on.
pub(in crate::ledger) fn reserved(
    connection: &Connection,
    entry: EntryId,
    writer: i64,
) -> Result<Option<Reserved>> {
    let sql = "SELECT tbs, previous FROM entry \
               WHERE id = ?1 AND writer = ?2 AND state = 'reserved'";
    connection
        .prepare_cached(sql)?
        .query_row([entry.0, writer], |row| {
            Ok(Reserved {
                tbs: row.get(0)?,
                previous: row.get::<_, Option<i64>>(1)?.map(EntryId),
            })
        })
        .optional()
}

/// Turns a writer's reserved entry into an issued one; whether it was one.
pub(in crate::ledger) fn issued(
    connection: &Connection,
    entry: EntryId,
    writer: i64,
    certificate: &[u8],
    now: Timestamp,
) -> Result<bool> {
    // No RETURNING here: it makes SQLite copy every page it touches, once per certificate.
    let sql = "UPDATE entry SET state = 'issued', certificate = ?2, recorded_at = ?3 \
               WHERE id = ?1 AND writer = ?4 AND state = 'reserved'";
    let changed = connection.prepare_cached(sql)?.execute(params![
        entry.0,
        certificate,
        now.unix(),
        writer
    ])?;
    Ok(changed == 1)
}

/// Revokes an entry that is issued and unexpired as superseded; whether it was.
pub(in crate::ledger) fn superseded(
    connection: &Connection,
    entry: EntryId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE entry SET state = 'revoked', reason = ?3, ended_at = ?2 \
               WHERE id = ?1 AND state = 'issued' AND not_after >= ?2";
    let changed =
        connection
            .prepare_cached(sql)?
            .execute(params![entry.0, now.unix(), SUPERSEDED])?;
    Ok(changed == 1)
}

/// Revokes an issued entry.
pub(in crate::ledger) fn revoked(
    connection: &Connection,
    entry: EntryId,
    reason: u8,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE entry SET state = 'revoked', reason = ?3, ended_at = ?2 \
               WHERE id = ?1 AND state = 'issued'";
    connection
        .prepare_cached(sql)?
        .execute(params![entry.0, now.unix(), reason])
        .map(drop)
}

/// Bars a key for everybody.
pub(in crate::ledger) fn compromised(connection: &Connection, key: &[u8; 32]) -> Result<()> {
    connection
        .prepare_cached("UPDATE key SET compromised = 1 WHERE key = ?1")?
        .execute([key])
        .map(drop)
}

/// Abandons a writer's reserved entry and gives the device's place back to the entry before; whether it could.
pub(in crate::ledger) fn abandoned(
    connection: &Connection,
    entry: EntryId,
    writer: i64,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE entry SET state = 'abandoned', ended_at = ?3 \
               WHERE id = ?1 AND writer = ?2 AND state = 'reserved' \
               RETURNING previous, namespace, device";
    type Place = (Option<i64>, Option<String>, Option<String>);
    let row: Option<Place> = connection
        .prepare_cached(sql)?
        .query_row(params![entry.0, writer, now.unix()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    if let Some((Some(previous), Some(namespace), Some(device))) = &row {
        let sql = "UPDATE device SET entry = ?3 \
                   WHERE namespace = ?1 AND device = ?2 AND entry = ?4";
        connection
            .prepare_cached(sql)?
            .execute(params![namespace, device, previous, entry.0])?;
    }
    Ok(row.is_some())
}

pub(in crate::ledger) fn permit(connection: &Connection, permit: &Permit<'_>) -> Result<i64> {
    let sql = "INSERT INTO permit(namespace, device, allowed_by, allowed_at, expires_at) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(sql)?.insert(params![
        permit.namespace,
        permit.device,
        permit.allowed_by,
        permit.allowed_at.unix(),
        permit.expires_at.unix()
    ])
}

pub(in crate::ledger) fn permit_used(
    connection: &Connection,
    permit: i64,
    entry: EntryId,
) -> Result<()> {
    connection
        .prepare_cached("UPDATE permit SET used_by = ?2 WHERE id = ?1")?
        .execute([permit, entry.0])
        .map(drop)
}

pub(in crate::ledger) fn refusal(
    connection: &Connection,
    refused: &Refused<'_>,
    writer: i64,
    now: Timestamp,
) -> Result<i64> {
    let sql = "INSERT INTO refusal(at, writer, source, profile, device, key, rule, message) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.insert(params![
        now.unix(),
        writer,
        refused.source,
        refused.profile,
        refused.device,
        refused.key,
        refused.rule,
        refused.message
    ])
}

pub(in crate::ledger) fn writer(
    connection: &Connection,
    process: &Process<'_>,
    now: Timestamp,
) -> Result<i64> {
    let sql = "INSERT INTO writer(name, command, host, pid, started_at, head_seq, head_hash, head_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, 0, zeroblob(32), ?5)";
    connection.prepare_cached(sql)?.insert(params![
        process.name,
        process.command,
        process.host,
        process.pid,
        now.unix()
    ])
}

pub(in crate::ledger) fn writer_ended(
    connection: &Connection,
    writer: i64,
    now: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached("UPDATE writer SET ended_at = ?2 WHERE id = ?1")?
        .execute([writer, now.unix()])
        .map(drop)
}

/// Where a writer's chain ends.
pub(in crate::ledger) fn head(connection: &Connection, writer: i64) -> Result<Head> {
    connection
        .prepare_cached("SELECT head_seq, head_hash, head_at FROM writer WHERE id = ?1")?
        .query_row([writer], |row| {
            Ok(Head {
                seq: row.get(0)?,
                hash: row.get(1)?,
                at: moment(row, 2)?,
            })
        })
}

/// Appends an event to a writer's chain, whose new head it returns. The head's time never goes back, or a clock could
/// be walked back in steps.
pub(in crate::ledger) fn event(
    connection: &Connection,
    writer: i64,
    before: Head,
    hash: [u8; 32],
    at: Timestamp,
    body: &str,
) -> Result<Head> {
    let head = Head {
        seq: before.seq + 1,
        hash,
        at: before.at.max(at),
    };
    connection
        .prepare_cached(
            "INSERT INTO event(writer, seq, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![writer, head.seq, at.unix(), body, hash])?;
    // The time has an index, which is left alone as long as it is the same.
    let at = (head.at != before.at).then_some(head.at.unix());
    let sql = match at {
        None => "UPDATE writer SET head_seq = ?2, head_hash = ?3 WHERE id = ?1",
        Some(_) => "UPDATE writer SET head_seq = ?2, head_hash = ?3, head_at = ?4 WHERE id = ?1",
    };
    let mut statement = connection.prepare_cached(sql)?;
    match at {
        None => statement.execute(params![writer, head.seq, hash])?,
        Some(at) => statement.execute(params![writer, head.seq, hash, at])?,
    };
    Ok(head)
}
