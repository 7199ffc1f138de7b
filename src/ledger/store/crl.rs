//! Certificate revocation lists: queries and changes.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::{moment, optional_moment, serial};
use crate::ledger::{CrlId, CrlRecord, NewCrl};
use crate::timestamp::Timestamp;
use crate::x509::crl::Revoked;

type Result<T> = rusqlite::Result<T>;

/// Takes the issuer's next number and inserts the row.
pub(in crate::ledger) fn reserve(
    connection: &Connection,
    new: &NewCrl<'_>,
    issuer: i64,
    writer: i64,
    now: Timestamp,
) -> Result<CrlId> {
    let sql = "INSERT INTO crl(issuer, authority_key, number, this_update, next_update, entries, writer, reserved_at) \
               VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM crl WHERE issuer = ?1), ?3, ?4, ?5, ?6, ?7)";
    connection
        .prepare_cached(sql)?
        .insert(params![
            issuer,
            new.authority_key,
            new.this_update.unix(),
            new.next_update.unix(),
            new.entries,
            writer,
            now.unix(),
        ])
        .map(CrlId)
}

/// Keeps the hash of a list that was signed; whether its row was waiting for it.
pub(in crate::ledger) fn record(
    connection: &Connection,
    id: CrlId,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE crl SET sha256 = ?2, recorded_at = ?3 WHERE id = ?1 AND sha256 IS NULL";
    let changed = connection
        .prepare_cached(sql)?
        .execute(params![id.0, sha256, now.unix()])?;
    Ok(changed == 1)
}

pub(in crate::ledger) fn by_id(connection: &Connection, id: CrlId) -> Result<Option<CrlRecord>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE crl.id = ?1"))?
        .query_row([id.0], row)
        .optional()
}

/// The newest recorded list of this key that starts no later than a moment.
pub(in crate::ledger) fn newest(
    connection: &Connection,
    issuer: &[u8],
    authority_key: &[u8],
    this_update: Timestamp,
) -> Result<Option<CrlRecord>> {
    let condition = "WHERE issuer.subject = ?1 AND authority_key = ?2 AND sha256 IS NOT NULL \
                     AND this_update <= ?3 ORDER BY this_update DESC, number DESC LIMIT 1";
    connection
        .prepare_cached(&format!("{SELECT} {condition}"))?
        .query_row(params![issuer, authority_key, this_update.unix()], row)
        .optional()
}

/// Certificates of this key that were revoked, by entry number; without those that had expired before a list started
/// and were revoked before it was made.
pub(in crate::ledger) fn revoked(
    connection: &Connection,
    issuer: &[u8],
    authority_key: &[u8],
    before: Option<&CrlRecord>,
) -> Result<Vec<Revoked>> {
    let (started, made) = before.map_or((Timestamp::EPOCH, Timestamp::EPOCH), |list| {
        (list.this_update, list.reserved_at)
    });
    // Written so that the partial index is walked, not every certificate.
    let sql = "SELECT serial, ended_at, reason FROM entry INDEXED BY entry_revoked \
               WHERE state = 'revoked' AND authority_key = ?2 AND (not_after >= ?3 OR ended_at >= ?4) \
               AND issuer = (SELECT id FROM issuer WHERE subject = ?1) ORDER BY id";
    let parameters = params![issuer, authority_key, started.unix(), made.unix()];
    connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| {
            Ok(Revoked {
                serial: serial(row, 0)?,
                at: moment(row, 1)?,
                reason: row.get(2)?,
            })
        })?
        .collect()
}

fn row(row: &Row<'_>) -> Result<CrlRecord> {
    Ok(CrlRecord {
        id: CrlId(row.get(0)?),
        issuer: row.get(1)?,
        authority_key: row.get(2)?,
        number: row.get(3)?,
        this_update: moment(row, 4)?,
        next_update: moment(row, 5)?,
        entries: row.get(6)?,
        writer: row.get(7)?,
        reserved_at: moment(row, 8)?,
        recorded_at: optional_moment(row, 9)?,
        sha256: row.get(10)?,
    })
}

const SELECT: &str = "SELECT crl.id, issuer.subject, authority_key, number, this_update, next_update, entries, \
                      writer.name, reserved_at, recorded_at, sha256 FROM crl \
                      JOIN issuer ON issuer.id = crl.issuer JOIN writer ON writer.id = crl.writer";
