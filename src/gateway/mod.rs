//! The Foundries side: what a device is told about its gateway, and the Foundries API.
//!
//! [`sota`] writes the sota.toml of a new device; what the device asked for in it is an attacker's text until it has been
//! read. [`device_api`] tells the Foundries API about a new device; its answers are no less foreign. Whoever holds the API
//! token can register and remove devices of the factory, so it is read from where secrets are kept, sent over TLS only,
//! and never shown.

pub mod device_api;
pub mod sota;
mod token;
mod urls;

pub use device_api::{ApiError, DeviceApi, NewDevice, Registration};
pub use sota::{Overrides, SotaError, SotaRequest, SotaTemplate};
pub use token::{ApiToken, TokenError};
pub use urls::{GatewayUrls, UrlError};
