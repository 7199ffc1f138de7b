//! What the endpoint may do with the ledger: registrars, offers, and certificates nobody ever got.

use super::*;

/// A registrar named `line` that may register so many devices.
fn registrar(writer: &Writer, max: Option<u32>) -> RegistrarId {
    create(writer, "line", |new| new.max = max)
}

pub(super) fn create<'a>(
    writer: &Writer,
    name: &'a str,
    change: impl FnOnce(&mut NewRegistrar<'a>),
) -> RegistrarId {
    let mut new = NewRegistrar {
        name,
        token: sha256(name.as_bytes()),
        production: Production::Refuse,
        on_live: OnLive::Refuse,
        networks: &[],
        authorities: &[],
        max: None,
        created_by: "officer",
        expires_at: None,
    };
    change(&mut new);
    let mut group = writer.group(at(0)).unwrap();
    let id = group.create_registrar(&new).unwrap();
    group.commit().unwrap();
    id
}

/// A request that came to the endpoint; anonymous without registrar.
fn ask_at(
    writer: &Writer,
    paper: &Paper,
    registrar: Option<RegistrarId>,
    now: Timestamp,
) -> Reservation {
    let mut intent = paper.intent();
    intent.registration = Some(Registering {
        registrar,
        name: Some("gate-7"),
        source: "192.0.2.7",
        at_gateway: AtGateway::Create,
    });
    let mut group = writer.group(now).unwrap();
    let answer = group.reserve(&intent).unwrap();
    group.commit().unwrap();
    answer
}

pub(super) fn ask(writer: &Writer, paper: &Paper, registrar: Option<RegistrarId>) -> Reservation {
    ask_at(writer, paper, registrar, at(0))
}

pub(super) fn register(writer: &Writer, paper: &Paper, registrar: Option<RegistrarId>) -> EntryId {
    match ask(writer, paper, registrar) {
        Reservation::Reserved(entry) => {
            record(writer, entry, paper);
            entry
        }
        other => panic!("{other:?}"),
    }
}

fn rule(answer: Reservation) -> &'static str {
    match answer {
        Reservation::Refused(conflict) => conflict.rule(),
        Reservation::Reserved(_) => "reserved",
        Reservation::Repeated(_) => "repeated",
    }
}

pub(super) fn offer(writer: &Writer, entry: EntryId) -> Offer {
    let mut group = writer.group(at(0)).unwrap();
    let offer = group.offer(entry).unwrap();
    group.commit().unwrap();
    offer
}

pub(super) fn gateway(writer: &Writer, entry: EntryId, answer: GatewayAnswer) -> bool {
    let mut group = writer.group(at(0)).unwrap();
    let waited = group.gateway(entry, answer).unwrap();
    group.commit().unwrap();
    waited
}

pub(super) fn revoke(writer: &Writer, entry: EntryId, reason: u8) {
    let mut group = writer.group(at(0)).unwrap();
    group.revoke(entry, reason).unwrap();
    group.commit().unwrap();
}

pub(super) fn close(writer: &Writer, name: &str) -> Registrar {
    let mut group = writer.group(at(0)).unwrap();
    let closed = group.close_registrar(name, "alice").unwrap();
    group.commit().unwrap();
    closed
}

/// How often a registrar was used; the ledger must be without contradiction.
fn used(desk: &Desk) -> u32 {
    assert_eq!(desk.ledger.check().unwrap().violations, []);
    desk.ledger.registrars().unwrap()[0].used
}

fn registration(desk: &Desk, entry: EntryId) -> Registration {
    let entry = desk.ledger.entry(entry).unwrap().unwrap();
    entry.registration.unwrap()
}

