//! `crl issue` and `crl show`: lists that relying parties take, and what they refuse because of them.

use std::fs;

use snapbox::str;

use crate::support::factory::Factory;
use crate::support::relying::{Purpose, Relying};
use crate::support::requests::{DEVICE, openssl, subject, text};

/// A factory with a device whose certificate `old.pem` was superseded by `new.pem`.
fn with_a_revoked_device() -> Factory {
    let factory = Factory::demo();
    for name in ["old", "new"] {
        factory.request(name, &subject(DEVICE));
        factory
            .run(&format!("device issue {name}.csr -o {name}.pem"))
            .succeeds();
        factory
            .run(&format!("device allow-reissue {DEVICE} --by officer"))
            .succeeds();
    }
    factory
}

fn relying(factory: &Factory) -> Relying {
    Relying {
        anchor: factory.path("pki/certs/factory_ca.pem"),
        intermediates: vec![factory.path("pki/certs/line-1.pem")],
        crls: ["root", "line-1"]
            .map(|ca| factory.path(&format!("pki/crl/{ca}.pem")))
            .to_vec(),
    }
}

fn issue(factory: &Factory, more: &str) -> serde_json::Value {
    let line = format!("crl issue line-1 --json {more}");
    factory.run(line.trim_end()).succeeds().json()
}

