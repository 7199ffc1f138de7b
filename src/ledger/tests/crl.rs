//! Revocation lists: numbers that are never used twice, and what a list has to name.

use super::*;

const KEY: [u8; 20] = [7; 20];
const DAY: i64 = 86_400;

/// Takes a number at a moment for a list that starts at another.
fn number(writer: &Writer, issuer: &[u8], made: i64, starts: i64) -> (CrlId, u32) {
    let mut group = writer.group(at(made)).unwrap();
    let taken = group
        .reserve_crl(&NewCrl {
            issuer,
            authority_key: &KEY,
            this_update: at(starts),
            next_update: at(starts + DAY),
            entries: 0,
        })
        .unwrap();
    group.commit().unwrap();
    taken
}

/// A list that was made at a moment, from which it starts or from a later one.
fn list(writer: &Writer, issuer: &[u8], made: i64, starts: i64) -> u32 {
    let (id, number) = number(writer, issuer, made, starts);
    let mut group = writer.group(at(made)).unwrap();
    group.record_crl(id, [3; 32]).unwrap();
    group.commit().unwrap();
    number
}

/// A revoked certificate that was good for so long.
fn revoked(desk: &Desk, writer: &Writer, device: &str, valid: i64, when: i64) -> Serial {
    let paper = desk.paper_for(device, &KeyPair::generate().unwrap(), valid);
    let entry = issue(writer, &paper);
    let mut group = writer.group(at(when)).unwrap();
    group.revoke(entry, 5).unwrap();
    group.commit().unwrap();
    paper.serial
}

fn named(desk: &Desk, issuer: &[u8], starts: i64) -> Vec<Serial> {
    let list = desk.ledger.revoked(issuer, &KEY, at(starts)).unwrap();
    list.into_iter().map(|revoked| revoked.serial).collect()
}

#[test]
fn numbers_rise_for_each_issuer_and_lost_ones_are_not_used_again() {
    let desk = Desk::new();
    let writer = desk.writer();
    assert_eq!(list(&writer, b"one", 0, 0), 1);
    // Its signature got lost.
    assert_eq!(number(&writer, b"one", 0, 0).1, 2);
    assert_eq!(list(&writer, b"one", 0, 0), 3);
    assert_eq!(list(&writer, b"two", 0, 0), 1);
    drop(writer);
    let other = desk.writer();
    assert_eq!(number(&other, b"one", 0, 0).1, 4);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_list_is_recorded_once() {
    let desk = Desk::new();
    let writer = desk.writer();
    let (id, _) = number(&writer, b"one", 0, 0);
    for (hash, told) in [
        ([1; 32], Ok(())),
        (
            [2; 32],
            Err("revocation list 1 does not wait to be recorded; it was not released"),
        ),
    ] {
        let mut group = writer.group(at(0)).unwrap();
        let recorded = group.record_crl(id, hash);
        assert_eq!(
            recorded.map_err(|error| error.to_string()),
            told.map_err(str::to_owned)
        );
        if told.is_ok() {
            group.commit().unwrap();
        }
    }
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_certificate_is_named_until_a_list_was_made_after_its_end() {
    let desk = Desk::new();
    let writer = desk.writer();
    let issuer = desk.paper(DEVICE).issuer;
    let short = revoked(&desk, &writer, "short", 3 * DAY, 1);
    let long = revoked(&desk, &writer, "long", YEAR, 2);
    let both = [short, long.clone()];
    // It ends on day 3; the list of day 4 is the first after that and names it still.
    for day in [1, 4] {
        assert_eq!(named(&desk, &issuer, day * DAY), both, "{day}");
        list(&writer, &issuer, day * DAY, day * DAY);
    }
    assert_eq!(named(&desk, &issuer, 5 * DAY), [long]);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_list_that_was_signed_ahead_hides_nothing_that_is_still_valid() {
    let desk = Desk::new();
    let writer = desk.writer();
    let issuer = desk.paper(DEVICE).issuer;
    for day in [0, 30, 60] {
        list(&writer, &issuer, 0, day * DAY);
    }
    // It is good until day 10, and revoked on day 1: lists that start later were made before that.
    let serial = revoked(&desk, &writer, "short", 10 * DAY, DAY);
    let alone = [serial];
    assert_eq!(named(&desk, &issuer, DAY), alone);
    // No list named it before its end, so the one after it does.
    assert_eq!(named(&desk, &issuer, 61 * DAY), alone);
}

#[test]
fn what_another_key_or_another_issuer_signed_is_not_named() {
    let desk = Desk::new();
    let writer = desk.writer();
    let issuer = desk.paper(DEVICE).issuer;
    revoked(&desk, &writer, DEVICE, YEAR, 0);
    assert_eq!(named(&desk, &issuer, 1).len(), 1);
    assert_eq!(named(&desk, b"another", 1), []);
    let of_key = desk.ledger.revoked(&issuer, &[8; 20], at(1)).unwrap();
    assert_eq!(of_key, []);
}

#[test]
fn changes_behind_the_ledgers_back_are_found() {
    for (sql, rule) in [
        ("UPDATE crl SET number = 7 WHERE id = 1", "fact-differs"),
        (
            "UPDATE crl SET next_update = next_update + 1 WHERE id = 1",
            "fact-differs",
        ),
        ("UPDATE crl SET entries = 1 WHERE id = 2", "fact-differs"),
        (
            "UPDATE crl SET sha256 = zeroblob(32) WHERE id = 1",
            "fact-differs",
        ),
        (
            "UPDATE crl SET sha256 = zeroblob(32), recorded_at = reserved_at WHERE id = 2",
            "fact-missing",
        ),
        ("DELETE FROM crl WHERE id = 1", "fact-without-row"),
    ] {
        let desk = Desk::new();
        let writer = desk.writer();
        list(&writer, b"one", 0, 0);
        number(&writer, b"one", 0, 0);
        desk.tamper(sql);
        let found = desk.ledger.check().unwrap().violations;
        assert!(
            found.iter().any(|violation| violation.rule == rule),
            "{sql}: {found:?}"
        );
    }
}
