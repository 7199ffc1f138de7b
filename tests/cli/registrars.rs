//! Tokens with which devices register themselves.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use aws_lc_rs::digest;
use factory_ca::ledger::{Ledger, OnLive, Production, Registrar};
use snapbox::str;

use crate::support::factory::Factory;
use crate::support::requests::DEVICE;

fn registrars(factory: &Factory) -> Vec<Registrar> {
    let ledger = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
    assert_eq!(ledger.check().unwrap().violations, []);
    ledger.registrars().unwrap()
}

fn sha256(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes())
        .as_ref()
        .to_vec()
}

#[test]
fn a_token_is_shown_once_and_only_its_hash_is_kept() {
    let factory = Factory::demo();
    let outcome = factory
        .run("registrar create line-3 --by alice --max 2 --expires 2040-01-31")
        .succeeds();
    outcome.says(str![[r#"
registrar `line-3` can be used until [TIME]
its token is on stdout, shown once; only its hash is kept

"#]]);
    let token = outcome.stdout.strip_suffix('\n').unwrap();
    let random = token.strip_prefix("fcr_").unwrap();
    assert_eq!(random.len(), 43);
    let base64url = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    assert!(random.chars().all(base64url), "{token}");

    let kept = registrars(&factory);
    assert_eq!(kept[0].token.to_vec(), sha256(token));
    assert_eq!(kept[0].created_by, "alice");
    assert_eq!(
        kept[0].expires_at.unwrap().to_string(),
        "2040-01-31T00:00:00Z"
    );
    for file in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(factory.path(&format!("pki/{file}"))).unwrap_or_default();
        let found = bytes
            .windows(16)
            .any(|window| window == &random.as_bytes()[..16]);
        assert!(!found, "the token is in {file}");
    }
    for line in [
        "registrar list",
        "registrar list --json",
        "ledger export",
        "ledger check",
        "registrar close line-3",
    ] {
        let outcome = factory.run(line).succeeds();
        let shown = outcome.stdout + &outcome.stderr;
        assert!(!shown.contains(random), "{line} shows the token");
    }
}

#[test]
fn two_tokens_are_never_the_same() {
    let factory = Factory::demo();
    let one = factory.run("registrar create one").succeeds().stdout;
    let two = factory.run("registrar create two").succeeds().stdout;
    assert_ne!(one, two);
}

#[test]
fn a_token_can_go_into_a_file_of_its_owner() {
    let factory = Factory::demo();
    let outcome = factory.run("registrar create lab -o lab.token").succeeds();
    outcome.prints("").says(str![[r#"
registrar `lab` can be used
its token is in `lab.token`, shown once; only its hash is kept

"#]]);
    let mode = factory.path("lab.token").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let token = factory.read("lab.token");
    assert_eq!(
        registrars(&factory)[0].token.to_vec(),
        sha256(token.trim_end())
    );
    factory.refuses(
        "registrar create lab-2 -o lab.token",
        2,
        str![[r#"
error: `lab.token` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    factory.refuses(
        "registrar create lab-2 -o nowhere/lab.token",
        2,
        str![[r#"
error: `nowhere/lab.token` cannot be written
  Caused by: there is no such directory
hint: put that right, then run the same command again

"#]],
    );
    assert_eq!(registrars(&factory).len(), 1);
}

#[test]
fn a_registrar_for_machines() {
    let factory = Factory::demo();
    let created = factory
        .run("registrar create lab --json --expires 30d")
        .succeeds();
    assert_eq!(created.stderr, "");
    let created = created.json();
    assert_eq!(created["name"], "lab");
    assert!(created["token"].as_str().unwrap().starts_with("fcr_"));
    assert!(created["expires"].is_string());
    let filed = factory
        .run("registrar create fixture --json -o fixture.token")
        .succeeds()
        .json();
    assert_eq!(
        filed,
        serde_json::json!({"name": "fixture", "expires": null, "output": "fixture.token"})
    );
    let list = factory.run("registrar list --json").succeeds().json();
    let fixture = &list["registrars"][1];
    assert_eq!(fixture["production"], "refuse");
    assert_eq!(fixture["reissue"], false);
    assert_eq!(fixture["from"], serde_json::json!([]));
    assert_eq!(fixture["ca"], serde_json::json!([]));
    assert_eq!(
        (&fixture["used"], &fixture["state"]),
        (&0.into(), &"open".into())
    );
    assert!(fixture["max"].is_null() && fixture["closed_at"].is_null());
}

#[test]
fn the_list_tells_what_each_may_do() {
    let factory = Factory::demo();
    factory.run("registrar create plain").succeeds();
    factory
        .run("registrar create line-3 --production require --reissue --from 192.0.2.0/24 --from 2001:db8::7 --from 192.0.2.0/24 --expires 2040-01-31T18:00:00Z --max 2 --ca line-1 --ca line-1")
        .succeeds();
    factory
        .run("registrar create short --production allow --expires 1s")
        .succeeds();
    factory.run("registrar create gone").succeeds();
    factory.run("registrar close gone").succeeds();
    let kept = registrars(&factory);
    assert_eq!(kept[1].production, Production::Require);
    assert_eq!(kept[1].on_live, OnLive::Supersede);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    factory.run("registrar list").succeeds().prints(str![[r#"
NAME    PRODUCTION  REISSUE  FROM                          CA       USED  EXPIRES               STATE
plain   refuse      refuse   anywhere                      default  0     never                 open
line-3  require     allow    192.0.2.0/24 2001:db8::7/128  line-1   0/2   [TIME]  open
short   allow       refuse   anywhere                      default  0     [TIME]  expired
gone    refuse      refuse   anywhere                      default  0     never                 closed

"#]]);
}

#[test]
fn a_name_is_never_used_again() {
    let factory = Factory::demo();
    factory.run("registrar create lab").succeeds();
    factory.run("registrar close lab").succeeds();
    factory.refuses(
        "registrar create lab -o lab.token",
        2,
        str![[r#"
error: there is a registrar `lab` already; a name is never used again
hint: choose another name

"#]],
    );
}

#[test]
fn a_closed_registrar_stays_closed() {
    let factory = Factory::demo();
    factory.run("registrar create lab").succeeds();
    factory
        .run("registrar close lab --by alice")
        .succeeds()
        .says(str![[r#"
registrar `lab` is closed, by alice at [TIME]
its token is refused from now on; certificates it got stay valid

"#]]);
    factory
        .run("registrar close lab --by bob")
        .succeeds()
        .says(str![[r#"
registrar `lab` was closed already, by alice at [TIME]

"#]]);
    let closed = factory.run("registrar close lab --json").succeeds().json();
    assert_eq!(
        (&closed["name"], &closed["closed_by"]),
        (&"lab".into(), &"alice".into())
    );
    factory.refuses(
        "registrar close lib",
        2,
        str![[r#"
error: there is no registrar `lib`
hint: run `factory-ca registrar list`

"#]],
    );
}

#[test]
fn wrong_arguments_are_explained() {
    let factory = Factory::demo();
    let long = "x".repeat(65);
    let cases = [
        (
            "lab --from 192.0.2.300/24".to_owned(),
            str![[r#"
error: `--from` is `192.0.2.300/24`, wanted is a network or an address
hint: for example `--from 192.0.2.0/24` or `--from 2001:db8::7`

"#]],
        ),
        (
            "lab --from 192.0.2.7/24".to_owned(),
            str![[r#"
error: `--from` is `192.0.2.7/24`, an address within a network
hint: for the network give `--from 192.0.2.0/24`, for the address alone `--from 192.0.2.7`

"#]],
        ),
        (
            "lab --expires soon".to_owned(),
            str![[r#"
error: `--expires` is `soon`, wanted is a period or a date
hint: for example `--expires 30d`, `--expires [DATE]` or `--expires [TIME]`

"#]],
        ),
        (
            "lab --expires 2020-02-29".to_owned(),
            str![[r#"
error: `--expires` is [TIME], which is past: now is [TIME]
hint: give a later date

"#]],
        ),
        (
            "lab --ca line-2".to_owned(),
            str![[r#"
error: there is no authority `line-2`; found: `line-1`, `root`
hint: names are those of factory-ca.yaml

"#]],
        ),
        (
            "lab --ca root".to_owned(),
            str![[r#"
error: authority `root` does not issue profile `device`
hint: these do: line-1

"#]],
        ),
        (
            "line/3".to_owned(),
            str![[r#"
error: the name is `line/3`, wanted are at most 64 letters, digits, `-`, `_`, `.`, a letter or digit first
hint: for example `line-3`

"#]],
        ),
        (
            ".lab".to_owned(),
            str![[r#"
error: the name is `.lab`, wanted are at most 64 letters, digits, `-`, `_`, `.`, a letter or digit first
hint: for example `line-3`

"#]],
        ),
        (
            long,
            str![[r#"
error: the name is `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`, wanted are at most 64 letters, digits, `-`, `_`, `.`, a letter or digit first
hint: for example `line-3`

"#]],
        ),
        (
            "lab --max 0".to_owned(),
            str![[r#"
error: invalid value '0' for '--max <N>': wanted is a number from 1

For more information, try '--help'.

"#]],
        ),
        (
            "lab --production perhaps".to_owned(),
            str![[r#"
error: invalid value 'perhaps' for '--production <PRODUCTION>'
  [possible values: allow, require, refuse]

For more information, try '--help'.

"#]],
        ),
    ];
    for (arguments, text) in cases {
        factory.refuses(&format!("registrar create {arguments}"), 2, text);
    }
    assert_eq!(registrars(&factory), []);
}

#[test]
fn a_device_shows_how_it_came_through_the_endpoint() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    factory
        .run("registrar create line-3 -o line-3.token")
        .succeeds();
    // As the endpoint would have written it, but for the facts.
    let ledger = rusqlite::Connection::open(factory.path("pki/ledger.db")).unwrap();
    ledger
        .execute_batch(
            "INSERT INTO registration VALUES (3, 1, 'gate-7', '192.0.2.7', 'pending', NULL)",
        )
        .unwrap();
    let show = |end: &str| {
        let outcome = factory.run(&format!("device show {DEVICE}")).succeeds();
        let line = outcome.stdout.lines().nth(2).unwrap();
        assert!(line.ends_with(end), "{line}");
    };
    show("    registered by registrar line-3 from 192.0.2.7, never offered, gateway pending");
    let shown = factory
        .run(&format!("device show {DEVICE} --json"))
        .succeeds()
        .json();
    assert_eq!(
        shown["certificates"][0]["registration"],
        serde_json::json!({
            "registrar": "line-3", "name": "gate-7", "source": "192.0.2.7", "gateway": "pending",
            "offered_at": null,
        })
    );
    ledger
        .execute_batch("UPDATE registration SET registrar = NULL, offered_at = 0, gateway = 'none'")
        .unwrap();
    show("    registered anonymously from 192.0.2.7, offered 1970-01-01T00:00:00Z, gateway none");
}

#[test]
fn a_token_that_cannot_be_printed_is_lost_and_says_so() {
    let factory = Factory::demo();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = factory.command(&["registrar", "create", "lab"]);
    let output = command.stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: registrar `lab` is created and its token is lost: `stdout` cannot be written\n  \
         Caused by: No space left on device (os error 28)\n\
         hint: run `factory-ca registrar close lab` and create another one\n"
    );
}
