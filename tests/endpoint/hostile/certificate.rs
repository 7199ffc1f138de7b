//! What a 201 has to be, whatever was asked for: a proper certificate for that key and name, and settings that are ours.

use factory_ca::x509::key::KeyIdentifierMethod;
use factory_ca::x509::{Certificate, Csr, pem};
use rustls_pki_types::{CertificateDer, UnixTime};
use toml_edit::{DocumentMut, Item, Value};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_parser::prelude::*;

use crate::support::endpoint::Answer;
use crate::support::factory::Factory;

/// The CAs of a factory.
pub struct Authorities {
    root: Certificate,
    device_ca: Certificate,
}

impl Authorities {
    pub fn of(factory: &Factory) -> Authorities {
        let read = |name: &str| Certificate::from_pem(factory.read(name).as_bytes()).unwrap();
        Authorities {
            root: read("pki/certs/factory_ca.pem"),
            device_ca: read("pki/certs/line-1.pem"),
        }
    }

    /// Holds a 201 against the certification request; the error names what is wrong.
    pub fn check(&self, answer: &Answer, csr: &[u8]) -> Result<(), String> {
        let csr = Csr::from_bytes(csr).map_err(|error| format!("certified, but {error}"))?;
        let files = self.files(answer)?;
        let leaf = self.leaf(&files[0], &files[1])?;
        same("the subject", leaf.subject().der(), csr.subject().der())?;
        same("the key", leaf.key().spki(), csr.key().spki())?;
        let identifier = csr.key().identifier(KeyIdentifierMethod::Sha256);
        same(
            "the SKI",
            leaf.subject_key_identifier().unwrap_or_default(),
            &identifier,
        )?;
        let issuer = self.device_ca.subject_key_identifier().unwrap();
        same(
            "the AKI",
            leaf.authority_key_identifier().unwrap_or_default(),
            issuer,
        )?;
        self.check_chain(&leaf)?;
        check_extensions(&leaf)?;
        check_settings(&files[3])
    }

    /// client.pem, client.chained, root.crt, sota.toml, and nothing else.
    fn files(&self, answer: &Answer) -> Result<[String; 4], String> {
        same("the status", &answer.status, &201)?;
        let json = answer.json();
        let object = json.as_object().ok_or("no object")?;
        same("the number of files", &object.len(), &4)?;
        let file = |name: &str| {
            let text = object.get(name).and_then(|text| text.as_str());
            text.map(str::to_owned).ok_or(format!("no {name}"))
        };
        let files = [
            file("client.pem")?,
            file("client.chained")?,
            file("root.crt")?,
            file("sota.toml")?,
        ];
        same("root.crt", &files[2], &self.root.to_pem())?;
        Ok(files)
    }

    fn leaf(&self, client: &str, chained: &str) -> Result<Certificate, String> {
        let blocks = pem::read(client.as_bytes()).map_err(|error| error.to_string())?;
        same("the number of certificates", &blocks.len(), &1)?;
        let chain = format!("{client}{}", self.device_ca.to_pem());
        same("client.chained", chained, &chain)?;
        Certificate::from_der(&blocks[0].contents).map_err(|error| error.to_string())
    }

    fn check_chain(&self, leaf: &Certificate) -> Result<(), String> {
        same(
            "the issuer",
            leaf.issuer().der(),
            self.device_ca.subject().der(),
        )?;
        let der = |certificate: &Certificate| CertificateDer::from(certificate.der().to_vec());
        let (root, ca, leaf) = (der(&self.root), der(&self.device_ca), der(leaf));
        let anchors = [webpki::anchor_from_trusted_cert(&root).unwrap()];
        let leaf = EndEntityCert::try_from(&leaf).map_err(|error| error.to_string())?;
        let (usage, now) = (KeyUsage::client_auth(), UnixTime::now());
        leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            &[ca],
            now,
            usage,
            None,
            None,
        )
        .map(|_| ())
        .map_err(|error| format!("the chain: {error}"))
    }
}

