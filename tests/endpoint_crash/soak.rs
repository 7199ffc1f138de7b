//! Load while the server is killed and started again at random: nothing is lost, nothing signed twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::chance::scaled;
use crate::client::{Back, Crowd, End};
use crate::device::{Request, uuid};
use crate::line::Line;
use crate::server::Server;
use crate::support::http::Answer;

#[test]
fn a_fully_detached_endpoint_loses_nothing_while_it_is_killed_at_random() {
    let kinds = [
        Kind::Device,
        Kind::Keeper,
        Kind::Returner,
        Kind::Twins,
        Kind::Rivals,
    ];
    soak(None, &kinds);
}

#[test]
fn a_partially_detached_endpoint_loses_nothing_while_it_is_killed_at_random() {
    let kinds = [Kind::Device, Kind::Keeper, Kind::Twins];
    let backend = Backend::start();
    let turn = AtomicU64::new(0);
    // Some registrations get lost, some answers do, some are late.
    backend.habit(
        move |carry_out| match turn.fetch_add(1, Ordering::Relaxed) % 16 {
            0 => Answer::Close,
            1 => {
                carry_out();
                Answer::Close
            }
            2..6 => Answer::First(Box::new(|| std::thread::sleep(LATE)), Box::new(carry_out())),
            _ => carry_out(),
        },
    );
    soak(Some(backend), &kinds);
}

/// What a client is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Comes back with a new key, and is content with a certificate.
    Device,
    /// Keeps its request, and asks again when it has its certificate.
    Keeper,
    /// Comes again with another key after it got its certificate; its registrar may reissue.
    Returner,
    /// Two with the same request at once.
    Twins,
    /// Two with the same UUID and different keys: one of them is refused.
    Rivals,
}

struct Soak {
    crowd: Crowd,
    server: Arc<Server>,
    token: String,
    /// Of a registrar that may reissue.
    reissue: String,
    next: AtomicU64,
    over: AtomicBool,
    begun: Instant,
}

fn soak(backend: Option<Arc<Backend>>, kinds: &[Kind]) {
    let line = Arc::new(Line::slow(backend));
    line.sign_slowly(Duration::from_micros(500));
    let server = Server::new(&line);
    let soak = Soak {
        crowd: Crowd::new(&line, &[server.port]),
        token: line.factory.registrar("line", ""),
        reissue: line.factory.registrar("repair", "--reissue"),
        server,
        next: AtomicU64::new(0),
        over: AtomicBool::new(false),
        begun: Instant::now(),
    };
    soak.server.start();
    std::thread::scope(|scope| {
        for _ in 0..scaled(1, 2) {
            for kind in kinds {
                scope.spawn(|| soak.serve_clients(*kind));
            }
        }
        soak.kill_at_random(scaled(Duration::from_secs(13), Duration::from_secs(540)));
        soak.watch_memory(scaled(Duration::from_secs(4), Duration::from_secs(60)));
        soak.over.store(true, Ordering::Relaxed);
    });
    soak.server.stop_well();
    soak.judge();
}