#[test]
fn a_registrar_is_kept_as_it_was_created() {
    let desk = Desk::new();
    let writer = desk.writer();
    let networks = ["192.0.2.0/24", "2001:db8::1/128"].map(|network| network.parse().unwrap());
    let authorities = ["line-1", "line-2"].map(str::to_owned);
    let id = create(&writer, "line", |new| {
        new.production = Production::Require;
        new.on_live = OnLive::Supersede;
        new.networks = &networks;
        new.authorities = &authorities;
        new.max = Some(7);
        new.expires_at = Some(at(60));
    });
    create(&writer, "other", |_| {});
    let kept = desk.ledger.registrars().unwrap();
    assert_eq!(kept.len(), 2);
    let wanted = Registrar {
        id,
        name: "line".to_owned(),
        token: sha256(b"line"),
        production: Production::Require,
        on_live: OnLive::Supersede,
        networks: networks.to_vec(),
        authorities: authorities.to_vec(),
        max: Some(7),
        used: 0,
        created_at: at(0),
        created_by: "officer".to_owned(),
        expires_at: Some(at(60)),
        closed_at: None,
        closed_by: None,
    };
    assert_eq!(kept[0], wanted);
    assert_eq!(kept[0].standing(at(59)), Standing::Open);
    assert_eq!(kept[0].standing(at(60)), Standing::Expired);
    assert_eq!((kept[1].max, kept[1].networks.len()), (None, 0));
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_registrars_name_is_used_once() {
    let desk = Desk::new();
    let writer = desk.writer();
    registrar(&writer, None);
    close(&writer, "line");
    let mut group = writer.group(at(0)).unwrap();
    let again = NewRegistrar {
        name: "line",
        token: [1; 32],
        production: Production::Refuse,
        on_live: OnLive::Refuse,
        networks: &[],
        authorities: &[],
        max: None,
        created_by: "officer",
        expires_at: None,
    };
    assert_eq!(
        group.create_registrar(&again).unwrap_err().to_string(),
        "there is a registrar `line` already; a name is never used again"
    );
}

#[test]
fn closing_a_registrar_again_changes_nothing() {
    let desk = Desk::new();
    let writer = desk.writer();
    registrar(&writer, None);
    let first = close(&writer, "line");
    assert_eq!(first.closed_by.as_deref(), Some("alice"));
    assert_eq!(first.closed_at, Some(at(0)));
    let mut group = writer.group(at(5)).unwrap();
    let again = group.close_registrar("line", "bob").unwrap();
    group.commit().unwrap();
    assert_eq!(again, first);
    assert_eq!(desk.ledger.registrars().unwrap(), [first]);
    let mut group = writer.group(at(5)).unwrap();
    assert_eq!(
        group
            .close_registrar("lime", "bob")
            .unwrap_err()
            .to_string(),
        "there is no registrar `lime`"
    );
    drop(group);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_closed_or_expired_registrar_gets_nothing_not_even_a_repeat() {
    let desk = Desk::new();
    let (one, two) = (desk.writer(), desk.writer());
    let closed = registrar(&one, None);
    let expired = create(&one, "late", |new| new.expires_at = Some(at(60)));
    let (paper, late) = (desk.paper(DEVICE), desk.paper("late"));
    register(&one, &paper, Some(closed));
    register(&one, &late, Some(expired));
    close(&two, "line");
    let messages = [
        (
            ask(&one, &paper, Some(closed)),
            "registrar `line` was closed on 2026-11-24",
        ),
        (
            ask_at(&one, &late, Some(expired), at(60)),
            "registrar `late` expired at 2026-11-24T02:01:00Z",
        ),
    ];
    for (answer, wanted) in messages {
        match answer {
            Reservation::Refused(conflict) => assert_eq!(conflict.to_string(), wanted),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rule(ask_at(&one, &late, Some(expired), at(59))), "repeated");
}

#[test]
fn a_registrars_standing_comes_before_the_keys_owner() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let key = KeyPair::generate().unwrap();
    register(&writer, &desk.paper_for(DEVICE, &key, YEAR), Some(id));
    let clone = desk.paper_for("clone", &key, YEAR);
    assert_eq!(rule(ask(&writer, &clone, Some(id))), "registrar-exhausted");
    assert_eq!(rule(ask(&writer, &clone, None)), "key-of-other-device");
    close(&writer, "line");
    assert_eq!(rule(ask(&writer, &clone, Some(id))), "registrar-closed");
}

#[test]
fn a_registrar_that_was_never_created_ends_the_group() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let mut intent = paper.intent();
    intent.registration = Some(Registering {
        registrar: Some(RegistrarId(5)),
        name: None,
        source: "",
        at_gateway: AtGateway::Nothing,
    });
    let error = writer.group(at(0)).unwrap().reserve(&intent).unwrap_err();
    assert_eq!(error.to_string(), "there is no registrar `5`");
}

#[test]
fn an_exhausted_registrar_repeats_but_registers_nobody_else() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let paper = desk.paper(DEVICE);
    let entry = register(&writer, &paper, Some(id));
    assert_eq!(offer(&writer, entry), Offer::Made);
    assert_eq!(rule(ask(&writer, &paper, Some(id))), "repeated");
    let Reservation::Refused(conflict) = ask(&writer, &desk.paper("other"), Some(id)) else {
        panic!("not refused");
    };
    assert_eq!(
        conflict.to_string(),
        "registrar `line` has registered as many devices as it may: 1"
    );
    assert_eq!(
        rule(ask(&writer, &desk.paper(DEVICE), Some(id))),
        "registrar-exhausted"
    );
    assert_eq!(used(&desk), 1);
}