/// The profile's extensions with the profile's values: nothing a request asks for gets in.
fn check_extensions(leaf: &Certificate) -> Result<(), String> {
    let (rest, certificate) = X509Certificate::from_der(leaf.der()).unwrap();
    same("bytes after the certificate", rest, &[])?;
    same("the version", &certificate.version(), &X509Version::V3)?;
    let found: Vec<(String, bool)> = certificate
        .extensions()
        .iter()
        .map(|extension| (extension.oid.to_id_string(), extension.critical))
        .collect();
    let wanted = [
        ("2.5.29.35", false),
        ("2.5.29.15", true),
        ("2.5.29.37", false),
        ("2.5.29.14", false),
        ("2.5.29.19", true),
    ];
    let wanted = wanted.map(|(oid, critical)| (oid.to_owned(), critical));
    same("the extensions", found.as_slice(), &wanted)?;
    let values: Vec<&[u8]> = certificate
        .extensions()
        .iter()
        .map(|extension| extension.value)
        .collect();
    same("keyUsage", values[1], &[3, 2, 7, 0x80])?;
    let client_auth = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];
    same("extKeyUsage", values[2], &client_auth)?;
    same("basicConstraints", values[4], &[0x30, 0])
}

/// sota.toml parses, has only sections and keys that are allowed, on lines of their own, and names our servers.
pub fn check_settings(text: &str) -> Result<(), String> {
    let wrong = |what: String| format!("sota.toml: {what}\n{text}");
    let document: DocumentMut = text.parse().map_err(|error| wrong(format!("{error}")))?;
    for (section, item) in document.iter() {
        if !SECTIONS.contains(&section) {
            return Err(wrong(format!("section {section}")));
        }
        let Item::Table(table) = item else {
            return Err(wrong(format!("{section} is no table")));
        };
        for (key, item) in table.iter() {
            let scalar = matches!(
                item,
                Item::Value(
                    Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_)
                )
            );
            let bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            if !scalar || !key.chars().all(bare) {
                return Err(wrong(format!("{section}.{key}")));
            }
        }
    }
    // The reader on the device goes by lines: there is one for each section and key, and for each key that is unset.
    let keys: usize = document
        .iter()
        .map(|(_, item)| item.as_table().map_or(0, |table| table.len()))
        .sum();
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let (comments, lines): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(|line| line.starts_with('#'));
    same("lines of sota.toml", &lines.len(), &(keys + document.len()))?;
    for comment in comments {
        let name = comment
            .strip_prefix("# ")
            .and_then(|rest| rest.strip_suffix(" is not set"));
        if name.is_none_or(|name| name.contains([' ', '=', '['])) {
            return Err(wrong(comment.to_owned()));
        }
    }
    for (section, key, wanted) in OURS {
        same(
            &format!("{section}.{key}"),
            document[section][key].as_str().unwrap_or("nothing"),
            wanted,
        )?;
    }
    let root = document["import"]["tls_cacert_path"].as_str();
    match root.is_some_and(|path| path.starts_with('/') && path.ends_with("/root.crt")) {
        true => Ok(()),
        false => Err(wrong(format!("import.tls_cacert_path is {root:?}"))),
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    found: &T,
    wanted: &T,
) -> Result<(), String> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("{what} is {found:?}, wanted is {wanted:?}")),
    }
}

const SECTIONS: [&str; 6] = ["tls", "provision", "uptane", "pacman", "storage", "import"];

const OURS: [(&str, &str, &str); 6] = [
    ("tls", "server", "https://gateway.example:8443"),
    ("tls", "ca_source", "file"),
    ("provision", "server", "https://gateway.example:8443"),
    ("uptane", "repo_server", "https://gateway.example:8443/repo"),
    (
        "pacman",
        "ostree_server",
        "https://ostree.example:8443/ostree",
    ),
    ("uptane", "key_source", "file"),
];
