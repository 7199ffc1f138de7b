//! What we issue is accepted by the verifiers of the world: OpenSSL, GnuTLS and rustls' webpki.
//!
//! FACTORY_CA_TEST_SCALE=full issues a thousand certificates instead of fifty.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use support::factory::{Factory, PIN_FILES};
use support::requests::{openssl, subject, text};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

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
            openssl_accepts(&factory, std::slice::from_ref(certificate)),
            accepted
        );
        assert_eq!(gnutls_accepts(&factory, certificate), accepted);
        assert_eq!(
            webpki_accepts(&factory, certificate, KeyUsage::client_auth()),
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
    assert!(!webpki_accepts(&factory, &path, KeyUsage::server_auth()));
    assert!(!openssl_verify(&factory, "sslserver", &[path]));
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
    for some in certificates.chunks(100) {
        assert!(openssl_accepts(factory, some));
    }
    for certificate in certificates {
        assert!(gnutls_accepts(factory, certificate), "{certificate:?}");
        let accepted = webpki_accepts(factory, certificate, KeyUsage::client_auth());
        assert!(accepted, "{certificate:?}");
    }
}

fn openssl_accepts(factory: &Factory, certificates: &[PathBuf]) -> bool {
    openssl_verify(factory, "sslclient", certificates)
}

fn openssl_verify(factory: &Factory, purpose: &str, certificates: &[PathBuf]) -> bool {
    let mut command = factory.program(Path::new("openssl"), &["verify", "-x509_strict"]);
    command
        .args(["-purpose", purpose, "-no-CApath", "-no-CAstore"])
        .args(["-CAfile", ROOT, "-untrusted", DEVICE_CA])
        .args(certificates);
    let output = command.output().unwrap();
    let accepted = String::from_utf8_lossy(&output.stdout)
        .matches(": OK")
        .count();
    output.status.success() && accepted == certificates.len()
}

/// certtool wants the chain in one file, the device first; the root alone is trusted.
fn gnutls_accepts(factory: &Factory, certificate: &Path) -> bool {
    let leaf = fs::read_to_string(certificate).unwrap();
    let chain = factory.write("chain.pem", leaf + &factory.read(DEVICE_CA));
    let mut command = Command::new("certtool");
    command
        .args(["--verify", "--verify-profile", "medium"])
        .args(["--verify-purpose", CLIENT_AUTH])
        .args(["--load-ca-certificate", text(&factory.path(ROOT))])
        .args(["--infile", text(&chain)]);
    let output = command.output().unwrap();
    let trusted = "Chain verification output: Verified. The certificate is trusted.";
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains(trusted)
}

fn webpki_accepts(factory: &Factory, certificate: &Path, usage: KeyUsage) -> bool {
    let read = |path: &Path| CertificateDer::from_pem_file(path).unwrap();
    let (leaf, ca, root) = (
        read(certificate),
        read(&factory.path(DEVICE_CA)),
        read(&factory.path(ROOT)),
    );
    let anchors = [webpki::anchor_from_trusted_cert(&root).unwrap()];
    let leaf = EndEntityCert::try_from(&leaf).unwrap();
    let intermediates = [ca];
    let verified = leaf.verify_for_usage(
        ALL_VERIFICATION_ALGS,
        &anchors,
        &intermediates,
        UnixTime::now(),
        usage,
        None,
        None,
    );
    verified.is_ok()
}

fn to_pem(factory: &Factory, der: &[u8]) -> Vec<u8> {
    let path = factory.write("certificate.der", der);
    openssl(&["x509", "-inform", "DER", "-in", text(&path)])
}

const ROOT: &str = "pki/certs/factory_ca.pem";
const DEVICE_CA: &str = "pki/certs/line-1.pem";

/// id-kp-clientAuth (RFC 5280 section 4.2.1.12).
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
