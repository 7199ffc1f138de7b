//! Ledgers that are locked, lost, or something else.

use rusqlite::Connection;
use snapbox::str;

use crate::support::factory::Factory;

#[test]
fn a_locked_ledger_is_waited_for_and_then_named() {
    let factory = Factory::demo();
    factory.device_request();
    let other = Connection::open(factory.path("pki/ledger.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = factory.state();
    let outcome = factory.run("device issue dev.csr -o dev.pem").ends_with(3);
    outcome.says(str![[r#"
error: `[HOME]/pki/ledger.db` is locked by another process; nothing was written
hint: try again in a moment

"#]]);
    // Reading goes on meanwhile.
    factory.run("ledger check").succeeds();
    other.execute_batch("ROLLBACK").unwrap();
    crate::support::factory::assert_same(&before, &factory.state());
    factory.run("device issue dev.csr -o dev.pem").succeeds();
}

#[test]
fn a_lost_ledger_is_not_replaced_by_an_empty_one() {
    let factory = Factory::demo();
    factory.device_request();
    std::fs::remove_file(factory.path("pki/ledger.db")).unwrap();
    for line in [
        "device issue dev.csr -o dev.pem",
        "ledger check",
        "device list",
    ] {
        factory.refuses(
            line,
            2,
            str![[r#"
error: there is no ledger at `pki/ledger.db`
hint: restore it from a backup; without it the CA no longer knows what it issued

"#]],
        );
    }
    assert!(!factory.path("pki/ledger.db").exists());
}

#[test]
fn a_file_that_is_no_ledger_is_named() {
    let factory = Factory::demo();
    factory.device_request();
    factory.write(
        "pki/ledger.db",
        "this is no database, and it is left alone".repeat(100),
    );
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: `[HOME]/pki/ledger.db` is not a factory-ca ledger

"#]],
    );
    std::fs::remove_file(factory.path("pki/ledger.db")).unwrap();
    let foreign = Connection::open(factory.path("pki/ledger.db")).unwrap();
    foreign
        .execute_batch("CREATE TABLE cats (name TEXT)")
        .unwrap();
    drop(foreign);
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: `[HOME]/pki/ledger.db` is not a factory-ca ledger

"#]],
    );
}

#[test]
fn a_ledger_of_a_newer_program_is_left_alone() {
    let factory = Factory::demo();
    factory.device_request();
    let ledger = Connection::open(factory.path("pki/ledger.db")).unwrap();
    ledger.execute_batch("PRAGMA user_version = 4711").unwrap();
    drop(ledger);
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: `[HOME]/pki/ledger.db` has schema 4711, this program knows schemas up to 3

"#]],
    );
}

#[test]
fn a_forged_ledger_is_found_out() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    let ledger = Connection::open(factory.path("pki/ledger.db")).unwrap();
    let changed = ledger.execute(
        "UPDATE entry SET subject = 'CN=somebody else' WHERE id = 3",
        (),
    );
    assert_eq!(changed.unwrap(), 1);
    let outcome = factory.run("ledger check").ends_with(4);
    outcome.prints(str![[r#"
issued 3, revoked 0, abandoned 0, reserved 0, refused 0; [N] audit events
broken: fact-differs: event 2 of writer 2: found reserved 3 serial=[SERIAL] tbs=[HASH] row=[HASH], wanted reserved 3 serial=[SERIAL] tbs=[HASH] row=[HASH]

"#]]).says(str![[r#"
error: the ledger contradicts itself: stop issuing on this station and keep a copy of it

"#]]);
}

#[test]
fn a_ledger_from_the_future_stops_issuance() {
    let factory = Factory::demo();
    factory.device_request();
    let ledger = Connection::open(factory.path("pki/ledger.db")).unwrap();
    ledger
        .execute_batch("UPDATE writer SET head_at = head_at + 600")
        .unwrap();
    drop(ledger);
    let outcome = factory.run("device issue dev.csr -o dev.pem").ends_with(2);
    outcome.says(str![[r#"
error: the clock says [TIME], but the ledger's newest event is from [TIME]; nothing was written
hint: set this machine's clock

"#]]);
    assert!(!factory.path("dev.pem").exists());
}
