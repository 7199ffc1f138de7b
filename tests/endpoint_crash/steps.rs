//! kill -9 between any two steps of a registration, then the same request again, or the same device with a new key.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use factory_ca::ledger::{GatewayState, State};
use rusqlite::{Connection, OpenFlags};

use crate::backend::Backend;
use crate::books::Books;
use crate::chance::{Chance, scaled};
use crate::device::{Request, Told, uuid};
use crate::line::Line;
use crate::server::Server;
use crate::support::badday::Function;
use crate::support::http::Answer;

#[test]
fn a_fully_detached_endpoint_killed_between_any_two_steps_goes_on() {
    let scene = Scene::new(None);
    for step in COMMON {
        scene.play(step);
    }
    scene.end();
}

#[test]
fn a_partially_detached_endpoint_killed_between_any_two_steps_goes_on() {
    let scene = Scene::new(Some(Backend::start()));
    for step in COMMON.iter().chain(AT_THE_BACKEND) {
        scene.play(step);
    }
    scene.end();
}

/// A moment at which the server is killed.
struct Step {
    name: &'static str,
    /// Sends the request, kills the server; returns what the device was told.
    kill: fn(&Scene, &Request) -> Told,
    /// What that leaves; `None` where it cannot be hit precisely.
    leaves: Option<Left>,
    /// How often that is done, with each of both sequels.
    rounds: (u64, u64),
}

/// What a killed server leaves of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    /// An intent without result, signed or not.
    Intent {
        signed: u64,
    },
    /// A certificate that may have been handed out, as far as the ledger knows, or not.
    Certificate {
        offered: bool,
        backend: AtBackend,
    },
}

/// What the backend, and the ledger about the backend, know of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtBackend {
    /// It is not asked.
    Unasked,
    /// The certificate did not get there.
    Missing,
    /// It did, and the ledger does not know.
    There,
    /// It did, and the ledger knows.
    Done,
}

/// Fully and partially detached alike.
const COMMON: &[Step] = &[
    Step {
        name: "before the reservation",
        kill: Scene::kill_before_the_reservation,
        leaves: Some(Left::Nothing),
        rounds: (1, 20),
    },
    Step {
        name: "between reservation and signature",
        kill: Scene::kill_before_the_signature,
        leaves: Some(Left::Intent { signed: 0 }),
        rounds: (1, 20),
    },
    Step {
        name: "while the token signs",
        kill: Scene::kill_in_the_signature,
        leaves: Some(Left::Intent { signed: 1 }),
        rounds: (1, 20),
    },
    Step {
        name: "between signature and record",
        kill: Scene::kill_before_the_record,
        leaves: Some(Left::Intent { signed: 1 }),
        rounds: (1, 20),
    },
    Step {
        name: "at any moment",
        kill: Scene::kill_at_any_moment,
        leaves: None,
        rounds: (6, 200),
    },
    Step {
        name: "right after the 201",
        kill: Scene::kill_after_the_answer,
        leaves: None,
        rounds: (2, 50),
    },
    Step {
        name: "after the 201 and its mark",
        kill: Scene::kill_after_the_mark,
        leaves: None,
        rounds: (1, 20),
    },
];

const AT_THE_BACKEND: &[Step] = &[
    Step {
        name: "between record and PUT",
        kill: Scene::kill_before_the_put,
        leaves: Some(certificate(AtBackend::Missing)),
        rounds: (1, 20),
    },
    Step {
        name: "the PUT was received and not carried out",
        kill: |scene, request| {
            scene.kill_in_put(request, |kill, _| {
                Answer::First(kill, Box::new(Answer::Close))
            })
        },
        leaves: Some(certificate(AtBackend::Missing)),
        rounds: (1, 20),
    },
    Step {
        name: "the PUT was carried out and not answered",
        kill: |scene, request| {
            scene.kill_in_put(request, |kill, carry_out| {
                Answer::First(kill, Box::new(carry_out()))
            })
        },
        leaves: Some(certificate(AtBackend::There)),
        rounds: (1, 20),
    },
    Step {
        name: "the answer of the PUT was not recorded",
        kill: Scene::kill_before_done,
        leaves: Some(certificate(AtBackend::There)),
        rounds: (1, 20),
    },
    Step {
        name: "around done and the 201",
        kill: Scene::kill_around_done,
        leaves: None,
        rounds: (4, 100),
    },
];

