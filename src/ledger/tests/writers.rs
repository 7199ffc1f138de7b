//! Several writers, clocks, locks and full disks. Killed processes are in `tests/ledger.rs`.

use std::time::Duration;

use super::*;

#[test]
fn what_a_gone_writer_reserved_is_abandoned_by_the_next() {
    let desk = Desk::new();
    let (gone, living) = (desk.writer(), desk.writer());
    let paper = desk.paper(DEVICE);
    let lost = reserve(&gone, &paper);
    let kept = reserve(&living, &desk.paper("kept"));
    let name = gone.name().to_owned();
    drop(gone);
    assert_eq!(desk.ledger.intents_without_result().unwrap().len(), 1);
    let next = desk.writer();
    let wanted = AbandonedIntent {
        entry: lost,
        serial: paper.serial.clone(),
        device: Some(DEVICE.to_owned()),
        writer: name,
    };
    assert_eq!(next.reconciled(), [wanted]);
    assert_eq!(desk.state(lost), State::Abandoned);
    assert_eq!(desk.state(kept), State::Reserved);
    let mut alive = vec![living.name(), next.name()];
    alive.sort_unstable();
    let mut found = desk.ledger.live_writers().unwrap();
    found.sort_unstable();
    assert_eq!(found, alive);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_running_writer_puts_a_gone_one_in_order_when_it_meets_it() {
    let desk = Desk::new();
    let (gone, writer) = (desk.writer(), desk.writer());
    let lost = reserve(&gone, &desk.paper(DEVICE));
    drop(gone);
    let paper = desk.paper(DEVICE);
    let mut group = writer.group(at(0)).unwrap();
    let answer = group.reserve(&paper.intent()).unwrap();
    assert!(matches!(answer, Reservation::Reserved(_)));
    assert_eq!(group.reconciled()[0].entry, lost);
    group.commit().unwrap();
    assert_eq!(desk.state(lost), State::Abandoned);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_finished_writer_leaves_nothing_behind() {
    let desk = Desk::new();
    let writer = desk.writer();
    issue(&writer, &desk.paper("one"));
    let open = reserve(&writer, &desk.paper(DEVICE));
    let left = writer.finish(at(1)).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].entry, open);
    let locks = std::fs::read_dir(desk.path("ledger.db.writers")).unwrap();
    assert_eq!(locks.count(), 0);
    assert_eq!(desk.writer().reconciled(), []);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_writer_that_cannot_start_leaves_no_lock() {
    let desk = Desk::new();
    desk.writer().finish(at(0)).unwrap();
    assert!(desk.ledger.writer("test", at(-301)).is_err());
    let locks = std::fs::read_dir(desk.path("ledger.db.writers")).unwrap();
    assert_eq!(locks.count(), 0);
}

#[test]
fn a_clock_behind_the_newest_event_stops_every_group() {
    let desk = Desk::new();
    let writer = desk.writer();
    let mut group = writer.group(at(1000)).unwrap();
    group.reserve(&desk.paper(DEVICE).intent()).unwrap();
    group.commit().unwrap();
    assert!(writer.group(at(700)).is_ok());
    // Small steps back do not add up.
    let mut group = writer.group(at(750)).unwrap();
    group.reserve(&desk.paper("other").intent()).unwrap();
    group.commit().unwrap();
    let wanted = "the clock says 2026-11-24T02:11:39Z, but the ledger's newest event is from \
                  2026-11-24T02:16:40Z; nothing was written";
    assert_eq!(writer.group(at(699)).unwrap_err().to_string(), wanted);
    let other = desk.ledger.writer("test", at(699)).unwrap_err();
    assert_eq!(other.to_string(), wanted);
}

#[test]
fn a_ledger_locked_by_another_says_so_after_the_busy_timeout() {
    let mut desk = Desk::new();
    desk.ledger = desk
        .ledger
        .with_busy_timeout(Duration::from_millis(10))
        .unwrap();
    let (one, two) = (desk.writer(), desk.writer());
    let group = one.group(at(0)).unwrap();
    let error = two.group(at(0)).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }));
    let path = desk.ledger.path().display().to_string();
    assert_eq!(
        error.to_string(),
        format!("`{path}` is locked by another process; nothing was written")
    );
    drop(group);
    assert!(two.group(at(0)).is_ok());
}

#[test]
fn writers_on_several_threads_never_share_a_place() {
    let desk = Desk::new();
    let papers: Vec<Paper> = (0..8).map(|_| desk.paper(DEVICE)).collect();
    let writers = [desk.writer(), desk.writer()];
    std::thread::scope(|scope| {
        for (number, paper) in papers.iter().enumerate() {
            let writer = &writers[number % 2];
            scope.spawn(move || reserve_at(writer, paper, at(0)));
        }
    });
    assert_eq!(desk.ledger.counts().unwrap().reserved, 1);
}

