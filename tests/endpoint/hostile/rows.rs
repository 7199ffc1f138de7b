//! A row of the table: octets, and what has to come of them.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::{Value, json};

use super::certificate::Authorities;
use crate::build::*;
use crate::support::endpoint::{Answer, Endpoint, read_answer};
use crate::support::factory::Factory;

/// A request and what has to come of it.
pub struct Row {
    pub name: String,
    pub octets: Vec<u8>,
    pub wanted: Wanted,
}

pub enum Wanted {
    /// A 201 for exactly this certification request.
    Certificate(Vec<u8>),
    /// A 409 whose message starts like this and ends with what was not done.
    Conflict(String),
    /// The connection is closed without an answer: the octets were no HTTP.
    Closed,
    /// Some answer below 500 to a request that asks for nothing.
    Empty(u16),
    /// An error in JSON with this status and message, and the fault of one field if there is one.
    Error {
        status: u16,
        message: String,
        field: Option<(String, String)>,
    },
    /// HTTP's own answer to what is no request: this status, no body, and the connection is closed.
    NoRequest(u16),
}

/// A factory, its endpoint and a good registrar token.
pub struct Lab {
    pub factory: Factory,
    pub endpoint: Endpoint,
    pub token: String,
    authorities: Authorities,
}

impl Lab {
    /// Opens the lab with these further options of `registrar create`.
    pub fn open(options: &str) -> Lab {
        let factory = Factory::with_endpoint("");
        let token = factory.registrar("line", options);
        Lab::start(factory, token, Factory::serve)
    }

    /// The lab of a factory that was prepared, with an endpoint that is started in another way.
    pub fn start(factory: Factory, token: String, serve: impl FnOnce(&Factory) -> Endpoint) -> Lab {
        let endpoint = serve(&factory);
        let authorities = Authorities::of(&factory);
        Lab {
            factory,
            endpoint,
            token,
            authorities,
        }
    }

    /// A UUID that no test before had.
    pub fn device(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("00000000-0000-4000-8000-{number:012x}")
    }

    /// The DER of a proper request for a new device.
    pub fn csr(&self) -> Vec<u8> {
        let key = Key::new();
        let subject = device_name(&self.device(), FACTORY);
        Draft::proper(&key).subject(subject).sign(&key)
    }

    /// A good body for a request.
    pub fn body(&self, csr: &[u8]) -> Value {
        json!({ "csr": to_pem(csr), "hardware-id": "intel-corei7-64" })
    }

    /// A `POST /sign` with a good token and these octets for a body.
    pub fn post(&self, body: &[u8]) -> Vec<u8> {
        let length = format!("Content-Length: {}", body.len());
        self.request(&["Content-Type: application/json", &length], body)
    }

    /// A `POST /sign` with a good token and these further lines.
    pub fn request(&self, lines: &[&str], body: &[u8]) -> Vec<u8> {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!(
            "POST /sign HTTP/1.1\r\nHost: ca\r\nOSF-TOKEN: {}\r\n{lines}\r\n",
            self.token
        );
        [head.as_bytes(), body].concat()
    }

    /// A good `POST` whose body was changed.
    pub fn bent(&self, bend: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut body = self.body(&self.csr());
        bend(&mut body);
        self.post(body.to_string().as_bytes())
    }

