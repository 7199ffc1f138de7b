//! kill -9 between any two steps of a registration, then the same request again, or the same device with a new key.

use std::sync::Arc;

use factory_ca::ledger::{GatewayState, State};

use crate::backend::Backend;
use crate::books::Books;
use crate::chance::{Chance, scaled};
use crate::device::{Request, Told, uuid};
use crate::line::Line;
use crate::server::Server;
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
pub struct Scene {
    pub line: Arc<Line>,
    pub server: Arc<Server>,
    pub token: String,
    pub chance: Chance,
    next: std::cell::Cell<u64>,
}

/// What the device does after the server was started again.
#[derive(Clone, Copy, Debug)]
enum Sequel {
    SameRequest,
    NewKey,
}

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

    pub fn send(&self, request: &Request) -> Told {
        request.send(self.server.port, &self.token)
    }
}
