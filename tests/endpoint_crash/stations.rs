//! Two endpoints on one ledger, each killed at random, with officers and a batch beside them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factory_ca::ledger::Ledger;
use factory_ca::x509::Certificate;

use crate::backend::Backend;
use crate::chance::scaled;
use crate::client::{Back, Crowd, End};
use crate::device::{Request, uuid};
use crate::killer::{Ending, kill_at_random};
use crate::kinds::Kind;
use crate::line::Line;
use crate::server::Server;
use crate::support::http::Answer;

#[test]
fn two_endpoints_on_one_ledger_lose_nothing_while_officers_and_a_batch_work() {
    let line = Arc::new(Line::embedded(None));
    let kinds = [
        Kind::Device,
        Kind::Keeper,
        Kind::Returner,
        Kind::Twins,
        Kind::Rivals,
    ];
    work_side_by_side(&line, &kinds, |crowd, over| Office::new(crowd).work(over));
}

#[test]
fn two_endpoints_with_a_backend_lose_nothing() {
    let backend = Backend::start();
    backend.serves(2);
    backend.habit(|carry_out| {
        let late = || std::thread::sleep(Duration::from_millis(20));
        Answer::First(Box::new(late), Box::new(carry_out()))
    });
    let line = Arc::new(Line::embedded(Some(backend)));
    let kinds = [Kind::Device, Kind::Keeper, Kind::Twins, Kind::Twins];
    work_side_by_side(&line, &kinds, |_, _| {});
}

fn work_side_by_side(
    line: &Arc<Line>,
    kinds: &[Kind],
    others: impl FnOnce(&Crowd, &AtomicBool) + Send,
) {
    let servers = [Server::new(line), Server::new(line)];
    let crowd = Crowd::new(line, &[servers[0].port, servers[1].port]);
    servers.iter().for_each(|server| server.start());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ending = Ending(&over);
        for kind in kinds {
            scope.spawn(|| crowd.keep_asking(*kind, &over));
        }
        scope.spawn(|| others(&crowd, &over));
        let time = scaled(Duration::from_secs(9), Duration::from_secs(600));
        kill_at_random(&servers, &crowd.chance, time);
    });
    servers.iter().for_each(|server| server.stop_well());
    let books = line.assert_settled();
    crowd.assert_kept(&books);
    assert_eq!(books.live().len(), crowd.registered());
    crowd.report(&books);
}

/// What people do meanwhile.
struct Office<'a> {
    crowd: &'a Crowd,
    round: u64,
}

impl Office<'_> {
    fn new(crowd: &Crowd) -> Office<'_> {
        Office { crowd, round: 0 }
    }

    fn work(mut self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            self.issue_a_batch();
            self.check_and_back_up();
            let uuid = self.close_a_registrar();
            self.allow_a_reissue(&uuid);
            self.round += 1;
        }
        println!("{} rounds of the office", self.round);
        assert!(self.round > 0);
    }

    /// The same requests in a batch and at the endpoints, at once: both deliver the same certificates.
    fn issue_a_batch(&self) {
        let number = |place| self.round * 100 + place;
        let requests: Vec<Request> = (0..10)
            .map(|place| Request::new(&uuid(BATCH, number(place))))
            .collect();
        let (directory, out) = (
            format!("csrs-{}", self.round),
            format!("out-{}", self.round),
        );
        for request in &requests {
            let name = format!("{directory}/{}.der", request.uuid);
            self.crowd.line.factory.write(&name, &request.der);
        }
        let told: BTreeSet<String> = std::thread::scope(|scope| {
            scope.spawn(|| self.run_batch(&directory, &out));
            let ask = |request: &Request| {
                let (request, token) = (request.clone(), &self.crowd.token);
                self.crowd
                    .must_register(request, token, Back::WithSameRequest)
            };
            requests.iter().filter_map(ask).collect()
        });
        let delivered = requests.iter().map(|request| {
            let name = format!("{out}/{}/client.pem", request.uuid);
            let pem = self.crowd.line.factory.read(&name);
            let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
            certificate.serial().to_string()
        });
        assert_eq!(told, delivered.collect());
    }

    /// A device that an endpoint is busy with is left to the next run of the same command.
    fn run_batch(&self, directory: &str, out: &str) {
        let line = format!("batch issue {directory} --out {out}");
        for _ in 0..50 {
            let outcome = self.crowd.line.factory.run(&line);
            match outcome.code {
                0 => return,
                3 => std::thread::sleep(Duration::from_millis(100)),
                _ => break,
            }
        }
        let outcome = self.crowd.line.factory.run(&line);
        panic!("{}: {}", outcome.code, outcome.stderr);
    }

    fn check_and_back_up(&self) {
        let factory = &self.crowd.line.factory;
        factory.run("ledger check").succeeds();
        let name = format!("backup-{}.db", self.round);
        factory.run(&format!("ledger backup {name}")).succeeds();
        let check = Ledger::open(&factory.path(&name)).unwrap().check().unwrap();
        assert_eq!(check.violations, []);
    }

    /// From then on it registers nobody. Returns a device that it registered.
    fn close_a_registrar(&self) -> String {
        let (crowd, name) = (self.crowd, format!("guest-{}", self.round));
        let token = crowd.line.factory.registrar(&name, "");
        std::thread::sleep(UNTIL_IT_IS_KNOWN);
        let device = uuid(GUEST, 2 * self.round);
        crowd.must_register(Request::new(&device), &token, Back::WithNewKey);
        let close = format!("registrar close {name}");
        crowd.line.factory.run(&close).succeeds();
        let late = Request::new(&uuid(GUEST, 2 * self.round + 1));
        match crowd.register(late, &token, Back::WithNewKey) {
            End::Refused(answer) => {
                assert!(matches!(answer.status, 401 | 403), "{}", answer.text());
                assert!(answer.message().contains("closed"), "{}", answer.text());
            }
            other => panic!("{other:?}"),
        }
        device
    }

    fn allow_a_reissue(&self, uuid: &str) {
        let (crowd, request) = (self.crowd, Request::new(uuid));
        match crowd.register(request, &crowd.token, Back::WithNewKey) {
            End::Refused(answer) => assert_eq!(answer.status, 409, "{}", answer.text()),
            // A kill right after the 201: see `kinds`.
            End::Registered(_) => {}
        }
        let allow = format!("device allow-reissue {uuid} --by alice");
        crowd.line.factory.run(&allow).succeeds();
        crowd.must_register(Request::new(uuid), &crowd.token, Back::WithNewKey);
    }
}

/// An endpoint that heard of an unknown token just now does not look for another one so soon.
const UNTIL_IT_IS_KNOWN: Duration = Duration::from_millis(150);

const BATCH: u32 = 0xba7c;
const GUEST: u32 = 0x9e57;
