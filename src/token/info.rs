//! What a token says about itself.

use cryptoki::slot::{Limit, Slot};
use serde::Serialize;

use super::TokenUri;

/// What a token says about itself. Texts are without their padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenInfo {
    /// The label given when it was initialised.
    pub label: String,
    /// The serial number.
    pub serial: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// The slot it is in now, to be shown only: another process may see another number.
    pub slot: u64,
    /// It has been initialised.
    pub initialised: bool,
    /// Private objects need a login.
    pub login_required: bool,
    /// The user PIN is set.
    pub user_pin_initialised: bool,
    /// A wrong user PIN was entered since the last login.
    pub pin_count_low: bool,
    /// One more wrong user PIN locks it.
    pub pin_final_try: bool,
    /// The user PIN is locked.
    pub pin_locked: bool,
    /// Nothing can be generated or deleted.
    pub write_protected: bool,
    /// It has a PIN pad of its own.
    pub protected_auth_path: bool,
    /// The shortest PIN it takes.
    pub min_pin_len: usize,
    /// The longest PIN it takes.
    pub max_pin_len: usize,
    /// How many sessions one process may open, where the token says so.
    pub max_sessions: Option<u64>,
    /// The hardware's version, "major.minor".
    pub hardware_version: String,
    /// The firmware's version.
    pub firmware_version: String,
}

impl TokenInfo {
    pub(super) fn new(info: &cryptoki::slot::TokenInfo, slot: Slot) -> TokenInfo {
        TokenInfo {
            label: unpadded(info.label()),
            serial: unpadded(info.serial_number()),
            manufacturer: unpadded(info.manufacturer_id()),
            model: unpadded(info.model()),
            slot: slot.id(),
            initialised: info.token_initialized(),
            login_required: info.login_required(),
            user_pin_initialised: info.user_pin_initialized(),
            pin_count_low: info.user_pin_count_low(),
            pin_final_try: info.user_pin_final_try(),
            pin_locked: info.user_pin_locked(),
            write_protected: info.write_protected(),
            protected_auth_path: info.protected_authentication_path(),
            min_pin_len: info.min_pin_length(),
            max_pin_len: info.max_pin_length(),
            max_sessions: match info.max_session_count() {
                Limit::Max(sessions) => Some(sessions),
                Limit::Unavailable | Limit::Infinite => None,
            },
            hardware_version: info.hardware_version().to_string(),
            firmware_version: info.firmware_version().to_string(),
        }
    }

    /// The URI that finds this token again.
    pub fn uri(&self) -> TokenUri {
        TokenUri::for_token(&self.label, &self.serial, &self.manufacturer, &self.model)
    }

    /// "`acme-root` (serial `a1b2`)", as errors list it.
    pub(super) fn name(&self) -> String {
        format!("`{}` (serial `{}`)", self.label, self.serial)
    }

    /// Label and serial number: what tells tokens of one module apart, whatever slot they are in.
    pub(super) fn identity(&self) -> (String, String) {
        (self.label.clone(), self.serial.clone())
    }

    pub(super) fn fits(&self, uri: &TokenUri) -> bool {
        let same = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        same(uri.token(), &self.label)
            && same(uri.serial(), &self.serial)
            && same(uri.manufacturer(), &self.manufacturer)
            && same(uri.model(), &self.model)
    }
}

/// Fields are padded with spaces (PKCS#11 section 3.1); some modules pad with NUL.
fn unpadded(field: &str) -> String {
    field.trim_matches([' ', '\0']).to_owned()
}
