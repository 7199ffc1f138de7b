//! Tampering, and what `check` says about it.

use super::registrations::{ask, close, create, gateway, offer, register, revoke};
use super::*;

/// A ledger with one of everything: two superseding certificates, an abandoned and a reserved entry, a refusal, a
/// used permit, a writer that ended.
fn busy_desk() -> (Desk, Writer) {
    let desk = Desk::new();
    desk.writer().finish(at(0)).unwrap();
    let writer = desk.writer();
    issue(&writer, &desk.paper(DEVICE));
    permit(&writer, 60);
    issue(&writer, &desk.paper(DEVICE));
    let lost = reserve(&writer, &desk.paper("lost"));
    abandon(&writer, lost);
    reserve(&writer, &desk.paper("open"));
    let mut group = writer.group(at(0)).unwrap();
    group
        .refuse(&Refused {
            source: "a.csr",
            profile: "device",
            device: None,
            key: None,
            rule: "key-too-small",
            message: "the key is RSA-1024",
        })
        .unwrap();
    group.commit().unwrap();
    (desk, writer)
}

#[test]
fn an_honest_ledger_has_no_violations() {
    let (desk, writer) = busy_desk();
    let check = desk.ledger.check().unwrap();
    assert_eq!(check.violations, []);
    assert_eq!(check.violations_found, 0);
    assert_eq!(check.events, 12);
    assert_eq!(check.live_writers, [writer.name()]);
    assert_eq!(check.intents_without_result.len(), 1);
    let counts = Counts {
        reserved: 1,
        issued: 1,
        revoked: 1,
        abandoned: 1,
    };
    assert_eq!(check.counts, counts);
}

#[test]
fn every_change_behind_the_ledgers_back_is_found() {
    let cases: &[(&str, &[&str])] = &[
        (
            "UPDATE entry SET device = 'x' WHERE id = 2",
            &["fact-differs", "key-owner", "device-place"],
        ),
        (
            "UPDATE entry SET subject = 'CN=x' WHERE id = 3",
            &["fact-differs"],
        ),
        (
            "UPDATE entry SET previous = NULL WHERE id = 2",
            &["fact-differs"],
        ),
        (
            "UPDATE entry SET reserved_at = reserved_at + 1 WHERE id = 2",
            &["fact-differs"],
        ),
        (
            "UPDATE entry SET not_after = not_after + 1 WHERE id = 2",
            &["fact-differs", "certificate-not-after"],
        ),
        (
            "UPDATE entry SET key = zeroblob(32) WHERE id = 2",
            &["fact-differs", "certificate-key", "key-owner"],
        ),
        (
            "UPDATE entry SET tbs = zeroblob(32) WHERE id = 2",
            &["fact-differs", "certificate-tbs"],
        ),
        (
            "UPDATE entry SET serial = x'4242' WHERE id = 2",
            &["fact-differs", "certificate-serial"],
        ),
        (
            "UPDATE issuer SET subject = x'3000'",
            &["fact-differs", "certificate-issuer"],
        ),
        (
            "UPDATE entry SET certificate = x'00' WHERE id = 2",
            &["fact-differs", "certificate-der"],
        ),
        (
            "UPDATE entry SET state = 'issued', reason = NULL, ended_at = NULL WHERE id = 1",
            &["fact-differs", "fact-missing", "second-live"],
        ),
        (
            "UPDATE entry SET state = 'abandoned', ended_at = 1795485600 WHERE id = 4",
            &["fact-missing"],
        ),
        (
            "UPDATE entry SET state = 'reserved', ended_at = NULL WHERE id = 3",
            &["fact-differs", "fact-missing"],
        ),
        (
            "DELETE FROM entry WHERE id = 3",
            &["reference", "fact-without-row", "device-place"],
        ),
        (
            "INSERT INTO entry SELECT 9, issuer, x'4343', authority_key, profile, namespace, device, subject, key, tbs, not_after, state, writer, previous, reserved_at, recorded_at, ended_at, reason, certificate FROM entry WHERE id = 3",
            &["fact-missing"],
        ),
        (
            "UPDATE device SET entry = 3 WHERE device = 'open'",
            &["device-place"],
        ),
        ("DELETE FROM key", &["key-owner"]),
        ("DELETE FROM refusal", &["fact-without-row"]),
        ("UPDATE refusal SET message = 'fine'", &["fact-differs"]),
        (
            "INSERT INTO refusal SELECT 9, at, writer, source, profile, device, key, rule, message FROM refusal",
            &["fact-missing"],
        ),
        ("UPDATE permit SET allowed_by = 'nobody'", &["fact-differs"]),
        ("UPDATE permit SET used_by = NULL", &["fact-differs"]),
        (
            "UPDATE writer SET command = 'x' WHERE id = 2",
            &["fact-differs"],
        ),
        (
            "UPDATE writer SET ended_at = NULL WHERE id = 1",
            &["fact-differs", "fact-missing"],
        ),
        (
            "UPDATE writer SET head_seq = 4 WHERE id = 2",
            &["chain-head"],
        ),
        (
            "UPDATE event SET body = 'abandoned 3' || char(10) WHERE seq = 2 AND writer = 2",
            &["chain-hash", "fact-repeated", "fact-missing"],
        ),
        (
            "UPDATE event SET body = 'vanished 1' WHERE seq = 1 AND writer = 1",
            &["chain-hash", "fact-unknown", "fact-missing"],
        ),
        (
            "UPDATE event SET at = at + 1 WHERE seq = 3 AND writer = 2",
            &["chain-hash", "chain-head", "fact-differs"],
        ),
        (
            "DELETE FROM event WHERE seq = 10 AND writer = 2",
            &["chain-head", "fact-missing"],
        ),
        (
            "DELETE FROM event WHERE seq = 3 AND writer = 2",
            &["chain-sequence", "chain-hash", "fact-missing"],
        ),
    ];
    let (desk, _writer) = busy_desk();
    finds_each(&desk, cases);
}

