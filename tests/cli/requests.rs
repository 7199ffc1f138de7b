//! Requests that a profile or the laws of X.509 refuse.

use std::fs;

use rcgen::{CertificateParams, DnType, DnValue, KeyPair};
use snapbox::str;

use crate::support::factory::Factory;
use crate::support::requests::{DEVICE, openssl, subject, text};

#[test]
fn a_broken_request_is_refused() {
    let factory = Factory::demo();
    let whole = fs::read_to_string(factory.device_request()).unwrap();
    factory.write("dev.csr", &whole[..whole.len() / 2]);
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: `dev.csr` is refused: the PEM block has no END line that matches its BEGIN line; nothing was signed

"#]]);
    let der = openssl(&["rand", "200"]);
    factory.write("random.csr", der);
    factory.refuses("device issue random.csr -o dev.pem", 1, str![[r#"
error: `random.csr` is refused: it is neither PEM nor DER, wanted is a certification request in one of them; nothing was signed

"#]]);
    factory.write("empty.csr", "");
    factory.refuses("device issue empty.csr -o dev.pem", 1, str![[r#"
error: `empty.csr` is refused: it is empty, wanted is a certification request in PEM or DER; nothing was signed

"#]]);
    factory.write("large.csr", vec![b'-'; 100_000]);
    factory.refuses(
        "device issue large.csr -o dev.pem",
        1,
        str![[r#"
error: `large.csr` is refused: it has 16385 bytes, at most 16384 are read; nothing was signed

"#]],
    );
}

#[test]
fn a_request_that_is_not_there_is_named() {
    let factory = Factory::demo();
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: `dev.csr` cannot be read
  Caused by: No such file or directory (os error 2)

"#]],
    );
}

#[test]
fn a_request_for_another_factory_is_refused() {
    let factory = Factory::demo();
    factory.request("dev", &format!("/CN={DEVICE}/OU=other-factory"));
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the subject's OU is `other-factory`, wanted is `demo-factory`, as in the issuer's name; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn a_small_rsa_key_is_refused() {
    let factory = Factory::demo();
    let key = factory.path("dev.key");
    openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:1024",
        "-out",
        text(&key),
    ]);
    factory.request_with_key("dev", "dev", &subject(DEVICE), &[]);
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        1,
        str![[r#"
error: profile `device` refuses `dev.csr`: the key is RSA-1024, wanted is P-256; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]],
    );
}

#[test]
fn a_request_for_a_ca_is_refused() {
    let factory = Factory::demo();
    factory.key("dev");
    let more = ["-addext", "basicConstraints=critical,CA:TRUE"];
    factory.request_with_key("dev", "dev", &subject(DEVICE), &more);
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the requested basicConstraints is CA:TRUE, wanted is none, or CA:FALSE; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn a_second_common_name_is_refused() {
    let factory = Factory::demo();
    factory.request("dev", &format!("/CN={DEVICE}/CN=admin/OU=demo-factory"));
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the subject's OU is missing where CN stands, wanted is CN, OU, businessCategory (optional), in this order and nothing else; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
    factory.request("last", &format!("/CN={DEVICE}/OU=demo-factory/CN=admin"));
    factory.refuses("device issue last.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `last.csr`: the subject's CN is there again, or out of order, as `admin`, wanted is CN, OU, businessCategory (optional), in this order and nothing else; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn an_attribute_the_profile_does_not_name_is_refused() {
    let factory = Factory::demo();
    factory.request("dev", &format!("/CN={DEVICE}/OU=demo-factory/O=acme"));
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the subject's O is there as `acme`, wanted is CN, OU, businessCategory (optional), in this order and nothing else; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn a_common_name_of_65_characters_is_refused() {
    let factory = Factory::demo();
    let mut parameters = CertificateParams::default();
    let mut set = |kind, value: &str| {
        let value = DnValue::Utf8String(value.to_owned());
        parameters.distinguished_name.push(kind, value);
    };
    set(DnType::CommonName, &"7".repeat(65));
    set(DnType::OrganizationalUnitName, "demo-factory");
    // OpenSSL does not write it.
    let key = KeyPair::generate().unwrap();
    let request = parameters.serialize_request(&key).unwrap();
    factory.write("dev.csr", request.pem().unwrap());
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the subject's CN is 65 characters long, wanted is 1 to 64 characters; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn a_device_that_is_no_uuid_is_refused() {
    let factory = Factory::demo();
    factory.request("dev", "/CN=gateway-1/OU=demo-factory");
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the subject's CN is `gateway-1`, wanted is a UUID (8-4-4-4-12 hexadecimal digits); nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn control_characters_of_a_request_never_reach_the_terminal() {
    let factory = Factory::demo();
    factory.request("dev", "/CN=\u{1b}[2Jgone/OU=demo-factory");
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the subject's CN is `\u{1b}[2Jgone`, wanted is text without control characters; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn a_request_with_trailing_bytes_is_refused() {
    let factory = Factory::demo();
    factory.device_request();
    let mut der = factory.request_der("dev");
    der.push(0);
    factory.write("dev.der", der);
    factory.refuses("device issue dev.der -o dev.pem", 1, str![[r#"
error: `dev.der` is refused: not a certification request in DER: there are bytes after its end; nothing was signed

"#]]);
    let twice = factory.read("dev.csr").repeat(2);
    factory.write("twice.csr", twice);
    factory.refuses(
        "device issue twice.csr -o dev.pem",
        1,
        str![[r#"
error: `twice.csr` is refused: there are 2 PEM blocks, wanted is one; nothing was signed

"#]],
    );
}

#[test]
fn a_request_signed_by_another_key_is_refused() {
    let factory = Factory::demo();
    factory.forged_request();
    factory.refuses("device issue forged.csr -o dev.pem", 1, str![[r#"
error: `forged.csr` is refused: proof of possession fails: the signature does not verify with the key it came with; nothing was signed

"#]]);
}

#[test]
fn refusals_are_kept_in_the_ledger_and_one_does_not_stop_a_batch() {
    let factory = Factory::demo();
    fs::create_dir(factory.path("csrs")).unwrap();
    factory.request("csrs/good", &subject(DEVICE));
    factory.request("csrs/foreign", &format!("/CN={DEVICE}/OU=other-factory"));
    factory.write("csrs/broken.csr", "not a request");
    let outcome = factory.run("batch issue csrs --out devices").ends_with(1);
    outcome.prints(str![]);
    let mut lines: Vec<&str> = outcome.stderr.lines().collect();
    lines.sort_unstable();
    snapbox::assert_data_eq!(
        lines.join("\n"),
        str![[r#"
1 issued, 0 had a certificate already, 2 refused, 0 failed, 0 left; certificates are in `devices`
note: files with other endings, passed over: 2
refused `broken.csr`: it is neither PEM nor DER, wanted is a certification request in one of them
refused `foreign.csr`: the subject's OU is `other-factory`, wanted is `demo-factory`, as in the issuer's name
"#]]
    );
    factory.run("ledger check").succeeds().prints(str![[r#"
issued 3, revoked 0, abandoned 0, reserved 0, refused 2; [N] audit events

"#]]);
}
