//! The client of the Foundries API against a server that does what it is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "gateway/denied.rs"]
mod denied;
#[path = "gateway/put.rs"]
mod put;
#[path = "gateway/register.rs"]
mod register;

use std::cell::RefCell;
use std::time::Duration;

use factory_ca::config::FoundriesConfig;
use factory_ca::gateway::{ApiToken, DeviceApi, NewDevice};
use factory_ca::url::ServerUrl;
use factory_ca::x509::Certificate;
use support::http::Answer;

/// A device that has a certificate.
pub(crate) struct Device {
    pub certificate: Certificate,
    pub name: Option<&'static str>,
}

impl Device {
    pub fn new() -> Device {
        let mut wanted = rcgen::CertificateParams::default();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        wanted
            .distinguished_name
            .push(rcgen::DnType::CommonName, UUID);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = Certificate::from_der(wanted.self_signed(&key).unwrap().der()).unwrap();
        let name = None;
        Device { certificate, name }
    }

    pub fn borrow(&self) -> NewDevice<'_> {
        NewDevice::new(&self.certificate, self.name).unwrap()
    }

    /// What the API says of it.
    pub fn known(&self) -> String {
        let spki = self.certificate.key().spki();
        let key = factory_ca::x509::pem::write("PUBLIC KEY", spki);
        serde_json::json!({"uuid": UUID, "name": "dev-1", "public-key": key, "x": [1]}).to_string()
    }
}

pub(crate) fn config(url: &str) -> FoundriesConfig {
    FoundriesConfig {
        api: ServerUrl::https_or_loopback(url).unwrap(),
        token: None,
        device_group: None,
        register_devices: true,
        timeout: Duration::from_secs(10),
    }
}

/// A timeout that leaves time on a busy machine, but is short where the answer never comes.
pub(crate) fn patience(answers: &[Answer]) -> Duration {
    let late = |answer: &Answer| matches!(answer, Answer::Hang | Answer::Slow(..) | Answer::Drip);
    match answers.iter().any(late) {
        true => Duration::from_millis(700),
        false => Duration::from_secs(10),
    }
}

pub(crate) fn client_with(timeout: Duration, url: &str) -> DeviceApi {
    let config = FoundriesConfig {
        timeout,
        ..config(url)
    };
    DeviceApi::new(&config, "demo-factory", token())
}

pub(crate) fn client(url: &str) -> DeviceApi {
    DeviceApi::new(&config(url), "demo-factory", token())
}

pub(crate) fn token() -> ApiToken {
    ApiToken::new(TOKEN.to_owned().into(), "a test").unwrap()
}

/// Pauses that are only written down.
#[derive(Default)]
pub(crate) struct Pauses(RefCell<Vec<u128>>);

impl Pauses {
    pub fn take(&self) -> impl Fn(Duration) + '_ {
        |pause| self.0.borrow_mut().push(pause.as_millis())
    }

    pub fn taken(&self) -> Vec<u128> {
        self.0.borrow().clone()
    }
}

pub const UUID: &str = "56b2fa41-d79a-4aad-ba26-e26e719878bb";

pub const TOKEN: &str = "s3cr3t-api-token";
