//! A device as lmp-device-register makes it: a HEAD, then a POST, each on a connection of its own, and no second try.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use factory_ca::x509::device_key::DeviceKey;
use factory_ca::x509::name::{COMMON_NAME, ORGANIZATIONAL_UNIT};
use factory_ca::x509::{Certificate, Name, pem};

use crate::support::endpoint::{Answer, post, read_answer};

/// What a device sends: one key, one certification request.
#[derive(Clone)]
pub struct Request {
    pub uuid: String,
    /// SHA-256 of the key, as the ledger knows it.
    pub key: [u8; 32],
    spki: Vec<u8>,
    pub der: Vec<u8>,
    body: String,
}

/// What it is told.
#[derive(Debug)]
pub enum Told {
    /// 201.
    Certificate(Box<Certificate>),
    /// Why not.
    Problem(Answer),
    /// The connection was refused, or closed before an octet came.
    Nothing,
}

impl Request {
    /// A new key for a device.
    pub fn new(uuid: &str) -> Request {
        let key = DeviceKey::generate().unwrap();
        let subject = [(COMMON_NAME, uuid), (ORGANIZATIONAL_UNIT, "demo-factory")];
        let der = key.request(&Name::from_pairs(&subject).unwrap()).unwrap();
        let body = serde_json::json!({
            "use-ostree-server": "true", "sota-config-dir": "/var/sota", "hardware-id": "intel-corei7-64",
            "name": uuid, "uuid": uuid, "csr": pem::write("CERTIFICATE REQUEST", &der),
            "overrides": {"pacman": {"type": "\"ostree+compose_apps\"", "tags": "\"main\""}},
        });
        Request {
            uuid: uuid.to_owned(),
            key: key.public_key().fingerprint(),
            spki: key.public_key().spki().to_vec(),
            der,
            body: body.to_string(),
        }
    }

    /// What goes over the line.
    pub fn octets(&self, token: &str) -> Vec<u8> {
        post(Some(token), &self.body)
    }

    /// Sends it and waits for what comes.
    pub fn send(&self, port: u16, token: &str) -> Told {
        let Some(answer) = exchange(port, &self.octets(token)) else {
            return Told::Nothing;
        };
        match answer.status {
            201 => Told::Certificate(Box::new(self.read(&answer))),
            _ => Told::Problem(answer),
        }
    }

    /// The four files of a 201: the certificate is for this device and key.
    fn read(&self, answer: &Answer) -> Certificate {
        let files = answer.json();
        let files = files.as_object().unwrap();
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let wanted = ["client.chained", "client.pem", "root.crt", "sota.toml"];
        assert_eq!(names, wanted);
        let file = |name: &str| files[name].as_str().unwrap().as_bytes();
        let certificate = Certificate::from_pem(file("client.pem")).unwrap();
        assert_eq!(certificate.key().spki(), self.spki, "another key");
        assert_eq!(certificate.subject().first(COMMON_NAME), Some(&*self.uuid));
        let chain = Certificate::all_from_pem(file("client.chained")).unwrap();
        certificate.verify(chain[1].key()).unwrap();
        certificate
    }
}

impl Told {
    pub fn certificate(self) -> Certificate {
        match self {
            Told::Certificate(certificate) => *certificate,
            other => panic!("not a certificate: {other:?}"),
        }
    }

    /// Whether it was a 409 that says this.
    pub fn is_conflict(&self, text: &str) -> bool {
        matches!(self, Told::Problem(answer) if answer.status == 409 && answer.message().contains(text))
    }

    /// The serial number, if it was a certificate.
    pub fn serial(&self) -> Option<String> {
        match self {
            Told::Certificate(certificate) => Some(certificate.serial().to_string()),
            _ => None,
        }
    }
}

/// The status that a device sees before it makes a key.
pub fn head(port: u16) -> Option<u16> {
    let request = b"HEAD /sign HTTP/1.1\r\nHost: ca\r\n\r\n";
    let mut connection = connect(port)?;
    connection.write_all(request).ok()?;
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).ok()?;
    line.split(' ').nth(1)?.parse().ok()
}

/// A UUID of its own for everything that asks for one.
pub fn uuid(group: u32, number: u64) -> String {
    format!("{group:08x}-0000-4000-8000-{number:012x}")
}

/// `None` when nothing came; an answer that ends early is one that the server must never send.
fn exchange(port: u16, request: &[u8]) -> Option<Answer> {
    let mut connection = connect(port)?;
    connection.write_all(request).ok()?;
    let mut connection = BufReader::new(connection);
    if connection.fill_buf().ok()?.is_empty() {
        return None;
    }
    let answer = read_answer(&mut connection);
    Some(answer.expect("a whole answer, or none at all"))
}

fn connect(port: u16) -> Option<TcpStream> {
    let connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.set_nodelay(true).ok()?;
    connection.set_read_timeout(Some(LONGEST_ANSWER)).ok()?;
    Some(connection)
}

/// A device waits ten seconds for the token and some for the backend.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);
