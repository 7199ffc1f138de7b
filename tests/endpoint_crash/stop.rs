//! SIGTERM under load: what was taken is answered, nothing stays reserved, the exit code is 0.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use factory_ca::ledger::State;

use crate::backend::Backend;
use crate::books::Books;
use crate::chance::{Chance, scaled};
use crate::device::{Request, Told, uuid};
use crate::line::Line;
use crate::server::Server;
use crate::support::http::Answer;

#[test]
fn what_a_fully_detached_endpoint_took_is_answered_before_it_stops() {
    stop_under_load(None);
}

#[test]
fn what_a_partially_detached_endpoint_took_is_answered_before_it_stops() {
    let backend = Backend::start();
    backend.habit(|carry_out| {
        let late = || std::thread::sleep(Duration::from_millis(100));
        Answer::First(Box::new(late), Box::new(carry_out()))
    });
    stop_under_load(Some(backend));
}

#[test]
fn a_signal_right_after_the_first_answer_is_one_to_stop_well() {
    let line = Arc::new(Line::slow(None));
    let server = Server::new(&line);
    for _ in 0..scaled(5, 100) {
        server.start_ready();
        server.stop_well();
    }
    line.assert_settled();
}

fn stop_under_load(backend: Option<Arc<Backend>>) {
    let line = Arc::new(Line::slow(backend));
    let token = line.factory.registrar("line", "");
    line.sign_slowly(Duration::from_millis(3));
    let (server, chance, next) = (Server::new(&line), Chance::new(), AtomicU64::new(0));
    for _ in 0..scaled(3, 60) {
        server.start_ready();
        let heard: Vec<(Request, Told)> = std::thread::scope(|scope| {
            let device = || ask_until_it_is_gone(&next, server.port, &token);
            let devices: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(device)).collect();
            std::thread::sleep(chance.within(Duration::from_millis(600)));
            server.stop_well();
            let heard = devices.into_iter().map(|device| device.join().unwrap());
            heard.flatten().collect()
        });
        let books = line.assert_settled();
        for (request, told) in &heard {
            assert_heard(&books, request, told);
        }
        let certificates = heard.iter().filter(|(_, told)| told.serial().is_some());
        println!(
            "{} asked, {} certificates",
            heard.len(),
            certificates.count()
        );
    }
}

/// New devices, one after the other, until nobody answers.
fn ask_until_it_is_gone(next: &AtomicU64, port: u16, token: &str) -> Vec<(Request, Told)> {
    let mut heard = Vec::new();
    loop {
        let request = Request::new(&uuid(0x5709, next.fetch_add(1, Ordering::Relaxed)));
        let told = request.send(port, token);
        let is_gone = matches!(told, Told::Nothing);
        heard.push((request, told));
        if is_gone {
            return heard;
        }
    }
}

/// What left a trace was answered, and what was answered was handed out.
fn assert_heard(books: &Books, request: &Request, told: &Told) {
    let entries = books.of(&request.uuid);
    match told {
        Told::Nothing => assert!(entries.is_empty(), "{}", books.story(&request.uuid)),
        Told::Problem(answer) => panic!("{}", answer.text()),
        Told::Certificate(certificate) => {
            assert_eq!(entries.len(), 1, "{}", books.story(&request.uuid));
            let entry = entries[0];
            assert_eq!((entry.state, entry.key), (State::Issued, request.key));
            assert_eq!(entry.serial, *certificate.serial());
            assert!(entry.was_offered(), "{}", books.story(&request.uuid));
        }
    }
}

const CLIENTS: usize = 12;
