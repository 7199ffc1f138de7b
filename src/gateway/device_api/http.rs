//! One HTTP exchange: the only place that knows the HTTP library.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use ureq::http::{HeaderValue, Method, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use super::answer::{Reply, clean};
use crate::gateway::token::ApiToken;
use crate::url::ServerUrl;

/// A server, and the token it knows us by.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    server: ServerUrl,
    token: ApiToken,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Lost {
    /// The request did not leave, or not as a whole: nothing can have happened.
    NotSent(String),
    /// The request was sent. What became of it is not known.
    Unanswered(String),
}

impl Http {
    /// Nothing is connected yet. A call ends after `timeout`, whatever happens.
    pub fn new(server: ServerUrl, token: ApiToken, timeout: Duration) -> Http {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(server.is_encrypted())
            // A redirect would take the token to whoever it names, and turn a PUT into a GET.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // The library reads no environment; by default it would be asked for proxies.
            .proxy(None)
            .user_agent(concat!("factory-ca/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(timeout.min(CONNECT)))
            .timeout_global(Some(timeout))
            .build();
        Http {
            agent: Agent::new_with_config(config),
            server,
            token,
        }
    }

    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Sends a request without body.
    pub fn ask(&self, method: Method, path: &str) -> Result<Reply, Lost> {
        let request = self.request(method, path).body(());
        let response = request
            .map_err(ureq::Error::Http)
            .and_then(|request| self.agent.run(request));
        match response {
            Ok(response) => Ok(self.read(response)),
            Err(error) => Err(Lost::Unanswered(self.describe(&error))),
        }
    }

    /// Sends a JSON body with PUT.
    ///
    /// The body is asked for after the connection stands and the head is sent. As long as nobody asked for it, the server
    /// cannot have seen it.
    pub fn put(&self, path: &str, json: &[u8]) -> Result<Reply, Lost> {
        let mut body = Watched {
            bytes: Cursor::new(json),
            is_asked_for: false,
        };
        let response = self
            .request(Method::PUT, path)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, json.len())
            .body(SendBody::from_reader(&mut body))
            .map_err(ureq::Error::Http)
            .and_then(|request| self.agent.run(request));
        match response {
            Ok(response) => Ok(self.read(response)),
            Err(error) if body.is_asked_for => Err(Lost::Unanswered(self.describe(&error))),
            Err(error) => Err(Lost::NotSent(self.describe(&error))),
        }
    }

    fn request(&self, method: Method, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server));
        match HeaderValue::from_str(self.token.text()) {
            Ok(mut token) => {
                // Kept out of whatever prints headers.
                token.set_sensitive(true);
                request.header(TOKEN_HEADER, token)
            }
            // An `ApiToken` fits a header; if it did not, the answer would be 401.
            Err(_) => request,
        }
    }

    /// Takes what is of use of an answer. A body that breaks off, or is longer than that, is marked.
    fn read(&self, mut response: Response<Body>) -> Reply {
        let location = response.headers().get(LOCATION);
        let location =
            location.map(|to| clean(&String::from_utf8_lossy(to.as_bytes()), &self.token));
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let mut reader = response.body_mut().as_reader().take(MOST_BYTES + 1);
        let is_read = reader.read_to_end(&mut body).is_ok();
        let is_whole = is_read && body.len() as u64 <= MOST_BYTES;
        body.truncate(MOST_BYTES as usize);
        Reply::new(status, location, body, is_whole, &self.token)
    }

    /// The reason in our words, as far as there are any.
    fn describe(&self, error: &ureq::Error) -> String {
        use io::ErrorKind::*;
        match error {
            ureq::Error::Timeout(_) => "there was no answer in time".to_owned(),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                "the answer is not HTTP".to_owned()
            }
            ureq::Error::Io(error) => match error.kind() {
                ConnectionRefused => "the connection was refused".to_owned(),
                ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => {
                    "the connection was lost".to_owned()
                }
                TimedOut | WouldBlock => "there was no answer in time".to_owned(),
                _ => clean(&error.to_string(), &self.token),
            },
            ureq::Error::Rustls(error) => clean(&format!("TLS: {error}"), &self.token),
            other => clean(&other.to_string(), &self.token),
        }
    }
}

/// A body that knows whether it was asked for.
struct Watched<'a> {
    bytes: Cursor<&'a [u8]>,
    is_asked_for: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_asked_for = true;
        self.bytes.read(buffer)
    }
}

/// Foundries' header for API tokens.
const TOKEN_HEADER: &str = "OSF-TOKEN";

/// Time for the TCP and TLS handshakes with a server across the world.
const CONNECT: Duration = Duration::from_secs(5);

/// Above the largest answer of use: a page of denied devices.
const MOST_BYTES: u64 = 64 * 1024;