#[test]
fn an_exhausted_registrar_waits_for_its_own_request_under_way() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let paper = desk.paper(DEVICE);
    let reserved = ask(&writer, &paper, Some(id));
    assert_eq!(rule(reserved), "reserved");
    assert_eq!(rule(ask(&writer, &paper, Some(id))), "device-busy");
    assert_eq!(
        rule(ask(&writer, &desk.paper(DEVICE), Some(id))),
        "device-busy"
    );
    assert_eq!(
        rule(ask(&writer, &desk.paper("other"), Some(id))),
        "registrar-exhausted"
    );
}

#[test]
fn uses_within_one_group_count() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(2));
    let papers = ["a", "b", "c"].map(|device| desk.paper(device));
    let mut group = writer.group(at(0)).unwrap();
    let rules = papers.each_ref().map(|paper| {
        let mut intent = paper.intent();
        intent.registration = Some(Registering {
            registrar: Some(id),
            name: None,
            source: "192.0.2.7",
            at_gateway: AtGateway::Nothing,
        });
        rule(group.reserve(&intent).unwrap())
    });
    assert_eq!(rules, ["reserved", "reserved", "registrar-exhausted"]);
    assert_eq!(group.close_registrar("line", "alice").unwrap().used, 2);
    group.commit().unwrap();
    assert_eq!(used(&desk), 2);
}

#[test]
fn a_dropped_group_uses_nothing() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let paper = desk.paper(DEVICE);
    let mut intent = paper.intent();
    intent.registration = Some(Registering {
        registrar: Some(id),
        name: None,
        source: "192.0.2.7",
        at_gateway: AtGateway::Nothing,
    });
    let mut group = writer.group(at(0)).unwrap();
    group.reserve(&intent).unwrap();
    drop(group);
    assert_eq!(used(&desk), 0);
    register(&writer, &paper, Some(id));
    assert_eq!(used(&desk), 1);
}

#[test]
fn an_abandoned_entry_gives_its_use_back() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let Reservation::Reserved(entry) = ask(&writer, &desk.paper(DEVICE), Some(id)) else {
        panic!("not reserved");
    };
    assert_eq!(used(&desk), 1);
    abandon(&writer, entry);
    assert_eq!(used(&desk), 0);
    register(&writer, &desk.paper("other"), Some(id));
    assert_eq!(used(&desk), 1);
}

#[test]
fn a_dead_writers_entries_give_their_uses_back() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let dead = desk.writer();
    assert_eq!(rule(ask(&dead, &desk.paper(DEVICE), Some(id))), "reserved");
    drop(dead);
    // The place is put in order although the registrar looks exhausted.
    assert_eq!(
        rule(ask(&writer, &desk.paper(DEVICE), Some(id))),
        "reserved"
    );
    assert_eq!(used(&desk), 1);
    drop(writer);
    desk.writer();
    assert_eq!(used(&desk), 0);
}

