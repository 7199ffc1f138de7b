//! Processor time of each stage a request goes through, without token and disk: where the time beside the floor goes.
//!
//! `cargo bench --bench stages`
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use factory_ca::profile::{IssuerView, Naming, Profile, lint};
use factory_ca::timestamp::Timestamp;
use factory_ca::x509::device_key::DeviceKey;
use factory_ca::x509::name::{COMMON_NAME, ORGANIZATIONAL_UNIT};
use factory_ca::x509::{Certificate, Csr, Name, Serial, SignatureAlgorithm, certificate};

fn main() {
    let key = DeviceKey::generate().unwrap();
    let (root, now) = (root(&key), Timestamp::now());
    let view = IssuerView::of(&root, SignatureAlgorithm::EcdsaSha256);
    let profile = Profile::shipped("device").unwrap().unwrap();
    let request = DeviceKey::generate().unwrap().request(&subject()).unwrap();
    let serial = || Serial::from_random(&[7; 16]).unwrap();

    let csr = Csr::from_der(&request).unwrap();
    let admitted = profile.admit(&csr, view, now).unwrap();
    let tbs = profile
        .template(&admitted, view, serial())
        .to_tbs()
        .unwrap();
    let signature = key.sign(tbs.der());
    let der = tbs.with_signature(&signature).unwrap();

    let verify = measure("verify a signature (the floor's part)", || {
        key.public_key()
            .verify(SignatureAlgorithm::EcdsaSha256, tbs.der(), &signature)
            .unwrap();
    });
    let read = measure("read a request, prove possession", || {
        Csr::from_der(black_box(&request)).unwrap()
    });
    println!(
        "{:>10.1} µs  … of it beside the verification",
        micros(read.saturating_sub(verify))
    );
    measure("admit", || {
        profile.admit(black_box(&csr), view, now).unwrap()
    });
    measure("template", || {
        profile.template(black_box(&admitted), view, serial())
    });
    let template = profile.template(&admitted, view, serial());
    measure("write TBS", || template.to_tbs().unwrap());
    measure("write TBS with rcgen", || {
        template.to_tbs_with_rcgen().unwrap()
    });
    measure("lint", || {
        lint::check(tbs.clone(), &profile, view, &admitted).unwrap()
    });
    measure("subject as text", || {
        black_box(admitted.subject()).to_string()
    });
    measure("hash TBS", || tbs.fingerprint());
    measure("assemble certificate", || {
        tbs.with_signature(black_box(&signature)).unwrap()
    });
    measure("certificate as PEM", || {
        certificate::to_pem(black_box(&der))
    });
    measure("read a certificate", || {
        Certificate::from_der(black_box(&der)).unwrap()
    });
}

fn subject() -> Name {
    let uuid = "56b2fa41-d79a-4aad-ba26-e26e719878bb";
    Name::from_pairs(&[(COMMON_NAME, uuid), (ORGANIZATIONAL_UNIT, "bench")]).unwrap()
}

fn root(key: &DeviceKey) -> Certificate {
    let profile = Profile::shipped("root-ca").unwrap().unwrap();
    let naming = Naming {
        name: None,
        factory: "bench",
    };
    let request = profile
        .admit_ca(key.public_key(), naming, None, Timestamp::now())
        .unwrap();
    let view = IssuerView::self_signed(request.subject(), SignatureAlgorithm::EcdsaSha256);
    let serial = Serial::from_random(&[7; 16]).unwrap();
    let tbs = profile.template(&request, view, serial).to_tbs().unwrap();
    Certificate::from_der(&tbs.with_signature(&key.sign(tbs.der())).unwrap()).unwrap()
}

/// The least of several rounds: what else runs on the machine only ever adds.
fn measure<T>(name: &str, mut work: impl FnMut() -> T) -> Duration {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..ROUND {
            black_box(work());
        }
        start.elapsed() / ROUND
    };
    let least = (0..12).map(|_| round()).min().unwrap();
    println!("{:>10.1} µs  {name}", micros(least));
    least
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

const ROUND: u32 = 500;
