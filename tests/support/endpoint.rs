//! `factory-ca serve` as a process, and requests to it as octets.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::factory::{BINARY, Factory};

/// A running endpoint. Dropped, it is killed.
pub struct Endpoint {
    process: Child,
    /// Where it listens, `127.0.0.1:PORT`.
    pub address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// What must never be in the log, beside registrar tokens.
    secrets: Vec<String>,
}

/// An answer, its header names in lower case.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Factory {
    /// The demo factory with a gateway's address, and more of factory-ca.yaml.
    pub fn with_endpoint(more: &str) -> Factory {
        let factory = Factory::demo();
        factory.add_endpoint(more);
        factory
    }

    /// A gateway's address, and more of factory-ca.yaml.
    pub fn add_endpoint(&self, more: &str) {
        let text = self.read("pki/factory-ca.yaml");
        let gateway = "gateway: {url: \"https://gateway.example:8443\", ostree-url: \"https://ostree.example:8443\"}";
        let text = format!("{text}\n{gateway}\n{more}\n");
        fs::write(self.path("pki/factory-ca.yaml"), text).unwrap();
    }

    /// A `server:` section where there is none.
    pub fn add_to_server(&self, more: &str) {
        let text = self.read("pki/factory-ca.yaml");
        let text = format!("{text}\nserver: {{{more}}}\n");
        fs::write(self.path("pki/factory-ca.yaml"), text).unwrap();
    }

    /// A registrar token; `options` as in `--max 3 --reissue`.
    pub fn registrar(&self, name: &str, options: &str) -> String {
        let line = format!("registrar create {name} {options}");
        self.run(line.trim_end())
            .succeeds()
            .stdout
            .trim_end()
            .to_owned()
    }

    /// Starts the endpoint on a port of its own and waits until it listens.
    pub fn serve(&self) -> Endpoint {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, more: &[&str]) -> Endpoint {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0"];
        arguments.extend(more);
        self.start(&mut self.command(&arguments))
    }

    /// Starts it with at most so many open files.
    pub fn serve_with_files(&self, most: usize) -> Endpoint {
        let limit = format!("--nofile={most}:{most}");
        let arguments = [&limit, BINARY, "serve", "--listen", "127.0.0.1:0"];
        self.start(&mut self.program(Path::new("prlimit"), &arguments))
    }

    /// Starts the endpoint with a command that does so.
    pub fn start(&self, command: &mut Command) -> Endpoint {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).unwrap();
            log.lock().unwrap().push_str(&line);
            assert!(read > 0, "it did not start: {}", log.lock().unwrap());
            if let Some(address) = listening(&line) {
                break address.to_owned();
            }
        };
        let reader = std::thread::spawn({
            let log = log.clone();
            move || {
                for line in stderr.lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        Endpoint {
            process,
            address,
            log,
            reader: Some(reader),
            secrets: self.secrets(),
        }
    }

    /// An endpoint that must not start: with this code and text, and nothing done.
    pub fn refuses_to_serve(&self, code: i32, text: impl Into<snapbox::Data>) {
        // One that starts all the same must not keep the test waiting.
        let arguments = ["20", BINARY, "serve", "--listen", "127.0.0.1:0"];
        let mut command = self.program(Path::new("timeout"), &arguments);
        self.refuses_command(&mut command, code, text);
    }
}

/// The address of a log line that tells one, as text or as JSON.
fn listening(line: &str) -> Option<&str> {
    let (_, text) = line
        .split_once("address=")
        .or_else(|| line.split_once("\"address\":\""))?;
    text.split(['"', ' ', '\n']).next()
}

impl Endpoint {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A connection whose reads end after half a minute, so that no test hangs.
    pub fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(&self.address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        connection
    }

    /// Sends octets on a connection of their own and reads one answer.
    pub fn send(&self, request: &[u8]) -> Answer {
        let mut connection = self.connect();
        // It may answer, and close, before it has read everything.
        let _ = connection.write_all(request);
        read_answer(&mut BufReader::new(connection)).expect("an answer")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(
            format!("GET {path} HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n").as_bytes(),
        )
    }

    /// `POST /sign` with a registrar token, if there is one.
    pub fn post(&self, token: Option<&str>, body: &str) -> Answer {
        self.send(&post(token, body))
    }

    /// The addresses it listens on: for devices, and for operation if that is apart.
    pub fn addresses(&self) -> Vec<String> {
        let log = self.log();
        log.lines()
            .filter_map(|line| listening(line).map(str::to_owned))
            .collect()
    }

    /// Waits until the log says so.
    pub fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "`{text}` is not in the log: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal and waits for the end.
    pub fn end(self, signal: rustix::process::Signal) -> ExitStatus {
        self.signal(signal);
        self.wait().0
    }

    /// Waits for the end; returns the whole log, too.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.wait_for_status();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (status, self.log())
    }

    fn wait_for_status(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it does not end: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.id() as i32).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Waits until `/readyz` says so, or no longer says so.
    pub fn wait_until_ready(&self, ready: bool) {
        let begun = Instant::now();
        while (self.get("/readyz").status == 200) != ready {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if !std::thread::panicking() {
            self.assert_no_secret_in_log();
        }
    }
}

impl Endpoint {
    /// Neither registrar tokens, which have a shape, nor the factory's secrets.
    fn assert_no_secret_in_log(&self) {
        let log = self.log();
        let token = regex::Regex::new("fcr_[A-Za-z0-9_-]{20}").unwrap();
        assert!(
            !token.is_match(&log),
            "a registrar token is in the log: {log}"
        );
        for secret in &self.secrets {
            assert!(!log.contains(secret), "a secret is in the log: {log}");
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The message of an error.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

/// The octets of a `POST /sign`.
pub fn post(token: Option<&str>, body: &str) -> Vec<u8> {
    let token = token.map_or(String::new(), |token| format!("OSF-TOKEN: {token}\r\n"));
    format!(
        "POST /sign HTTP/1.1\r\nHost: ca\r\nContent-type: application/json\r\n{token}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads one answer from a connection that may go on; `None` when it was closed before one came.
pub fn read_answer(connection: &mut impl BufRead) -> Option<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut answer = Answer {
        status: 0,
        head: String::new(),
        body: Vec::new(),
    };
    for (number, line) in head.trim_end().split("\r\n").enumerate() {
        match line.split_once(": ") {
            _ if number == 0 => answer.status = line.split(' ').nth(1)?.parse().ok()?,
            Some((name, value)) => {
                answer
                    .head
                    .push_str(&format!("{}: {value}\n", name.to_ascii_lowercase()));
            }
            None => panic!("not a header: {line}"),
        }
    }
    // 100 Continue comes before the answer proper.
    if answer.status == 100 {
        return read_answer(connection);
    }
    let length = answer
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    answer.body = vec![0; length];
    connection.read_exact(&mut answer.body).ok()?;
    Some(answer)
}
