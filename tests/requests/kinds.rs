//! Requests made with OpenSSL, over every kind of key and signature a device might come with.

use factory_ca::x509::Csr;

use crate::issuer::{admit, device_ca, now, shipped};

#[test]
fn kinds_of_keys_the_reader_knows_are_read() {
    for (text, kind) in [
        (P256, "P-256"),
        (P256_SHA384, "P-256"),
        (P384, "P-384"),
        (ED25519, "Ed25519"),
        (RSA_1024, "RSA-1024"),
        (RSA_2048, "RSA-2048"),
        (RSA_2048_EXPONENT_3, "RSA-2048"),
    ] {
        let csr = Csr::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(csr.key().kind().to_string(), kind);
        assert_eq!(
            csr.subject().to_string(),
            "CN=56b2fa41-d79a-4aad-ba26-e26e719878bb, OU=demo-factory"
        );
    }
}

#[test]
fn kinds_of_keys_a_device_must_not_have_are_refused_by_the_profile() {
    let (device, ca) = (shipped("device"), device_ca());
    for (text, kind) in [
        (P384, "P-384"),
        (ED25519, "Ed25519"),
        (RSA_1024, "RSA-1024"),
        (RSA_2048, "RSA-2048"),
    ] {
        let refusal = admit(&device, text.as_bytes(), &ca, now()).unwrap_err();
        assert_eq!(refusal.rule, "key-kind");
        assert_eq!(
            refusal.to_string(),
            format!("the key is {kind}, wanted is P-256")
        );
    }
    for text in [P256, P256_SHA384] {
        assert!(admit(&device, text.as_bytes(), &ca, now()).is_ok());
    }
}

#[test]
fn every_other_kind_is_refused_by_name() {
    let key = |found| format!("the key is {found}, wanted is P-256, P-384, Ed25519 or RSA");
    let bad = |found| format!("the public key is malformed: {found}");
    let signed = |found| {
        format!(
            "proof of possession fails: the signature algorithm is {found}, wanted is ECDSA with SHA-256 or SHA-384, Ed25519, or RSA with SHA-256, SHA-384 or SHA-512"
        )
    };
    for (text, message) in [
        (data!("p224"), key("P-224")),
        (data!("p521"), key("P-521")),
        (data!("secp256k1"), key("secp256k1")),
        (data!("brainpool256r1"), key("brainpoolP256r1")),
        (data!("ed448"), key("Ed448")),
        (data!("rsa-512"), key("RSA-512")),
        (
            data!("p256-explicit-curve"),
            bad("an EC key must name its curve"),
        ),
        (
            data!("p256-compressed"),
            bad("an EC point must be uncompressed"),
        ),
        (data!("p256-sha1"), signed("ECDSA with SHA-1")),
        (data!("p256-sha224"), signed("ECDSA with SHA-224")),
        (data!("p256-sha512"), signed("ECDSA with SHA-512")),
        (data!("rsa-2048-md5"), signed("RSA with MD5")),
        (data!("rsa-2048-sha1"), signed("RSA with SHA-1")),
        (data!("rsa-2048-pss"), signed("RSA-PSS")),
        (
            data!("rsa-1024-sha384"),
            "proof of possession fails: the signature algorithm is RSA with SHA-384, wanted is one that fits the key, RSA-1024".to_owned(),
        ),
        (
            data!("p256-text"),
            "there is text outside the PEM blocks".to_owned(),
        ),
    ] {
        let error = Csr::from_bytes(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../data/csr/", $name, ".csr"))
    };
}
use data;

const P256: &str = data!("p256");
const P256_SHA384: &str = data!("p256-sha384");
const P384: &str = data!("p384");
const ED25519: &str = data!("ed25519");
const RSA_1024: &str = data!("rsa-1024");
const RSA_2048: &str = data!("rsa-2048");
const RSA_2048_EXPONENT_3: &str = data!("rsa-2048-exponent-3");