#[test]
fn a_certificate_nobody_got_makes_way_for_the_next_key() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let lost = register(&writer, &desk.paper(DEVICE), Some(id));
    let paper = desk.paper(DEVICE);
    let next = register(&writer, &paper, Some(id));
    let history = desk.ledger.device(Some("device"), DEVICE).unwrap();
    let seen: Vec<_> = history.iter().map(|e| (e.id, e.state, e.reason)).collect();
    assert_eq!(
        seen,
        [(next, State::Issued, None), (lost, State::Revoked, Some(4))]
    );
    assert_eq!(history[0].previous, Some(lost));
    assert_eq!(used(&desk), 1);
    assert_eq!(offer(&writer, next), Offer::Made);
    assert_eq!(rule(ask(&writer, &desk.paper(DEVICE), None)), "device-live");
    assert_eq!(rule(ask(&writer, &paper, Some(id))), "repeated");
}

#[test]
fn whoever_asks_next_takes_the_place_of_a_certificate_nobody_got() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let other = create(&writer, "other", |_| {});
    register(&writer, &desk.paper(DEVICE), Some(id));
    register(&writer, &desk.paper(DEVICE), None);
    register(&writer, &desk.paper(DEVICE), Some(other));
    let batch = issue(&writer, &desk.paper(DEVICE));
    assert_eq!(used(&desk), 0);
    assert_eq!(
        desk.ledger.entry(batch).unwrap().unwrap().registration,
        None
    );
    // A batch delivers what it issues.
    assert_eq!(
        rule(ask(&writer, &desk.paper(DEVICE), Some(id))),
        "device-live"
    );
}

#[test]
fn another_registrars_lost_certificate_costs_a_use() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let other = create(&writer, "other", |_| {});
    register(&writer, &desk.paper("first"), Some(id));
    register(&writer, &desk.paper(DEVICE), Some(other));
    assert_eq!(
        rule(ask(&writer, &desk.paper(DEVICE), Some(id))),
        "registrar-exhausted"
    );
    assert_eq!(used(&desk), 1);
}

#[test]
fn an_attempt_to_replace_what_nobody_got_can_be_abandoned() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let paper = desk.paper(DEVICE);
    let lost = register(&writer, &paper, Some(id));
    let Reservation::Reserved(attempt) = ask(&writer, &desk.paper(DEVICE), Some(id)) else {
        panic!("not reserved");
    };
    // Both count while one is under way.
    assert_eq!(used(&desk), 2);
    abandon(&writer, attempt);
    assert_eq!(used(&desk), 1);
    match ask(&writer, &paper, Some(id)) {
        Reservation::Repeated(entry) => assert_eq!(entry.id, lost),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_that_an_officer_revoked_needs_a_permit_though_nobody_got_it() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let paper = desk.paper(DEVICE);
    let entry = register(&writer, &paper, Some(id));
    revoke(&writer, entry, 9);
    assert_eq!(used(&desk), 0);
    assert_eq!(rule(ask(&writer, &paper, Some(id))), "device-revoked");
    assert_eq!(
        rule(ask(&writer, &desk.paper(DEVICE), Some(id))),
        "device-revoked"
    );
}

#[test]
fn an_offer_is_remembered_once() {
    let desk = Desk::new();
    let writer = desk.writer();
    let entry = register(&writer, &desk.paper(DEVICE), None);
    assert_eq!(registration(&desk, entry).offered_at, None);
    assert_eq!(offer(&writer, entry), Offer::Made);
    let events = desk.ledger.check().unwrap().events;
    let mut group = writer.group(at(9)).unwrap();
    assert_eq!(group.offer(entry).unwrap(), Offer::Made);
    group.commit().unwrap();
    assert_eq!(registration(&desk, entry).offered_at, Some(at(0)));
    let check = desk.ledger.check().unwrap();
    assert_eq!((check.violations, check.events), (vec![], events));
}

