//! What lmp-device-register sends: one JSON object, every scalar a string.
//!
//! Unknown fields are ignored, repeated ones are refused. Errors are the texts that the reference server uses, where it
//! has one.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::problem::Problem;
use crate::gateway::Overrides;

/// A device's wish to be registered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// The certification request, PEM.
    pub(super) csr: String,
    /// What the device is; becomes `provision.primary_ecu_hardware_id`.
    pub(super) hardware_id: String,
    /// The device's name at the gateway's backend.
    pub(super) name: Option<String>,
    /// The device's UUID, which the request's subject says, too.
    pub(super) uuid: Option<String>,
    /// Where the device keeps its files.
    pub(super) sota_config_dir: Option<String>,
    /// Settings of its own.
    pub(super) overrides: Overrides,
}

impl Body {
    /// Reads the body of a `POST /sign`.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Body, Problem> {
        if bytes.trim_ascii().is_empty() {
            return Err(Problem::bad_request("Missing request body"));
        }
        let malformed = |text: String| {
            Problem::bad_request("the body is not the JSON object that is wanted")
                .field("body", text)
        };
        // serde would take an array for an object whose members stand in their order.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(malformed("it is no object".to_owned()));
        }
        // What is ignored would not be looked at.
        let text =
            std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        let fields: Fields =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        if !matches!(fields.group, None | Some(Text::Null)) {
            let text = "Registration-reference does not support 'group' field";
            return Err(Problem::bad_request(text));
        }
        Ok(Body {
            csr: required("csr", fields.csr)?,
            hardware_id: required("hardware-id", fields.hardware_id)?,
            name: optional("name", fields.name)?,
            uuid: optional("uuid", fields.uuid)?,
            sota_config_dir: optional("sota-config-dir", fields.sota_config_dir)?,
            overrides: fields.overrides,
        })
    }
}

/// The object as it comes.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Fields {
    csr: Option<Text>,
    hardware_id: Option<Text>,
    name: Option<Text>,
    uuid: Option<Text>,
    sota_config_dir: Option<Text>,
    group: Option<Text>,
    #[serde(default)]
    overrides: Overrides,
}

/// A text, or something that is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    String(String),
    Null,
    Other(IgnoredAny),
}

fn required(field: &'static str, text: Option<Text>) -> Result<String, Problem> {
    match text {
        Some(Text::String(text)) if !text.is_empty() => Ok(text),
        None | Some(Text::Null | Text::String(_)) => {
            let text = format!("Missing required field '{field}'");
            Err(Problem::bad_request(text))
        }
        Some(_) => Err(wrong_type(field)),
    }
}

fn optional(field: &'static str, text: Option<Text>) -> Result<Option<String>, Problem> {
    match text {
        None | Some(Text::Null) => Ok(None),
        Some(Text::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong_type(field)),
    }
}

fn wrong_type(field: &str) -> Problem {
    Problem::bad_request(format!("Invalid data type for '{field}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Body::from_json(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_captured_body_is_read() {
        let text = include_bytes!("../../tests/data/lmp-device-register/register-production.json");
        let body = Body::from_json(text).unwrap();
        assert_eq!(body.hardware_id, "intel-corei7-64");
        assert_eq!(body.name.as_deref(), Some("prod-dev-1"));
        assert!(
            body.csr
                .starts_with("-----BEGIN CERTIFICATE REQUEST-----\n")
        );
    }

    #[test]
    fn the_reference_servers_texts_are_kept() {
        for (text, wanted) in [
            ("", "Missing request body"),
            (" \n", "Missing request body"),
            ("{}", "Missing required field 'csr'"),
            (r#"{"csr": null}"#, "Missing required field 'csr'"),
            (r#"{"csr": ""}"#, "Missing required field 'csr'"),
            (r#"{"csr": 7}"#, "Invalid data type for 'csr'"),
            (r#"{"csr": ["x"]}"#, "Invalid data type for 'csr'"),
            (r#"{"csr": {"a": 1}}"#, "Invalid data type for 'csr'"),
            (r#"{"csr": "x"}"#, "Missing required field 'hardware-id'"),
            (
                r#"{"csr": "x", "hardware-id": "h", "group": "g"}"#,
                "Registration-reference does not support 'group' field",
            ),
        ] {
            assert_eq!(message(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_not_the_object_wanted_is_told() {
        for (text, wanted) in [
            ("[]", "the body is not the JSON object that is wanted"),
            ("{", "the body is not the JSON object that is wanted"),
            ("null", "the body is not the JSON object that is wanted"),
            (
                r#"{"csr": "x", "csr": "y"}"#,
                "the body is not the JSON object that is wanted",
            ),
            (
                r#"{"overrides": []}"#,
                "the body is not the JSON object that is wanted",
            ),
            (
                r#"{"overrides": {"a": {"b": 1}}}"#,
                "the body is not the JSON object that is wanted",
            ),
        ] {
            assert_eq!(message(text), wanted, "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(
            message(&format!(r#"{{"csr": {deep}}}"#)),
            "the body is not the JSON object that is wanted"
        );
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let text = r#"{"csr": "x", "hardware-id": "h", "use-ostree-server": true, "new": {"a": [1]},
            "name": null, "overrides": {"pacman": {"b": "3", "c": ""}, "tls": ""}}"#;
        let body = Body::from_json(text.as_bytes()).unwrap();
        assert_eq!(body.name, None);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let pacman = vec![pair("b", "3"), pair("c", "")];
        let wanted = vec![("pacman".to_owned(), pacman), ("tls".to_owned(), vec![])];
        assert_eq!(body.overrides, Overrides::new(wanted));
    }
}