#[test]
fn a_full_disk_leaves_the_ledger_as_it_was() {
    let desk = Desk::new();
    let writer = desk.writer();
    let kept = issue(&writer, &desk.paper(DEVICE));
    let pages: i64 = desk
        .raw()
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    let limit = |pages: i64| {
        let state = writer.state();
        state
            .connection
            .pragma_update(None, "max_page_count", pages)
            .unwrap();
    };
    limit(pages);
    let mut group = writer.group(at(0)).unwrap();
    let message = "x".repeat(20_000);
    let error = group
        .refuse(&Refused {
            source: "big.csr",
            profile: "device",
            device: None,
            key: None,
            rule: "too-big",
            message: &message,
        })
        .unwrap_err();
    let path = desk.ledger.path().display().to_string();
    assert_eq!(
        error.to_string(),
        format!("`{path}` could not be written; nothing was written")
    );
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "database or disk is full");
    drop(group);
    limit(1_000_000);
    assert_eq!(desk.state(kept), State::Issued);
    issue(&writer, &desk.paper("next"));
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_commit_that_certainly_did_not_happen_is_unavailable() {
    let desk = Desk::new();
    let writer = desk.writer();
    let mut group = writer.group(at(0)).unwrap();
    group.reserve(&desk.paper(DEVICE).intent()).unwrap();
    group
        .state
        .connection
        .execute_batch("PRAGMA defer_foreign_keys = ON; UPDATE entry SET issuer = 99")
        .unwrap();
    let error = group.commit().unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(desk.ledger.counts().unwrap(), Counts::default());
    issue(&writer, &desk.paper(DEVICE));
}

#[test]
fn what_a_dropped_group_reserved_is_not_remembered() {
    let desk = Desk::new();
    let writer = desk.writer();
    let kept = desk.paper("kept");
    let before = reserve(&writer, &kept);
    let (lost, next) = (desk.paper("lost"), desk.paper("next"));
    let mut group = writer.group(at(0)).unwrap();
    let reservation = group.reserve(&lost.intent()).unwrap();
    drop(group);
    // The number is given again, to another intent.
    let number = reserve(&writer, &next);
    assert_eq!(reservation, Reservation::Reserved(number));
    let mut group = writer.group(at(0)).unwrap();
    let error = group.record(number, &lost.der).unwrap_err();
    assert!(matches!(error, Error::CertificateMismatch { .. }));
    drop(group);
    record(&writer, number, &next);
    record(&writer, before, &kept);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn one_group_may_reserve_and_record() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let mut group = writer.group(at(0)).unwrap();
    let Reservation::Reserved(entry) = group.reserve(&paper.intent()).unwrap() else {
        panic!("not reserved");
    };
    group.record(entry, &paper.der).unwrap();
    group.commit().unwrap();
    assert_eq!(desk.state(entry), State::Issued);
    let again = writer.group(at(0)).unwrap().record(entry, &paper.der);
    assert!(matches!(again, Err(Error::NotReserved { .. })));
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_reservation_that_others_abandoned_cannot_be_recorded() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let entry = reserve(&writer, &paper);
    // As after somebody removed this writer's lock file.
    desk.tamper(&format!(
        "UPDATE entry SET state = 'abandoned', ended_at = {NOW} WHERE id = {entry}"
    ));
    let error = writer.group(at(0)).unwrap().record(entry, &paper.der);
    assert_eq!(
        error.unwrap_err().to_string(),
        format!(
            "entry {entry} is abandoned by writer {}, wanted is one reserved by this writer",
            writer.name()
        )
    );
    assert_eq!(desk.state(entry), State::Abandoned);
}

#[test]
fn the_newest_time_of_a_chain_never_goes_back() {
    let desk = Desk::new();
    let writer = desk.writer();
    let newest = || -> i64 {
        let raw = desk.raw();
        raw.query_row("SELECT max(head_at) FROM writer", [], |row| row.get(0))
            .unwrap()
    };
    for (moment, wanted) in [(0, 0), (7, 7), (7, 7), (3, 7), (9, 9)] {
        let paper = desk.paper(&format!("device-{moment}-{wanted}-{}", newest()));
        let answer = reserve_at(&writer, &paper, at(moment));
        assert!(!matches!(answer, Reservation::Refused(_)), "{answer:?}");
        drop(writer.group(at(moment)).unwrap());
        assert_eq!(newest(), NOW + wanted);
    }
    let late = writer.group(at(9 - 301)).unwrap_err();
    assert!(matches!(late, Error::ClockBehind { .. }));
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}
