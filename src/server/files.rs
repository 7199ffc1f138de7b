//! What a device gets: an object of texts, whose every member becomes a file in its sota directory.

use serde::Serialize;

use crate::authority::Issued;
use crate::authority::desk::Counter;
use crate::x509::certificate;

/// The object whose every member becomes a file of the device.
pub(super) fn reply(issued: &Issued, counter: &Counter, sota_toml: &str) -> String {
    let issuer = counter.issuer();
    let leaf = certificate::to_pem(&issued.certificate);
    let files = Files {
        chained: &format!("{leaf}{}", issuer.certificate().to_pem()),
        client: &leaf,
        root: &issuer.root().to_pem(),
        sota_toml,
    };
    // Texts can always be written as JSON.
    serde_json::to_string(&files).unwrap_or_default()
}

/// The files of a device.
#[derive(Serialize)]
struct Files<'a> {
    #[serde(rename = "client.pem")]
    client: &'a str,
    #[serde(rename = "client.chained")]
    chained: &'a str,
    #[serde(rename = "root.crt")]
    root: &'a str,
    #[serde(rename = "sota.toml")]
    sota_toml: &'a str,
}
