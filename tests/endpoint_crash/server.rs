//! The endpoint as a process that is killed and started again on one port, by whoever wants to.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::device;
use crate::line::Line;

pub struct Server {
    pub line: Arc<Line>,
    pub port: u16,
    process: Mutex<Option<Child>>,
    /// Where the log of this life begins.
    log_begins: AtomicUsize,
}

impl Server {
    /// A server that is not started yet.
    pub fn new(line: &Arc<Line>) -> Arc<Server> {
        Arc::new(Server {
            line: line.clone(),
            port: free_port(),
            process: Mutex::new(None),
            log_begins: AtomicUsize::new(0),
        })
    }

    /// Starts it; it may take a moment to answer.
    pub fn start(&self) {
        let mut process = self.process.lock().unwrap();
        assert!(process.is_none(), "it runs already");
        self.log_begins
            .store(self.whole_log().len(), Ordering::Relaxed);
        let log = self.line.factory.path(&self.log_name());
        let log = File::options().create(true).append(true).open(log);
        let mut command = self.line.serve(self.port);
        command.stderr(log.unwrap()).stdout(Stdio::null());
        *process = Some(command.spawn().unwrap());
    }

    /// Starts it and waits until devices may come.
    pub fn start_ready(&self) {
        self.start();
        self.wait_until_ready();
    }

    pub fn wait_until_ready(&self) {
        let begun = Instant::now();
        while device::head(self.port) != Some(200) {
            assert!(begun.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn runs(&self) -> bool {
        self.process.lock().unwrap().is_some()
    }

    /// kill -9. Nothing if it does not run.
    pub fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.kill().unwrap();
            let status = process.wait().unwrap();
            assert_eq!(
                status.code(),
                None,
                "it ended before it was killed: {status}\n{}",
                self.log()
            );
        }
    }

    /// SIGTERM; how it ended.
    pub fn stop(&self) -> ExitStatus {
        let mut process = self.process.lock().unwrap().take().unwrap();
        let id = Pid::from_raw(process.id() as i32).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                process.kill().unwrap();
                panic!("it does not end: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGTERM; it ends well.
    pub fn stop_well(&self) {
        let status = self.stop();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Resident memory in KiB, if it runs.
    pub fn memory(&self) -> Option<u64> {
        let id = self.process.lock().unwrap().as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Whether this life, or the one that just ended, ever listened.
    pub fn has_listened(&self) -> bool {
        let begins = self.log_begins.load(Ordering::Relaxed);
        self.whole_log()[begins..].contains("listening address=")
    }

    /// The end of what all its lives have logged.
    pub fn log(&self) -> String {
        let log = self.whole_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn whole_log(&self) -> String {
        let log = std::fs::read_to_string(self.line.factory.path(&self.log_name()));
        log.unwrap_or_default()
    }

    fn log_name(&self) -> String {
        format!("serve-{}.log", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = self.process.get_mut().unwrap() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A port that no client's end of a connection gets: while the server is away a client could connect to itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 10_000) as u16;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Longer than a stop may take, and than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(45);
