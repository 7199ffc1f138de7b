//! Devices that were deleted: the API refuses them until they are taken off the list of denied ones.

use serde::Deserialize;
use serde_json::Value;
use ureq::http::Method;

use super::answer::clean_name;
use super::find::encode;
use super::{ApiError, DeviceApi};

/// A device on the list of denied ones. Both texts are fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedDevice {
    /// Its UUID.
    pub uuid: String,
    /// The name it had.
    pub name: Option<String>,
}

/// What became of taking a device off the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It may register again.
    Removed,
    /// It was not on the list.
    NotListed,
}

#[derive(Deserialize)]
struct PageJson {
    // It has to be there; `null` is an empty list.
    #[serde(deserialize_with = "Option::deserialize")]
    devices: Option<Vec<DeviceJson>>,
    next: Option<Value>,
}

#[derive(Deserialize)]
struct DeviceJson {
    uuid: String,
    name: Option<String>,
}

impl DeviceApi {
    /// All denied devices of the factory, page after page.
    ///
    /// Whether there is a next page is taken from the API; where it is, is not.
    pub fn denied(&self) -> Result<Vec<DeniedDevice>, ApiError> {
        let server = self.server();
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let path = format!("{}?limit={PAGE}&page={page}", self.denied_path());
            let reply = self
                .http
                .ask(Method::GET, &path)
                .map_err(|lost| ApiError::lost(server, lost))?;
            let read: PageJson = reply.into_success(server)?.json(server)?;
            let devices = read.devices.unwrap_or_default();
            let is_last = devices.is_empty() || read.next.is_none_or(|next| next.is_null());
            all.extend(devices.into_iter().map(|device| DeniedDevice {
                uuid: clean_name(&device.uuid),
                name: device.name.as_deref().map(clean_name),
            }));
            if is_last {
                return Ok(all);
            }
        }
        Err(ApiError::Answer {
            server: server.clone(),
            problem: "the list of denied devices has no end",
        })
    }

    /// Takes a device off the list: it may register again.
    pub fn allow_again(&self, uuid: &str) -> Result<Removal, ApiError> {
        let server = self.server();
        let path = format!("{}{}/", self.denied_path(), encode(uuid));
        let reply = self
            .http
            .ask(Method::DELETE, &path)
            .map_err(|lost| ApiError::lost(server, lost))?;
        match reply.status {
            404 => Ok(Removal::NotListed),
            _ => reply.into_success(server).map(|_| Removal::Removed),
        }
    }

    fn denied_path(&self) -> String {
        format!("/ota/factories/{}/denied-devices/", encode(&self.factory))
    }
}

/// Small enough that a page stays below what is read of an answer, whatever else it says of a device.
const PAGE: u32 = 50;

/// 100,000 devices; a server that never stops would be listened to for ever.
const MOST_PAGES: u32 = 2000;