    /// Sends every row, and registers a good device after each few; what went wrong is told together.
    pub fn run(&self, rows: &[Row]) {
        let mut wrong = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let begun = Instant::now();
            if let Err(text) = self.judge(row) {
                wrong.push(format!("{}: {text}", row.name));
            }
            if begun.elapsed() > AT_ONCE {
                wrong.push(format!("{}: after {:?}", row.name, begun.elapsed()));
            }
            if number % A_FEW == 0
                && let Err(text) = self.register()
            {
                panic!("after {}, a good device: {text}", row.name);
            }
        }
        assert!(
            wrong.is_empty(),
            "{} rows\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }

    /// Holds a 201 against the certification request.
    pub fn check(&self, answer: &Answer, csr: &[u8]) -> Result<(), String> {
        self.authorities.check(answer, csr)
    }

    /// A new device gets what it should.
    pub fn register(&self) -> Result<(), String> {
        let csr = self.csr();
        let octets = self.post(self.body(&csr).to_string().as_bytes());
        let answer = send(&self.endpoint, &octets).ok_or("no answer")?;
        match answer.status {
            201 => self.authorities.check(&answer, &csr),
            _ => Err(format!("{answer:?}")),
        }
    }

    fn judge(&self, row: &Row) -> Result<(), String> {
        let mut connection = self.endpoint.connect();
        write(&mut connection, &row.octets);
        let mut reader = BufReader::new(connection);
        let answer = read_answer(&mut reader);
        let (answer, wanted) = match (answer, &row.wanted) {
            (None, Wanted::Closed) => return Ok(()),
            (None, _) => return Err("no answer".to_owned()),
            (Some(answer), wanted) => (answer, wanted),
        };
        match wanted {
            Wanted::Closed => Err(format!("an answer: {answer:?}")),
            Wanted::Certificate(csr) => match answer.status {
                201 => self.authorities.check(&answer, csr),
                _ => Err(format!("{} {}", answer.status, text(&answer))),
            },
            Wanted::Conflict(start) => {
                let told = answer.message();
                let fits = told.starts_with(start) && told.ends_with("; nothing was signed");
                match answer.status == 409 && fits {
                    true => Ok(()),
                    false => Err(format!("{} {}", answer.status, text(&answer))),
                }
            }
            Wanted::Empty(status) => match answer.status == *status && answer.body.is_empty() {
                true => Ok(()),
                false => Err(format!("{answer:?}")),
            },
            Wanted::NoRequest(status) => {
                let mut rest = Vec::new();
                let closed = reader.read_to_end(&mut rest).is_ok() && rest.is_empty();
                match answer.status == *status && answer.body.is_empty() && closed {
                    true => Ok(()),
                    false => Err(format!("{answer:?}, then {rest:?}, closed: {closed}")),
                }
            }
            Wanted::Error {
                status,
                message,
                field,
            } => check_error(&answer, *status, message, field),
        }
    }

    /// The most memory the endpoint ever had, in MiB, is less than this.
    pub fn assert_small(&self, most: u64) {
        let path = format!("/proc/{}/status", self.endpoint.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes: u64 = line
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(|number| number.parse().ok())
            .unwrap();
        assert!(kilobytes < most * 1024, "{kilobytes} KiB");
    }

    /// Stops the endpoint: the ledger is sound, and the log holds neither tokens nor raw control characters.
    pub fn end(self) {
        let log = self.endpoint.log();
        assert!(!log.contains(&self.token), "the token is in the log");
        let raw = |c: char| c.is_control() && c != '\n';
        assert!(!log.contains(raw), "{log}");
        // Nothing that a client sends begins a line of its own.
        let begun = Regex::new(r"^\d{4}-\d\d-\d\dT[0-9:.]+Z +(INFO|WARN|ERROR) ").unwrap();
        let forged = log.lines().find(|line| !begun.is_match(line));
        assert_eq!(forged, None);
        let longest = log.lines().map(str::len).max().unwrap_or_default();
        assert!(longest < 2000, "a line of the log has {longest} bytes");
        assert!(!log.contains("panicked"), "{log}");
        let status = self.endpoint.end(rustix::process::Signal::TERM);
        assert!(status.success(), "{status}");
        self.factory.issued();
    }
}

impl Row {
    pub fn error(name: impl Into<String>, octets: Vec<u8>, status: u16, message: &str) -> Row {
        let wanted = Wanted::Error {
            status,
            message: message.to_owned(),
            field: None,
        };
        Row::new(name, octets, wanted)
    }

    /// An error that names a field.
    pub fn field(mut self, field: &str, text: impl Into<String>) -> Row {
        if let Wanted::Error { field: found, .. } = &mut self.wanted {
            *found = Some((field.to_owned(), text.into()));
        }
        self
    }

    /// A certification request that is refused.
    pub fn csr(name: impl Into<String>, octets: Vec<u8>, text: impl Into<String>) -> Row {
        Row::error(name, octets, 400, "the certification request is refused").field("csr", text)
    }

    pub fn new(name: impl Into<String>, octets: Vec<u8>, wanted: Wanted) -> Row {
        Row {
            name: name.into(),
            octets,
            wanted,
        }
    }
}

/// Sends octets on a connection of their own; `None` when it was closed without an answer.
pub fn send(endpoint: &Endpoint, octets: &[u8]) -> Option<Answer> {
    let mut connection = endpoint.connect();
    write(&mut connection, octets);
    read_answer(&mut BufReader::new(connection))
}

/// It may answer, and close, before it has read everything.
pub fn write(connection: &mut TcpStream, octets: &[u8]) {
    let patience = Some(Duration::from_secs(30));
    connection.set_write_timeout(patience).unwrap();
    let _ = connection.write_all(octets);
}

fn check_error(
    answer: &Answer,
    status: u16,
    message: &str,
    field: &Option<(String, String)>,
) -> Result<(), String> {
    let shown = || format!("{} {}", answer.status, text(answer));
    if answer.header("content-type") != Some("application/json") {
        return Err(format!("no JSON: {}", shown()));
    }
    let json: Value = serde_json::from_slice(&answer.body).map_err(|_| shown())?;
    let errors = match field {
        Some((field, text)) => json!({ field.as_str(): text }),
        None => Value::Null,
    };
    let request = json["request"].as_str().is_some_and(|id| !id.is_empty());
    match answer.status == status
        && json["message"] == message
        && json["errors"] == errors
        && request
    {
        true => Ok(()),
        false => Err(format!(
            "{}\n  wanted: {status} {message} {errors}",
            shown()
        )),
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// Rows between two good devices.
const A_FEW: usize = 4;

/// Octets that arrived whole are answered at once, whatever they are.
const AT_ONCE: Duration = Duration::from_secs(5);
