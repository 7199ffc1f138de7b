//! One attempt to register a device.

use serde_json::{Map, Value};

use super::answer::{Meaning, Reply};
use super::http::Lost;
use super::{DeviceApi, NewDevice};

/// What became of one attempt. Messages are fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device is registered.
    Created,
    /// The API knows the device, or its name, already.
    Conflict(String),
    /// The API does not want the device, and will not want it later; 401 and 403 speak of our token.
    Refused {
        /// The status, 400 to 499.
        status: u16,
        /// What the API says.
        message: String,
    },
    /// Nothing happened, or the API asks to come again.
    Retriable(String),
    /// It was sent, and what became of it is not known.
    Ambiguous(String),
    /// The API is elsewhere: the configuration has to be put right. It is not the device's fault.
    Redirected(String),
}

impl DeviceApi {
    /// Makes one attempt to register a device: `PUT /ota/devices/`.
    pub fn put(&self, device: &NewDevice<'_>) -> Outcome {
        match self.http.put(DEVICES, &self.body(device)) {
            Ok(reply) => outcome(reply),
            Err(Lost::NotSent(reason)) => Outcome::Retriable(reason),
            Err(Lost::Unanswered(reason)) => Outcome::Ambiguous(reason),
        }
    }

    fn body(&self, device: &NewDevice<'_>) -> Vec<u8> {
        let mut body = Map::new();
        let mut add = |key: &str, value: &str| body.insert(key.to_owned(), Value::from(value));
        add("client.pem", &device.certificate.to_pem());
        device.name.map(|name| add("name", name));
        self.group.as_deref().map(|group| add("group", group));
        Value::Object(body).to_string().into_bytes()
    }
}

fn outcome(reply: Reply) -> Outcome {
    match reply.meaning() {
        Meaning::Success => Outcome::Created,
        Meaning::Redirect => Outcome::Redirected(reply.target()),
        Meaning::Later | Meaning::Failure => Outcome::Retriable(format!("it {}", reply.summary())),
        Meaning::Unknown => Outcome::Ambiguous(format!("it {}", reply.summary())),
        Meaning::Refusal if reply.status == 409 => Outcome::Conflict(reply.message),
        Meaning::Refusal => Outcome::Refused {
            status: reply.status,
            message: reply.message,
        },
    }
}

pub const DEVICES: &str = "/ota/devices/";
