//! Who may have which certificate.

use super::*;

#[test]
fn an_entry_goes_from_reserved_to_issued() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let id = reserve(&writer, &paper);
    assert_eq!(desk.state(id), State::Reserved);
    record(&writer, id, &paper);
    let entry = desk.ledger.entry(id).unwrap().unwrap();
    assert_eq!(entry.state, State::Issued);
    assert_eq!(entry.certificate.as_ref(), Some(&paper.der));
    assert_eq!(entry.writer, writer.name());
    assert_eq!(desk.ledger.by_serial(&paper.serial).unwrap(), [entry]);
}

#[test]
fn only_a_reserved_entry_moves_and_only_once() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let name = writer.name();
    let issued = issue(&writer, &paper);
    let abandoned = reserve(&writer, &desk.paper("other"));
    abandon(&writer, abandoned);
    let cases = [
        (issued, format!("issued by writer {name}")),
        (abandoned, format!("abandoned by writer {name}")),
        (EntryId(99), "not in the ledger".to_owned()),
    ];
    for (entry, found) in cases {
        let wanted = format!("entry {entry} is {found}, wanted is one reserved by this writer");
        let recorded = writer.group(at(0)).unwrap().record(entry, &paper.der);
        assert_eq!(recorded.unwrap_err().to_string(), wanted);
        let abandoned = writer.group(at(0)).unwrap().abandon(entry);
        assert_eq!(abandoned.unwrap_err().to_string(), wanted);
    }
}

#[test]
fn another_writers_entry_is_left_alone() {
    let desk = Desk::new();
    let (one, two) = (desk.writer(), desk.writer());
    let paper = desk.paper(DEVICE);
    let entry = reserve(&one, &paper);
    let error = two.group(at(0)).unwrap().record(entry, &paper.der);
    assert!(matches!(error, Err(Error::NotReserved { .. })));
    record(&one, entry, &paper);
}

#[test]
fn a_certificate_with_other_tbs_bytes_is_not_recorded() {
    let desk = Desk::new();
    let writer = desk.writer();
    let entry = reserve(&writer, &desk.paper(DEVICE));
    for der in [desk.paper(DEVICE).der, Vec::new(), vec![0x30, 3, 0x30]] {
        let mut group = writer.group(at(0)).unwrap();
        let error = group.record(entry, &der).unwrap_err();
        assert!(matches!(error, Error::CertificateMismatch { .. }));
        assert!(matches!(group.commit(), Err(Error::GroupFailed)));
        assert_eq!(desk.state(entry), State::Reserved);
    }
}

#[test]
fn the_same_request_gets_the_same_certificate_again() {
    let desk = Desk::new();
    let writer = desk.writer();
    let key = KeyPair::generate().unwrap();
    let first = desk.paper_for(DEVICE, &key, YEAR);
    let id = issue(&writer, &first);
    let again = desk.paper_for(DEVICE, &key, YEAR);
    match reserve_at(&writer, &again, at(0)) {
        Reservation::Repeated(entry) => {
            assert_eq!((entry.id, entry.certificate), (id, Some(first.der)));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        reserve_at(&writer, &again, at(YEAR + 1)),
        Reservation::Reserved(_)
    ));
}

#[test]
fn a_live_certificate_stands_in_the_way_of_another_key_profile_or_issuer() {
    let desk = Desk::new();
    let writer = desk.writer();
    let key = KeyPair::generate().unwrap();
    let first = desk.paper_for(DEVICE, &key, YEAR);
    let id = issue(&writer, &first);
    let mut other_profile = desk.paper_for(DEVICE, &key, YEAR);
    other_profile.profile = "gateway";
    let mut other_issuer = desk.paper_for(DEVICE, &key, YEAR);
    other_issuer.issuer = b"another".to_vec();
    for paper in [desk.paper(DEVICE), other_profile, other_issuer] {
        let conflict = refused(&writer, &paper);
        assert_eq!(conflict.rule(), "device-live");
        assert_eq!(
            conflict.to_string(),
            format!(
                "device `{DEVICE}` already has certificate {}, valid until 2027-11-24",
                first.serial
            )
        );
        assert!(matches!(conflict, Conflict::DeviceLive { entry } if entry.id == id));
    }
    let mut elsewhere = desk.paper_for(DEVICE, &key, YEAR);
    elsewhere.namespace = Some("idevid");
    issue(&writer, &elsewhere);
    assert_eq!(desk.ledger.device(None, DEVICE).unwrap().len(), 2);
    assert_eq!(desk.ledger.device(Some("idevid"), DEVICE).unwrap().len(), 1);
}

