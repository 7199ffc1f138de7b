//! A device that registers itself, as lmp-device-register does: it asks with HEAD on a connection of its own, posts on
//! another, takes nothing but a 201 for success, writes every key of the answer into a file, and never tries again.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use factory_ca::token::{Key as TokenKey, KeyQuery, Module, Persistence, Signer};
use factory_ca::x509::{Curve, PublicKey, pem};
use serde_json::Value;

use super::build::*;
use super::endpoint::{Answer, read_answer};

/// A device before it is registered. Its key is made anew each time it makes a request.
pub struct Device {
    pub uuid: String,
    factory: String,
    is_production: bool,
    hardware_id: String,
    name: Option<String>,
    group: Option<String>,
    /// `-T`
    token: String,
    /// `-t`, without the quotes that are put around it.
    tags: Option<String>,
    /// `-a`, as it is sent.
    apps: Option<String>,
    hsm: Option<Hsm>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// A key, and the request that was made with it.
pub struct Request {
    /// What is written to `pkey.pem`; `None` for a key in a token.
    key: Option<String>,
    pub csr: Vec<u8>,
}

/// Where a device keeps its key when it has a secure element.
#[derive(Clone)]
pub struct Hsm {
    pub module: PathBuf,
    pub token: String,
    pub pin: String,
}

impl Device {
    pub fn new(uuid: &str) -> Device {
        Device {
            uuid: uuid.to_owned(),
            factory: "demo-factory".to_owned(),
            is_production: false,
            hardware_id: "intel-corei7-64".to_owned(),
            name: None,
            group: None,
            token: "anything".to_owned(),
            tags: Some("main".to_owned()),
            apps: None,
            hsm: None,
            tls: None,
        }
    }

    /// The device with this number.
    pub fn number(number: usize) -> Device {
        Device::new(&format!("00000000-0000-4000-8000-{number:012x}"))
    }

    /// PRODUCTION=1
    pub fn production(mut self) -> Device {
        self.is_production = true;
        self
    }

    /// `-T`
    pub fn token(mut self, token: &str) -> Device {
        self.token = token.to_owned();
        self
    }

    /// `-n`
    pub fn named(mut self, name: &str) -> Device {
        self.name = Some(name.to_owned());
        self
    }

    /// `-t`
    pub fn tags(mut self, tags: &str) -> Device {
        self.tags = Some(tags.to_owned());
        self
    }

    /// `-a`
    pub fn apps(mut self, apps: &str) -> Device {
        self.apps = Some(apps.to_owned());
        self
    }

    /// `--device-group`
    pub fn group(mut self, group: &str) -> Device {
        self.group = Some(group.to_owned());
        self
    }

    /// `--hsm-module` and its companions
    pub fn hsm(mut self, hsm: &Hsm) -> Device {
        self.hsm = Some(hsm.clone());
        self
    }

    pub fn factory(mut self, factory: &str) -> Device {
        self.factory = factory.to_owned();
        self
    }

    /// Speaks TLS; the configuration stands for the system's trust store.
    pub fn tls(mut self, config: &Arc<rustls::ClientConfig>) -> Device {
        self.tls = Some(config.clone());
        self
    }

    /// Makes a key and a request for it.
    pub fn request(&self) -> Request {
        match &self.hsm {
            Some(hsm) => {
                let key = hsm.generate();
                let public = key.public_key().clone();
                let csr = self.csr(&public, &|message| key.sign(message).unwrap());
                Request { key: None, csr }
            }
            None => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
                let (public, sign) = in_memory(&key);
                let pkcs8 = key.to_pkcs8v1().unwrap();
                Request {
                    key: Some(pem::write("PRIVATE KEY", pkcs8.as_ref())),
                    csr: self.csr(&public, &sign),
                }
            }
        }
    }

    /// A request for the same key, signed anew.
    pub fn request_again(&self, request: &Request) -> Request {
        let pem = request.key.clone().unwrap();
        let pkcs8 = pem::read(pem.as_bytes()).unwrap().remove(0).contents;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
        let (public, sign) = in_memory(&key);
        Request {
            key: Some(pem),
            csr: self.csr(&public, &sign),
        }
    }

