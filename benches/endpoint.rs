//! The signing endpoint under load: requests a second, latencies, the server's own processor time and memory.
//!
//! `cargo bench --bench endpoint` (`-- 20000 32` for another number of requests, and of connections)
//!
//! Each row has a fresh ledger and requests that nobody made before; durability is on, the keys are in SoftHSM2. The
//! server is a process of its own, so the clients' time is not in its figures. Beside them stands the floor of its
//! parts: one token signature, two verifications, one HTTP request.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use factory_ca::x509::device_key::DeviceKey;
use factory_ca::x509::name::{COMMON_NAME, ORGANIZATIONAL_UNIT};
use factory_ca::x509::{Name, pem};

fn main() {
    let arguments = std::env::args().skip(1);
    let mut numbers = arguments.filter_map(|text| text.parse().ok());
    let count: usize = numbers.next().unwrap_or(12_000);
    let mut levels: Vec<usize> = numbers.collect();
    if levels.is_empty() {
        levels = vec![1, 8, 32];
    }
    let [sign, verify] = floor();
    let http = {
        let server = Server::start();
        let get = || b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n".to_vec();
        let requests: Vec<Vec<u8>> = (0..count * 2).map(|_| get()).collect();
        server.load(&requests, 32, "200").cpu
    };
    let floor = sign + 2.0 * verify + http;
    println!(
        "floor: {sign:.1} µs signature + 2 × {verify:.1} µs verification + {http:.1} µs HTTP request = {floor:.1} µs"
    );
    println!(
        "connections  requests/s   p50 ms   p99 ms  server CPU µs  of the floor  RSS MiB  peak MiB"
    );
    for connections in levels {
        let server = Server::start();
        let requests: Vec<Vec<u8>> = (0..count).map(|n| registration(n, &server.token)).collect();
        let seen = server.load(&requests, connections, "201");
        println!(
            "{connections:>11} {:>11.0} {:>8.2} {:>8.2} {:>14.1} {:>13.2} {:>8.1} {:>9.1}",
            seen.rate,
            seen.p50,
            seen.p99,
            seen.cpu,
            seen.cpu / floor,
            seen.rss,
            seen.peak
        );
    }
}

/// Processor time of one token signature and of one verification, in µs.
fn floor() -> [f64; 2] {
    let home = tempfile::tempdir().unwrap();
    let mut bench = program(home.path());
    let output = bench
        .args(["bench", "--count", "2000", "--json"])
        .output()
        .unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    ["sign", "verify"].map(|part| figures[format!("cpu_us_{part}")].as_f64().unwrap())
}

struct Server {
    home: tempfile::TempDir,
    process: Child,
    address: String,
    token: String,
}

struct Seen {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    rss: f64,
    peak: f64,
}

impl Server {
    fn start() -> Server {
        let home = tempfile::tempdir().unwrap();
        let done = program(home.path())
            .args(["init", "--factory", "bench"])
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let create = ["registrar", "create", "bench"];
        let done = program(home.path()).args(create).output().unwrap();
        let token = String::from_utf8(done.stdout).unwrap().trim().to_owned();
        let config = home.path().join("pki/factory-ca.yaml");
        let mut text = fs::read_to_string(&config).unwrap();
        text.push_str("gateway: {url: \"https://gateway.example:8443\"}\n");
        fs::write(&config, text).unwrap();
        let mut process = program(home.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(
                log.read_line(&mut line).unwrap() > 0,
                "the server did not start"
            );
            if let Some((_, address)) = line.split_once("address=") {
                break address.trim().to_owned();
            }
        };
        // Its log goes on; somebody has to read it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Server {
            home,
            process,
            address,
            token,
        }
    }

    /// Sends all requests over so many connections, each as soon as the one before is answered.
    fn load(&self, requests: &[Vec<u8>], connections: usize, status: &str) -> Seen {
        let next = AtomicUsize::new(0);
        let (cpu, begun) = (self.cpu(), Instant::now());
        let mut times: Vec<Duration> = std::thread::scope(|scope| {
            let client = || {
                let mut connection = BufReader::new(TcpStream::connect(&self.address).unwrap());
                connection.get_ref().set_nodelay(true).unwrap();
                let mut times = Vec::new();
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    connection.get_mut().write_all(request).unwrap();
                    let found = answer(&mut connection);
                    assert!(found.starts_with(&format!("HTTP/1.1 {status}")), "{found}");
                    times.push(begun.elapsed());
                }
                times
            };
            let clients: Vec<_> = (0..connections).map(|_| scope.spawn(client)).collect();
            clients
                .into_iter()
                .flat_map(|client| client.join().unwrap())
                .collect()
        });
        let (took, cpu) = (begun.elapsed(), self.cpu() - cpu);
        times.sort();
        let at = |part: f64| times[(times.len() as f64 * part) as usize].as_secs_f64() * 1e3;
        Seen {
            rate: requests.len() as f64 / took.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            cpu: cpu * 1e6 / requests.len() as f64,
            rss: self.memory("VmRSS:"),
            peak: self.memory("VmHWM:"),
        }
    }

    /// Processor time of the server's threads so far, in seconds, as the scheduler counts it.
    fn cpu(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let time = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        tasks.map(|task| time(task.unwrap())).sum::<f64>() / 1e9
    }

    fn memory(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        let ended = self.process.wait().unwrap();
        assert!(ended.success(), "{ended}");
        let check = program(self.home.path())
            .args(["ledger", "check"])
            .output()
            .unwrap();
        assert!(check.status.success(), "{check:?}");
    }
}

/// The program, with its PKI directory in `home`.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factory-ca"));
    command
        .current_dir(home)
        .env_remove("SOFTHSM2_CONF")
        .env_remove("FACTORY_CA_PKI_DIR");
    command
}

/// What lmp-device-register would send for a new device.
fn registration(number: usize, token: &str) -> Vec<u8> {
    let uuid = format!("{number:08x}-5eed-4000-8000-000000000000");
    let subject = [(COMMON_NAME, uuid.as_str()), (ORGANIZATIONAL_UNIT, "bench")];
    let request = DeviceKey::generate().unwrap();
    let request = request
        .request(&Name::from_pairs(&subject).unwrap())
        .unwrap();
    let body = serde_json::json!({
        "use-ostree-server": "true", "sota-config-dir": "/var/sota", "hardware-id": "intel-corei7-64",
        "name": uuid, "uuid": uuid, "csr": pem::write("CERTIFICATE REQUEST", &request),
        "overrides": {"pacman": {
            "type": "\"ostree+compose_apps\"", "compose_apps_root": "\"/var/sota/compose-apps\"",
            "reset_apps_root": "\"/var/sota/reset-apps\"", "reset_apps": "\" \"", "tags": "\"main\"",
        }},
    })
    .to_string();
    let head = format!(
        "POST /sign HTTP/1.1\r\nHost: bench\r\nContent-type: application/json\r\nOSF-TOKEN: {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Reads one answer; returns its head.
fn answer(connection: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            connection.read_line(&mut head).unwrap() > 0,
            "the connection was closed"
        );
    }
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    head
}
