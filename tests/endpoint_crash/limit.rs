//! A registrar that may register so many devices registers so many, whenever the server is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::chance::scaled;
use crate::client::{Back, Crowd, End};
use crate::device::{Request, uuid};
use crate::killer::{Ending, kill_at_random};
use crate::line::Line;
use crate::server::Server;

#[test]
fn a_registrar_never_hands_out_more_than_it_may_nor_less() {
    let line = Arc::new(Line::slow(None));
    line.sign_slowly(Duration::from_millis(100));
    let server = Server::new(&line);
    let crowd = Crowd::new(&line, &[server.port]);
    server.start();
    for group in 0..scaled(2, 40) {
        use_up(&crowd, &server, group);
    }
    server.stop_well();
    let books = line.assert_settled();
    crowd.assert_kept(&books);
    crowd.report(&books);
}

/// More devices than the registrar may register ask until all its uses are spent.
fn use_up(crowd: &Crowd, server: &Arc<Server>, group: u32) {
    let name = format!("limit-{group}");
    let token = crowd.line.factory.registrar(&name, &format!("--max {MAX}"));
    let (next, killed_enough) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _ending = Ending(&killed_enough);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while crowd.registered_in(group) < MAX {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    ask(crowd, &token, &uuid(group, number), group);
                }
            });
        }
        scope.spawn(|| watch(crowd, &name, &killed_enough));
        let time = Duration::from_secs(4);
        kill_at_random(std::slice::from_ref(server), &crowd.chance, time);
    });
    assert_eq!(crowd.registered_in(group), MAX);
    let more = Request::new(&uuid(group, 0xffff));
    match crowd.register(more, &token, Back::WithNewKey) {
        End::Refused(answer) => assert_exhausted(&answer, &name),
        other => panic!("{other:?}"),
    }
    let (used, offered) = uses(crowd, &name);
    // A kill right after a 201 may leave its mark out.
    assert!(
        used == MAX && offered <= MAX,
        "{used} used, {offered} offered"
    );
}

/// A device that is refused comes back: an intent of a server that was killed gives its use back.
fn ask(crowd: &Crowd, token: &str, uuid: &str, group: u32) {
    let begun = Instant::now();
    while crowd.registered_in(group) < MAX {
        match crowd.register(Request::new(uuid), token, Back::WithNewKey) {
            End::Registered(_) => return,
            End::Refused(answer) => assert_exhausted(&answer, &format!("limit-{group}")),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "a use got lost");
        std::thread::sleep(crowd.chance.within(Duration::from_millis(50)));
    }
}

fn assert_exhausted(answer: &crate::support::endpoint::Answer, name: &str) {
    let wanted = format!(
        "registrar `{name}` has registered as many devices as it may: {MAX}; nothing was signed"
    );
    assert_eq!((answer.status, answer.message()), (403, wanted));
}

/// Never too many, at any moment.
fn watch(crowd: &Crowd, name: &str, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let (used, offered) = uses(crowd, name);
        assert!(
            used <= MAX && offered <= MAX,
            "{used} used, {offered} offered"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is counted as used, and what was handed out.
fn uses(crowd: &Crowd, name: &str) -> (usize, usize) {
    let books = crowd.line.books();
    let is_its_own = |entry: &&factory_ca::ledger::Entry| {
        let registration = entry.registration.as_ref().unwrap();
        registration.registrar_name.as_deref() == Some(name) && entry.was_offered()
    };
    let offered = books.entries.iter().filter(is_its_own).count();
    let registrars = crowd.line.ledger().registrars().unwrap();
    let registrar = registrars.iter().find(|known| known.name == name).unwrap();
    (registrar.used as usize, offered)
}

const MAX: usize = 25;
const CLIENTS: usize = 6;
