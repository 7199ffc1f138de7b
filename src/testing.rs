//! What unit tests share: keys in memory, a root, a device CA and requests.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use crate::profile::{IssuerView, Naming, Profile, Request};
use crate::timestamp::Timestamp;
use crate::x509::{Certificate, Csr, Curve, PublicKey, Serial, SignatureAlgorithm, Tbs};

pub const UUID: &str = "56b2fa41-d79a-4aad-ba26-e26e719878bb";
pub const ES256: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

/// A P-256 key in memory.
pub struct SoftKey(EcdsaKeyPair);

impl SoftKey {
    pub fn new() -> SoftKey {
        SoftKey(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_ec_point(Curve::P256, self.0.public_key().as_ref()).unwrap()
    }

    pub fn certify(&self, tbs: &Tbs) -> Certificate {
        let signature = self.0.sign(&SystemRandom::new(), tbs.der()).unwrap();
        Certificate::from_der(&tbs.with_signature(signature.as_ref()).unwrap()).unwrap()
    }
}

/// A root and a device CA below it.
pub struct Factory {
    pub root: Certificate,
    pub ca: Certificate,
    pub ca_key: SoftKey,
}

impl Factory {
    pub fn new() -> Factory {
        let (root_key, ca_key) = (SoftKey::new(), SoftKey::new());
        let root = root_key.certify(&ca_tbs("root-ca", &root_key.public_key(), None));
        let ca = root_key.certify(&ca_tbs("device-ca", &ca_key.public_key(), Some(&root)));
        Factory { root, ca, ca_key }
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_rfc3339("2026-11-24T02:00:00Z").unwrap()
}

pub fn serial() -> Serial {
    Serial::from_random(&[0x5a; 16]).unwrap()
}

pub fn shipped(name: &str) -> Profile {
    Profile::shipped(name).unwrap().unwrap()
}

pub fn ca_request(profile: &str, key: &PublicKey, issuer: Option<&Certificate>) -> Request {
    let name = issuer.map(|_| "line-1");
    let factory = "demo-factory";
    let naming = Naming { name, factory };
    shipped(profile)
        .admit_ca(key, naming, issuer, now())
        .unwrap()
}

fn ca_tbs(profile: &str, key: &PublicKey, issuer: Option<&Certificate>) -> Tbs {
    let request = ca_request(profile, key, issuer);
    let view = match issuer {
        Some(issuer) => IssuerView::of(issuer, ES256),
        None => IssuerView::self_signed(request.subject(), ES256),
    };
    shipped(profile)
        .template(&request, view, serial())
        .to_tbs()
        .unwrap()
}

/// A request for a device, made by rcgen; `change` may bend its parameters first.
pub fn device_csr(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Csr {
    let mut wanted = rcgen::CertificateParams::default();
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted
        .distinguished_name
        .push(rcgen::DnType::CommonName, UUID);
    wanted
        .distinguished_name
        .push(rcgen::DnType::OrganizationalUnitName, "demo-factory");
    change(&mut wanted);
    let key = rcgen::KeyPair::generate().unwrap();
    Csr::from_der(wanted.serialize_request(&key).unwrap().der()).unwrap()
}
