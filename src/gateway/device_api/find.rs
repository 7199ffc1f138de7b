//! Looking a device up.

use serde::Deserialize;
use ureq::http::Method;

use super::put::DEVICES;
use super::{ApiError, DeviceApi, NewDevice};
use crate::x509::{PublicKey, pem};

/// A device the API knows.
#[derive(Clone, Debug)]
pub struct KnownDevice {
    /// Its UUID, as it was asked for.
    pub uuid: String,
    /// Its name, as the API has it; not fit to be shown as it is.
    pub name: Option<String>,
    /// Its key; `None` if the API does not say, or says what is no key.
    pub key: Option<PublicKey>,
}

/// Whether the API knows a device that we may have registered.
#[derive(Debug)]
pub enum Presence {
    /// With the key of our certificate.
    Ours,
    /// With another key.
    Other,
    /// Not at all.
    Absent,
    /// That cannot be found out.
    Unknown(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DeviceJson {
    uuid: String,
    name: Option<String>,
    public_key: Option<String>,
}

impl DeviceApi {
    /// Looks a device up by its UUID; `None` if the API does not know it.
    pub fn find(&self, uuid: &str) -> Result<Option<KnownDevice>, ApiError> {
        let server = self.server();
        let (device, factory) = (encode(uuid), encode(&self.factory));
        let path = format!("{DEVICES}{device}/?factory={factory}&by-uuid=1");
        let reply = self
            .http
            .ask(Method::GET, &path)
            .map_err(|lost| ApiError::lost(server, lost))?;
        if reply.status == 404 {
            return Ok(None);
        }
        let found: DeviceJson = reply.into_success(server)?.json(server)?;
        if !found.uuid.eq_ignore_ascii_case(uuid) {
            return Err(ApiError::Answer {
                server: server.clone(),
                problem: "it is about another device",
            });
        }
        Ok(Some(KnownDevice {
            uuid: found.uuid,
            name: found.name,
            key: found.public_key.as_deref().and_then(read_key),
        }))
    }

    pub(super) fn presence(&self, device: &NewDevice<'_>) -> Presence {
        match self.find(device.uuid) {
            Ok(None) => Presence::Absent,
            Ok(Some(KnownDevice { key: Some(key), .. })) => {
                match key.spki() == device.certificate.key().spki() {
                    true => Presence::Ours,
                    false => Presence::Other,
                }
            }
            Ok(Some(KnownDevice { key: None, .. })) => {
                Presence::Unknown("the API knows the device and does not tell its key".to_owned())
            }
            Err(error) => Presence::Unknown(error.to_string()),
        }
    }
}

fn read_key(text: &str) -> Option<PublicKey> {
    let blocks = pem::read(text.as_bytes()).ok()?;
    match blocks.as_slice() {
        [block] if block.label == "PUBLIC KEY" => PublicKey::from_spki_der(&block.contents).ok(),
        _ => None,
    }
}

/// Percent-encodes a text for one segment of a path, or a value of a query (RFC 3986 section 2.1).
pub fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            // A dot is unreserved, but `.` and `..` are steps and no names.
            b'.' if !matches!(text, "." | "..") => encoded.push('.'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_segment() {
        for (text, wanted) in [
            ("acme-1.x_y~", "acme-1.x_y~"),
            ("acme & co/..", "acme%20%26%20co%2F.."),
            ("..", "%2E%2E"),
            ("é?#%", "%C3%A9%3F%23%25"),
        ] {
            assert_eq!(encode(text), wanted);
        }
    }
}
