//! An offline root and an online machine, which only files go between.

use factory_ca::authority::exchange::Answer;
use factory_ca::x509::Certificate;
use snapbox::str;

use crate::support::factory::Factory;
use crate::support::relying::{Purpose, Relying};
use crate::support::requests::{openssl, text};

/// Two PKI directories: `offline` has the root, `pki` all the rest.
fn two_machines() -> Factory {
    let factory = Factory::empty();
    let init = "init --factory demo-factory";
    factory
        .run(&format!("--pki-dir offline {init} --offline-root"))
        .succeeds();
    factory
        .run(&format!("{init} --online --device-ca-name fio-5f3a"))
        .succeeds();
    factory
}

fn offline(line: &str) -> String {
    format!("--pki-dir offline {line}")
}

fn fingerprint(factory: &Factory) -> String {
    let shown = factory.run(&offline("ca show root --json")).succeeds();
    shown.json()["sha256"].as_str().unwrap().to_owned()
}

fn asked() -> Factory {
    let factory = two_machines();
    factory
        .run("ca request line-1 -o line-1.request")
        .succeeds();
    factory
}

fn answered() -> Factory {
    let factory = asked();
    let sign = offline("ca sign line-1.request --confirm fio-5f3a -o line-1.answer");
    factory.run(&sign).succeeds();
    factory
}

