//! A reply that never left the server was never offered, whatever was written before it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use factory_ca::ledger::{Entry, State};

use crate::device::{Request, uuid};
use crate::line::Line;
use crate::server::Server;

#[test]
fn a_certificate_whose_reply_is_still_in_the_server_gives_way_to_a_new_key() {
    let line = Arc::new(Line::embedded(None));
    let token = line.factory.registrar("line", "");
    let server = Server::new(&line);
    server.start_ready();
    let unread = fill_a_connection(server.port, &token);
    let last = wait_until_it_stands_still(&line);
    server.kill();
    drop(unread);
    server.start_ready();
    assert!(!last.was_offered(), "{last:#?}");
    let uuid = last.device.as_deref().unwrap();
    let new = Request::new(uuid).send(server.port, &token).certificate();
    server.stop_well();
    let books = line.assert_settled();
    assert_eq!(books.live()[uuid].serial, *new.serial());
    assert_eq!(books.of(uuid)[0].state, State::Revoked);
}

/// Sends registrations on one connection and reads no answer: the operating system takes no more of them in the end, and
/// the server keeps the last ones to itself.
fn fill_a_connection(port: u16, token: &str) -> TcpStream {
    let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut sink, token) = (connection.try_clone().unwrap(), token.to_owned());
    std::thread::spawn(move || {
        let requests = (0..).map(|number| Request::new(&uuid(0x0e5e, number)).octets(&token));
        for request in requests {
            // It fails when the server is gone.
            if sink.write_all(&request).is_err() {
                return;
            }
        }
    });
    connection
}

/// The last device's entry, when it has been the last one for a while.
fn wait_until_it_stands_still(line: &Line) -> Entry {
    let (begun, mut since, mut last) = (Instant::now(), Instant::now(), 0);
    while last == 0 || since.elapsed() < Duration::from_secs(1) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it goes on and on"
        );
        std::thread::sleep(Duration::from_millis(50));
        let count = line.books().entries.len();
        if count != last {
            (since, last) = (Instant::now(), count);
        }
    }
    line.books().entries.pop().unwrap()
}