    fn csr(&self, key: &PublicKey, sign: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut subject = vec![
            (CN, UTF8, self.uuid.as_bytes()),
            (OU, UTF8, self.factory.as_bytes()),
        ];
        if self.is_production {
            subject.push((BUSINESS_CATEGORY, UTF8, b"production"));
        }
        let usage = extension(KEY_USAGE, &TRUE, &[0x03, 0x02, 0x07, 0x80]);
        let purposes = tlv(SEQUENCE, &[&oid(CLIENT_AUTH)]);
        let purposes = extension(EXTENDED_KEY_USAGE, &TRUE, &purposes);
        let draft = Draft {
            version: vec![INTEGER, 1, 0],
            subject: name(&subject),
            spki: key.spki().to_vec(),
            attributes: tlv(CONTEXT_0, &[&extension_request(&[&usage, &purposes])]),
            algorithm: tlv(SEQUENCE, &[&oid("1.2.840.10045.4.3.2")]),
        };
        draft.with_signature(&sign(&draft.info()))
    }

    /// The body of the POST.
    pub fn body(&self, request: &Request) -> String {
        let mut fields = vec![
            ("use-ostree-server".to_owned(), text("true")),
            ("sota-config-dir".to_owned(), text("/var/sota")),
            ("hardware-id".to_owned(), text(&self.hardware_id)),
            (
                "name".to_owned(),
                text(self.name.as_deref().unwrap_or(&self.uuid)),
            ),
            ("uuid".to_owned(), text(&self.uuid)),
            ("csr".to_owned(), text(&to_pem(&request.csr))),
        ];
        if let Some(group) = &self.group {
            fields.push(("group".to_owned(), text(group)));
        }
        fields.push(("overrides".to_owned(), Boost::Object(self.overrides())));
        let mut body = String::new();
        Boost::Object(fields).write(&mut body, 0);
        body.push('\n');
        body
    }

    fn overrides(&self) -> Vec<(String, Boost)> {
        let mut sections = vec![section(
            "pacman",
            [
                ("type", "\"ostree+compose_apps\""),
                ("compose_apps_root", "\"/var/sota/compose-apps\""),
                ("reset_apps_root", "\"/var/sota/reset-apps\""),
                ("reset_apps", "\" \""),
            ],
        )];
        let Boost::Object(pacman) = &mut sections[0].1 else {
            unreachable!()
        };
        if let Some(tags) = &self.tags {
            pacman.push(("tags".to_owned(), text(&format!("\"{tags}\""))));
        }
        if let Some(apps) = &self.apps {
            pacman.push(("compose_apps".to_owned(), text(&format!("\"{apps}\""))));
        }
        if self.hsm.is_some() {
            let unset = [("tls_pkey_path", ""), ("tls_clientcert_path", "")];
            sections.push(section(
                "tls",
                [("pkey_source", "\"pkcs11\""), ("cert_source", "\"pkcs11\"")],
            ));
            sections.push(section("storage", unset));
            sections.push(section("import", unset));
        }
        sections
    }

    /// Registers at `ADDRESS:PORT`, with everything in a directory; or says what it prints when that fails.
    pub fn register(&self, address: &str, sota: &Path) -> Result<(), String> {
        match self.ask(address, "HEAD", "") {
            Some(answer) if answer.status < 500 => {}
            Some(answer) => return Err(format!("HEAD: {}", answer.status)),
            None => return Err("HEAD: no reply".to_owned()),
        }
        let request = self.request();
        fs::create_dir(sota).unwrap();
        if let Some(key) = &request.key {
            fs::write(sota.join("pkey.pem"), key).unwrap();
        }
        let answer = self.ask(address, "POST", &self.body(&request));
        let answer = answer.ok_or("POST: no reply")?;
        if answer.status != 201 {
            return Err(printed(&answer));
        }
        let files: Value = serde_json::from_slice(&answer.body).unwrap();
        for (name, contents) in files.as_object().unwrap() {
            let path = sota.join(name);
            fs::write(&path, contents.as_str().unwrap()).unwrap();
            if let (Some(hsm), true) = (&self.hsm, name.ends_with(".pem")) {
                hsm.import(&path);
            }
        }
        Ok(())
    }

    fn ask(&self, address: &str, method: &str, body: &str) -> Option<Answer> {
        let mut stream = self.connect(address)?;
        let entity = match method {
            "POST" => format!(
                "Content-type: application/json\r\nOSF-TOKEN: {}\r\nContent-Length: {}\r\n",
                self.token,
                body.len()
            ),
            _ => String::new(),
        };
        let head = format!("{method} /sign HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n{entity}");
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
        let _ = stream.flush();
        let mut stream = BufReader::new(stream);
        match method {
            "HEAD" => read_head_only(&mut stream),
            _ => read_answer(&mut stream),
        }
    }

