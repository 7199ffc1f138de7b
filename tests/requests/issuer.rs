//! A root and a device CA of the factory, made with the shipped profiles.

use factory_ca::profile::{IssuerView, Naming, Profile, Refusal, Request};
use factory_ca::timestamp::Timestamp;
use factory_ca::x509::{Certificate, Csr, PublicKey, Serial, SignatureAlgorithm};

use crate::build::{FACTORY, Key};

const ES256: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

pub fn now() -> Timestamp {
    at("2026-11-24T02:00:00Z")
}

pub fn at(moment: &str) -> Timestamp {
    Timestamp::from_rfc3339(moment).unwrap()
}

pub fn shipped(name: &str) -> Profile {
    Profile::shipped(name).unwrap().unwrap()
}

/// A device CA that ends on 2036-11-24, ten years after [`now`].
pub fn device_ca() -> Certificate {
    let (root_key, ca_key) = (Key::new(), Key::new());
    let root = certify("root-ca", &root_key, &root_key.public(), None);
    certify("device-ca", &root_key, &ca_key.public(), Some(&root))
}

/// Holds a request against a profile under an issuer.
pub fn admit(
    profile: &Profile,
    csr: &[u8],
    issuer: &Certificate,
    now: Timestamp,
) -> Result<Request, Refusal> {
    let csr = Csr::from_bytes(csr).unwrap();
    profile.admit(&csr, IssuerView::of(issuer, ES256), now)
}

/// The DER the issuer would sign.
pub fn tbs(profile: &Profile, request: &Request, issuer: &Certificate) -> Vec<u8> {
    let view = IssuerView::of(issuer, ES256);
    let serial = Serial::from_random(&[0x5a; 16]).unwrap();
    let tbs = profile.template(request, view, serial).to_tbs().unwrap();
    tbs.der().to_vec()
}

fn certify(
    profile: &str,
    signer: &Key,
    key: &PublicKey,
    issuer: Option<&Certificate>,
) -> Certificate {
    let profile = shipped(profile);
    let naming = Naming {
        name: Some("line-1"),
        factory: FACTORY,
    };
    let request = profile.admit_ca(key, naming, issuer, now()).unwrap();
    let view = match issuer {
        Some(issuer) => IssuerView::of(issuer, ES256),
        None => IssuerView::self_signed(request.subject(), ES256),
    };
    let serial = Serial::from_random(&[0x5a; 16]).unwrap();
    let tbs = profile.template(&request, view, serial).to_tbs().unwrap();
    let signature = signer.sign(tbs.der());
    Certificate::from_der(&tbs.with_signature(&signature).unwrap()).unwrap()
}