/// After that a new key is a conflict at the backend.
const AT_THE_BACKEND_BEFORE: [Left; 2] =
    [certificate(AtBackend::There), certificate(AtBackend::Done)];

const fn certificate(backend: AtBackend) -> Left {
    Left::Certificate {
        offered: false,
        backend,
    }
}

/// A server on a slow token, killed again and again.
struct Scene {
    line: Arc<Line>,
    server: Arc<Server>,
    token: String,
    chance: Chance,
    next: std::cell::Cell<u64>,
}

/// What the device does after the server was started again.
#[derive(Clone, Copy, Debug)]
enum Sequel {
    SameRequest,
    NewKey,
}

type Kill = Box<dyn FnOnce() + Send>;

impl Scene {
    fn new(backend: Option<Arc<Backend>>) -> Scene {
        let line = Arc::new(Line::slow(backend));
        let token = line.factory.registrar("line", "");
        Scene {
            server: Server::new(&line),
            line,
            token,
            chance: Chance::new(),
            next: std::cell::Cell::new(0),
        }
    }

    fn play(&self, step: &Step) {
        let (small, full) = step.rounds;
        for round in 0..scaled(small, full) {
            for sequel in [Sequel::SameRequest, Sequel::NewKey] {
                let what = format!("{}, {sequel:?}, round {round}", step.name);
                self.round(step, sequel, &what);
            }
        }
    }

    fn round(&self, step: &Step, sequel: Sequel, what: &str) {
        let number = self.next.replace(self.next.get() + 1);
        let request = Request::new(&uuid(0x57e9, number));
        self.server.start_ready();
        let signed = self.line.signatures();
        let told = (step.kill)(self, &request);
        let signed = self.line.signatures() - signed;
        let left = self.left(&request, signed);
        assert!(
            step.leaves.is_none_or(|wanted| wanted == left),
            "{what}: {left:?}"
        );
        println!("{what}: {left:?}, told {:?}", told.serial());
        self.assert_told(&told, left, what);
        self.server.start_ready();
        match sequel {
            Sequel::SameRequest => self.same_again(&request, &told, what),
            Sequel::NewKey => self.new_key(&request, &told, left, what),
        }
        self.server.kill();
        self.assert_one_live(&request.uuid, what);
    }

    /// A 201 is worth what it says, however soon the server dies.
    fn assert_told(&self, told: &Told, left: Left, what: &str) {
        match told {
            Told::Nothing => {}
            Told::Problem(answer) => panic!("{what}: {}", answer.text()),
            Told::Certificate(_) => {
                let wanted = match self.line.backend {
                    Some(_) => AtBackend::Done,
                    None => AtBackend::Unasked,
                };
                let is_durable =
                    matches!(left, Left::Certificate { backend, .. } if backend == wanted);
                assert!(is_durable, "{what}: told 201, left {left:?}");
            }
        }
    }

    /// The same certificate, if there was one, every time it is asked for.
    fn same_again(&self, request: &Request, told: &Told, what: &str) {
        let again = self.send(request).certificate();
        assert_eq!(
            self.send(request).certificate().der(),
            again.der(),
            "{what}"
        );
        if let Told::Certificate(first) = told {
            assert_eq!(first.der(), again.der(), "{what}");
        }
    }

