//! What only several processes can show about the ledger: one is killed, one meets a full disk.
//!
//! The test binary starts itself again with a role in the environment; the `child` test plays it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use factory_ca::ledger::{
    Claim, Conflict, EntryId, Error, Intent, Ledger, OnLive, Reservation, State, Writer,
};
use factory_ca::timestamp::Timestamp;
use factory_ca::x509::Serial;

const ROLE: &str = "LEDGER_TEST_ROLE";
const LEDGER: &str = "LEDGER_TEST_LEDGER";

#[test]
fn a_killed_writers_reservations_are_abandoned_and_a_living_ones_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = create(directory.path());
    let mut killed = Process::start("reserve killed", &ledger);
    let mut living = Process::start("reserve living", &ledger);
    let (lost, kept) = (killed.entry(), living.entry());
    killed.kill();

    let opened = Ledger::open(&ledger).unwrap();
    let writer = opened.writer("test", now()).unwrap();
    let abandoned: Vec<EntryId> = writer.reconciled().iter().map(|lost| lost.entry).collect();
    assert_eq!(abandoned, [lost]);
    assert_eq!(state(&opened, lost), State::Abandoned);
    assert_eq!(state(&opened, kept), State::Reserved);
    let busy = reserve(&writer, "living", 1);
    assert!(matches!(
        busy,
        Reservation::Refused(Conflict::Busy { entry, mine: false, .. }) if entry == kept
    ));
    assert!(matches!(
        reserve(&writer, "killed", 2),
        Reservation::Reserved(_)
    ));

    living.kill();
    assert!(matches!(
        reserve(&writer, "living", 3),
        Reservation::Reserved(_)
    ));
    assert_eq!(state(&opened, kept), State::Abandoned);
    assert_eq!(opened.check().unwrap().violations, []);
}

#[test]
fn a_process_killed_inside_a_group_leaves_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = create(directory.path());
    let mut process = Process::start("group device", &ledger);
    let opened = Ledger::open(&ledger)
        .unwrap()
        .with_busy_timeout(Duration::from_millis(10))
        .unwrap();
    process.line();
    assert!(matches!(
        opened.writer("test", now()),
        Err(Error::Locked { .. })
    ));
    process.kill();
    let writer = opened.writer("test", now()).unwrap();
    assert_eq!(writer.reconciled(), []);
    assert_eq!(opened.counts().unwrap().reserved, 0);
    assert_eq!(opened.check().unwrap().violations, []);
}

#[test]
fn a_commit_that_met_an_io_error_is_unknown_and_stops_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = create(directory.path());
    let mut process = Process::start("limited device", &ledger);
    let path = ledger.display();
    assert_eq!(
        process.line(),
        format!("committing to `{path}`: it is unknown whether the group was written")
    );
    assert_eq!(
        process.line(),
        "this writer stopped after a commit whose fate is unknown; nothing was written"
    );
    process.kill();
    let opened = Ledger::open(&ledger).unwrap();
    let writer = opened.writer("test", now()).unwrap();
    let answer = reserve(&writer, "device", 4);
    assert!(matches!(answer, Reservation::Reserved(_)));
    assert_eq!(opened.check().unwrap().violations, []);
}

/// Plays the role the environment names; nothing without one.
#[test]
fn child() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var(LEDGER)) else {
        return;
    };
    let (part, device) = role.split_once(' ').unwrap();
    let ledger = Ledger::open(Path::new(&path)).unwrap();
    let writer = ledger.writer(part, now()).unwrap();
    match part {
        "reserve" => match reserve(&writer, device, device.as_bytes()[0]) {
            Reservation::Reserved(entry) => println!("ROLE {entry}"),
            other => panic!("{other:?}"),
        },
        "group" => {
            let mut group = writer.group(now()).unwrap();
            group.reserve(&intent(&serial(9), device, 9)).unwrap();
            println!("ROLE open");
            wait();
        }
        _ => {
            let mut group = writer.group(now()).unwrap();
            group.reserve(&intent(&serial(9), device, 9)).unwrap();
            limit_files(&format!("{path}-wal"));
            println!("ROLE {}", group.commit().unwrap_err());
            println!("ROLE {}", writer.group(now()).unwrap_err());
        }
    }
    wait();
}

/// Lets no file grow beyond the write-ahead log as it is: the next frame is cut short.
fn limit_files(log: &str) {
    let size = std::fs::metadata(log).unwrap().len();
    let ignored = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, ignored).unwrap();
    let limit = rustix::process::Rlimit {
        current: Some(size + 100),
        maximum: None,
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
}

fn wait() {
    std::thread::sleep(Duration::from_secs(60));
}

/// A child in a role; killed when dropped.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, ledger: &Path) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(ROLE, role)
            .env(LEDGER, ledger)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Process { child, output }
    }

    /// The next thing the role says.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "the child ended early");
            if let Some((_, said)) = line.trim_end().split_once("ROLE ") {
                return said.to_owned();
            }
        }
    }

    fn entry(&mut self) -> EntryId {
        EntryId(self.line().parse().unwrap())
    }

    /// SIGKILL: no destructor, no handler.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create(directory: &Path) -> PathBuf {
    let path = directory.canonicalize().unwrap().join("ledger.db");
    Ledger::create(&path, "acme", now()).unwrap();
    path
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_795_485_600).unwrap()
}

fn state(ledger: &Ledger, entry: EntryId) -> State {
    ledger.entry(entry).unwrap().unwrap().state
}

fn serial(seed: u8) -> Serial {
    Serial::from_random(&[seed; 16]).unwrap()
}

fn intent<'a>(serial: &'a Serial, device: &'a str, seed: u8) -> Intent<'a> {
    Intent {
        issuer: b"issuer",
        authority_key: &[7; 20],
        serial,
        profile: "device",
        claim: Some(Claim {
            namespace: "device",
            device,
            on_live: OnLive::Refuse,
        }),
        subject: "CN=device",
        key: [seed; 32],
        tbs: [seed; 32],
        not_after: now().plus(86_400),
        registration: None,
    }
}

fn reserve(writer: &Writer, device: &str, seed: u8) -> Reservation {
    let mut group = writer.group(now()).unwrap();
    let answer = group.reserve(&intent(&serial(seed), device, seed)).unwrap();
    group.commit().unwrap();
    answer
}

/// signal(7); the signal sent at the file size limit, which would end the process.
const SIGXFSZ: i32 = 25;