    fn connect(&self, address: &str) -> Option<Box<dyn Stream>> {
        let stream = TcpStream::connect(address).ok()?;
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        let Some(config) = &self.tls else {
            return Some(Box::new(stream));
        };
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let session = rustls::ClientConnection::new(config.clone(), name).unwrap();
        Some(Box::new(rustls::StreamOwned::new(session, stream)))
    }
}

impl Request {
    /// The key as it was written to `pkey.pem`.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap()
    }
}

impl Hsm {
    /// Makes the key as `pkcs11-tool --keypairgen` would, and uses it.
    fn generate(&self) -> TokenKey {
        let module = Module::load(&self.module).unwrap();
        let token = module
            .find(&super::uri(&format!("pkcs11:token={}", self.token)))
            .unwrap();
        let token = token.login(Some(super::pin(&self.pin))).unwrap();
        let label = super::label("tls");
        let made = token.generate_key(&label, &[1], Curve::P256, Persistence::Token);
        let public = made.unwrap().public_key;
        let key = token.key(KeyQuery::labelled("tls"), Some(&public), 1);
        key.unwrap()
    }

    fn import(&self, certificate: &Path) {
        let path = certificate.to_str().unwrap();
        self.pkcs11_tool(&[
            "--write-object",
            path,
            "--type",
            "cert",
            "--id",
            "03",
            "--label",
            "client",
        ]);
    }

    /// What a person sees in the token.
    pub fn pkcs11_tool(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("pkcs11-tool")
            .arg("--module")
            .arg(&self.module)
            .args(["--token-label", &self.token, "--login", "--pin", &self.pin])
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pkcs11-tool {arguments:?}: {told}");
        output.stdout
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn in_memory(key: &EcdsaKeyPair) -> (PublicKey, impl Fn(&[u8]) -> Vec<u8>) {
    let public = PublicKey::from_ec_point(Curve::P256, key.public_key().as_ref()).unwrap();
    let sign = |message: &[u8]| {
        let signature = key.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    };
    (public, sign)
}

/// An answer to HEAD has the headers of a body and no body.
fn read_head_only(stream: &mut impl Read) -> Option<Answer> {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head: head.to_ascii_lowercase(),
        body: Vec::new(),
    })
}

/// A JSON object key by key; `errors` is expanded. What is no JSON comes with noise.
fn printed(answer: &Answer) -> String {
    let Ok(Value::Object(object)) = serde_json::from_slice(&answer.body) else {
        return format!(
            "Unable to read response: {}",
            String::from_utf8_lossy(&answer.body)
        );
    };
    let mut text = format!("Unable to create device: HTTP_{}\n", answer.status);
    for (key, value) in &object {
        match (key.as_str(), value) {
            ("errors", Value::Object(errors)) => {
                for (field, error) in errors {
                    text.push_str(&format!("  {field}: {}\n", plain(error)));
                }
            }
            _ => text.push_str(&format!("{key}: {}\n", plain(value))),
        }
    }
    text
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A tree as boost::property_tree writes it: texts and objects are all there is.
enum Boost {
    Text(String),
    Object(Vec<(String, Boost)>),
}

impl Boost {
    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Boost::Text(text) => quote(text, out),
            Boost::Object(members) => {
                out.push_str("{\n");
                for (number, (key, value)) in members.iter().enumerate() {
                    out.push_str(&"    ".repeat(depth + 1));
                    quote(key, out);
                    out.push_str(": ");
                    value.write(out, depth + 1);
                    out.push_str(if number + 1 < members.len() {
                        ",\n"
                    } else {
                        "\n"
                    });
                }
                out.push_str(&"    ".repeat(depth));
                out.push('}');
            }
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(b'"') => out.push_str("\\\""),
            Ok(b'\\') => out.push_str("\\\\"),
            Ok(b'/') => out.push_str("\\/"),
            Ok(b'\n') => out.push_str("\\n"),
            Ok(b'\r') => out.push_str("\\r"),
            Ok(b'\t') => out.push_str("\\t"),
            Ok(plain @ 0x20..0x7f) => out.push(char::from(plain)),
            _ => out.push_str(&format!("\\u{unit:04X}")),
        }
    }
    out.push('"');
}

fn text(text: &str) -> Boost {
    Boost::Text(text.to_owned())
}

fn section<const N: usize>(name: &str, keys: [(&str, &str); N]) -> (String, Boost) {
    let keys = keys.map(|(key, value)| (key.to_owned(), text(value)));
    (name.to_owned(), Boost::Object(keys.into()))
}

const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