    /// What the device got before it does not count unless it got it.
    fn new_key(&self, request: &Request, told: &Told, left: Left, what: &str) {
        let uuid = &request.uuid;
        let answer = self.send(&Request::new(uuid));
        let backend = self.line.backend.as_ref();
        if let Left::Certificate { offered: true, .. } = left {
            let story = || self.line.books().story(uuid);
            let was_told = matches!(told, Told::Certificate(_));
            assert!(was_told, "{what}: marked, not sent:\n{}", story());
            let is_live = answer.is_conflict("already has certificate");
            return assert!(is_live, "{what}: {answer:?}");
        }
        // A PUT may arrive after its sender's death. The backend keeps that key: an administrator has to delete it.
        match backend.filter(|backend| backend.knew_another(&answer, uuid)) {
            Some(backend) => {
                backend.delete(uuid);
                self.send(&Request::new(uuid)).certificate();
            }
            None => {
                let at_the_backend = AT_THE_BACKEND_BEFORE.contains(&left);
                assert!(!at_the_backend, "{what}: {answer:?}");
                answer.certificate();
            }
        }
    }

    fn assert_one_live(&self, uuid: &str, what: &str) {
        let books = self.line.assert_sound();
        let live = books.live();
        let entry = live
            .get(uuid)
            .unwrap_or_else(|| panic!("{what}: {}", books.story(uuid)));
        if let Some(backend) = &self.line.backend {
            assert_eq!(
                backend.knows(uuid),
                Some(entry.serial.to_string()),
                "{what}"
            );
        }
    }

    /// Every registration counts once for its registrar.
    fn end(&self) {
        self.server.start_ready();
        self.server.stop_well();
        let books = self.line.assert_settled();
        let used = self.line.ledger().registrars().unwrap()[0].used;
        assert_eq!(used as usize, books.live().len());
        self.line.module().assert_was_used_well();
    }

    fn left(&self, request: &Request, signed: u64) -> Left {
        let books: Books = self.line.books();
        let entries = books.of(&request.uuid);
        let Some(entry) = entries.first() else {
            assert_eq!(signed, 0, "signed without an intent");
            return Left::Nothing;
        };
        assert_eq!(entries.len(), 1, "{}", books.story(&request.uuid));
        if entry.state == State::Reserved {
            return Left::Intent { signed };
        }
        assert_eq!((entry.state, signed), (State::Issued, 1));
        let registration = entry.registration.as_ref().unwrap();
        let backend = self.line.backend.as_ref();
        let is_there = backend.is_some_and(|backend| backend.knows(&request.uuid).is_some());
        Left::Certificate {
            offered: registration.offered_at.is_some(),
            backend: match (registration.gateway, is_there) {
                (GatewayState::None, false) => AtBackend::Unasked,
                (GatewayState::Pending, false) => AtBackend::Missing,
                (GatewayState::Pending, true) => AtBackend::There,
                (GatewayState::Done, true) => AtBackend::Done,
                found => panic!("{found:?}"),
            },
        }
    }

    fn send(&self, request: &Request) -> Told {
        request.send(self.server.port, &self.token)
    }

    /// Sends it in a thread of its own.
    fn begin(&self, request: &Request) -> JoinHandle<Told> {
        let (request, port, token) = (request.clone(), self.server.port, self.token.clone());
        std::thread::spawn(move || request.send(port, &token))
    }
}

/// The moments.
impl Scene {
    /// Nothing can be written, so nothing is reserved.
    fn kill_before_the_reservation(&self, request: &Request) -> Told {
        let held = Held::hold(&self.line);
        let device = self.begin(request);
        std::thread::sleep(Duration::from_millis(100));
        self.server.kill();
        drop(held);
        device.join().unwrap()
    }

    /// The token was only asked to begin.
    fn kill_before_the_signature(&self, request: &Request) -> Told {
        let module = self.line.module();
        let calls = module.calls(Function::SignInit);
        module.slow(Function::SignInit, Duration::from_secs(5), 1);
        let device = self.begin(request);
        wait_for(|| module.calls(Function::SignInit) > calls);
        self.server.kill();
        module.well(Function::SignInit);
        device.join().unwrap()
    }

