//! One live certificate for a device and a key; the same request gets the same bytes.

use snapbox::str;

use crate::support::factory::Factory;
use crate::support::requests::{DEVICE, OTHER_DEVICE, subject};

#[test]
fn the_same_request_gets_the_same_bytes() {
    let factory = Factory::demo();
    factory.device_request();
    let first = factory.run("device issue dev.csr").succeeds();
    let again = factory.run("device issue dev.csr").succeeds();
    assert_eq!(first.stdout, again.stdout);
    first.says(str![[r#"
56b2fa41-d79a-4aad-ba26-e26e719878bb has certificate [SERIAL] until [DATE], written to stdout

"#]]);
    again.says(str![[r#"
56b2fa41-d79a-4aad-ba26-e26e719878bb already had certificate [SERIAL] until [DATE], written to stdout

"#]]);
    // ECDSA signs anew each time: another request for the same key, and the same certificate.
    factory.request_with_key("again", "dev", &subject(DEVICE), &[]);
    assert_ne!(factory.read("dev.csr"), factory.read("again.csr"));
    let signed_anew = factory.run("device issue again.csr").succeeds();
    assert_eq!(first.stdout, signed_anew.stdout);
    // Upper case is the same device.
    factory.request_with_key("upper", "dev", &subject(&DEVICE.to_uppercase()), &[]);
    assert_eq!(
        first.stdout,
        factory.run("device issue upper.csr").succeeds().stdout
    );
    assert_eq!(factory.issued(), 3);
}

#[test]
fn a_live_device_gets_one_certificate_for_another_key_when_it_is_allowed() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o first.pem").succeeds();
    factory.request("second", &subject(DEVICE));
    factory.refuses("device issue second.csr -o second.pem", 1, str![[r#"
error: `second.csr` is refused: device `56b2fa41-d79a-4aad-ba26-e26e719878bb` already has certificate [SERIAL], valid until [DATE]; nothing was signed
hint: to replace it, run `factory-ca device allow-reissue 56b2fa41-d79a-4aad-ba26-e26e719878bb` and try again

"#]]);

    let allow = format!("device allow-reissue {DEVICE} --by alice");
    factory.run(&allow).succeeds().says(str![[r#"
device 56b2fa41-d79a-4aad-ba26-e26e719878bb may get one certificate for another key until [TIME], allowed by alice
the old certificate is superseded when the new one is recorded; a gateway that pinned the old key refuses the new one

"#]]);
    factory
        .run("device issue second.csr -o second.pem")
        .succeeds();
    let shown = factory
        .run(&format!("device show {DEVICE} --json"))
        .succeeds()
        .json();
    let states: Vec<_> = shown["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["state"].as_str().unwrap(), entry["reason"].clone()))
        .collect();
    assert_eq!(states[0], ("issued", serde_json::Value::Null));
    assert_eq!(states[1].0, "revoked");
    assert_eq!(states[1].1, serde_json::json!(4), "superseded");

    factory.request("third", &subject(DEVICE));
    factory.refuses("device issue third.csr -o third.pem", 1, str![[r#"
error: `third.csr` is refused: device `56b2fa41-d79a-4aad-ba26-e26e719878bb` already has certificate [SERIAL], valid until [DATE]; nothing was signed
hint: to replace it, run `factory-ca device allow-reissue 56b2fa41-d79a-4aad-ba26-e26e719878bb` and try again

"#]]);
    factory.refuses("device issue dev.csr -o first-again.pem", 1, str![[r#"
error: `dev.csr` is refused: device `56b2fa41-d79a-4aad-ba26-e26e719878bb` already has certificate [SERIAL], valid until [DATE]; nothing was signed
hint: to replace it, run `factory-ca device allow-reissue 56b2fa41-d79a-4aad-ba26-e26e719878bb` and try again

"#]]);
}

#[test]
fn a_permit_that_ran_out_allows_nothing() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o first.pem").succeeds();
    factory.request("second", &subject(DEVICE));
    factory
        .run(&format!("device allow-reissue {DEVICE} --within 1s"))
        .succeeds();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    factory.refuses("device issue second.csr -o second.pem", 1, str![[r#"
error: `second.csr` is refused: device `56b2fa41-d79a-4aad-ba26-e26e719878bb` already has certificate [SERIAL], valid until [DATE]; nothing was signed
hint: to replace it, run `factory-ca device allow-reissue 56b2fa41-d79a-4aad-ba26-e26e719878bb` and try again

"#]]);
}

#[test]
fn a_permit_is_for_a_device_there_is() {
    let factory = Factory::demo();
    factory.refuses(&format!("device allow-reissue {OTHER_DEVICE}"), 2, str![[r#"
error: device `7d2c1f0a-5b6e-4c3d-9a8b-0f1e2d3c4b5a` has no certificate in `device` that could be replaced
hint: run `factory-ca device list`

"#]]);
    factory.refuses(
        &format!("device allow-reissue {DEVICE} --within soon"),
        2,
        str![[r#"
error: `--within` is `soon`, wanted is a number and one of y, d, h, m, s
hint: for example `--within 24h`

"#]],
    );
    factory.refuses(
        &format!("device allow-reissue {DEVICE} --profile root-ca"),
        2,
        str![[r#"
error: profile `root-ca` is not unique: it needs no permit

"#]],
    );
}

#[test]
fn a_key_of_another_device_is_refused() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    factory.request_with_key("clone", "dev", &subject(OTHER_DEVICE), &[]);
    factory.refuses("device issue clone.csr -o clone.pem", 1, str![[r#"
error: `clone.csr` is refused: the key belongs to device `56b2fa41-d79a-4aad-ba26-e26e719878bb`: certificate [SERIAL], valid until [DATE]; nothing was signed
hint: two devices with one key are most likely a cloned image: make a new key on this device

"#]]);
}
