//! The moments of a registration at which the server is killed, each as precisely as it can be hit.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::device::{Request, Told};
use crate::line::Line;
use crate::steps::Scene;
use crate::support::badday::Function;
use crate::support::http::{Answer, Call};

impl Scene {
    /// Nothing can be written, so nothing is reserved.
    pub fn kill_before_the_reservation(&self, request: &Request) -> Told {
        let held = Held::hold(&self.line);
        let device = self.begin(request);
        std::thread::sleep(Duration::from_millis(100));
        self.server.kill();
        drop(held);
        device.join().unwrap()
    }

    /// The token was only asked to begin.
    pub fn kill_before_the_signature(&self, request: &Request) -> Told {
        let module = self.line.module();
        let calls = module.calls(Function::SignInit);
        module.slow(Function::SignInit, Duration::from_secs(5), 1);
        let device = self.begin(request);
        wait_for(|| module.calls(Function::SignInit) > calls);
        self.server.kill();
        module.well(Function::SignInit);
        device.join().unwrap()
    }

    pub fn kill_in_the_signature(&self, request: &Request) -> Told {
        let signatures = self.line.signatures();
        self.line.sign_slowly(Duration::from_millis(100));
        let device = self.begin(request);
        wait_for(|| self.line.signatures() > signatures);
        self.server.kill();
        self.line.sign_fast();
        device.join().unwrap()
    }

    /// The token has signed, and nothing can be written.
    pub fn kill_before_the_record(&self, request: &Request) -> Told {
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

    pub fn kill_at_any_moment(&self, request: &Request) -> Told {
        let slow = self.chance.within(Duration::from_millis(2));
        self.line.sign_slowly(slow);
        let device = self.begin(request);
        std::thread::sleep(self.chance.within(2 * slow + LONGEST_ROUND));
        self.server.kill();
        self.line.sign_fast();
        device.join().unwrap()
    }

    pub fn kill_after_the_answer(&self, request: &Request) -> Told {
        let told = self.send(request);
        std::thread::sleep(self.chance.within(Duration::from_millis(4)));
        self.server.kill();
        told
    }

    pub fn kill_after_the_mark(&self, request: &Request) -> Told {
        let told = self.send(request);
        wait_for(|| {
            let books = self.line.books();
            books.of(&request.uuid)[0].was_offered()
        });
        self.server.kill();
        told
    }

    /// The endpoint has connected to the backend; what it sends is not read.
    pub fn kill_before_the_put(&self, request: &Request) -> Told {
        let backend = self.line.backend.as_ref().unwrap();
        backend.at_next_connection(self.killing());
        self.begin(request).join().unwrap()
    }

    pub fn kill_in_put(
        &self,
        request: &Request,
        answer: fn(Call, &dyn Fn() -> Answer) -> Answer,
    ) -> Told {
        let kill = self.killing();
        let backend = self.line.backend.as_ref().unwrap();
        backend.plan(move |carry_out| answer(kill, carry_out));
        self.begin(request).join().unwrap()
    }

    /// The endpoint has read the answer, and nothing can be written.
    pub fn kill_before_done(&self, request: &Request) -> Told {
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

    pub fn kill_around_done(&self, request: &Request) -> Told {
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

    /// Sends it in a thread of its own.
    fn begin(&self, request: &Request) -> JoinHandle<Told> {
        let (request, port, token) = (request.clone(), self.server.port, self.token.clone());
        std::thread::spawn(move || request.send(port, &token))
    }

    fn killing(&self) -> Call {
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
