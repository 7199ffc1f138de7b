//! What we issue is accepted by the verifiers of the world: OpenSSL, GnuTLS and rustls' webpki.
//!
//! FACTORY_CA_TEST_SCALE=full issues a thousand certificates instead of fifty.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::factory::{Factory, PIN_FILES};
use support::relying::{Purpose, Relying};
use support::requests::{openssl, subject, text};

#[test]
fn every_certificate_of_a_p256_pki_is_accepted_by_every_verifier() {
    let factory = Factory::demo();
    let devices = issue_for_many(&factory, "");
    assert_accepted(&factory, &devices);
}

#[test]
fn every_certificate_of_a_p384_pki_is_accepted_by_every_verifier() {
    let factory = Factory::with_module("p384");
    for (ca, wanted) in [
        ("root", "ecdsa-with-SHA384"),
        ("line-1", "ecdsa-with-SHA384"),
    ] {
        let shown = factory
            .run(&format!("ca show {ca} --json"))
            .succeeds()
            .json();
        assert_eq!(shown["key"], "P-384");
        let file = if ca == "root" { ROOT } else { DEVICE_CA };
        let path = factory.path(file);
        let certificate = openssl(&["x509", "-in", text(&path), "-noout", "-text"]);
        assert!(String::from_utf8(certificate).unwrap().contains(wanted));
    }
    let devices = issue_for_many(&factory, PIN_FILES);
    assert_accepted(&factory, &devices);
}

#[test]
fn a_certificate_with_a_flipped_bit_in_its_signature_is_refused_by_every_verifier() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    let whole = factory.path("dev.pem");
    let der = openssl(&["x509", "-in", text(&whole), "-outform", "DER"]);
    // The last byte belongs to s.
    let mut flipped = der.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let broken = factory.write("broken.pem", to_pem(&factory, &flipped));
    for (certificate, accepted) in [(&whole, true), (&broken, false)] {
        assert_eq!(
            relying(&factory).accepts(certificate, Purpose::Client),
            accepted
        );
    }
}

#[test]
fn a_device_certificate_is_no_server_certificate() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    let path = factory.path("dev.pem");
    assert!(!relying(&factory).accepts(&path, Purpose::Server));
}

#[test]
fn the_exported_bundle_is_what_a_verifier_needs() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    factory.run("bundle export bundle").succeeds();
    let verify = |trusted: &str, more: &[&str]| {
        let mut command = factory.program(Path::new("openssl"), &["verify", "-x509_strict"]);
        command.args(["-CAfile", trusted]).args(more).arg("dev.pem");
        command.output().unwrap().status.success()
    };
    assert!(verify("bundle/chain.pem", &[]));
    assert!(verify("bundle/root.crt", &["-untrusted", "bundle/cas.pem"]));
    assert!(!verify("bundle/root.crt", &[]));
    assert!(!verify("bundle/cas.pem", &[]));
}

/// Issues a batch for requests of OpenSSL and the two that a real client sent; returns the certificates.
fn issue_for_many(factory: &Factory, pins: &str) -> Vec<PathBuf> {
    fs::create_dir(factory.path("csrs")).unwrap();
    let count = match std::env::var("FACTORY_CA_TEST_SCALE").as_deref() {
        Ok("full") => 1000,
        _ => 50,
    };
    for number in 0..count {
        let device = format!("{number:08x}-d79a-4aad-ba26-e26e719878bb");
        let mut subject = subject(&device);
        if number % 2 == 1 {
            subject.push_str("/businessCategory=production");
        }
        factory.request(&format!("csrs/{device}"), &subject);
    }
    for name in ["register-plain", "register-production"] {
        let csr = captured(name);
        factory.write(&format!("csrs/{name}.csr"), csr);
    }
    let issue = format!("batch issue csrs --out devices --json {pins}");
    let report = factory.run(issue.trim_end()).succeeds().json();
    assert_eq!(report["issued"], count + 2);
    let listing = fs::read_dir(factory.path("devices")).unwrap();
    let directories = listing
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let certificates: Vec<PathBuf> = directories.map(|path| path.join("client.pem")).collect();
    assert_eq!(certificates.len(), count + 2);
    certificates
}

/// The request inside a body that lmp-device-register sent.
fn captured(name: &str) -> String {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lmp-device-register");
    let body = fs::read_to_string(data.join(format!("{name}.json"))).unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body["csr"].as_str().unwrap().to_owned()
}

fn assert_accepted(factory: &Factory, certificates: &[PathBuf]) {
    // Nothing on the way from device to root tells a verifier to fetch anything.
    let path = text(&certificates[0]).to_owned();
    let shown = openssl(&["x509", "-in", &path, "-noout", "-text"]);
    assert!(
        !String::from_utf8(shown)
            .unwrap()
            .contains("Authority Information Access")
    );
    let relying = relying(factory);
    for some in certificates.chunks(100) {
        assert!(relying.openssl(some, Purpose::Client));
    }
    for certificate in certificates {
        assert!(
            relying.gnutls(certificate, Purpose::Client),
            "{certificate:?}"
        );
        assert!(
            relying.webpki(certificate, Purpose::Client),
            "{certificate:?}"
        );
    }
}

/// Who trusts the root and has the device CA's certificate.
fn relying(factory: &Factory) -> Relying {
    Relying {
        anchor: factory.path(ROOT),
        intermediates: vec![factory.path(DEVICE_CA)],
        crls: Vec::new(),
    }
}

fn to_pem(factory: &Factory, der: &[u8]) -> Vec<u8> {
    let path = factory.write("certificate.der", der);
    openssl(&["x509", "-inform", "DER", "-in", text(&path)])
}

const ROOT: &str = "pki/certs/factory_ca.pem";
const DEVICE_CA: &str = "pki/certs/line-1.pem";
