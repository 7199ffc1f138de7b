//! Ledgers of older schemas.

use super::*;

/// The ledger that `schema_1.sql` holds, opened; an hour later than its newest event.
fn schema_1() -> (tempfile::TempDir, Ledger, Timestamp) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../store/schema.sql"))
        .unwrap();
    old.execute_batch(include_str!("schema_1.sql")).unwrap();
    old.execute_batch("PRAGMA application_id = 1178812748; PRAGMA user_version = 1")
        .unwrap();
    let newest: i64 = old
        .query_row("SELECT max(head_at) FROM writer", [], |row| row.get(0))
        .unwrap();
    drop(old);
    let ledger = Ledger::open(&path).unwrap();
    let now = Timestamp::from_unix(newest).unwrap().plus(3600);
    (directory, ledger, now)
}

#[test]
fn a_ledger_of_schema_1_is_brought_up_to_date_and_stays_clean() {
    let (_directory, ledger, _) = schema_1();
    assert_eq!(ledger.schema_version(), 3);
    let check = ledger.check().unwrap();
    assert_eq!(check.violations, []);
    assert_eq!(check.events, 29);
    let counts = Counts {
        reserved: 1,
        issued: 4,
        revoked: 1,
        abandoned: 1,
    };
    assert_eq!(check.counts, counts);
    assert_eq!(ledger.registrars().unwrap(), []);
    assert_eq!(ledger.pending_registrations(None, 10).unwrap(), []);
    let first = ledger.entry(EntryId(1)).unwrap().unwrap();
    assert_eq!(
        (first.registration.is_none(), first.was_offered()),
        (true, true)
    );
}

#[test]
fn a_ledger_of_schema_1_goes_on_where_it_was() {
    let (_directory, ledger, now) = schema_1();
    let device = "56b2fa41-d79a-4aad-ba26-e26e719878bb";
    let writer = ledger.writer("test", now).unwrap();
    let left: Vec<_> = writer.reconciled().iter().map(|lost| lost.entry).collect();
    assert_eq!(left, [EntryId(7)]);
    let mut group = writer.group(now).unwrap();
    let entry = ledger.entry(EntryId(4)).unwrap().unwrap();
    let mut intent = Intent::of(&entry);
    intent.registration = Some(Registering {
        registrar: None,
        name: None,
        source: "192.0.2.7",
        at_gateway: AtGateway::Nothing,
    });
    // The same key gets its certificate, another one would need a permit.
    match group.reserve(&intent).unwrap() {
        Reservation::Repeated(entry) => assert_eq!(entry.device.as_deref(), Some(device)),
        other => panic!("{other:?}"),
    }
    intent.key = [9; 32];
    match group.reserve(&intent).unwrap() {
        Reservation::Refused(conflict) => assert_eq!(conflict.rule(), "device-live"),
        other => panic!("{other:?}"),
    }
    group.revoke(EntryId(4), 5).unwrap();
    group.commit().unwrap();
    assert_eq!(ledger.check().unwrap().violations, []);
}