/// Makes each change to a copy and looks for the rules it breaks.
fn finds_each(desk: &Desk, cases: &[(&str, &[&str])]) {
    for (number, (sql, wanted)) in cases.iter().enumerate() {
        let copy = desk.path(&format!("copy-{number}.db"));
        desk.ledger.backup(&copy).unwrap();
        let tampered = Desk {
            ledger: Ledger::open(&copy).unwrap(),
            ..Desk::new()
        };
        tampered.tamper(sql);
        let check = tampered.ledger.check().unwrap();
        for rule in *wanted {
            let found = check.violations.iter().any(|found| found.rule == *rule);
            assert!(found, "{sql}: no {rule} among {:#?}", check.violations);
        }
    }
}

/// A ledger with one of everything the endpoint adds: an open and a closed registrar; entries registered with the
/// first that are offered (1), done (2), refused and revoked (3), pending (4), abandoned (5), and an anonymous one (6).
fn busy_endpoint() -> (Desk, Writer) {
    let desk = Desk::new();
    let writer = desk.writer();
    let line = create(&writer, "line", |new| new.max = Some(9));
    create(&writer, "closed", |_| {});
    close(&writer, "closed");
    let [offered, done, refused, _] =
        ["a", "b", "c", "d"].map(|device| register(&writer, &desk.paper(device), Some(line)));
    assert_eq!(offer(&writer, offered), Offer::Made);
    gateway(&writer, done, GatewayAnswer::Done);
    revoke(&writer, refused, 1);
    gateway(&writer, refused, GatewayAnswer::Refused);
    let Reservation::Reserved(lost) = ask(&writer, &desk.paper("e"), Some(line)) else {
        panic!("not reserved");
    };
    abandon(&writer, lost);
    register(&writer, &desk.paper("f"), None);
    (desk, writer)
}

