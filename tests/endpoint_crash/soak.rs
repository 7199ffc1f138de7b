//! Load while the server is killed and started again at random: nothing is lost, nothing signed twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::chance::scaled;
use crate::client::Crowd;
use crate::killer::{Ending, kill_at_random};
use crate::kinds::Kind;
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

struct Soak {
    crowd: Crowd,
    server: Arc<Server>,
}

fn soak(backend: Option<Arc<Backend>>, kinds: &[Kind]) {
    let line = Arc::new(Line::slow(backend));
    line.sign_slowly(Duration::from_micros(500));
    let server = Server::new(&line);
    let soak = Soak {
        crowd: Crowd::new(&line, &[server.port]),
        server,
    };
    soak.server.start();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ending = Ending(&over);
        for _ in 0..scaled(1, 2) {
            for kind in kinds {
                scope.spawn(|| soak.crowd.keep_asking(*kind, &over));
            }
        }
        let time = scaled(Duration::from_secs(10), Duration::from_secs(510));
        kill_at_random(std::slice::from_ref(&soak.server), &soak.crowd.chance, time);
        soak.watch_memory(scaled(Duration::from_secs(3), Duration::from_secs(90)));
    });
    soak.server.stop_well();
    soak.judge();
}

impl Soak {
    /// Nobody kills it any more: when its caches are filled its memory stays what it is.
    fn watch_memory(&self, time: Duration) {
        let (begun, mut samples) = (Instant::now(), Vec::new());
        while begun.elapsed() < time {
            std::thread::sleep(Duration::from_millis(50));
            samples.extend(self.server.memory());
        }
        let most = |part: &[u64]| part.iter().copied().max().unwrap();
        let quarters: Vec<u64> = samples
            .chunks(samples.len().div_ceil(4))
            .map(most)
            .collect();
        println!("memory by quarters of {time:?}: {quarters:?} KiB");
        assert!(quarters[3] < MOST_MEMORY_KIB, "{quarters:?}");
        assert!(
            quarters[3] < quarters[2] + LITTLE_MEMORY_KIB,
            "{quarters:?}"
        );
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
        self.crowd.report(&books);
    }
}

/// How late some answers of the backend are.
const LATE: Duration = Duration::from_millis(40);

/// What the endpoint may have.
const MOST_MEMORY_KIB: u64 = 60 * 1024;

/// What comes and goes. A kibibyte kept of each registration would be more in a quarter at full scale.
const LITTLE_MEMORY_KIB: u64 = 2 * 1024;
