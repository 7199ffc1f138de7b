//! sota.toml, the configuration of a new device.
//!
//! The device asks for keys of its own, the *overrides*. They are untrusted: names are held to a narrow grammar, values
//! are read as TOML and written anew, the keys that say which servers the device trusts cannot be set, and everything is
//! counted before anything is written. So the text always is TOML, holds the sections and keys that were asked for and no
//! others, and points to our gateway; a hostile body cannot make it large.

mod document;
mod error;
mod overrides;
#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
mod value;

pub use error::SotaError;
pub use overrides::Overrides;

use super::urls::GatewayUrls;
use document::Document;
use value::Value;

/// What is the same for every device: the servers, and what a device may set.
#[derive(Clone, Debug)]
pub struct SotaTemplate {
    urls: GatewayUrls,
    sections: Vec<String>,
}

/// What one device sent.
#[derive(Clone, Copy, Debug)]
pub struct SotaRequest<'a> {
    /// `sota-config-dir`: where the device keeps it all; `None` is /var/sota.
    pub config_dir: Option<&'a str>,
    /// `hardware-id`: which kind of hardware it is, such as `intel-corei7-64`.
    pub hardware_id: &'a str,
    /// `overrides`.
    pub overrides: &'a Overrides,
}

impl SotaTemplate {
    /// The template with these servers. A device may set keys in pacman, tls, storage and import, and in `sections`.
    ///
    /// The keys that name a server or the CA it is known by stay ours, whatever section is listed.
    pub fn new(urls: GatewayUrls, sections: &[String]) -> SotaTemplate {
        let further = sections.iter().map(String::as_str);
        let sections = TAKEN.into_iter().chain(further).map(str::to_owned);
        SotaTemplate {
            urls,
            sections: sections.collect(),
        }
    }

    /// Writes the sota.toml of a device, or names the first thing in its request that cannot be.
    ///
    /// An override replaces a key where it stands; a new key goes to the end of its section, a new section to the end. An
    /// empty value takes the key out and leaves a comment that says so.
    pub fn render(&self, request: &SotaRequest<'_>) -> Result<String, SotaError> {
        let directory = config_dir(request.config_dir.unwrap_or(CONFIG_DIR))?;
        let hardware = hardware_id(request.hardware_id)?;
        request.overrides.check(&self.sections)?;
        let mut document = self.defaults(directory, hardware);
        for (section, keys) in request.overrides.sections() {
            document.open(section);
            for (key, text) in keys {
                let value = Value::read(text).map_err(|wanted| {
                    SotaError::value(&format!("overrides.{section}.{key}"), text, wanted)
                })?;
                document.set(section, key, value);
            }
        }
        Ok(document.to_string())
    }

    /// What a device gets that asks for nothing.
    fn defaults(&self, directory: &str, hardware: &str) -> Document {
        let GatewayUrls { gateway, ostree } = &self.urls;
        let file = |name: &str| format!("{directory}/{name}");
        let mut document = Document::default();
        document.add(
            "tls",
            [
                ("server", gateway.to_string()),
                ("ca_source", "file".into()),
                ("pkey_source", "file".into()),
                ("cert_source", "file".into()),
            ],
        );
        document.add(
            "provision",
            [
                ("server", gateway.to_string()),
                ("primary_ecu_hardware_id", hardware.into()),
            ],
        );
        document.add(
            "uptane",
            [
                ("repo_server", format!("{gateway}/repo")),
                ("key_source", "file".into()),
            ],
        );
        document.add(
            "pacman",
            [
                ("type", "ostree+compose_apps".into()),
                ("ostree_server", format!("{ostree}/ostree")),
            ],
        );
        document.add("storage", [("type", "sqlite".into()), ("path", file(""))]);
        document.add(
            "import",
            [
                ("tls_cacert_path", file("root.crt")),
                ("tls_pkey_path", file("pkey.pem")),
                ("tls_clientcert_path", file("client.pem")),
            ],
        );
        document
    }
}

/// An absolute path in its plainest form. A quote or a backslash is refused, because the reader on the device does not
/// undo TOML's escapes.
fn config_dir(path: &str) -> Result<&str, SotaError> {
    let clean = path.strip_suffix('/').unwrap_or(path);
    let sound = |part: &str| !matches!(part, "" | "." | "..");
    let is_absolute = clean
        .strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(sound));
    match is_absolute && clean.len() <= LONGEST_PATH && clean.chars().all(is_path_character) {
        true => Ok(clean),
        false => Err(SotaError::value("sota-config-dir", path, CONFIG_DIR_WANTED)),
    }
}

fn is_path_character(c: char) -> bool {
    !c.is_control() && !"\"'\\\u{2028}\u{2029}\u{feff}".contains(c)
}

/// Real ones are names of Yocto machines: `intel-corei7-64`, `raspberrypi4-64`, `imx8mm-lpddr4-evk`.
fn hardware_id(id: &str) -> Result<&str, SotaError> {
    let sound = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte);
    match (1..=LONGEST_HARDWARE_ID).contains(&id.len()) && id.bytes().all(sound) {
        true => Ok(id),
        false => Err(SotaError::value("hardware-id", id, HARDWARE_ID_WANTED)),
    }
}

/// Sections a device may always set keys in: what lmp-device-register writes.
const TAKEN: [&str; 4] = ["pacman", "tls", "storage", "import"];

const CONFIG_DIR: &str = "/var/sota";

/// PATH_MAX leaves room for file names below it; nobody has one that is longer than a line.
const LONGEST_PATH: usize = 255;

const CONFIG_DIR_WANTED: &str = "an absolute path of at most 255 bytes, without `.`, `..`, `//`, quotes, backslashes and control characters";

/// What TUF repositories take.
const LONGEST_HARDWARE_ID: usize = 200;

const HARDWARE_ID_WANTED: &str =
    "1 to 200 visible ASCII characters without quotes, such as `intel-corei7-64`";
