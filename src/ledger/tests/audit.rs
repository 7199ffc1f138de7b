//! Tampering, and what `check` says about it.

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