#[test]
fn a_device_ca_is_certified_over_files() {
    let factory = two_machines();
    factory
        .run("ca request line-1 -o line-1.request")
        .succeeds()
        .says(str![[r#"
the request of `line-1` is written to `line-1.request`
next, on the machine with the root: factory-ca ca sign FILE -o FILE

"#]]);
    // The request in it is one that anybody can check.
    let request = factory.path("line-1.request");
    let shown = openssl(&[
        "req",
        "-in",
        text(&request),
        "-verify",
        "-noout",
        "-subject",
    ]);
    assert!(
        String::from_utf8(shown)
            .unwrap()
            .contains("CN = fio-5f3a, OU = demo-factory")
    );
    factory
        .run(&offline("ca sign line-1.request --confirm fio-5f3a -o line-1.answer"))
        .succeeds()
        .says(str![[r#"
`line-1.request` asks for authority `line-1`
this certificate is to be signed:
  profile   device-ca
  subject   CN=fio-5f3a, OU=demo-factory
  issuer    CN=Factory-CA, OU=demo-factory
  serial    [SERIAL]
  valid     [TIME] to [TIME]
  key       P-256, SHA-256 [HASH]
  CA        signs certificates
`CN=fio-5f3a, OU=demo-factory` has certificate [SERIAL] until [DATE], the answer is written to `line-1.answer`
the root's SHA-256 is [HASH]
next, on the machine that asked: factory-ca ca import FILE

"#]]);
    let import = format!(
        "ca import line-1.answer --confirm {}",
        fingerprint(&factory)
    );
    factory.run(&import).succeeds().says(str![[r#"
`line-1` is CN=fio-5f3a, OU=demo-factory until [DATE], certificate in `pki/certs/line-1.pem`
next: factory-ca bundle export

"#]]);
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    let relying = Relying {
        anchor: factory.path("offline/certs/factory_ca.pem"),
        intermediates: vec![factory.path("pki/certs/line-1.pem")],
        ..Relying::default()
    };
    assert!(relying.accepts(&factory.path("dev.pem"), Purpose::Client));
    factory.run("bundle export bundle").succeeds();
    factory.run("ledger check").succeeds();
    factory.run(&offline("ledger check")).succeeds();
}

#[test]
fn every_step_can_be_repeated() {
    let factory = answered();
    // Another file for the same key, and the same certificate for it.
    factory
        .run("ca request line-1 --existing-key -o again.request")
        .succeeds();
    factory
        .run(&offline(
            "ca sign again.request --confirm fio-5f3a -o again.answer",
        ))
        .succeeds();
    assert_eq!(factory.read("again.answer"), factory.read("line-1.answer"));
    let import = format!(
        "ca import line-1.answer --confirm {}",
        fingerprint(&factory)
    );
    factory.run(&import).succeeds();
    // As if it had been killed between the two files.
    std::fs::remove_file(factory.path("pki/certs/line-1.pem")).unwrap();
    factory.run("ca import again.answer").succeeds();
    factory.run("ca import again.answer").succeeds();
    assert_eq!(
        factory.read("pki/certs/line-1.pem").lines().next(),
        Some("-----BEGIN CERTIFICATE-----")
    );
}

#[test]
fn a_damaged_stick_is_found_out_on_either_side() {
    let factory = answered();
    for (file, line) in [
        (
            "line-1.request",
            offline("ca sign bad --confirm fio-5f3a -o out"),
        ),
        ("line-1.answer", "ca import bad".to_owned()),
    ] {
        let whole = factory.read(file);
        factory.write("bad", whole.replace("fio-5f3a", "fio-5f3b"));
        factory.refuses(
            &line,
            2,
            str![[r#"
error: `bad` is damaged: its checksum is [HASH], written in it is [HASH]
hint: nothing was done; have the file written again where it came from, and compare both sides

"#]],
        );
        factory.write("bad", &whole[..whole.len() / 2]);
        factory.refuses(
            &line,
            2,
            str![[r#"
error: `bad` is cut off or no file of this program: its checksum is missing
hint: nothing was done; have the file written again where it came from, and compare both sides

"#]],
        );
        factory.write("bad", "MZ\u{90}");
        let outcome = factory.run(&line).ends_with(2);
        assert!(
            outcome
                .stderr
                .starts_with("error: `bad` begins with `MZ\\u{90}`, wanted is `factory-ca "),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn a_request_of_another_factory_is_refused() {
    let factory = two_machines();
    factory
        .run("--pki-dir other init --factory acme --online")
        .succeeds();
    factory
        .run("--pki-dir other ca request line-1 -o line-1.request")
        .succeeds();
    factory.refuses(
        &offline("ca sign line-1.request --confirm line-1 -o out"),
        2,
        str![[r#"
error: `line-1.request`: factory is `acme`, wanted is `demo-factory`
hint: nothing was done; have the file written again where it came from, and compare both sides

"#]],
    );
}

#[test]
fn an_answer_for_another_key_is_refused() {
    let factory = answered();
    // Another machine of the same factory, whose authority has the same name and another key.
    factory
        .run("--pki-dir other init --factory demo-factory --online --device-ca-name fio-5f3a")
        .succeeds();
    factory
        .run("--pki-dir other ca request line-1 -o other.request")
        .succeeds();
    let import = format!(
        "--pki-dir other ca import line-1.answer --confirm {}",
        fingerprint(&factory)
    );
    let outcome = factory.run(&import).ends_with(2);
    assert!(
        outcome.stderr.contains("is the key of the certificate"),
        "{}",
        outcome.stderr
    );
    assert!(!factory.path("other/certs/line-1.pem").exists());
    assert!(!factory.path("other/certs/factory_ca.pem").exists());
}

#[test]
fn a_root_that_nobody_compared_does_not_come_in() {
    let factory = answered();
    for given in ["", " --confirm 00112233445566778899"] {
        factory
            .run(&format!("ca import line-1.answer{given}"))
            .ends_with(2);
        assert!(!factory.path("pki/certs/factory_ca.pem").exists());
    }
    let print = fingerprint(&factory).to_uppercase();
    factory
        .run(&format!(
            "ca import line-1.answer --confirm {}:{}",
            &print[..2],
            &print[2..20]
        ))
        .succeeds();
}

#[test]
fn an_answer_of_another_root_is_refused() {
    let factory = answered();
    let import = format!(
        "ca import line-1.answer --confirm {}",
        fingerprint(&factory)
    );
    factory.run(&import).succeeds();
    std::fs::remove_file(factory.path("pki/certs/line-1.pem")).unwrap();
    factory
        .run("--pki-dir rogue init --factory demo-factory --offline-root")
        .succeeds();
    factory
        .run("--pki-dir rogue ca sign line-1.request --confirm fio-5f3a -o rogue.answer")
        .succeeds();
    factory.refuses(
        "ca import rogue.answer",
        2,
        str![[r#"
error: `rogue.answer`: the root's SHA-256 is [HASH], wanted is [HASH]
hint: nothing was done; have the file written again where it came from, and compare both sides

"#]],
    );
}

/// An answer whose checksum fits, whatever stands in it.
fn forge(factory: &Factory, certificate: &str, root: &str) {
    let read = |name: &str| Certificate::from_pem(factory.read(name).as_bytes()).unwrap();
    let answer = Answer {
        authority: "line-1".to_owned(),
        certificate: read(certificate),
        root: read(root),
    };
    factory.write("forged.answer", answer.to_text("demo-factory"));
}

#[test]
fn what_is_no_certificate_of_a_ca_does_not_come_in() {
    let factory = asked();
    let root = "offline/certs/factory_ca.pem";
    factory
        .run("tls create --dns a.example --key a.key --request -o a.csr")
        .succeeds();
    let sign = offline("ca sign-csr a.csr --allow-dns a.example --yes -o a.pem");
    factory.run(&sign).succeeds();
    let import = format!(
        "ca import forged.answer --confirm {}",
        fingerprint(&factory)
    );
    forge(&factory, "a.pem", root);
    factory.refuses(
        &import,
        2,
        str![[r#"
error: `forged.answer`: the certificate is one of no CA, wanted is a CA's
hint: nothing was done; have the file written again where it came from, and compare both sides

"#]],
    );
    // One CA below another root of the same name.
    factory
        .run("--pki-dir rogue init --factory demo-factory")
        .succeeds();
    forge(&factory, "rogue/certs/line-1.pem", root);
    factory.refuses(
        &import,
        2,
        str![[r#"
error: certificate `forged.answer` is not issued by `root`: its signature does not verify with that one's key
hint: run `factory-ca ca list` to see what the configuration names

"#]],
    );
}

#[test]
fn what_needs_the_roots_key_says_where_it_is() {
    let factory = two_machines();
    factory.device_request();
    let elsewhere = str![[r#"
error: the key of authority `root` is not here: it has no `keys:` in factory-ca.yaml
hint: run this where the token of `root` is; what it signs comes here with `ca request`, `ca sign` and `ca import`

"#]];
    for line in [
        "ca create line-1",
        "ca create root --confirm root",
        "ca sign-csr dev.csr -o out",
    ] {
        factory.refuses(line, 2, elsewhere.clone());
    }
    factory.refuses(
        "device issue dev.csr",
        2,
        str![[r#"
error: authority `line-1` has no certificate yet: there is no `pki/certs/line-1.pem`
hint: run `factory-ca ca create line-1`

"#]],
    );
    factory.refuses(
        "ca request root -o out",
        2,
        str![[r#"
error: authority `root` is a root: it signs itself
hint: run `factory-ca ca create root`

"#]],
    );
    factory.refuses(
        &offline("ca request line-1 -o out"),
        2,
        str![[r#"
error: there is no authority `line-1`; found: `root`
hint: names are those of factory-ca.yaml

"#]],
    );
}

#[test]
fn what_exists_is_left_as_it_is() {
    let factory = answered();
    factory.write("there", "something else");
    let taken = str![[r#"
error: `there` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]];
    factory.refuses(
        "ca request line-1 --existing-key -o there",
        2,
        taken.clone(),
    );
    factory.refuses(
        &offline("ca sign line-1.request --confirm fio-5f3a -o there"),
        2,
        taken,
    );
    let outcome = factory.run("ca request line-1 -o new.request").ends_with(2);
    assert!(
        outcome
            .stderr
            .starts_with("error: token `demo-factory-line` already has key"),
        "{}",
        outcome.stderr
    );
}
