//! An HTTP server on 127.0.0.1 that does what it is told, for good or bad, and keeps what it was sent.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does with one request.
pub enum Answer {
    /// Answers at once.
    Reply(u16, String),
    /// Answers with these further header lines.
    With(u16, &'static str, String),
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
    /// Reads the request and closes without a word.
    Close,
    /// Closes as soon as the head was read, whatever comes after it.
    Reset,
    /// Reads the request and never answers.
    Hang,
    /// Answers after a while.
    Slow(Duration, u16, String),
    /// Begins a body of that many bytes and sends as much of it as is taken.
    Huge(u16, u64),
    /// Sends the head, then a byte of the body now and then.
    Drip,
    /// Calls back into the test, then answers.
    First(Call, Box<Answer>),
    /// Answers, then calls back into the test.
    Then(Box<Answer>, Call),
}

/// What a test does at a moment that only the server knows.
pub type Call = Box<dyn FnOnce() + Send>;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Which connection it came over, from 0.
    pub connection: usize,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        first
    }

    /// "PUT /ota/devices/"
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

pub fn ok(body: &str) -> Answer {
    Answer::Reply(200, body.to_owned())
}

pub fn status(status: u16, body: &str) -> Answer {
    Answer::Reply(status, body.to_owned())
}

/// The server. It goes with the test program.
pub struct MockServer {
    port: u16,
    state: Arc<State>,
}

/// Knows what to do with a request.
type Mind = Box<dyn Fn(&Received) -> Answer + Send + Sync>;

struct State {
    answers: Mutex<VecDeque<Answer>>,
    /// Answers instead of what was scripted.
    mind: Option<Mind>,
    /// Called when the next connection is there, which is closed unread.
    at_connection: Mutex<Option<Call>>,
    received: Mutex<Vec<Received>>,
    /// How many bytes of huge bodies were taken.
    taken: Mutex<u64>,
    tls: Option<Arc<rustls::ServerConfig>>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl MockServer {
    /// Answers requests in their order, over whatever connection they come; what comes after is answered with 599.
    pub fn start(answers: Vec<Answer>) -> MockServer {
        MockServer::listen(answers, None, None)
    }

    /// Answers every request as the function says, and keeps none.
    pub fn with_mind(mind: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> MockServer {
        MockServer::listen(Vec::new(), Some(Box::new(mind)), None)
    }

    /// The same over TLS.
    pub fn start_tls(answers: Vec<Answer>, tls: rustls::ServerConfig) -> MockServer {
        MockServer::listen(answers, None, Some(Arc::new(tls)))
    }

    /// Calls back as soon as somebody connects, before anything is read, and closes the connection.
    pub fn at_next_connection(&self, call: impl FnOnce() + Send + 'static) {
        *self.state.at_connection.lock().unwrap() = Some(Box::new(call));
    }

    fn listen(
        answers: Vec<Answer>,
        mind: Option<Mind>,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> MockServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            answers: Mutex::new(answers.into()),
            mind,
            at_connection: Mutex::new(None),
            received: Mutex::new(Vec::new()),
            taken: Mutex::new(0),
            tls,
        });
        let shared = state.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (state, stream) = (shared.clone(), stream.unwrap());
                thread::spawn(move || serve(&state, stream, number));
            }
        });
        MockServer { port, state }
    }

    /// Answers the next requests so.
    pub fn expect(&self, answers: Vec<Answer>) {
        self.state.answers.lock().unwrap().extend(answers);
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// The request lines in their order.
    pub fn lines(&self) -> Vec<String> {
        self.received().iter().map(Received::line).collect()
    }

    pub fn taken(&self) -> u64 {
        *self.state.taken.lock().unwrap()
    }
}

/// A port nobody listens on.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn serve(state: &State, stream: TcpStream, connection: usize) {
    let call = state.at_connection.lock().unwrap().take();
    if let Some(call) = call {
        return call();
    }
    stream.set_nodelay(true).unwrap();
    let stream: Box<dyn Stream> = match &state.tls {
        None => Box::new(stream),
        Some(config) => {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            Box::new(rustls::StreamOwned::new(session, stream))
        }
    };
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = read_head(&mut stream, connection) {
        let scripted = state.answers.lock().unwrap().pop_front();
        let scripted = scripted.unwrap_or_else(|| status(599, "nothing more is expected"));
        if !matches!(scripted, Answer::Reset) {
            let length = request.header("content-length");
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
            request.body = String::from_utf8(body).unwrap();
        }
        let answer = match &state.mind {
            Some(mind) => mind(&request),
            None => {
                state.received.lock().unwrap().push(request);
                scripted
            }
        };
        if carry_out(state, stream.get_mut().as_mut(), answer).is_none() {
            return;
        }
    }
}

/// `None` if the connection is at its end.
fn carry_out(state: &State, stream: &mut dyn Stream, answer: Answer) -> Option<()> {
    match answer {
        Answer::Reply(status, body) => reply(stream, status, "", &body),
        Answer::With(status, headers, body) => reply(stream, status, headers, &body),
        Answer::Slow(pause, status, body) => {
            thread::sleep(pause);
            reply(stream, status, "", &body)
        }
        Answer::Raw(bytes) => {
            let _ = stream.write_all(&bytes);
            None
        }
        Answer::Close | Answer::Reset => None,
        Answer::Hang => {
            thread::sleep(FOR_EVER);
            None
        }
        Answer::Huge(status, length) => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).ok()?;
            let chunk = [b'x'; 16 * 1024];
            let mut left = length;
            while left > 0 {
                let now = left.min(chunk.len() as u64);
                stream.write_all(&chunk[..now as usize]).ok()?;
                *state.taken.lock().unwrap() += now;
                left -= now;
            }
            Some(())
        }
        Answer::Drip => {
            let head = "HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n";
            stream.write_all(head.as_bytes()).ok()?;
            for _ in 0..1000 {
                stream.write_all(b"x").ok()?;
                stream.flush().ok()?;
                thread::sleep(Duration::from_millis(50));
            }
            Some(())
        }
        Answer::First(call, answer) => {
            call();
            carry_out(state, stream, *answer)
        }
        Answer::Then(answer, call) => {
            let outcome = carry_out(state, stream, *answer);
            call();
            outcome
        }
    }
}

fn reply(stream: &mut dyn Stream, status: u16, headers: &str, body: &str) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    stream.flush().ok()
}

fn read_head(stream: &mut impl BufRead, connection: usize) -> Option<Received> {
    let mut line = || {
        let mut text = String::new();
        match stream.read_line(&mut text) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(text.trim_end().to_owned()),
        }
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let text = line()?;
        let Some((name, value)) = text.split_once(": ") else {
            assert_eq!(text, "");
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Some(Received {
        method,
        target,
        headers,
        body: String::new(),
        connection,
    })
}

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(600);
