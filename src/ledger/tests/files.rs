//! Creating, opening, copying and exporting.

use std::os::unix::fs::PermissionsExt;

use super::registrations::{create, offer, register};
use super::*;
use crate::ledger::export::Format;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_ledger_belongs_to_its_owner_only() {
    let desk = Desk::new();
    assert_eq!(desk.ledger.factory(), "acme");
    assert_eq!(desk.ledger.id().len(), 32);
    assert_eq!(desk.ledger.schema_version(), 3);
    let _writer = desk.writer();
    assert_eq!(mode(desk.ledger.path()), 0o600);
    assert_eq!(mode(&desk.path("ledger.db-wal")), 0o600);
    assert_eq!(mode(&desk.path("ledger.db.writers")), 0o700);
}

#[test]
fn create_never_overwrites() {
    let desk = Desk::new();
    let before = std::fs::read(desk.ledger.path()).unwrap();
    let error = Ledger::create(desk.ledger.path(), "other", at(0)).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }));
    assert_eq!(std::fs::read(desk.ledger.path()).unwrap(), before);
    std::fs::write(desk.path("new.db-wal"), "left behind").unwrap();
    let error = Ledger::create(&desk.path("new.db"), "other", at(0)).unwrap_err();
    let path = desk.path("new.db-wal").display().to_string();
    assert_eq!(
        error.to_string(),
        format!("`{path}` exists already; it was left alone")
    );
}

#[test]
fn only_a_ledger_is_opened() {
    let desk = Desk::new();
    let missing = Ledger::open(&desk.path("none.db")).unwrap_err();
    let path = desk.path("none.db").display().to_string();
    assert_eq!(
        missing.to_string(),
        format!("there is no ledger at `{path}`")
    );
    std::fs::write(
        desk.path("text.db"),
        "not a database, but long enough".repeat(100),
    )
    .unwrap();
    std::fs::write(desk.path("empty.db"), "").unwrap();
    for name in ["text.db", "empty.db"] {
        let error = Ledger::open(&desk.path(name)).unwrap_err();
        let path = desk.path(name).display().to_string();
        assert_eq!(
            error.to_string(),
            format!("`{path}` is not a factory-ca ledger")
        );
    }
}

