//! A crowd of devices: each comes back until it has its certificate, and remembers what it was told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use factory_ca::ledger::State;

use crate::books::Books;
use crate::chance::Chance;
use crate::device::{Request, Told, head};
use crate::line::Line;
use crate::support::endpoint::Answer;

/// What the devices of a run share.
pub struct Crowd {
    pub line: Arc<Line>,
    /// Where endpoints are; a device takes any of them.
    pub ports: Vec<u16>,
    /// A registrar's token.
    pub token: String,
    /// That of a registrar that may reissue.
    pub reissue: String,
    pub chance: Chance,
    begun: Instant,
    /// UUID → the serial numbers of the certificates that were handed out for it, each once.
    told: Mutex<BTreeMap<String, Vec<String>>>,
    faults: Mutex<Vec<String>>,
    /// How often a device came back.
    tries: AtomicU64,
}

/// What a device comes back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// As lmp-device-register does.
    WithNewKey,
    /// As a client would that keeps its key.
    WithSameRequest,
}

/// How it ended for a device.
#[derive(Debug)]
pub enum End {
    /// With the certificate of this serial number.
    Registered(String),
    /// It was told not to come back.
    Refused(Answer),
}

impl Crowd {
    pub fn new(line: &Arc<Line>, ports: &[u16]) -> Crowd {
        Crowd {
            line: line.clone(),
            ports: ports.to_vec(),
            token: line.factory.registrar("line", ""),
            reissue: line.factory.registrar("repair", "--reissue"),
            chance: Chance::new(),
            begun: Instant::now(),
            told: Mutex::default(),
            faults: Mutex::default(),
            tries: AtomicU64::new(0),
        }
    }

    /// Asks until there is an answer that counts.
    pub fn register(&self, mut request: Request, token: &str, back: Back) -> End {
        let begun = Instant::now();
        let mut last = String::from("nothing");
        while begun.elapsed() < LONGEST_REGISTRATION {
            let port = self.ports[self.chance.below(self.ports.len() as u64) as usize];
            if head(port).is_some_and(|status| status < 500) {
                match request.send(port, token) {
                    Told::Certificate(certificate) => {
                        let serial = certificate.serial().to_string();
                        self.remember(&request.uuid, &serial);
                        return End::Registered(serial);
                    }
                    Told::Nothing => {}
                    told if self.is_put_right(&told, &request.uuid) => {}
                    Told::Problem(answer) if answer.status == 503 => last = answer.text(),
                    Told::Problem(answer) => return End::Refused(answer),
                }
                if back == Back::WithNewKey {
                    request = Request::new(&request.uuid);
                }
            }
            self.tries.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(self.chance.within(PAUSE));
        }
        self.fault(&request.uuid, &format!("no end; last it was told: {last}"));
        panic!("no end for {}", request.uuid);
    }

    /// The same, where a refusal is a fault.
    pub fn must_register(&self, request: Request, token: &str, back: Back) -> Option<String> {
        let uuid = request.uuid.clone();
        match self.register(request, token, back) {
            End::Registered(serial) => Some(serial),
            End::Refused(answer) => {
                self.fault(&uuid, &format!("{} {}", answer.status, answer.text()));
                None
            }
        }
    }

    /// Keeps what went wrong, with what the ledger says about it at this moment.
    pub fn fault(&self, uuid: &str, what: &str) {
        let (at, story) = (self.begun.elapsed(), self.line.books().story(uuid));
        let seed = self.chance.seed;
        let fault = format!("seed {seed}, after {at:?}: {uuid}: {what}\n{story}");
        eprintln!("{fault}");
        self.faults.lock().unwrap().push(fault);
    }

    /// Who asked got what it was told, and the last one counts.
    pub fn assert_kept(&self, books: &Books) {
        let faults = self.faults.lock().unwrap();
        assert!(faults.is_empty(), "{}", faults.join("\n\n"));
        let (live, told) = (books.live(), self.told.lock().unwrap());
        for (uuid, serials) in told.iter() {
            let story = || format!("told {serials:?}\n{}", books.story(uuid));
            let entry = |serial: &String| books.by_serial(serial);
            let mut entries: Vec<_> = serials.iter().filter_map(entry).collect();
            assert_eq!(
                entries.len(),
                serials.len(),
                "not in the ledger: {}",
                story()
            );
            entries.sort_by_key(|entry| entry.id);
            let last = entries.pop().unwrap();
            let is_live = live
                .get(uuid.as_str())
                .is_some_and(|live| live.id == last.id);
            assert!(is_live, "{}", story());
            for before in entries {
                let superseded = (State::Revoked, Some(4));
                assert_eq!((before.state, before.reason), superseded, "{}", story());
            }
            if let Some(backend) = &self.line.backend {
                assert_eq!(
                    backend.knows(uuid),
                    Some(last.serial.to_string()),
                    "{}",
                    story()
                );
            }
        }
    }

    /// How many devices have been told of a certificate.
    pub fn registered(&self) -> usize {
        self.told.lock().unwrap().len()
    }

    /// What there was, for whoever reads a run's output.
    pub fn report(&self, books: &Books) {
        let told = self.told.lock().unwrap();
        let replaced: usize = told.values().map(|serials| serials.len() - 1).sum();
        println!(
            "{} devices, {replaced} certificates replaced, {} tries that came to nothing, {} entries, {:?}",
            told.len(),
            self.tries.load(Ordering::Relaxed),
            books.entries.len(),
            self.begun.elapsed(),
        );
    }

    /// UUIDs of a group that have been told.
    pub fn registered_in(&self, group: u32) -> usize {
        let told = self.told.lock().unwrap();
        let prefix = format!("{group:08x}-");
        told.keys().filter(|uuid| uuid.starts_with(&prefix)).count()
    }

    fn remember(&self, uuid: &str, serial: &str) {
        let mut told = self.told.lock().unwrap();
        let serials = told.entry(uuid.to_owned()).or_default();
        if !serials.iter().any(|known| known == serial) {
            serials.push(serial.to_owned());
        }
    }

    /// The backend knows the device with the key of a reply that was lost: an administrator deletes it there.
    fn is_put_right(&self, told: &Told, uuid: &str) -> bool {
        match &self.line.backend {
            Some(backend) if backend.knew_another(told, uuid) => {
                backend.delete(uuid);
                true
            }
            _ => false,
        }
    }
}

/// Before a device comes back.
const PAUSE: Duration = Duration::from_millis(30);

/// Nobody waits that long, whatever happens to the server.
const LONGEST_REGISTRATION: Duration = Duration::from_secs(120);
