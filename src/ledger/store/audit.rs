//! Queries of `check`: whole tables, row by row.
//!
//! Rows are handed to a callback as they are read, so memory does not grow with the ledger. The caller has one
//! read transaction around all of them.

use rusqlite::{Connection, OptionalExtension, params};

use super::read::{self, moment, optional_moment};
use crate::ledger::revoke::KEY_COMPROMISE;
use crate::ledger::{Entry, Refusal};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// A row of `writer`.
pub(in crate::ledger) struct WriterRow {
    pub(in crate::ledger) id: i64,
    pub(in crate::ledger) name: String,
    pub(in crate::ledger) command: String,
    pub(in crate::ledger) host: String,
    pub(in crate::ledger) pid: i64,
    pub(in crate::ledger) started_at: Timestamp,
    pub(in crate::ledger) ended_at: Option<Timestamp>,
    pub(in crate::ledger) head_seq: i64,
    pub(in crate::ledger) head_hash: [u8; 32],
    pub(in crate::ledger) head_at: Timestamp,
}

/// A row of `event`.
pub(in crate::ledger) struct EventRow {
    pub(in crate::ledger) seq: i64,
    pub(in crate::ledger) at: Timestamp,
    pub(in crate::ledger) body: String,
    pub(in crate::ledger) hash: [u8; 32],
}

/// A row of `permit`.
pub(in crate::ledger) struct PermitRow {
    pub(in crate::ledger) namespace: String,
    pub(in crate::ledger) device: String,
    pub(in crate::ledger) allowed_by: String,
    pub(in crate::ledger) allowed_at: Timestamp,
    pub(in crate::ledger) expires_at: Timestamp,
    pub(in crate::ledger) used_by: Option<i64>,
}

/// One moment for all queries that follow.
pub(in crate::ledger) fn snapshot(connection: &Connection) -> Result<()> {
    connection.execute_batch("BEGIN DEFERRED")
}

/// What SQLite finds wrong with the file; empty when nothing.
pub(in crate::ledger) fn damage(connection: &Connection) -> Result<Vec<String>> {
    let mut found: Vec<String> = connection
        .prepare("PRAGMA integrity_check")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    found.retain(|line| line != "ok");
    Ok(found)
}

/// Rows that point at rows that are not there: table, row, table pointed at.
pub(in crate::ledger) fn dangling(connection: &Connection) -> Result<Vec<(String, i64, String)>> {
    connection
        .prepare("PRAGMA foreign_key_check")?
        .query_map([], |row| {
            let row_number: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, row_number.unwrap_or(0), row.get(2)?))
        })?
        .collect()
}

/// The greatest number in a table's `id` column.
pub(in crate::ledger) fn last(connection: &Connection, table: &'static str) -> Result<i64> {
    let sql = format!("SELECT coalesce(max(id), 0) FROM {table}");
    connection.query_row(&sql, [], |row| row.get(0))
}

pub(in crate::ledger) fn writers(connection: &Connection) -> Result<Vec<WriterRow>> {
    let sql = "SELECT id, name, command, host, pid, started_at, ended_at, head_seq, head_hash, head_at \
               FROM writer ORDER BY id";
    connection
        .prepare(sql)?
        .query_map([], |row| {
            Ok(WriterRow {
                id: row.get(0)?,
                name: row.get(1)?,
                command: row.get(2)?,
                host: row.get(3)?,
                pid: row.get(4)?,
                started_at: moment(row, 5)?,
                ended_at: optional_moment(row, 6)?,
                head_seq: row.get(7)?,
                head_hash: row.get(8)?,
                head_at: moment(row, 9)?,
            })
        })?
        .collect()
}

pub(in crate::ledger) fn events(
    connection: &Connection,
    writer: i64,
    mut each: impl FnMut(&EventRow) -> Result<()>,
) -> Result<()> {
    let sql = "SELECT seq, at, body, hash FROM event WHERE writer = ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([writer])?;
    while let Some(row) = rows.next()? {
        each(&EventRow {
            seq: row.get(0)?,
            at: moment(row, 1)?,
            body: row.get(2)?,
            hash: row.get(3)?,
        })?;
    }
    Ok(())
}

pub(in crate::ledger) fn entries(
    connection: &Connection,
    mut each: impl FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let mut statement = read::select(connection, "ORDER BY entry.id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(&read::read_entry(row)?)?;
    }
    Ok(())
}

pub(in crate::ledger) fn refusal(connection: &Connection, id: i64) -> Result<Option<Refusal>> {
    let sql = format!("{} WHERE refusal.id = ?1", read::REFUSAL);
    connection
        .prepare_cached(&sql)?
        .query_row([id], read::read_refusal)
        .optional()
}

pub(in crate::ledger) fn permit(connection: &Connection, id: i64) -> Result<Option<PermitRow>> {
    let sql = "SELECT namespace, device, allowed_by, allowed_at, expires_at, used_by \
               FROM permit WHERE id = ?1";
    connection
        .prepare_cached(sql)?
        .query_row([id], |row| {
            Ok(PermitRow {
                namespace: row.get(0)?,
                device: row.get(1)?,
                allowed_by: row.get(2)?,
                allowed_at: moment(row, 3)?,
                expires_at: moment(row, 4)?,
                used_by: row.get(5)?,
            })
        })
        .optional()
}

/// The device a key belongs to in a namespace.
pub(in crate::ledger) fn key_owner(
    connection: &Connection,
    key: &[u8; 32],
    namespace: &str,
) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT device FROM key WHERE key = ?1 AND namespace = ?2")?
        .query_row(params![key, namespace], |row| row.get(0))
        .optional()
}

/// Device rows that point at an entry of another device: namespace, device, entry.
pub(in crate::ledger) fn misplaced(
    connection: &Connection,
    mut each: impl FnMut(String, String, i64),
) -> Result<()> {
    let sql = "SELECT device.namespace, device.device, device.entry FROM device \
               LEFT JOIN entry ON entry.id = device.entry \
               WHERE entry.namespace IS NOT device.namespace OR entry.device IS NOT device.device";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get(1)?, row.get(2)?);
    }
    Ok(())
}

/// Keys that are barred without a certificate revoked for their compromise, and the other way round: key, what it is,
/// what it should be.
pub(in crate::ledger) fn compromise_unexplained(
    connection: &Connection,
    mut each: impl FnMut([u8; 32], &str, &str),
) -> Result<()> {
    let sql = "SELECT key, compromised FROM key WHERE compromised != (key IN \
               (SELECT key FROM entry WHERE state = 'revoked' AND reason = ?1))";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([KEY_COMPROMISE])?;
    while let Some(row) = rows.next()? {
        match row.get(1)? {
            true => each(row.get(0)?, "compromised", "sound"),
            false => each(row.get(0)?, "sound", "compromised"),
        }
    }
    Ok(())
}

/// Registrars with what their rows say about their uses, and what their entries say.
pub(in crate::ledger) fn miscounted(
    connection: &Connection,
    mut each: impl FnMut(String, i64, i64),
) -> Result<()> {
    let sql = "SELECT name, used, coalesce(counted, 0) FROM registrar LEFT JOIN \
               (SELECT registrar AS id, count(*) AS counted FROM registration \
               JOIN entry ON entry.id = registration.entry WHERE state IN ('reserved', 'issued') \
               OR state = 'revoked' AND offered_at IS NOT NULL GROUP BY registrar) USING (id) \
               WHERE used != coalesce(counted, 0)";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get(1)?, row.get(2)?);
    }
    Ok(())
}
