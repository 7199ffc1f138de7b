//! Certification requests, made by OpenSSL as a device would, and what attackers make of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::factory::Factory;

pub const DEVICE: &str = "56b2fa41-d79a-4aad-ba26-e26e719878bb";
pub const OTHER_DEVICE: &str = "7d2c1f0a-5b6e-4c3d-9a8b-0f1e2d3c4b5a";

impl Factory {
    /// `dev.csr` and `dev.key`: what a device of demo-factory asks for.
    pub fn device_request(&self) -> PathBuf {
        self.request("dev", &subject(DEVICE))
    }

    /// `NAME.csr` with this subject and a new P-256 key `NAME.key`.
    pub fn request(&self, name: &str, subject: &str) -> PathBuf {
        self.key(name);
        self.request_with_key(name, name, subject, &[])
    }

    /// `NAME.key`: a new P-256 key.
    pub fn key(&self, name: &str) -> PathBuf {
        let key = self.path(&format!("{name}.key"));
        let path = key.to_str().unwrap();
        openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            path,
        ]);
        key
    }

    /// `NAME.csr`, made with `KEY.key`.
    pub fn request_with_key(&self, name: &str, key: &str, subject: &str, more: &[&str]) -> PathBuf {
        let key = self.path(&format!("{key}.key"));
        let path = self.path(&format!("{name}.csr"));
        let mut arguments = vec!["req", "-new", "-sha256", "-subj", subject];
        arguments.extend([
            "-key",
            key.to_str().unwrap(),
            "-out",
            path.to_str().unwrap(),
        ]);
        arguments.extend(more);
        openssl(&arguments);
        path
    }

    /// The request's DER.
    pub fn request_der(&self, name: &str) -> Vec<u8> {
        let path = self.path(&format!("{name}.csr"));
        openssl(&["req", "-in", path.to_str().unwrap(), "-outform", "DER"])
    }

    /// `forged.csr`: the request of one key, signed by another.
    pub fn forged_request(&self) -> PathBuf {
        self.device_request();
        let signer = self.key("thief");
        let request = self.request_der("dev");
        let info = elements(contents(&request))[0].to_vec();
        let to_sign = self.path("info.der");
        fs::write(&to_sign, &info).unwrap();
        let signature = openssl(&[
            "dgst",
            "-sha256",
            "-sign",
            signer.to_str().unwrap(),
            to_sign.to_str().unwrap(),
        ]);
        let algorithm = elements(contents(&request))[1].to_vec();
        let mut bits = vec![0];
        bits.extend(signature);
        let forged = tlv(0x30, &[info, algorithm, tlv(0x03, &bits)].concat());
        let path = self.path("forged.csr");
        fs::write(&path, forged).unwrap();
        path
    }
}

/// The subject of a device of demo-factory.
pub fn subject(device: &str) -> String {
    format!("/CN={device}/OU=demo-factory")
}

/// Runs OpenSSL and returns what it writes.
pub fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {text}");
    output.stdout
}

/// What stands in an outermost DER element.
pub fn contents(der: &[u8]) -> &[u8] {
    let (header, length) = header(der);
    &der[header..header + length]
}

/// The elements that follow each other.
pub fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (header, length) = header(der);
        let (element, rest) = der.split_at(header + length);
        found.push(element);
        der = rest;
    }
    found
}

/// One DER element.
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut der = match length {
        0..=127 => vec![tag, length as u8],
        128..=255 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    der.extend(contents);
    der
}

fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short if short < 0x80 => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
    }
}

/// A file's path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
