//! Requests captured from lmp-device-register: what the product exists to read.

use factory_ca::x509::pem;

use crate::build::{BUSINESS_CATEGORY, CN, OU, UTF8, device_name, name};
use crate::issuer::{admit, device_ca, now, shipped, tbs};

const PLAIN: &str = include_str!("../data/lmp-device-register/register-plain.json");
const PRODUCTION: &str = include_str!("../data/lmp-device-register/register-production.json");

#[test]
fn a_captured_request_is_admitted_and_its_subject_survives() {
    let uuid = "56b2fa41-d79a-4aad-ba26-e26e719878bb";
    admitted_unchanged(PLAIN, uuid, &device_name(uuid, "demo-factory"));
}

#[test]
fn a_captured_production_request_is_admitted_and_its_subject_survives() {
    let uuid = "7d2c1f0a-5b6e-4c3d-9a8b-0f1e2d3c4b5a";
    let subject = name(&[
        (CN, UTF8, uuid.as_bytes()),
        (OU, UTF8, b"demo-factory"),
        (BUSINESS_CATEGORY, UTF8, b"production"),
    ]);
    admitted_unchanged(PRODUCTION, uuid, &subject);
}

/// `subject` is the DER as this test writes it, independent of the reader.
fn admitted_unchanged(registration: &str, uuid: &str, subject: &[u8]) {
    let registration: serde_json::Value = serde_json::from_str(registration).unwrap();
    assert_eq!(registration["uuid"], uuid);
    let csr = registration["csr"].as_str().unwrap().as_bytes();

    let (device, ca) = (shipped("device"), device_ca());
    let request = admit(&device, csr, &ca, now()).unwrap();
    assert_eq!(request.device(), Some(uuid));
    assert_eq!(request.subject().der(), subject);

    let tbs = tbs(&device, &request, &ca);
    let sent = &pem::read(csr).unwrap()[0].contents;
    assert!(contains(&tbs, subject) && contains(sent, subject));
    assert!(contains(&tbs, request.key().spki()) && contains(sent, request.key().spki()));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
