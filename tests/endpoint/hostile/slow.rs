//! Clients that take their time: each is answered or cut off within the endpoint's limits, and holds nobody up.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::connections::connections;
use super::rows::Lab;
use crate::support::endpoint::{Answer, read_answer};

/// For a header to arrive; for a client to read something of what it is sent.
const HEADER: Duration = Duration::from_secs(15);

/// For a body to arrive.
const BODY: Duration = Duration::from_secs(10);

/// How much later things may happen on a busy machine.
const LATE: Duration = Duration::from_secs(8);

/// A client that goes wrong, and what is said about it when it should have been dealt with.
type Client<'a> = Box<dyn FnOnce() -> Result<(), String> + Send + 'a>;

#[test]
fn slow_clients_are_answered_or_cut_off_in_time_and_hold_nobody_up() {
    let lab = Lab::open("");
    let good: Vec<Vec<u8>> = (0..8)
        .map(|_| lab.post(lab.body(&lab.csr()).to_string().as_bytes()))
        .collect();
    let at = |octets: &[u8]| {
        octets
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4
    };
    let (head, body) = good[0].split_at(at(&good[0]));
    let stranger = b"POST /sign HTTP/1.1\r\nHost: ca\r\nContent-Length: 100\r\n\r\nhalf";
    let chunked = lab.request(
        &[
            "Content-Type: application/json",
            "Transfer-Encoding: chunked",
        ],
        b"5\r\n{\"csr",
    );
    let connect = || lab.endpoint.connect();
    let clients: Vec<(&str, Client<'_>)> = vec![
        ("it says nothing", Box::new(|| closed(connect(), HEADER))),
        (
            "half a head",
            Box::new(|| closed(begun(connect(), &head[..30]), HEADER)),
        ),
        (
            "a head, an octet a second",
            Box::new(|| closed(drip(connect(), head), HEADER)),
        ),
        (
            "nothing after an answer",
            Box::new(|| {
                let mut connection = begun(connect(), b"GET /healthz HTTP/1.1\r\nHost: ca\r\n\r\n");
                let mut answer = vec![0; 200];
                let read = connection
                    .read(&mut answer)
                    .map_err(|error| error.to_string())?;
                assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
                closed(connection, HEADER)
            }),
        ),
        (
            "half a body",
            Box::new(|| timed_out(begun(connect(), &[head, &body[..20]].concat()))),
        ),
        ("no body", Box::new(|| timed_out(begun(connect(), head)))),
        (
            "a body, an octet a second",
            Box::new(|| timed_out(drip(begun(connect(), head), body))),
        ),
        (
            "half a chunk",
            Box::new(|| timed_out(begun(connect(), &chunked))),
        ),
        (
            "half a body without token",
            Box::new(|| {
                let (answer, took) = answer(begun(connect(), stranger))?;
                within(took, Duration::from_secs(1))?;
                is(
                    &answer,
                    401,
                    "a registrar token is needed: the device sends it with `-T TOKEN`, as `OSF-TOKEN` or `Authorization: Bearer`",
                )
            }),
        ),
        (
            "a registration in small pieces",
            Box::new(|| {
                let mut connection = connect();
                for piece in good[1].chunks(good[1].len() / 12) {
                    connection
                        .write_all(piece)
                        .map_err(|error| error.to_string())?;
                    std::thread::sleep(Duration::from_millis(300));
                }
                match answer(connection)?.0.status {
                    201 => Ok(()),
                    status => Err(status.to_string()),
                }
            }),
        ),
        ("it asks and does not read", Box::new(|| unread(connect()))),
        (
            "it registers and does not read",
            Box::new(|| {
                let connection = begun(connect(), &good[2]);
                std::thread::sleep(HEADER + LATE);
                let mut peeked = [0; 12];
                // What was sent is still there to be read, then comes the end.
                connection
                    .peek(&mut peeked)
                    .map_err(|error| error.to_string())?;
                assert_eq!(&peeked, b"HTTP/1.1 201");
                ended(connection)
            }),
        ),
    ];
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let running: Vec<_> = clients
            .into_iter()
            .map(|(name, client)| (name, scope.spawn(client)))
            .collect();
        while running.iter().any(|(_, client)| !client.is_finished()) {
            let begun = Instant::now();
            lab.register().unwrap();
            assert!(
                begun.elapsed() < Duration::from_secs(3),
                "{:?}",
                begun.elapsed()
            );
            std::thread::sleep(Duration::from_millis(500));
        }
        for (name, client) in running {
            if let Err(text) = client.join().unwrap() {
                wrong.push(format!("{name}: {text}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(connections(&lab), 1, "somebody still sits there");
    lab.assert_small(60);
    lab.end();
}

/// Sends the beginning.
fn begun(mut connection: TcpStream, octets: &[u8]) -> TcpStream {
    connection.write_all(octets).unwrap();
    connection
}

/// Goes on sending an octet each second, as long as somebody listens.
fn drip(connection: TcpStream, octets: &[u8]) -> TcpStream {
    let mut writer = connection.try_clone().unwrap();
    let octets = octets.to_vec();
    std::thread::spawn(move || {
        for octet in octets {
            if writer.write_all(&[octet]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    connection
}

/// Nothing is answered, and the connection is closed after so long.
fn closed(mut connection: TcpStream, after: Duration) -> Result<(), String> {
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = connection.read_to_end(&mut rest);
    match rest.is_empty() {
        true => within(begun.elapsed(), after),
        false => Err(format!("an answer: {}", String::from_utf8_lossy(&rest))),
    }
}

/// The body is not waited for any longer.
fn timed_out(connection: TcpStream) -> Result<(), String> {
    let (answer, took) = answer(connection)?;
    within(took, BODY)?;
    is(&answer, 408, "the body did not arrive within 10 seconds")
}

fn answer(connection: TcpStream) -> Result<(Answer, Duration), String> {
    let begun = Instant::now();
    let answer = read_answer(&mut BufReader::new(connection)).ok_or("no answer")?;
    Ok((answer, begun.elapsed()))
}

fn is(answer: &Answer, status: u16, message: &str) -> Result<(), String> {
    match answer.status == status && answer.message() == message {
        true => Ok(()),
        false => Err(format!("{answer:?}")),
    }
}

/// Asks for the metrics until nothing more can be sent: the endpoint gives up when nobody reads.
fn unread(mut connection: TcpStream) -> Result<(), String> {
    let begun = Instant::now();
    let patience = Some(HEADER + 2 * LATE);
    connection.set_write_timeout(patience).unwrap();
    let asked = b"GET /metrics HTTP/1.1\r\nHost: ca\r\n\r\n".repeat(1000);
    loop {
        match connection.write_all(&asked) {
            Ok(()) if begun.elapsed() > HEADER + 2 * LATE => return Err("it goes on".to_owned()),
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return Err("it waits for ever".to_owned());
            }
            Err(_) => return Ok(()),
        }
    }
}

/// After what was sent comes the end.
fn ended(mut connection: TcpStream) -> Result<(), String> {
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = connection.read_to_end(&mut rest);
    match begun.elapsed() < Duration::from_secs(2) {
        true => Ok(()),
        false => Err("it is still open".to_owned()),
    }
}

/// Not before that, and not much later.
fn within(took: Duration, wanted: Duration) -> Result<(), String> {
    match took + Duration::from_millis(500) >= wanted && took < wanted + LATE {
        true => Ok(()),
        false => Err(format!("after {took:?}, wanted is {wanted:?}")),
    }
}