#[test]
fn what_did_not_come_through_the_endpoint_is_offered_without_a_word() {
    let desk = Desk::new();
    let writer = desk.writer();
    let entry = issue(&writer, &desk.paper(DEVICE));
    let events = desk.ledger.check().unwrap().events;
    assert_eq!(offer(&writer, entry), Offer::Made);
    assert_eq!(desk.ledger.check().unwrap().events, events);
}

#[test]
fn only_an_issued_certificate_is_offered() {
    let desk = Desk::new();
    let writer = desk.writer();
    let Reservation::Reserved(reserved) = ask(&writer, &desk.paper(DEVICE), None) else {
        panic!("not reserved");
    };
    let Reservation::Reserved(abandoned) = ask(&writer, &desk.paper("other"), None) else {
        panic!("not reserved");
    };
    abandon(&writer, abandoned);
    for (entry, found) in [
        (reserved, "reserved"),
        (abandoned, "abandoned"),
        (EntryId(99), "not in the ledger"),
    ] {
        let error = writer.group(at(0)).unwrap().offer(entry).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("entry {entry} is {found}, wanted is an issued one")
        );
    }
}

#[test]
fn an_offer_is_withdrawn_when_another_request_took_the_place() {
    let desk = Desk::new();
    let writer = desk.writer();
    let first = register(&writer, &desk.paper(DEVICE), None);
    let paper = desk.paper(DEVICE);
    let Reservation::Reserved(next) = ask(&writer, &paper, None) else {
        panic!("not reserved");
    };
    assert_eq!(offer(&writer, first), Offer::Withdrawn);
    record(&writer, next, &paper);
    assert_eq!(offer(&writer, first), Offer::Withdrawn);
    assert_eq!(registration(&desk, first).offered_at, None);
    assert_eq!(offer(&writer, next), Offer::Made);
    revoke(&writer, next, 5);
    assert_eq!(offer(&writer, next), Offer::Withdrawn);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_batch_that_repeats_a_request_delivers_it() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    let entry = register(&writer, &paper, None);
    assert_eq!(rule(ask(&writer, &paper, None)), "repeated");
    assert_eq!(registration(&desk, entry).offered_at, None);
    match reserve_at(&writer, &paper, at(7)) {
        Reservation::Repeated(entry) => {
            assert_eq!(entry.registration.unwrap().offered_at, Some(at(7)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(registration(&desk, entry).offered_at, Some(at(7)));
    assert_eq!(rule(reserve_at(&writer, &paper, at(8))), "repeated");
    assert_eq!(registration(&desk, entry).offered_at, Some(at(7)));
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn the_gateway_answers_once() {
    let desk = Desk::new();
    let writer = desk.writer();
    let entry = register(&writer, &desk.paper(DEVICE), None);
    let plain = issue(&writer, &desk.paper("plain"));
    assert_eq!(registration(&desk, entry).gateway, GatewayState::Pending);
    assert!(!gateway(&writer, plain, GatewayAnswer::Done));
    assert!(gateway(&writer, entry, GatewayAnswer::Done));
    assert!(!gateway(&writer, entry, GatewayAnswer::Done));
    assert!(!gateway(&writer, entry, GatewayAnswer::Refused));
    assert_eq!(registration(&desk, entry).gateway, GatewayState::Done);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_device_the_gateway_refuses_may_come_again_with_any_key() {
    let desk = Desk::new();
    let writer = desk.writer();
    let id = registrar(&writer, Some(1));
    let key = KeyPair::generate().unwrap();
    let entry = register(&writer, &desk.paper_for(DEVICE, &key, YEAR), Some(id));
    assert!(gateway(&writer, entry, GatewayAnswer::Refused));
    let refused = desk.ledger.entry(entry).unwrap().unwrap();
    assert_eq!((refused.state, refused.reason), (State::Revoked, Some(5)));
    assert_eq!(used(&desk), 0);
    let again = register(&writer, &desk.paper_for(DEVICE, &key, YEAR), Some(id));
    assert!(gateway(&writer, again, GatewayAnswer::Refused));
    register(&writer, &desk.paper(DEVICE), Some(id));
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn what_another_process_may_be_handing_out_is_waited_for() {
    let desk = Desk::new();
    let (here, there) = (desk.writer(), desk.writer());
    let entry = register(&there, &desk.paper(DEVICE), None);
    assert_eq!(rule(ask(&here, &desk.paper(DEVICE), None)), "device-busy");
    assert_eq!(
        rule(ask_at(&here, &desk.paper(DEVICE), None, at(599))),
        "device-busy"
    );
    drop(there);
    register(&here, &desk.paper(DEVICE), None);
    let old = desk.ledger.entry(entry).unwrap().unwrap();
    assert_eq!(old.state, State::Revoked);
}

#[test]
fn what_another_process_left_unoffered_for_long_gives_way() {
    let desk = Desk::new();
    let (here, there) = (desk.writer(), desk.writer());
    register(&there, &desk.paper(DEVICE), None);
    let answer = ask_at(&here, &desk.paper(DEVICE), None, at(600));
    assert!(matches!(answer, Reservation::Reserved(_)));
}

#[test]
fn pending_registrations_are_the_issued_ones_in_order() {
    let desk = Desk::new();
    let writer = desk.writer();
    let [first, done, revoked, last] =
        ["a", "b", "c", "d"].map(|device| register(&writer, &desk.paper(device), None));
    ask(&writer, &desk.paper("reserved"), None);
    issue(&writer, &desk.paper("batch"));
    gateway(&writer, done, GatewayAnswer::Done);
    revoke(&writer, revoked, 5);
    let pending = |after, limit| {
        let entries = desk.ledger.pending_registrations(after, limit).unwrap();
        entries.iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(pending(None, 10), [first, last]);
    assert_eq!(pending(None, 1), [first]);
    assert_eq!(pending(Some(first), 10), [last]);
    assert_eq!(pending(Some(last), 10), []);
    let named = desk.ledger.entry(first).unwrap().unwrap();
    assert_eq!(named.registration.unwrap().name.as_deref(), Some("gate-7"));
}

#[test]
fn a_certificate_is_revoked_once_for_a_reason_that_lasts() {
    let desk = Desk::new();
    let writer = desk.writer();
    let entry = issue(&writer, &desk.paper(DEVICE));
    let reserved = reserve(&writer, &desk.paper("reserved"));
    for reason in [2, 4, 6, 7, 8, 10, 11, 255] {
        let error = writer.group(at(0)).unwrap().revoke(entry, reason);
        assert_eq!(
            error.unwrap_err().to_string(),
            format!(
                "reason {reason} is not one to revoke entry {entry} for; \
                 wanted is 0, 1, 3, 5, 9 (RFC 5280 section 5.3.1), or 2 for a CA"
            )
        );
    }
    revoke(&writer, entry, 5);
    let row = desk.ledger.entry(entry).unwrap().unwrap();
    assert_eq!((row.state, row.reason), (State::Revoked, Some(5)));
    assert_eq!(row.ended_at, Some(at(0)));
    for (entry, found) in [(entry, "revoked"), (reserved, "reserved")] {
        let error = writer.group(at(0)).unwrap().revoke(entry, 5).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("entry {entry} is {found}, wanted is an issued one")
        );
    }
    assert_eq!(
        refused(&writer, &desk.paper(DEVICE)).rule(),
        "device-revoked"
    );
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_ca_is_revoked_for_its_compromise() {
    let desk = Desk::new();
    let writer = desk.writer();
    let mut paper = desk.paper("line-1");
    (paper.namespace, paper.profile) = (None, "ca");
    let entry = issue(&writer, &paper);
    revoke(&writer, entry, 2);
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}

#[test]
fn a_compromised_key_is_barred_when_its_certificate_is_revoked() {
    let desk = Desk::new();
    let writer = desk.writer();
    let key = KeyPair::generate().unwrap();
    let entry = issue(&writer, &desk.paper_for(DEVICE, &key, YEAR));
    revoke(&writer, entry, 1);
    let again = desk.paper_for(DEVICE, &key, YEAR);
    assert_eq!(refused(&writer, &again).rule(), "key-compromised");
    assert_eq!(desk.ledger.check().unwrap().violations, []);
}
