//! Queries.

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};

use crate::ledger::{
    Counts, Entry, EntryId, Filter, GatewayState, Refusal, RegistrarId, Registration, State,
};
use crate::timestamp::Timestamp;
use crate::x509::Serial;

type Result<T> = rusqlite::Result<T>;

/// A value of `meta`.
pub(in crate::ledger) fn meta(connection: &Connection, key: &str) -> Result<String> {
    connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
        row.get(0)
    })
}

pub(in crate::ledger) fn entry(connection: &Connection, id: EntryId) -> Result<Option<Entry>> {
    let mut statement = select(connection, "WHERE entry.id = ?1")?;
    statement.query_row([id.0], read_entry).optional()
}

pub(in crate::ledger) fn by_serial(connection: &Connection, serial: &Serial) -> Result<Vec<Entry>> {
    let condition = "WHERE entry.serial = ?1 ORDER BY entry.id";
    entries(connection, condition, [serial.as_bytes()])
}

/// Entries without a claim for a key, of one profile or of all, newest first.
pub(in crate::ledger) fn unclaimed(
    connection: &Connection,
    key: &[u8; 32],
    profile: Option<&str>,
) -> Result<Vec<Entry>> {
    let condition = "WHERE namespace IS NULL AND key = ?1 AND (?2 IS NULL OR profile = ?2) \
                     ORDER BY entry.id DESC";
    entries(connection, condition, params![key, profile])
}

/// Entries reserved or abandoned, in the order of reservation.
pub(in crate::ledger) fn unsigned(connection: &Connection) -> Result<Vec<Entry>> {
    // Written so that the partial index is walked, not every certificate.
    let condition = "WHERE entry.id IN (SELECT id FROM entry INDEXED BY entry_unsigned \
                     WHERE certificate IS NULL) ORDER BY entry.id";
    entries(connection, condition, [])
}

/// Entries a writer reserved and did nothing else with.
pub(in crate::ledger) fn reserved_by(connection: &Connection, writer: i64) -> Result<Vec<Entry>> {
    let condition = "WHERE certificate IS NULL AND state = 'reserved' AND entry.writer = ?1 \
                     ORDER BY entry.id";
    entries(connection, condition, [writer])
}

/// The entry that holds a device's place.
pub(in crate::ledger) fn place(
    connection: &Connection,
    namespace: &str,
    device: &str,
) -> Result<Option<Entry>> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT entry FROM device WHERE namespace = ?1 AND device = ?2")?
        .query_row([namespace, device], |row| row.get(0))
        .optional()?;
    match found {
        Some(id) => entry(connection, EntryId(id)),
        None => Ok(None),
    }
}

/// Every namespace in which a device was ever claimed. One step down the tree per namespace, whatever its size.
pub(in crate::ledger) fn namespaces(connection: &Connection) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT min(namespace) FROM device WHERE namespace > ?1")?;
    let mut namespaces: Vec<String> = Vec::new();
    loop {
        let last = namespaces.last().map_or("", String::as_str);
        let next: Option<String> = statement.query_row([last], |row| row.get(0))?;
        match next {
            Some(namespace) => namespaces.push(namespace),
            None => return Ok(namespaces),
        }
    }
}