impl Soak {
    fn serve_clients(&self, kind: Kind) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            self.serve_client(kind, &uuid(kind as u32, number));
        }
    }

    fn serve_client(&self, kind: Kind, uuid: &str) {
        let (crowd, request) = (&self.crowd, Request::new(uuid));
        match kind {
            Kind::Device => drop(crowd.must_register(request, &self.token, Back::WithNewKey)),
            Kind::Keeper => {
                let ask =
                    || crowd.must_register(request.clone(), &self.token, Back::WithSameRequest);
                let (first, second) = (ask(), ask());
                if first != second {
                    crowd.fault(uuid, &format!("first {first:?}, then {second:?}"));
                }
            }
            Kind::Returner => {
                for _ in 0..3 {
                    crowd.must_register(Request::new(uuid), &self.reissue, Back::WithNewKey);
                }
            }
            Kind::Twins => {
                let ask =
                    || crowd.must_register(request.clone(), &self.token, Back::WithSameRequest);
                let (one, other) = at_once(ask, ask);
                if one != other {
                    crowd.fault(uuid, &format!("one {one:?}, the other {other:?}"));
                }
            }
            Kind::Rivals => {
                let ask = || crowd.register(Request::new(uuid), &self.token, Back::WithNewKey);
                let (one, other) = at_once(ask, ask);
                let refusal = match (&one, &other) {
                    (End::Registered(_), End::Registered(_)) => return,
                    (End::Registered(_), End::Refused(answer))
                    | (End::Refused(answer), End::Registered(_)) => answer,
                    _ => return crowd.fault(uuid, &format!("{one:?}\n{other:?}")),
                };
                let is_live = refusal.message().contains("already has certificate");
                if refusal.status != 409 || !is_live {
                    crowd.fault(uuid, &refusal.text());
                }
            }
        }
    }

    /// Mostly kill -9, sometimes SIGTERM; started again at once.
    fn kill_at_random(&self, time: Duration) {
        let (chance, begun) = (&self.crowd.chance, Instant::now());
        let (mut kills, mut stops) = (0, 0);
        while begun.elapsed() < time {
            // Mostly soon, now and then it lives for a while.
            let longest = match chance.one_in(6) {
                true => Duration::from_secs(scaled(3, 20)),
                false => Duration::from_millis(900),
            };
            std::thread::sleep(chance.within(longest));
            match chance.one_in(8) {
                true => {
                    stops += 1;
                    self.stop_whenever();
                }
                false => {
                    kills += 1;
                    self.server.kill();
                }
            }
            self.server.start();
        }
        println!("killed {kills} times, stopped {stops} times");
        assert!(kills > 5, "{kills}");
    }

    /// A stop ends well, unless it came before the server could know of it.
    fn stop_whenever(&self) {
        use std::os::unix::process::ExitStatusExt;
        let status = self.server.stop();
        let too_early = status.signal() == Some(15) && !self.server.has_listened();
        assert!(
            status.success() || too_early,
            "{status}\n{}",
            self.server.log()
        );
    }

    /// Nobody kills it any more: its memory stays what it was.
    fn watch_memory(&self, time: Duration) {
        let (begun, mut samples) = (Instant::now(), Vec::new());
        while begun.elapsed() < time {
            std::thread::sleep(Duration::from_millis(50));
            samples.extend(self.server.memory());
        }
        let (early, late) = samples.split_at(samples.len() / 2);
        let most = |part: &[u64]| part.iter().copied().max().unwrap();
        let (early, late) = (most(early), most(late));
        println!("memory: {early} KiB at first, {late} KiB in the end");
        assert!(late < MOST_MEMORY_KIB, "{late} KiB");
        assert!(late < early + early / 8, "{early} KiB, then {late} KiB");
    }

    fn judge(&self) {
        let line = &self.crowd.line;
        let books = line.assert_settled();
        self.crowd.assert_kept(&books);
        assert_eq!(books.live().len(), self.crowd.registered());
        let registrars = line.ledger().registrars().unwrap();
        let returners = self.crowd.registered_in(Kind::Returner as u32);
        let others = self.crowd.registered() - returners;
        assert_eq!(registrars[0].used as usize, others);
        assert!(registrars[1].used as usize >= returners);
        line.module().assert_was_used_well();
        println!(
            "{} devices, {} certificates replaced, {} tries that came to nothing, {} entries, {} signatures, {:?}",
            self.crowd.registered(),
            self.crowd.replaced(),
            self.crowd.tries.load(Ordering::Relaxed),
            books.entries.len(),
            line.signatures(),
            self.begun.elapsed(),
        );
    }
}

/// Two at once.
fn at_once<T: Send>(one: impl FnOnce() -> T + Send, other: impl FnOnce() -> T + Send) -> (T, T) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        (one(), other.join().unwrap())
    })
}

/// How late some answers of the backend are.
const LATE: Duration = Duration::from_millis(40);

/// What the endpoint may have.
const MOST_MEMORY_KIB: u64 = 60 * 1024;
