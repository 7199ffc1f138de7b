//! `bundle export`.

use serde_json::json;

use super::clap_args::{Bundle, Global};
use super::report::Report;
use crate::error::Error;
use crate::output::bundle;
use crate::x509::Certificate;

pub fn run(global: &Global, command: Bundle) -> Result<Report, Error> {
    let Bundle::Export { directory } = command;
    let pki = super::open(global)?;
    let mut root: Option<Certificate> = None;
    let mut cas = Vec::new();
    for authority in pki.config().authorities() {
        let mut chain = pki.chain(authority)?;
        let top = chain.pop();
        if let (Some(known), Some(top)) = (&root, &top)
            && known.der() != top.der()
        {
            let message = format!(
                "the authorities have several roots: {} and {}",
                known.subject(),
                top.subject()
            );
            return Err(Error::usage(
                message,
                "export each PKI from a directory of its own",
            ));
        }
        root = root.or(top);
        cas.extend(chain.into_iter().take(1));
    }
    let Some(root) = root else {
        return Err(Error::usage(
            "no authority is configured",
            "add one to factory-ca.yaml",
        ));
    };
    let directory = directory.unwrap_or_else(|| pki.config().directory().join("bundles"));
    let written = bundle::export(&directory, &root, &cas)?;
    let files: Vec<_> = written.iter().map(|(path, _)| path).collect();
    let json = json!({ "directory": directory, "files": files, "device_cas": cas.len() });
    let note = format!(
        "root.crt (the trust anchor), cas.pem ({} device {}, for the gateway) and chain.pem are in `{}`",
        cas.len(),
        if cas.len() == 1 { "CA" } else { "CAs" },
        directory.display()
    );
    Ok(Report::done(note, json))
}