#[test]
fn a_new_certificate_supersedes_the_old_one_only_when_it_is_recorded() {
    let desk = Desk::new();
    let writer = desk.writer();
    let old = issue(&writer, &desk.paper(DEVICE));
    let mut paper = desk.paper(DEVICE);
    paper.on_live = OnLive::Supersede;
    let new = reserve(&writer, &paper);
    assert_eq!(desk.state(old), State::Issued);
    record(&writer, new, &paper);
    let history = desk.ledger.device(Some("device"), DEVICE).unwrap();
    let seen: Vec<_> = history.iter().map(|e| (e.id, e.state, e.reason)).collect();
    assert_eq!(
        seen,
        [(new, State::Issued, None), (old, State::Revoked, Some(4))]
    );
}

#[test]
fn an_expired_certificate_gives_way_and_stays_as_it_was() {
    let desk = Desk::new();
    let writer = desk.writer();
    let key = KeyPair::generate().unwrap();
    let old = issue(&writer, &desk.paper_for(DEVICE, &key, 60));
    let paper = desk.paper(DEVICE);
    assert!(matches!(
        reserve_at(&writer, &paper, at(60)),
        Reservation::Refused(Conflict::DeviceLive { .. })
    ));
    let Reservation::Reserved(new) = reserve_at(&writer, &paper, at(61)) else {
        panic!("not reserved");
    };
    let mut group = writer.group(at(62)).unwrap();
    group.record(new, &paper.der).unwrap();
    group.commit().unwrap();
    assert_eq!(desk.state(old), State::Issued);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn an_abandoned_attempt_gives_the_place_back() {
    let desk = Desk::new();
    let writer = desk.writer();
    let first = reserve(&writer, &desk.paper(DEVICE));
    abandon(&writer, first);
    let key = KeyPair::generate().unwrap();
    let paper = desk.paper_for(DEVICE, &key, YEAR);
    let second = issue(&writer, &paper);
    let mut attempt = desk.paper(DEVICE);
    attempt.on_live = OnLive::Supersede;
    let third = reserve(&writer, &attempt);
    abandon(&writer, third);
    assert_eq!(desk.state(second), State::Issued);
    let again = desk.paper_for(DEVICE, &key, YEAR);
    assert!(matches!(
        reserve_at(&writer, &again, at(0)),
        Reservation::Repeated(entry) if entry.id == second
    ));
    let lost = desk.ledger.intents_without_result().unwrap();
    let lost: Vec<_> = lost.iter().map(|entry| entry.id).collect();
    assert_eq!(lost, [first, third]);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_permit_works_once() {
    let desk = Desk::new();
    let writer = desk.writer();
    issue(&writer, &desk.paper(DEVICE));
    permit(&writer, 60);
    issue(&writer, &desk.paper(DEVICE));
    assert_eq!(refused(&writer, &desk.paper(DEVICE)).rule(), "device-live");
}

#[test]
fn an_expired_permit_does_not_work() {
    let desk = Desk::new();
    let writer = desk.writer();
    issue(&writer, &desk.paper(DEVICE));
    permit(&writer, 60);
    let paper = desk.paper(DEVICE);
    let answer = reserve_at(&writer, &paper, at(60));
    assert!(matches!(answer, Reservation::Refused(_)));
}

#[test]
fn a_permit_of_an_abandoned_attempt_works_again() {
    let desk = Desk::new();
    let writer = desk.writer();
    issue(&writer, &desk.paper(DEVICE));
    permit(&writer, 60);
    let attempt = reserve(&writer, &desk.paper(DEVICE));
    abandon(&writer, attempt);
    issue(&writer, &desk.paper(DEVICE));
    assert_eq!(refused(&writer, &desk.paper(DEVICE)).rule(), "device-live");
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_permit_is_for_a_device_that_had_a_certificate() {
    let desk = Desk::new();
    let writer = desk.writer();
    let mut group = writer.group(at(0)).unwrap();
    let error = group.permit("device", "nobody", "officer", at(60));
    assert_eq!(
        error.unwrap_err().to_string(),
        "device `nobody` has no certificate in `device` that could be replaced"
    );
}

#[test]
fn a_revoked_device_needs_a_permit_even_after_an_abandoned_attempt() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let id = issue(&writer, &paper);
    desk.tamper(&format!(
        "UPDATE entry SET state = 'revoked', reason = 1, ended_at = {NOW} WHERE id = {id}"
    ));
    let mut next = desk.paper(DEVICE);
    next.on_live = OnLive::Supersede;
    let wanted = format!(
        "device `{DEVICE}` had certificate {}, valid until 2027-11-24, \
         which was revoked on 2026-11-24",
        paper.serial
    );
    assert_eq!(refused(&writer, &next).to_string(), wanted);
    permit(&writer, 60);
    let attempt = reserve(&writer, &next);
    abandon(&writer, attempt);
    let late = reserve_at(&writer, &desk.paper(DEVICE), at(61));
    assert!(matches!(
        late,
        Reservation::Refused(Conflict::DeviceRevoked { .. })
    ));
}

#[test]
fn a_key_belongs_to_one_device_for_ever() {
    let desk = Desk::new();
    let writer = desk.writer();
    let key = KeyPair::generate().unwrap();
    let paper = desk.paper_for(DEVICE, &key, 60);
    issue(&writer, &paper);
    let clone = desk.paper_for("clone", &key, YEAR);
    let Reservation::Refused(conflict) = reserve_at(&writer, &clone, at(YEAR)) else {
        panic!("not refused");
    };
    assert_eq!(conflict.rule(), "key-of-other-device");
    assert_eq!(
        conflict.to_string(),
        format!(
            "the key belongs to device `{DEVICE}`: certificate {}, valid until 2026-11-24",
            paper.serial
        )
    );
}

#[test]
fn a_compromised_key_is_refused_in_every_namespace() {
    let desk = Desk::new();
    let writer = desk.writer();
    let key = KeyPair::generate().unwrap();
    issue(&writer, &desk.paper_for(DEVICE, &key, YEAR));
    desk.tamper("UPDATE key SET compromised = 1");
    for (device, namespace) in [(DEVICE, "device"), ("clone", "device"), ("x", "idevid")] {
        let mut paper = desk.paper_for(device, &key, YEAR);
        paper.namespace = Some(namespace);
        let conflict = refused(&writer, &paper);
        assert_eq!(conflict.rule(), "key-compromised");
        assert_eq!(
            conflict.to_string(),
            format!(
                "the key was reported compromised by device `{DEVICE}`; \
                 it is refused for every device"
            )
        );
    }
}

#[test]
fn a_device_is_busy_while_its_certificate_is_made() {
    let desk = Desk::new();
    let (one, two) = (desk.writer(), desk.writer());
    let entry = reserve(&one, &desk.paper(DEVICE));
    let mut paper = desk.paper(DEVICE);
    paper.on_live = OnLive::Supersede;
    assert_eq!(
        refused(&one, &paper).to_string(),
        format!("a certificate for device `{DEVICE}` is being issued by this process")
    );
    let wanted = Conflict::Busy {
        entry,
        device: DEVICE.to_owned(),
        writer: one.name().to_owned(),
        mine: false,
    };
    assert_eq!(refused(&two, &paper), wanted);
}

#[test]
fn a_repeated_serial_ends_the_group() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    reserve(&writer, &paper);
    let mut other = desk.paper("other");
    other.serial = paper.serial.clone();
    let mut group = writer.group(at(0)).unwrap();
    group.reserve(&desk.paper("third").intent()).unwrap();
    let error = group.reserve(&other.intent()).unwrap_err();
    assert!(matches!(error, Error::SerialRepeated { .. }));
    assert!(matches!(group.commit(), Err(Error::GroupFailed)));
    assert_eq!(desk.ledger.counts().unwrap().reserved, 1);
    other.issuer = b"another".to_vec();
    reserve(&writer, &other);
    assert_eq!(desk.ledger.by_serial(&paper.serial).unwrap().len(), 2);
}

#[test]
fn certificates_without_a_claim_may_overlap() {
    let desk = Desk::new();
    let writer = desk.writer();
    let key = KeyPair::generate().unwrap();
    let mut newest = EntryId(0);
    for _ in 0..2 {
        let mut paper = desk.paper_for("line-1", &key, YEAR);
        (paper.namespace, paper.profile) = (None, "ca");
        newest = issue(&writer, &paper);
    }
    let hash = sha256(&key.subject_public_key_info());
    let found = desk.ledger.by_key_without_claim(&hash, Some("ca")).unwrap();
    assert_eq!((found.len(), found[0].id), (2, newest));
    assert_eq!(
        desk.ledger
            .by_key_without_claim(&hash, Some("tls"))
            .unwrap(),
        []
    );
}

#[test]
fn a_dropped_group_leaves_nothing() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let mut group = writer.group(at(0)).unwrap();
    group.reserve(&paper.intent()).unwrap();
    drop(group);
    assert_eq!(desk.ledger.counts().unwrap(), Counts::default());
    issue(&writer, &paper);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}
