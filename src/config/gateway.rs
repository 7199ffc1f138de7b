//! The sections `gateway:` and `foundries:`: where devices find their gateway, and how the Foundries API is reached.
//!
//! Whoever can write them decides which servers new devices trust, and who gets the API token.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use crate::secret::SecretSource;
use crate::url::{self, ServerUrl};
use crate::yaml;

/// The device gateway of the factory, as devices are told.
#[derive(Clone, Debug, Default)]
pub struct GatewayConfig {
    /// Where devices find the gateway; `None` means that the DNS names in `certs/tls-crt` say it.
    pub url: Option<ServerUrl>,
    /// Where devices find the ostree server; `None` means the same.
    pub ostree_url: Option<ServerUrl>,
    /// Sections of sota.toml that a device may set keys of, beside pacman, tls, storage and import.
    pub sections: Vec<String>,
}

/// How the Foundries API is reached.
#[derive(Clone, Debug)]
pub struct FoundriesConfig {
    /// The API's server.
    pub api: ServerUrl,
    /// Where the API token comes from; without one nothing is asked of the API.
    pub token: Option<SecretSource>,
    /// The device group new devices are put into.
    pub device_group: Option<String>,
    /// Whether a device whose certificate was issued is registered at the API.
    pub register_devices: bool,
    /// How long one call may take, from the look-up of the name to the last byte of the answer.
    pub timeout: Duration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GatewayYaml {
    url: Option<String>,
    ostree_url: Option<String>,
    #[serde(default)]
    sections: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FoundriesYaml {
    api: Option<String>,
    #[serde(default, deserialize_with = "token_yaml")]
    token: Option<SecretSource>,
    device_group: Option<String>,
    #[serde(default)]
    register_devices: bool,
    timeout: Option<String>,
}

/// Says what is wanted without showing what was found: somebody may have written the token itself.
fn token_yaml<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretSource>, D::Error> {
    let read: Result<SecretSource, D::Error> = yaml::map_enum::deserialize(deserializer);
    let hidden = |_| {
        serde::de::Error::custom(format!(
            "`token` is something else, wanted is {TOKEN_WANTED}"
        ))
    };
    read.map(Some).map_err(hidden)
}

impl GatewayYaml {
    pub(super) fn check(
        self,
        value: &dyn Fn(&str, String, &str) -> ConfigError,
    ) -> Result<GatewayConfig, ConfigError> {
        let read = |key: &str, text: Option<String>| match text {
            None => Ok(None),
            Some(text) => ServerUrl::https(&text)
                .map(Some)
                .ok_or_else(|| value(key, quoted(&text), url::HTTPS)),
        };
        if let Some(section) = self.sections.iter().find(|name| !is_bare_key(name)) {
            let wanted = "names of letters, digits, `-`, `_`";
            return Err(value("gateway.sections", quoted(section), wanted));
        }
        Ok(GatewayConfig {
            url: read("gateway.url", self.url)?,
            ostree_url: read("gateway.ostree-url", self.ostree_url)?,
            sections: self.sections,
        })
    }
}

impl FoundriesYaml {
    pub(super) fn check(
        self,
        directory: &Path,
        value: &dyn Fn(&str, String, &str) -> ConfigError,
    ) -> Result<FoundriesConfig, ConfigError> {
        let api = self.api.as_deref().unwrap_or(API);
        let api = ServerUrl::https_or_loopback(api)
            .ok_or_else(|| value("foundries.api", quoted(api), url::HTTPS_OR_LOOPBACK))?;
        let token = match self.token {
            Some(SecretSource::File(path)) => Some(SecretSource::File(directory.join(path))),
            other => other,
        };
        if self.register_devices && token.is_none() {
            return Err(value("foundries.token", "missing".into(), TOKEN_NEEDED));
        }
        let timeout = self.timeout.as_deref().unwrap_or(TIMEOUT);
        let timeout = seconds(timeout)
            .ok_or_else(|| value("foundries.timeout", quoted(timeout), TIMEOUT_WANTED))?;
        let group = self.device_group.as_deref();
        if let Some(group) = group.filter(|group| !is_group_name(group)) {
            let wanted = "1 to 64 plain characters";
            return Err(value("foundries.device-group", quoted(group), wanted));
        }
        Ok(FoundriesConfig {
            api,
            token,
            device_group: self.device_group,
            register_devices: self.register_devices,
            timeout,
        })
    }
}

/// Whether a text is a bare key of TOML that a sane configuration has: 1 to 64 letters, digits, `-` and `_`.
pub fn is_bare_key(text: &str) -> bool {
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(sane)
}

fn is_group_name(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Reads `1s` to `60s`.
fn seconds(text: &str) -> Option<Duration> {
    let digits = text.strip_suffix('s')?;
    let digits = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(digits)?;
    let seconds = digits
        .parse()
        .ok()
        .filter(|seconds| (1..=60).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

const API: &str = "https://api.foundries.io";

/// A device waits for it on the line, so it is short; the API answers in a second or two.
const TIMEOUT: &str = "10s";

const TIMEOUT_WANTED: &str = "`1s` to `60s`";

const TOKEN_WANTED: &str = "`{file: PATH}`, `{env: NAME}` or `{credential: NAME}`";

const TOKEN_NEEDED: &str =
    "`{file: PATH}`, `{env: NAME}` or `{credential: NAME}`, because `register-devices` is true";

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::tests::{GOOD, load};
    use super::*;

    #[test]
    fn nothing_written_is_foundries_api_without_token() {
        let config = load(GOOD).unwrap();
        let gateway = config.gateway();
        assert!(gateway.url.is_none() && gateway.ostree_url.is_none());
        assert_eq!(gateway.sections, [""; 0]);
        let foundries = config.foundries();
        assert_eq!(foundries.api.as_str(), "https://api.foundries.io");
        assert_eq!(foundries.token, None);
        assert_eq!(foundries.device_group, None);
        assert!(!foundries.register_devices);
        assert_eq!(foundries.timeout, Duration::from_secs(10));
    }

    #[test]
    fn everything_written_is_read() {
        let config = load(&format!(
            "{GOOD}\n{}",
            r#"
gateway: {url: "https://gw.example:8443/", ostree-url: "https://ostree.example", sections: [provision, logger]}
foundries:
  api: "http://127.0.0.1:8080"
  token: {credential: api-token}
  device-group: line-1
  register-devices: true
  timeout: 60s
"#
        ))
        .unwrap();
        let gateway = config.gateway();
        assert_eq!(
            gateway.url.as_ref().unwrap().as_str(),
            "https://gw.example:8443"
        );
        let ostree = gateway.ostree_url.as_ref().unwrap();
        assert_eq!(ostree.as_str(), "https://ostree.example");
        assert_eq!(gateway.sections, ["provision", "logger"]);
        let foundries = config.foundries();
        assert_eq!(foundries.api.as_str(), "http://127.0.0.1:8080");
        let credential = SecretSource::Credential("api-token".to_owned());
        assert_eq!(foundries.token, Some(credential));
        assert_eq!(foundries.device_group.as_deref(), Some("line-1"));
        assert!(foundries.register_devices);
        assert_eq!(foundries.timeout, Duration::from_secs(60));
    }

    #[test]
    fn a_token_file_is_looked_for_in_the_pki_directory() {
        for (written, wanted) in [
            ("{file: api.token}", "/pki/api.token"),
            ("{file: /run/api.token}", "/run/api.token"),
        ] {
            let yaml = yaml::read::<FoundriesYaml>(&format!("token: {written}")).unwrap();
            let config = yaml
                .check(Path::new("/pki"), &|key, _, _| panic!("{key}"))
                .unwrap();
            let wanted = SecretSource::File(PathBuf::from(wanted));
            assert_eq!(config.token, Some(wanted));
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let token = "wanted is `{file: PATH}`, `{env: NAME}` or `{credential: NAME}`";
        let server = "wanted is `https://`, a host, a port if need be, and no path";
        let api = format!("{server} (`http://` for this machine only)");
        for (written, wanted) in [
            (
                "gateway: {url: \"http://gw.example\"}",
                format!("`gateway.url` is `http://gw.example`, {server}"),
            ),
            (
                "gateway: {ostree-url: \"https://gw.example/ostree\"}",
                format!("`gateway.ostree-url` is `https://gw.example/ostree`, {server}"),
            ),
            (
                "gateway: {sections: [provision, a.b]}",
                "`gateway.sections` is `a.b`, wanted is names of letters, digits, `-`, `_`"
                    .to_owned(),
            ),
            (
                "gateway: {ostree: x}",
                "line 10, column 11: gateway: unknown key `ostree`, the nearest valid one is `ostree-url`"
                    .to_owned(),
            ),
            (
                "foundries: {api: \"http://api.foundries.io\"}",
                format!("`foundries.api` is `http://api.foundries.io`, {api}"),
            ),
            (
                "foundries: {api: \"https://api.foundries.io/ota\"}",
                format!("`foundries.api` is `https://api.foundries.io/ota`, {api}"),
            ),
            (
                "foundries: {token: s3cr3t}",
                format!("line 10, column 12: foundries: `token` is something else, {token}"),
            ),
            (
                "foundries: {token: {fd: 3}}",
                format!("line 10, column 12: foundries: `token` is something else, {token}"),
            ),
            (
                "foundries: {register-devices: true}",
                format!("`foundries.token` is missing, {token}, because `register-devices` is true"),
            ),
            (
                "foundries: {device-group: \"\"}",
                "`foundries.device-group` is ``, wanted is 1 to 64 plain characters".to_owned(),
            ),
            (
                "foundries: {timeout: 0s}",
                "`foundries.timeout` is `0s`, wanted is `1s` to `60s`".to_owned(),
            ),
            (
                "foundries: {timeout: 1m}",
                "`foundries.timeout` is `1m`, wanted is `1s` to `60s`".to_owned(),
            ),
            (
                "foundries: {timeout: \"+5s\"}",
                "`foundries.timeout` is `+5s`, wanted is `1s` to `60s`".to_owned(),
            ),
            (
                "foundries: {token-file: api.token}",
                "line 10, column 13: foundries: unknown key `token-file`, the nearest valid one is `token`"
                    .to_owned(),
            ),
        ] {
            let message = load(&format!("{GOOD}{written}\n")).unwrap_err();
            assert_eq!(message, format!("`factory-ca.yaml`: {wanted}"));
        }
    }
}