/// Who a key belongs to: namespace, device, whether it is compromised.
pub(in crate::ledger) fn key_owners(
    connection: &Connection,
    key: &[u8; 32],
) -> Result<Vec<(String, String, bool)>> {
    connection
        .prepare_cached("SELECT namespace, device, compromised FROM key WHERE key = ?1")?
        .query_map([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// The next entries that pass a filter, at most `limit`.
pub(in crate::ledger) fn page(
    connection: &Connection,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Entry>> {
    // Written out, so that the partial indexes apply.
    let state = match filter.state {
        None => "",
        Some(State::Reserved) => "AND state = 'reserved' AND certificate IS NULL",
        Some(State::Issued) => "AND state = 'issued'",
        Some(State::Revoked) => "AND state = 'revoked'",
        Some(State::Abandoned) => "AND state = 'abandoned' AND certificate IS NULL",
    };
    let condition = format!(
        "WHERE entry.id > ?1 {state} AND (?2 IS NULL OR profile = ?2) \
         AND (?3 IS NULL OR substr(device, 1, length(?3)) = ?3) ORDER BY entry.id LIMIT ?4"
    );
    let after = filter.after.map_or(0, |after| after.0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let parameters = params![after, filter.profile, filter.device_prefix, limit];
    entries(connection, &condition, parameters)
}

/// Issued ones are what remains, so that no certificate is read for counting.
pub(in crate::ledger) fn counts(connection: &Connection) -> Result<Counts> {
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let total = count("SELECT count(*) FROM entry")?;
    let unsigned = count("SELECT count(*) FROM entry WHERE certificate IS NULL")?;
    let reserved =
        count("SELECT count(*) FROM entry WHERE certificate IS NULL AND state = 'reserved'")?;
    let revoked = count("SELECT count(*) FROM entry WHERE state = 'revoked'")?;
    Ok(Counts {
        reserved: reserved.unsigned_abs(),
        issued: (total - unsigned - revoked).unsigned_abs(),
        revoked: revoked.unsigned_abs(),
        abandoned: (unsigned - reserved).unsigned_abs(),
    })
}

/// The next refused requests.
pub(in crate::ledger) fn refusals(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<Refusal>> {
    let sql = format!("{REFUSAL} WHERE refusal.id > ?1 ORDER BY refusal.id LIMIT ?2");
    connection
        .prepare_cached(&sql)?
        .query_map([after, limit as i64], read_refusal)?
        .collect()
}

/// Writers that have not ended: number and name.
pub(in crate::ledger) fn running(connection: &Connection) -> Result<Vec<(i64, String)>> {
    connection
        .prepare_cached("SELECT id, name FROM writer WHERE ended_at IS NULL ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The number of a writer that has not ended.
pub(in crate::ledger) fn running_writer(connection: &Connection, name: &str) -> Result<i64> {
    connection
        .prepare_cached("SELECT id FROM writer WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
}

/// The time of the newest event of all writers.
pub(in crate::ledger) fn newest(connection: &Connection) -> Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT head_at FROM writer ORDER BY head_at DESC LIMIT 1")?
        .query_row([], |row| moment(row, 0))
        .optional()
}

/// The usable permit that expires first.
pub(in crate::ledger) fn permit(
    connection: &Connection,
    namespace: &str,
    device: &str,
    now: Timestamp,
) -> Result<Option<i64>> {
    let sql = "SELECT permit.id FROM permit LEFT JOIN entry ON entry.id = permit.used_by \
               WHERE permit.namespace = ?1 AND permit.device = ?2 AND permit.expires_at > ?3 \
               AND (used_by IS NULL OR entry.state = 'abandoned') \
               ORDER BY permit.expires_at, permit.id LIMIT 1";
    connection
        .prepare_cached(sql)?
        .query_row(params![namespace, device, now.unix()], |row| row.get(0))
        .optional()
}

/// A column holding a moment.
pub(in crate::ledger) fn moment(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    let seconds = row.get(column)?;
    Timestamp::from_unix(seconds).ok_or_else(|| damaged(column, "not a moment X.509 can write"))
}

pub(super) fn entries(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> Result<Vec<Entry>> {
    let mut statement = select(connection, condition)?;
    statement.query_map(values, read_entry)?.collect()
}

pub(super) fn select<'c>(
    connection: &'c Connection,
    condition: &str,
) -> Result<CachedStatement<'c>> {
    connection.prepare_cached(&format!(
        "SELECT entry.id, issuer.subject, authority_key, serial, profile, namespace, device, \
         entry.subject, key, tbs, not_after, state, writer.name, previous, reserved_at, recorded_at, \
         entry.ended_at, reason, certificate, registration.entry, registration.registrar, registrar.name, \
         registration.name, source, gateway, offered_at FROM entry JOIN issuer ON issuer.id = entry.issuer \
         JOIN writer ON writer.id = entry.writer LEFT JOIN registration ON registration.entry = entry.id \
         LEFT JOIN registrar ON registrar.id = registration.registrar {condition}"
    ))
}

pub(super) fn read_entry(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry {
        id: EntryId(row.get(0)?),
        issuer: row.get(1)?,
        authority_key: row.get(2)?,
        serial: serial(row, 3)?,
        profile: row.get(4)?,
        namespace: row.get(5)?,
        device: row.get(6)?,
        subject: row.get(7)?,
        key: row.get(8)?,
        tbs: row.get(9)?,
        not_after: moment(row, 10)?,
        state: state(row, 11)?,
        writer: row.get(12)?,
        previous: row.get::<_, Option<i64>>(13)?.map(EntryId),
        reserved_at: moment(row, 14)?,
        recorded_at: optional_moment(row, 15)?,
        ended_at: optional_moment(row, 16)?,
        reason: row.get(17)?,
        certificate: row.get(18)?,
        registration: registration(row)?,
    })
}

fn registration(row: &Row<'_>) -> Result<Option<Registration>> {
    if row.get::<_, Option<i64>>(19)?.is_none() {
        return Ok(None);
    }
    let gateway: String = row.get(24)?;
    Ok(Some(Registration {
        registrar: row.get::<_, Option<i64>>(20)?.map(RegistrarId),
        registrar_name: row.get(21)?,
        name: row.get(22)?,
        source: row.get(23)?,
        gateway: GatewayState::from_word(&gateway)
            .ok_or_else(|| damaged(24, "not a gateway state"))?,
        offered_at: optional_moment(row, 25)?,
    }))
}

pub(super) fn read_refusal(row: &Row<'_>) -> Result<Refusal> {
    Ok(Refusal {
        id: row.get(0)?,
        at: moment(row, 1)?,
        writer: row.get(2)?,
        source: row.get(3)?,
        profile: row.get(4)?,
        device: row.get(5)?,
        key: row.get(6)?,
        rule: row.get(7)?,
        message: row.get(8)?,
    })
}

pub(super) fn optional_moment(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => moment(row, column).map(Some),
    }
}

pub(super) fn state(row: &Row<'_>, column: usize) -> Result<State> {
    let word: String = row.get(column)?;
    State::from_word(&word).ok_or_else(|| damaged(column, "not a state"))
}

pub(super) fn serial(row: &Row<'_>, column: usize) -> Result<Serial> {
    let mut octets: Vec<u8> = row.get(column)?;
    if octets.first().is_some_and(|first| *first >= 0x80) {
        octets.insert(0, 0);
    }
    Serial::from_der_content(&octets).ok_or_else(|| damaged(column, "not a serial number"))
}

pub(super) fn damaged(column: usize, what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, what.into())
}

/// In the order [`read_refusal`] reads them.
pub(super) const REFUSAL: &str = "SELECT refusal.id, at, writer.name, source, profile, device, key, \
    rule, message FROM refusal JOIN writer ON writer.id = refusal.writer";