    fn kill_in_the_signature(&self, request: &Request) -> Told {
        let signatures = self.line.signatures();
        self.line.sign_slowly(Duration::from_millis(100));
        let device = self.begin(request);
        wait_for(|| self.line.signatures() > signatures);
        self.server.kill();
        self.line.sign_fast();
        device.join().unwrap()
    }

    /// The token has signed, and nothing can be written.
    fn kill_before_the_record(&self, request: &Request) -> Told {
        let signatures = self.line.signatures();
        self.line.sign_slowly(Duration::from_millis(100));
        let device = self.begin(request);
        wait_for(|| self.line.signatures() > signatures);
        let held = Held::hold(&self.line);
        std::thread::sleep(Duration::from_millis(250));
        self.server.kill();
        self.line.sign_fast();
        drop(held);
        device.join().unwrap()
    }

    fn kill_at_any_moment(&self, request: &Request) -> Told {
        let slow = self.chance.within(Duration::from_millis(2));
        self.line.sign_slowly(slow);
        let device = self.begin(request);
        std::thread::sleep(self.chance.within(2 * slow + LONGEST_ROUND));
        self.server.kill();
        self.line.sign_fast();
        device.join().unwrap()
    }

    fn kill_after_the_answer(&self, request: &Request) -> Told {
        let told = self.send(request);
        std::thread::sleep(self.chance.within(Duration::from_millis(4)));
        self.server.kill();
        told
    }

    fn kill_after_the_mark(&self, request: &Request) -> Told {
        let told = self.send(request);
        wait_for(|| {
            let books = self.line.books();
            books.of(&request.uuid)[0].was_offered()
        });
        self.server.kill();
        told
    }

    /// The endpoint has connected to the backend; what it sends is not read.
    fn kill_before_the_put(&self, request: &Request) -> Told {
        let backend = self.line.backend.as_ref().unwrap();
        backend.at_next_connection(self.killing());
        self.begin(request).join().unwrap()
    }

    fn kill_in_put(
        &self,
        request: &Request,
        answer: fn(Kill, &dyn Fn() -> Answer) -> Answer,
    ) -> Told {
        let kill = self.killing();
        let backend = self.line.backend.as_ref().unwrap();
        backend.plan(move |carry_out| answer(kill, carry_out));
        self.begin(request).join().unwrap()
    }

    /// The endpoint has read the answer, and nothing can be written.
    fn kill_before_done(&self, request: &Request) -> Told {
        let (line, kill) = (self.line.clone(), self.killing());
        self.line.backend.as_ref().unwrap().plan(move |carry_out| {
            let held = Held::hold(&line);
            let kill_then = Box::new(move || {
                std::thread::sleep(Duration::from_millis(100));
                kill();
                drop(held);
            });
            Answer::Then(Box::new(carry_out()), kill_then)
        });
        self.begin(request).join().unwrap()
    }

    fn kill_around_done(&self, request: &Request) -> Told {
        let (kill, pause) = (self.killing(), self.chance.within(LONGEST_ROUND));
        self.line.backend.as_ref().unwrap().plan(move |carry_out| {
            let kill_then = Box::new(move || {
                std::thread::sleep(pause);
                kill();
            });
            Answer::Then(Box::new(carry_out()), kill_then)
        });
        let told = self.begin(request).join().unwrap();
        wait_for(|| !self.server.runs());
        told
    }

    fn killing(&self) -> Kill {
        let server = self.server.clone();
        Box::new(move || server.kill())
    }
}

/// The ledger, locked against everybody else's changes.
struct Held(Connection);

impl Held {
    fn hold(line: &Line) -> Held {
        let path = line.factory.path("pki/ledger.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags(path, flags).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Held(connection)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What a registration takes, beside the token.
const LONGEST_ROUND: Duration = Duration::from_millis(12);
