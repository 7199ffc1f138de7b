//! SQLite: everything that knows SQL is in this directory.
//!
//! A ledger is one file in WAL mode. `synchronous=FULL` makes every commit durable before it returns. Whoever can
//! write the file can rewrite history from the last signed checkpoint on; losing it loses the proof of what was
//! issued, not the ability to issue.

pub(super) mod audit;
pub(super) mod crl;
pub(super) mod read;
pub(super) mod registrar;
pub(super) mod registration;
pub(super) mod write;

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::Error;

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Opens a ledger that is there; brings an older schema up to date when opened for writing.
pub(super) fn open(path: &Path, access: Access, patience: Duration) -> Result<Connection, Error> {
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let unreadable = |source| unreadable(path, source);
    if !path.try_exists().map_err(|error| Error::Unreadable {
        path: path.to_owned(),
        source: Box::new(error),
    })? {
        return Err(Error::Missing {
            path: path.to_owned(),
        });
    }
    let mut connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(unreadable)?;
    connection.busy_timeout(patience).map_err(unreadable)?;
    settle_plans(&connection).map_err(unreadable)?;
    recognise(&connection, path)?;
    if access == Access::Write {
        prepare_to_write(&mut connection).map_err(|source| unavailable(path, source))?;
    }
    Ok(connection)
}

/// Makes an empty file a ledger without contents.
pub(super) fn found(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare_to_write(&mut connection)?;
    Ok(connection)
}

/// The schema a ledger has.
pub(super) fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The error for a statement or BEGIN that did not work: the transaction is, or will be, rolled back.
pub(super) fn unavailable(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked { path },
        _ => Error::Unavailable {
            path,
            source: Box::new(source),
        },
    }
}

/// The error for a query that did not work.
pub(super) fn unreadable(path: &Path, source: rusqlite::Error) -> Error {
    Error::Unreadable {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

/// Commits; the fate is unknown unless SQLite says that the transaction did not happen.
pub(super) fn commit(connection: &Connection, path: &Path) -> Result<(), Error> {
    let Err(source) = write::commit(connection) else {
        return Ok(());
    };
    // Whatever is still open must not stay open; what was written is not undone by this.
    let rolled_back = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
    // A full disk cuts the write-ahead log short before the frame that makes the commit count; a lock or a
    // constraint is met before anything is written. Any other error may have come after that frame.
    let nothing_written = matches!(
        source.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ConstraintViolation)
    );
    match rolled_back && nothing_written {
        true => Err(unavailable(path, source)),
        false => Err(Error::CommitUnknown {
            path: path.to_owned(),
            source: Box::new(source),
        }),
    }
}

/// Statements are planned once: without the stability guarantee SQLite plans most of them again whenever a bound
/// value changes, which costs more than running them.
fn settle_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

fn recognise(connection: &Connection, path: &Path) -> Result<(), Error> {
    let id: rusqlite::Result<i32> =
        connection.pragma_query_value(None, "application_id", |row| row.get(0));
    match id {
        Ok(APPLICATION_ID) => {}
        Ok(_) => {
            return Err(Error::NotALedger {
                path: path.to_owned(),
            });
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(Error::NotALedger {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(unreadable(path, error)),
    }
    let found = schema_version(connection).map_err(|source| unreadable(path, source))?;
    match found > SCHEMA {
        true => Err(Error::SchemaNewer {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        }),
        false => Ok(()),
    }
}

/// Sets what writing needs. The mode is part of the file: a restored backup comes without write-ahead log.
fn prepare_to_write(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    migrate(connection)
}

/// Applies the missing migrations in one transaction: a crash leaves the old schema.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    if schema_version(connection)? == SCHEMA {
        return Ok(());
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let done = usize::try_from(schema_version(&transaction)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.commit()
}

/// Each brings the schema from its index to the next; they are never changed once released.
const MIGRATIONS: [&str; 3] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
];

/// The schema this program writes.
pub(super) const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// "FCAL": what `file` and this program know a ledger by.
const APPLICATION_ID: i32 = 0x4643_414c;

/// Negative means KiB. Serials, keys and device identities are random, so three trees are touched all over; 16 MiB
/// hold them for about seventy thousand certificates, beyond that the operating system's cache helps. More is not
/// faster: SQLite walks its whole cache at the end of most transactions that split a page.
const CACHE_KIB: i64 = -16_384;

/// 64 MiB of write-ahead log between checkpoints: pages written many times are copied once, which saved a
/// fifth of what a reservation costs with 50 000 certificates.
const CHECKPOINT_PAGES: i64 = 16384;