#[test]
fn a_ledger_of_a_newer_program_is_refused() {
    let desk = Desk::new();
    desk.tamper("PRAGMA user_version = 7");
    let path = desk.ledger.path().display().to_string();
    let wanted = format!("`{path}` has schema 7, this program knows schemas up to 3");
    let error = Ledger::open(desk.ledger.path()).unwrap_err();
    assert_eq!(error.to_string(), wanted);
    let error = desk.ledger.writer("test", at(0)).unwrap_err();
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn a_link_to_a_ledger_finds_the_same_writers() {
    let desk = Desk::new();
    let link = desk.path("link.db");
    std::os::unix::fs::symlink(desk.ledger.path(), &link).unwrap();
    let writer = desk.writer();
    reserve(&writer, &desk.paper(DEVICE));
    let other = Ledger::open(&link).unwrap().writer("test", at(0)).unwrap();
    assert_eq!(other.reconciled(), []);
}

#[test]
fn a_backup_is_the_same_ledger() {
    let desk = Desk::new();
    let writer = desk.writer();
    issue(&writer, &desk.paper(DEVICE));
    reserve(&writer, &desk.paper("other"));
    let copy = desk.path("backup.db");
    desk.ledger.backup(&copy).unwrap();
    assert_eq!(mode(&copy), 0o600);
    let restored = Ledger::open(&copy).unwrap();
    assert_eq!(restored.id(), desk.ledger.id());
    assert_eq!(
        text(&restored, Format::Ndjson),
        text(&desk.ledger, Format::Ndjson)
    );
    assert_eq!(restored.check().unwrap().violations, []);
    // A backup is one file; it becomes a ledger with a write-ahead log again when it is written.
    let mode = |path: &Path| -> String {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap()
    };
    assert_eq!(mode(&copy), "delete");
    let again = desk.directory.path().join("again.db");
    desk.ledger.backup(&again).unwrap();
    Ledger::open(&again).unwrap().writer("test", at(0)).unwrap();
    assert_eq!(mode(&again), "wal");
    assert_eq!(restored.check().unwrap().intents_without_result.len(), 1);
    assert!(matches!(
        desk.ledger.backup(&copy),
        Err(Error::Exists { .. })
    ));
    let names = std::fs::read_dir(desk.directory.path()).unwrap();
    let temporary = names.filter(|name| {
        let name = name.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with(".tmp")
    });
    assert_eq!(temporary.count(), 0);
}

fn text(ledger: &Ledger, format: Format) -> String {
    let mut output = Vec::new();
    ledger
        .export(format, &Filter::default(), &mut output)
        .unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn an_export_tells_every_column() {
    let desk = Desk::new();
    let writer = desk.writer();
    let paper = desk.paper(DEVICE);
    issue(&writer, &paper);
    let csv = text(&desk.ledger, Format::Csv);
    let (serial, name) = (&paper.serial, writer.name());
    let (key, tbs) = (crate::hex::encode(paper.key), crate::hex::encode(paper.tbs));
    let authority_key = "07".repeat(20);
    assert_eq!(
        csv,
        format!(
            "id,state,serial,profile,namespace,device,subject,issuer,authority_key,key,tbs,\
             not_after,reserved_at,recorded_at,ended_at,reason,previous,writer,\
             registrar,source,gateway,offered_at\r\n\
             1,\"issued\",\"{serial}\",\"device\",\"device\",\"{DEVICE}\",\"CN=device\",\
             \"CN=line-1\",\"{authority_key}\",\"{key}\",\"{tbs}\",\
             \"2027-11-24T02:00:00Z\",\"2026-11-24T02:00:00Z\",\"2026-11-24T02:00:00Z\",,,,\
             \"{name}\",,,,\r\n"
        )
    );
    let ndjson: serde_json::Value =
        serde_json::from_str(&text(&desk.ledger, Format::Ndjson)).unwrap();
    assert_eq!(
        ndjson["certificate"],
        crate::x509::certificate::to_pem(&paper.der)
    );
    assert_eq!(ndjson["reason"], serde_json::Value::Null);
    assert_eq!(ndjson["state"], "issued");
}

#[test]
fn an_export_tells_what_came_through_the_endpoint() {
    let desk = Desk::new();
    let writer = desk.writer();
    let line = create(&writer, "line", |_| {});
    let entry = register(&writer, &desk.paper("a"), Some(line));
    assert_eq!(offer(&writer, entry), Offer::Made);
    register(&writer, &desk.paper("b"), None);
    let csv = text(&desk.ledger, Format::Csv);
    let ends: Vec<&str> = csv
        .lines()
        .skip(1)
        .map(|line| line.split_once(writer.name()).unwrap().1)
        .collect();
    assert_eq!(
        ends,
        [
            "\",\"line\",\"192.0.2.7\",\"pending\",\"2026-11-24T02:00:00Z\"",
            "\",,\"192.0.2.7\",\"pending\","
        ]
    );
    let ndjson = text(&desk.ledger, Format::Ndjson);
    let first: serde_json::Value = serde_json::from_str(ndjson.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["registrar"], &first["source"]),
        (&"line".into(), &"192.0.2.7".into())
    );
    assert_eq!(first["gateway"], "pending");
    assert_eq!(first["offered_at"], "2026-11-24T02:00:00Z");
}

#[test]
fn filters_choose_and_pages_go_on_where_they_ended() {
    let desk = Desk::new();
    let writer = desk.writer();
    let issued = issue(&writer, &desk.paper("line-a-1"));
    let reserved = reserve(&writer, &desk.paper("line-a-2"));
    let other = reserve(&writer, &desk.paper("line_b_1"));
    let list = |filter: Filter| {
        let mut found = Vec::new();
        let push = |entry: &Entry| {
            found.push(entry.id);
            Ok::<_, Error>(())
        };
        desk.ledger.for_each(&filter, push).unwrap();
        found
    };
    let all = Filter::default;
    assert_eq!(list(all()), [issued, reserved, other]);
    let cases = [
        (
            Filter {
                state: Some(State::Reserved),
                ..all()
            },
            vec![reserved, other],
        ),
        (
            Filter {
                state: Some(State::Issued),
                ..all()
            },
            vec![issued],
        ),
        (
            Filter {
                device_prefix: Some("line-a".into()),
                ..all()
            },
            vec![issued, reserved],
        ),
        (
            Filter {
                device_prefix: Some("line%".into()),
                ..all()
            },
            vec![],
        ),
        (
            Filter {
                profile: Some("ca".into()),
                ..all()
            },
            vec![],
        ),
        (
            Filter {
                after: Some(issued),
                limit: Some(1),
                ..all()
            },
            vec![reserved],
        ),
    ];
    for (filter, wanted) in cases {
        assert_eq!(list(filter.clone()), wanted, "{filter:?}");
    }
    let counts = Counts {
        issued: 1,
        reserved: 2,
        ..Counts::default()
    };
    assert_eq!(desk.ledger.counts().unwrap(), counts);
}

#[test]
fn refused_requests_are_kept() {
    let desk = Desk::new();
    let writer = desk.writer();
    let mut group = writer.group(at(5)).unwrap();
    let refused = Refused {
        source: "dev-0042.csr",
        profile: "device",
        device: Some(DEVICE),
        key: Some([3; 32]),
        rule: "key-too-small",
        message: "the key is RSA-1024",
    };
    group.refuse(&refused).unwrap();
    group.commit().unwrap();
    let mut kept = Vec::new();
    let push = |refusal: &Refusal| {
        kept.push(refusal.clone());
        Ok::<_, Error>(())
    };
    desk.ledger.refusals(push).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].at, kept[0].key), (at(5), Some([3; 32])));
    assert_eq!(kept[0].rule, "key-too-small");
}