#[test]
fn relying_parties_refuse_what_is_on_the_list_and_nothing_else() {
    let factory = with_a_revoked_device();
    factory.run("crl issue root").succeeds();
    factory.run("crl issue line-1").succeeds().says(str![[r#"
list 1 of `line-1` names 1 certificate, from [TIME] until [TIME], in `pki/crl/line-1-000001.crl`
list 1 is published as `pki/crl/line-1.crl` and, in PEM, `pki/crl/line-1.pem`

"#]]);
    let relying = relying(&factory);
    assert!(!relying.accepts(&factory.path("old.pem"), Purpose::Client));
    assert!(relying.accepts(&factory.path("new.pem"), Purpose::Client));
    let shown = factory.run("crl show pki/crl/line-1.crl --json").succeeds();
    let shown = shown.json();
    assert_eq!(shown["issuer"], "CN=line-1, OU=demo-factory");
    assert_eq!(
        (&shown["number"], &shown["entries"]),
        (&1.into(), &1.into())
    );
    assert_eq!(shown["revoked"][0]["reason"], "superseded");
    let serial = openssl(&[
        "x509",
        "-in",
        text(&factory.path("old.pem")),
        "-noout",
        "-serial",
    ]);
    let serial = String::from_utf8(serial).unwrap().to_lowercase();
    assert!(
        serial.contains(shown["revoked"][0]["serial"].as_str().unwrap()),
        "{serial}"
    );
    factory.run("ledger check").succeeds();
}

#[test]
fn each_list_has_a_number_of_its_own_and_is_kept() {
    let factory = with_a_revoked_device();
    let first = issue(&factory, "");
    let old = factory.read("pki/crl/line-1.pem");
    let second = issue(&factory, "");
    assert_eq!(first["lists"][0]["number"], 1);
    assert_eq!(second["lists"][0]["number"], 2);
    assert_ne!(factory.read("pki/crl/line-1.pem"), old);
    for number in 1..=2 {
        let path = factory.path(&format!("pki/crl/line-1-{number:06}.crl"));
        let ca = factory.path("pki/certs/line-1.pem");
        openssl(&[
            "crl",
            "-inform",
            "DER",
            "-in",
            text(&path),
            "-CAfile",
            text(&ca),
            "-noout",
        ]);
    }
    let published = fs::read(factory.path("pki/crl/line-1.crl")).unwrap();
    assert_eq!(
        published,
        fs::read(factory.path("pki/crl/line-1-000002.crl")).unwrap()
    );
}

#[test]
fn a_list_with_a_greater_number_stays_published() {
    let factory = with_a_revoked_device();
    factory.run("ledger backup before.db").succeeds();
    issue(&factory, "");
    issue(&factory, "");
    let published = factory.read("pki/crl/line-1.pem");
    // A restored backup knows nothing of those lists and their files.
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(factory.path(&format!("pki/{name}")));
    }
    fs::copy(factory.path("before.db"), factory.path("pki/ledger.db")).unwrap();
    fs::remove_file(factory.path("pki/crl/line-1-000001.crl")).unwrap();
    factory.run("crl issue line-1").succeeds().says(str![[r#"
list 1 of `line-1` names 1 certificate, from [TIME] until [TIME], in `pki/crl/line-1-000001.crl`
`pki/crl/line-1.crl` holds a list with a greater number; it was left as it is

"#]]);
    assert_eq!(factory.read("pki/crl/line-1.pem"), published);
}

#[test]
fn lists_ahead_follow_each_other_and_the_first_is_published() {
    let factory = with_a_revoked_device();
    let made = issue(&factory, "--every 30d --overlap 3d --ahead 2");
    let lists = made["lists"].as_array().unwrap();
    assert_eq!(lists.len(), 3);
    for pair in lists.windows(2) {
        let (this, next) = (&pair[0], &pair[1]);
        // The next one starts before this one ends.
        assert!(
            next["this_update"].as_str() < this["next_update"].as_str(),
            "{made}"
        );
        assert!(
            next["this_update"].as_str() > this["this_update"].as_str(),
            "{made}"
        );
    }
    let shown = factory.run("crl show pki/crl/line-1.pem --json").succeeds();
    assert_eq!(shown.json()["number"], 1);
    // What is issued now names what is valid now, whatever was signed ahead.
    assert_eq!(issue(&factory, "")["lists"][0]["entries"], 1);
}

#[test]
fn a_list_beyond_the_end_of_its_ca_is_refused_before_anything_is_signed() {
    let factory = with_a_revoked_device();
    factory.refuses(
        "crl issue line-1 --every 4y --ahead 3",
        2,
        str![[r#"
error: a revocation list from [TIME] on cannot be signed: the CA ends on [TIME]
hint: sign fewer lists ahead, or renew the CA first

"#]],
    );
    for (given, wrong) in [("--every 0d", "every"), ("--overlap soon", "overlap")] {
        let value = given.split_once(' ').unwrap().1;
        factory.refuses(
            &format!("crl issue line-1 {given}"),
            2,
            format!("error: `--{wrong}` is `{value}`, wanted is a period\nhint: write it as `7d`, `12h` or `1y`\n"),
        );
    }
}

#[test]
fn what_is_no_list_of_this_ca_is_never_replaced() {
    let factory = with_a_revoked_device();
    // The CAs' certificates have the same names.
    factory.refuses(
        "crl issue line-1 --out pki/certs",
        2,
        str![[r#"
error: `pki/certs/line-1.pem` exists and holds something else; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    factory.run("crl issue root").succeeds();
    fs::copy(
        factory.path("pki/crl/root.crl"),
        factory.path("pki/crl/line-1.crl"),
    )
    .unwrap();
    factory.refuses(
        "crl issue line-1",
        2,
        str![[r#"
error: `pki/crl/line-1.crl` exists and holds something else; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
}

#[test]
fn a_dry_run_signs_nothing() {
    let factory = with_a_revoked_device();
    let before = factory.state();
    factory
        .run("crl issue line-1 --dry-run")
        .succeeds()
        .says(str![[r#"
a list of `line-1` would name 1 certificate until [TIME]; nothing was signed

"#]]);
    assert!(factory.state() == before);
    assert_eq!(issue(&factory, "")["lists"][0]["number"], 1);
}

#[test]
fn what_cannot_be_shown_is_named() {
    let factory = with_a_revoked_device();
    factory.refuses(
        "crl show old.pem",
        2,
        str![[r#"
error: `old.pem` cannot be read: the PEM block is a `CERTIFICATE`, wanted is an `X509 CRL`
hint: name a certificate revocation list in PEM or DER

"#]],
    );
    factory.run("crl show missing.crl").ends_with(2);
    factory.refuses(
        "crl issue line-9",
        2,
        str![[r#"
error: there is no authority `line-9`; found: `line-1`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
}
