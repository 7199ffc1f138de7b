//! The Foundries API, as far as devices go: register one, look one up, the list of denied ones.
//!
//! The other end is not trusted with more than its answers: redirects are not followed, answers are cut off at 64 KiB,
//! every call ends in time, and what is passed on of a message is cleaned. Not even its silence is trusted: a request
//! that was sent and not answered may have been carried out, so it is looked up before it is sent again.

mod answer;
mod denied;
mod error;
mod find;
mod http;
mod put;
mod register;

pub use denied::{DeniedDevice, Removal};
pub use error::ApiError;
pub use find::KnownDevice;
pub use put::Outcome;
pub use register::{LONGEST_REGISTRATION, Registration};

use super::token::ApiToken;
use crate::config::FoundriesConfig;
use crate::url::ServerUrl;
use crate::x509::Certificate;
use crate::x509::name::COMMON_NAME;
use http::Http;

/// A client of the Foundries API. It blocks; its connections are kept and may be used by many threads.
#[derive(Debug)]
pub struct DeviceApi {
    http: Http,
    factory: String,
    group: Option<String>,
}

/// A device to register.
#[derive(Clone, Copy, Debug)]
pub struct NewDevice<'a> {
    certificate: &'a Certificate,
    uuid: &'a str,
    name: Option<&'a str>,
}

impl DeviceApi {
    /// A client for one factory. Nothing is connected yet.
    ///
    /// The server's certificate is checked against the system's trust store. No proxy is used. Over `http://`, which the
    /// configuration admits for this machine only, the token travels in the clear.
    pub fn new(config: &FoundriesConfig, factory: &str, token: ApiToken) -> DeviceApi {
        DeviceApi {
            http: Http::new(config.api.clone(), token, config.timeout),
            factory: factory.to_owned(),
            group: config.device_group.clone(),
        }
    }

    /// The API's server.
    pub fn server(&self) -> &ServerUrl {
        self.http.server()
    }
}

impl<'a> NewDevice<'a> {
    /// The device of a certificate, under a name if it has one. `None` if the certificate's subject has no CN.
    ///
    /// The API knows the device by that CN, as it is written there.
    pub fn new(certificate: &'a Certificate, name: Option<&'a str>) -> Option<NewDevice<'a>> {
        let uuid = certificate.subject().first(COMMON_NAME)?;
        Some(NewDevice {
            certificate,
            uuid,
            name,
        })
    }
}
