//! Registrars: queries and changes.

use std::str::FromStr;

use ipnet::IpNet;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::{damaged, moment, optional_moment};
use crate::ledger::{NewRegistrar, OnLive, Production, Registrar, RegistrarId};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

pub(in crate::ledger) fn create(
    connection: &Connection,
    new: &NewRegistrar<'_>,
    now: Timestamp,
) -> Result<RegistrarId> {
    let sql = "INSERT INTO registrar(name, token, production, reissue, networks, authorities, max, \
               created_at, created_by, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    connection
        .prepare_cached(sql)?
        .insert(params![
            new.name,
            new.token,
            new.production.as_str(),
            new.on_live == OnLive::Supersede,
            networks(new.networks),
            new.authorities.join(" "),
            new.max,
            now.unix(),
            new.created_by,
            new.expires_at.map(Timestamp::unix),
        ])
        .map(RegistrarId)
}

pub(in crate::ledger) fn close(
    connection: &Connection,
    id: RegistrarId,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached("UPDATE registrar SET closed_at = ?2, closed_by = ?3 WHERE id = ?1")?
        .execute(params![id.0, now.unix(), by])
        .map(drop)
}

pub(in crate::ledger) fn used(connection: &Connection, id: RegistrarId, used: u32) -> Result<()> {
    connection
        .prepare_cached("UPDATE registrar SET used = ?2 WHERE id = ?1")?
        .execute(params![id.0, used])
        .map(drop)
}

pub(in crate::ledger) fn by_name(
    connection: &Connection,
    name: &str,
) -> Result<Option<RegistrarId>> {
    connection
        .prepare_cached("SELECT id FROM registrar WHERE name = ?1")?
        .query_row([name], |row| row.get(0).map(RegistrarId))
        .optional()
}

pub(in crate::ledger) fn by_id(
    connection: &Connection,
    id: RegistrarId,
) -> Result<Option<Registrar>> {
    connection
        .prepare_cached(&format!("{REGISTRAR} WHERE id = ?1"))?
        .query_row([id.0], read_registrar)
        .optional()
}

pub(in crate::ledger) fn all(connection: &Connection) -> Result<Vec<Registrar>> {
    connection
        .prepare_cached(&format!("{REGISTRAR} ORDER BY id"))?
        .query_map([], read_registrar)?
        .collect()
}

/// Networks as they are stored: separated by single spaces.
pub(in crate::ledger) fn networks(networks: &[IpNet]) -> String {
    let texts: Vec<String> = networks.iter().map(IpNet::to_string).collect();
    texts.join(" ")
}

fn read_registrar(row: &Row<'_>) -> Result<Registrar> {
    let production: String = row.get(3)?;
    let (networks, authorities): (String, String) = (row.get(5)?, row.get(6)?);
    let networks: std::result::Result<_, _> =
        networks.split_whitespace().map(IpNet::from_str).collect();
    Ok(Registrar {
        id: RegistrarId(row.get(0)?),
        name: row.get(1)?,
        token: row.get(2)?,
        production: Production::from_word(&production)
            .ok_or_else(|| damaged(3, "not a right to register production devices"))?,
        on_live: match row.get(4)? {
            true => OnLive::Supersede,
            false => OnLive::Refuse,
        },
        networks: networks.map_err(|_| damaged(5, "not networks"))?,
        authorities: authorities.split_whitespace().map(str::to_owned).collect(),
        max: row.get(7)?,
        used: row.get(8)?,
        created_at: moment(row, 9)?,
        created_by: row.get(10)?,
        expires_at: optional_moment(row, 11)?,
        closed_at: optional_moment(row, 12)?,
        closed_by: row.get(13)?,
    })
}

/// In the order [`read_registrar`] reads them.
const REGISTRAR: &str = "SELECT id, name, token, production, reissue, networks, authorities, max, \
    used, created_at, created_by, expires_at, closed_at, closed_by FROM registrar";
