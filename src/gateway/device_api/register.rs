//! Registering a device: the story.
//!
//! A device that is registered twice is a conflict, and one that we only believe to be registered gets no updates. So
//! whatever may have arrived is looked up before it is sent again, and what cannot be found out is left for later.

use std::time::Duration;

use super::find::Presence;
use super::{DeviceApi, NewDevice, Outcome};

/// How a registration ended. Messages are fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The API knows the device with the key of this certificate.
    Registered,
    /// The API knows the device with another key, or its name is taken.
    Conflict(String),
    /// The API does not want the device; asking again will not help.
    Refused {
        /// The status, 400 to 499.
        status: u16,
        /// What the API says.
        message: String,
    },
    /// The API is elsewhere: the configuration has to be put right. It is not the device's fault.
    Redirected(String),
    /// Not known, or not yet: take it up again later with [`DeviceApi::resume`].
    Pending(String),
}

impl Registration {
    /// Whether our configuration is at fault and not the device: the API is elsewhere, or does not know our token or our
    /// factory.
    pub fn is_our_fault(&self) -> bool {
        match self {
            Registration::Redirected(_) => true,
            Registration::Refused { status, .. } => matches!(status, 401 | 403 | 404 | 405),
            _ => false,
        }
    }
}

/// The most calls one registration makes: as many attempts as there are, each looked up once, and the look-up that
/// [`DeviceApi::resume`] starts with. None takes longer than the configured timeout.
pub const LONGEST_REGISTRATION: u32 = 2 * PAUSES.len() as u32 + 1;

impl DeviceApi {
    /// Registers a device that was not tried before; `sleep` waits between attempts, 1.25 seconds altogether.
    ///
    /// Calls that are refused, reset or answered with 500, 503 and the like are tried up to three times. A call whose
    /// outcome is not known is looked up first; if that fails, too, it stays pending.
    pub fn register(&self, device: &NewDevice<'_>, sleep: &dyn Fn(Duration)) -> Registration {
        self.attempt(device, sleep, Before::Nothing)
    }

    /// Takes up a registration that was left pending, by a crash or by [`Registration::Pending`]: looks first.
    pub fn resume(&self, device: &NewDevice<'_>, sleep: &dyn Fn(Duration)) -> Registration {
        match self.presence(device) {
            Presence::Ours => Registration::Registered,
            Presence::Other => Registration::Conflict(OTHER_KEY.to_owned()),
            Presence::Absent => self.attempt(device, sleep, Before::Attempts),
            Presence::Unknown(reason) => Registration::Pending(reason),
        }
    }

    fn attempt(
        &self,
        device: &NewDevice<'_>,
        sleep: &dyn Fn(Duration),
        mut before: Before,
    ) -> Registration {
        let mut last = String::new();
        for pause in PAUSES {
            if !pause.is_zero() {
                sleep(pause);
            }
            match self.put(device) {
                Outcome::Created => return Registration::Registered,
                Outcome::Refused { status, message } => {
                    return Registration::Refused { status, message };
                }
                Outcome::Redirected(target) => return Registration::Redirected(target),
                Outcome::Conflict(message) => return self.conflict(device, message, before),
                Outcome::Retriable(reason) => last = reason,
                Outcome::Ambiguous(reason) => match self.presence(device) {
                    Presence::Ours => return Registration::Registered,
                    Presence::Other => return Registration::Conflict(OTHER_KEY.to_owned()),
                    Presence::Absent => last = reason,
                    Presence::Unknown(why) => {
                        return Registration::Pending(format!("{reason}; {why}"));
                    }
                },
            }
            before = Before::Attempts;
        }
        Registration::Pending(format!("`{}`: {last}", self.server()))
    }

    /// A conflict may be with ourselves: an earlier attempt, or another endpoint that was asked at the same time.
    ///
    /// Who must not look devices up gets the API's word for a first attempt.
    fn conflict(&self, device: &NewDevice<'_>, message: String, before: Before) -> Registration {
        match (self.presence(device), before) {
            (Presence::Ours, _) => Registration::Registered,
            (Presence::Other | Presence::Absent, _) | (Presence::Unknown(_), Before::Nothing) => {
                Registration::Conflict(message)
            }
            (Presence::Unknown(why), Before::Attempts) => Registration::Pending(why),
        }
    }
}

/// What was tried already.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Attempts,
}

/// Before each attempt: enough for a server that restarts behind a balancer, and a device on the line waits no longer.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_secs(1),
];

const OTHER_KEY: &str = "the API knows the device with another key";
