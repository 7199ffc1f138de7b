//! `ca sign-csr`: servers and CAs whose keys are elsewhere.

use snapbox::str;

use crate::root;
use crate::support::factory::Factory;
use crate::support::relying::Purpose;
use crate::support::requests::{openssl, text};

const NAMES: [&str; 2] = [
    "-addext",
    "subjectAltName=DNS:gateway.example.com,IP:192.0.2.1",
];
const ALLOWED: &str = "--allow-dns gateway.example.com --allow-ip 192.0.2.1";

fn with_request() -> Factory {
    let factory = Factory::demo();
    factory.key("tls");
    factory.request_with_key("tls", "tls", "/", &NAMES);
    factory
}

#[test]
fn a_servers_request_is_certified_for_the_names_the_officer_allows() {
    let factory = with_request();
    factory
        .run(&format!("ca sign-csr tls.csr {ALLOWED} --yes -o tls-crt"))
        .succeeds()
        .says(str![[r#"
this certificate is to be signed:
  profile   tls-server
  subject   CN=gateway.example.com
  issuer    CN=Factory-CA, OU=demo-factory
  serial    [SERIAL]
  valid     [TIME] to [TIME]
  key       P-256, SHA-256 [HASH]
  names     gateway.example.com, 192.0.2.1
  CA        no CA
`CN=gateway.example.com` has certificate [SERIAL] until [DATE], written to `tls-crt`

"#]]);
    let certificate = factory.path("tls-crt");
    assert!(root(&factory).accepts(&certificate, Purpose::Server));
    assert!(!root(&factory).accepts(&certificate, Purpose::Client));
    // Again: the same bytes, and nothing is signed.
    factory
        .run(&format!("ca sign-csr tls.csr {ALLOWED} --yes -o again"))
        .succeeds();
    assert_eq!(factory.read("again"), factory.read("tls-crt"));
    assert_eq!(factory.issued(), 3);
    factory
        .run(&format!(
            "ca sign-csr tls.csr {ALLOWED} --yes --renew -o new"
        ))
        .succeeds();
    assert_ne!(factory.read("new"), factory.read("tls-crt"));
    assert_eq!(factory.issued(), 4);
}

#[test]
fn names_that_nobody_allowed_are_refused() {
    let factory = with_request();
    factory.refuses(
        "ca sign-csr tls.csr --allow-dns gateway.example.com --yes -o tls-crt",
        1,
        str![[r#"
error: profile `tls-server` refuses `tls.csr`: a requested alternative name is 192.0.2.1, wanted is one that the lists of profile `tls-server` allow; nothing was signed
hint: run `factory-ca profile show tls-server` to see what it accepts

"#]],
    );
}

#[test]
fn nothing_is_signed_that_nobody_agreed_to() {
    let factory = with_request();
    let line = format!("ca sign-csr tls.csr {ALLOWED} -o tls-crt");
    let outcome = factory.run(&line).ends_with(2);
    let told = "error: `CN=gateway.example.com` gets this certificate. Nobody is there to confirm it, and nothing was done\nhint: add `--yes`\n";
    assert!(outcome.stderr.ends_with(told), "{}", outcome.stderr);
    assert_eq!(factory.issued(), 2);
    assert!(!factory.path("tls-crt").exists());
}

#[test]
fn a_ca_whose_key_is_elsewhere_is_certified_under_its_own_name() {
    let factory = Factory::demo();
    // The order is the request's own, and stays.
    factory.request("online", "/OU=demo-factory/CN=fio-5f3a");
    let line = "ca sign-csr online.csr --profile device-ca -o online-crt";
    for wrong in ["", " --yes", " --confirm fio-5f3b"] {
        factory.run(&format!("{line}{wrong}")).ends_with(2);
        assert_eq!(factory.issued(), 2);
    }
    factory
        .run(&format!("{line} --confirm fio-5f3a"))
        .succeeds();
    let path = factory.path("online-crt");
    let shown = openssl(&[
        "x509",
        "-in",
        text(&path),
        "-noout",
        "-subject",
        "-ext",
        "basicConstraints",
    ]);
    let shown = String::from_utf8(shown).unwrap();
    assert!(
        shown.contains("subject=OU = demo-factory, CN = fio-5f3a"),
        "{shown}"
    );
    assert!(shown.contains("CA:TRUE, pathlen:0"), "{shown}");
    let anchor = root(&factory).anchor;
    openssl(&[
        "verify",
        "-x509_strict",
        "-CAfile",
        text(&anchor),
        text(&path),
    ]);
}

#[test]
fn a_ca_of_another_factory_is_refused() {
    let factory = Factory::demo();
    for (name, subject, rule) in [
        (
            "other",
            "/OU=acme/CN=fio-1",
            "the subject's OU is `acme`, wanted is `demo-factory`, the factory",
        ),
        (
            "nameless",
            "/OU=demo-factory",
            "the subject's CN is missing, wanted is CN, OU, in this order and nothing else",
        ),
        (
            "more",
            "/CN=fio-1/OU=demo-factory/O=evil",
            "the subject's O is there as `evil`, wanted is CN, OU, in this order and nothing else",
        ),
        (
            "twice",
            "/CN=fio-1/OU=demo-factory/CN=fio-2",
            "the subject's CN is there again, or out of order, as `fio-2`, wanted is CN, OU, in this order and nothing else",
        ),
    ] {
        factory.request(name, subject);
        let line = format!("ca sign-csr {name}.csr --profile device-ca --confirm fio-1 -o out");
        factory.refuses(
            &line,
            1,
            format!("error: profile `device-ca` refuses `{name}.csr`: {rule}; nothing was signed\nhint: run `factory-ca profile show device-ca` to see what it accepts\n"),
        );
    }
}

#[test]
fn devices_and_roots_are_made_elsewhere() {
    let factory = Factory::demo();
    factory.device_request();
    for profile in ["device", "root-ca"] {
        factory.refuses(
            &format!("ca sign-csr dev.csr --profile {profile} --yes -o out"),
            2,
            format!("error: profile `{profile}` is not one for single requests; nothing was signed\nhint: devices get their certificates with `factory-ca device issue`; roots are made with `factory-ca ca create`\n"),
        );
    }
}
