//! Registrations: queries and changes.

use rusqlite::{Connection, OptionalExtension, params};

use super::read;
use crate::ledger::{Entry, EntryId, GatewayState, Registering, RegistrarId, State};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

pub(in crate::ledger) fn insert(
    connection: &Connection,
    entry: EntryId,
    registering: &Registering<'_>,
) -> Result<()> {
    let sql = "INSERT INTO registration(entry, registrar, name, source, gateway) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    connection
        .prepare_cached(sql)?
        .execute(params![
            entry.0,
            registering.registrar.map(|registrar| registrar.0),
            registering.name,
            registering.source,
            registering.gateway().as_str(),
        ])
        .map(drop)
}

/// Remembers the first offer of an issued entry that holds its device's place; whether it was the first.
pub(in crate::ledger) fn offered(
    connection: &Connection,
    entry: EntryId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE registration SET offered_at = ?2 WHERE entry = ?1 AND offered_at IS NULL \
               AND (SELECT state = 'issued' AND coalesce(device.entry = ?1, TRUE) FROM entry \
               LEFT JOIN device USING (namespace, device) WHERE id = ?1)";
    let changed = connection
        .prepare_cached(sql)?
        .execute([entry.0, now.unix()])?;
    Ok(changed == 1)
}

/// An entry's state and whether it holds its device's place, if it claims one.
pub(in crate::ledger) fn standing(
    connection: &Connection,
    entry: EntryId,
) -> Result<Option<(State, bool)>> {
    let sql = "SELECT state, coalesce(device.entry = ?1, TRUE) FROM entry \
               LEFT JOIN device USING (namespace, device) WHERE id = ?1";
    connection
        .prepare_cached(sql)?
        .query_row([entry.0], |row| Ok((read::state(row, 0)?, row.get(1)?)))
        .optional()
}

/// Keeps the backend's answer; whether one was waited for.
pub(in crate::ledger) fn answered(
    connection: &Connection,
    entry: EntryId,
    answer: GatewayState,
) -> Result<bool> {
    let sql = "UPDATE registration SET gateway = ?2 WHERE entry = ?1 AND gateway = 'pending'";
    let changed = connection
        .prepare_cached(sql)?
        .execute(params![entry.0, answer.as_str()])?;
    Ok(changed == 1)
}

/// The registrar of an entry that was never offered.
pub(in crate::ledger) fn registrar_unoffered(
    connection: &Connection,
    entry: EntryId,
) -> Result<Option<RegistrarId>> {
    let sql = "SELECT registrar FROM registration WHERE entry = ?1 AND offered_at IS NULL";
    let found: Option<Option<i64>> = connection
        .prepare_cached(sql)?
        .query_row([entry.0], |row| row.get(0))
        .optional()?;
    Ok(found.flatten().map(RegistrarId))
}

pub(in crate::ledger) fn pending(
    connection: &Connection,
    after: Option<EntryId>,
    limit: usize,
) -> Result<Vec<Entry>> {
    // Written so that the partial index is walked, which holds nothing else.
    let condition = "WHERE entry.id IN (SELECT pending.entry FROM registration AS pending \
                     INDEXED BY registration_pending JOIN entry AS issued ON issued.id = pending.entry \
                     WHERE pending.gateway = 'pending' AND pending.entry > ?1 AND issued.state = 'issued' \
                     ORDER BY pending.entry LIMIT ?2) ORDER BY entry.id";
    let after = after.map_or(0, |after| after.0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    read::entries(connection, condition, [after, limit])
}
