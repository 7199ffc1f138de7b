//! What stands in the way of a reservation. The caller adds what to do about it.

use crate::timestamp::Timestamp;

use super::{Entry, EntryId};

/// Why an intent was not reserved, with the certificate that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// A certificate for the device is being made right now; ask again in a moment.
    #[error("a certificate for device `{device}` is being issued by {}", who(*mine, writer))]
    Busy {
        /// The reserved entry.
        entry: EntryId,
        /// The device.
        device: String,
        /// The random name of the writer that reserved it.
        writer: String,
        /// Whether that is this writer itself.
        mine: bool,
    },
    /// The device has a live certificate that is not this request's.
    #[error("{} already has {}", device(.entry), certificate(.entry))]
    DeviceLive {
        /// The entry in the way.
        entry: Box<Entry>,
    },
    /// The device's certificate was revoked.
    #[error("{} had {}, which was revoked{}", device(.entry), certificate(.entry), on(.entry.ended_at))]
    DeviceRevoked {
        /// The revoked entry.
        entry: Box<Entry>,
    },
    /// The key was reported compromised; nobody gets a certificate for it.
    #[error(
        "the key was reported compromised by device `{device}`; it is refused for every device"
    )]
    KeyCompromised {
        /// The namespace of the device whose key it was.
        namespace: String,
        /// The device whose key it was.
        device: String,
    },
    /// The key belongs to another device, for ever: most likely a cloned image.
    #[error("the key belongs to device `{device}`: {}", certificate(.entry))]
    KeyOfOtherDevice {
        /// The device the key belongs to.
        device: String,
        /// The entry that holds that device's place.
        entry: Box<Entry>,
    },
    /// The request's registrar was closed.
    #[error("registrar `{registrar}` was closed on {}", at.date())]
    RegistrarClosed {
        /// Its name.
        registrar: String,
        /// When it was closed.
        at: Timestamp,
    },
    /// The request's registrar has registered as many devices as it may.
    #[error("registrar `{registrar}` has registered as many devices as it may: {max}")]
    RegistrarExhausted {
        /// Its name.
        registrar: String,
        /// How many it may.
        max: u32,
    },
    /// The request's registrar is no longer good.
    #[error("registrar `{registrar}` expired at {at}")]
    RegistrarExpired {
        /// Its name.
        registrar: String,
        /// When its time was over.
        at: Timestamp,
    },
}

impl Conflict {
    /// The stable name under which the refusal is kept.
    pub fn rule(&self) -> &'static str {
        match self {
            Conflict::Busy { .. } => "device-busy",
            Conflict::DeviceLive { .. } => "device-live",
            Conflict::DeviceRevoked { .. } => "device-revoked",
            Conflict::KeyCompromised { .. } => "key-compromised",
            Conflict::KeyOfOtherDevice { .. } => "key-of-other-device",
            Conflict::RegistrarClosed { .. } => "registrar-closed",
            Conflict::RegistrarExhausted { .. } => "registrar-exhausted",
            Conflict::RegistrarExpired { .. } => "registrar-expired",
        }
    }
}

fn device(entry: &Entry) -> String {
    format!("device `{}`", entry.device.as_deref().unwrap_or_default())
}

fn certificate(entry: &Entry) -> String {
    format!(
        "certificate {}, valid until {}",
        entry.serial,
        entry.not_after.date()
    )
}

fn on(moment: Option<Timestamp>) -> String {
    moment.map_or(String::new(), |moment| format!(" on {}", moment.date()))
}

fn who(mine: bool, writer: &str) -> String {
    match mine {
        true => "this process".to_owned(),
        false => format!("another process (writer {writer})"),
    }
}