#[test]
fn every_change_of_what_the_endpoint_wrote_is_found() {
    let cases: &[(&str, &[&str])] = &[
        (
            "UPDATE registrar SET name = 'x' WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET token = zeroblob(32) WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET production = 'allow' WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET reissue = 1 WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET networks = '192.0.2.0/24' WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET authorities = 'line-2' WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET max = 10 WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET max = NULL WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET used = 2 WHERE id = 1",
            &["registrar-used"],
        ),
        (
            "UPDATE registrar SET created_at = created_at + 1 WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET created_by = 'x' WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET expires_at = 2000000000 WHERE id = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET closed_at = NULL, closed_by = NULL WHERE id = 2",
            &["fact-differs", "fact-missing"],
        ),
        (
            "UPDATE registrar SET closed_by = 'x' WHERE id = 2",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET closed_at = closed_at + 1 WHERE id = 2",
            &["fact-differs"],
        ),
        (
            "UPDATE registrar SET closed_at = 1795485600, closed_by = 'alice' WHERE id = 1",
            &["fact-missing"],
        ),
        ("DELETE FROM registrar WHERE id = 2", &["fact-without-row"]),
        (
            "DELETE FROM registrar WHERE id = 1",
            &["fact-without-row", "reference"],
        ),
        (
            "INSERT INTO registrar SELECT 9, 'x', zeroblob(32), production, reissue, networks, authorities, max, 0, created_at, created_by, expires_at, NULL, NULL FROM registrar WHERE id = 1",
            &["fact-missing"],
        ),
        (
            "UPDATE registration SET registrar = NULL WHERE entry = 1",
            &["fact-differs", "registrar-used"],
        ),
        (
            "UPDATE registration SET registrar = 1 WHERE entry = 6",
            &["fact-differs", "registrar-used"],
        ),
        (
            "UPDATE registration SET name = 'x' WHERE entry = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registration SET source = 'x' WHERE entry = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registration SET gateway = 'none' WHERE entry = 4",
            &["fact-differs"],
        ),
        (
            "UPDATE registration SET gateway = 'done' WHERE entry = 4",
            &["fact-missing"],
        ),
        (
            "UPDATE registration SET gateway = 'pending' WHERE entry = 2",
            &["fact-differs", "fact-missing"],
        ),
        (
            "UPDATE registration SET gateway = 'done' WHERE entry = 3",
            &["fact-differs", "fact-missing"],
        ),
        (
            "UPDATE registration SET offered_at = NULL WHERE entry = 1",
            &["fact-differs", "fact-missing"],
        ),
        (
            "UPDATE registration SET offered_at = offered_at + 1 WHERE entry = 1",
            &["fact-differs"],
        ),
        (
            "UPDATE registration SET offered_at = 1795485600 WHERE entry = 2",
            &["fact-missing"],
        ),
        (
            "UPDATE registration SET offered_at = 1795485600 WHERE entry = 3",
            &["fact-missing", "registrar-used"],
        ),
        (
            "DELETE FROM registration WHERE entry = 1",
            &["fact-without-row", "fact-missing", "registrar-used"],
        ),
        (
            "INSERT INTO registration SELECT 9, registrar, name, source, gateway, offered_at FROM registration WHERE entry = 1",
            &["reference"],
        ),
        (
            "UPDATE entry SET reason = 5 WHERE id = 3",
            &["fact-differs", "key-compromised"],
        ),
        (
            "UPDATE entry SET reason = 4 WHERE id = 3",
            &["fact-differs", "fact-missing"],
        ),
        (
            "UPDATE entry SET ended_at = ended_at + 1 WHERE id = 3",
            &["fact-differs"],
        ),
        (
            "UPDATE entry SET state = 'issued', reason = NULL, ended_at = NULL WHERE id = 3",
            &["fact-differs", "fact-missing", "registrar-used"],
        ),
        (
            "UPDATE entry SET state = 'revoked', reason = 5, ended_at = 1795485600 WHERE id = 2",
            &["fact-missing", "registrar-used"],
        ),
        ("UPDATE key SET compromised = 0", &["key-compromised"]),
        (
            "UPDATE key SET compromised = 1 WHERE device = 'a'",
            &["key-compromised"],
        ),
    ];
    let (desk, _writer) = busy_endpoint();
    assert_eq!(desk.ledger.check().unwrap().violations, []);
    finds_each(&desk, cases);
}

#[test]
fn a_violation_says_what_and_where() {
    let (desk, _writer) = busy_desk();
    desk.tamper("UPDATE entry SET not_after = not_after + 1 WHERE id = 2");
    let check = desk.ledger.check().unwrap();
    let rule = "certificate-not-after";
    let violation = check.violations.iter().find(|found| found.rule == rule);
    assert_eq!(
        violation.unwrap().to_string(),
        "certificate-not-after: entry 2: found 2027-11-24T02:00:00Z, \
         wanted 2027-11-24T02:00:01Z"
    );
}
