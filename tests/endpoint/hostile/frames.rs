//! An HTTP/2 client that sends frames as they come to mind (RFC 9113), over TLS.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A connection on which HTTP/2 is spoken.
pub struct Frames {
    stream: StreamOwned<ClientConnection, TcpStream>,
    /// Whether the endpoint's settings and pings are answered.
    pub polite: bool,
}

#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// What came back until nothing more came.
#[derive(Debug, Default)]
pub struct Heard {
    /// The bodies of streams that were answered to their end.
    pub bodies: BTreeMap<u32, Vec<u8>>,
    /// Streams that were reset, and with which code.
    pub resets: BTreeMap<u32, u32>,
    /// The code of the last GOAWAY.
    pub goaway: Option<u32>,
    /// Whether the connection was closed.
    pub closed: bool,
}

impl Frames {
    /// Connects, and sends the preface with these settings.
    pub fn open(address: &str, settings: &[u8]) -> Frames {
        let tcp = TcpStream::connect(address).unwrap();
        let patience = Some(Duration::from_secs(2));
        tcp.set_read_timeout(patience).unwrap();
        tcp.set_write_timeout(patience).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(client()), name).unwrap();
        let stream = StreamOwned::new(client, tcp);
        let mut frames = Frames {
            stream,
            polite: true,
        };
        frames.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        frames.send(SETTINGS, 0, 0, settings);
        assert_eq!(frames.stream.conn.alpn_protocol(), Some(&b"h2"[..]));
        frames
    }

    /// Sends octets; nobody may be listening any more.
    pub fn raw(&mut self, octets: &[u8]) -> bool {
        self.stream.write_all(octets).is_ok()
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.raw(&frame(kind, flags, stream, payload))
    }

    /// A whole request.
    pub fn ask(&mut self, stream: u32, lines: &[(&str, &str)], body: &[u8]) {
        let end = if body.is_empty() { END_STREAM } else { 0 };
        self.send(HEADERS, END_HEADERS | end, stream, &block(lines));
        let mut rest = body;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(16_384));
            let end = if later.is_empty() { END_STREAM } else { 0 };
            self.send(DATA, end, stream, now);
            rest = later;
        }
    }

    /// Listens until all these streams have ended, the connection is closed, or nothing came for two seconds.
    pub fn hear(&mut self, wanted: usize) -> Heard {
        let mut heard = Heard::default();
        let mut open: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        while heard.bodies.len() + heard.resets.len() < wanted {
            let frame = match self.read() {
                Ok(frame) => frame,
                Err(error) => {
                    heard.closed = error.kind() != io::ErrorKind::WouldBlock;
                    return heard;
                }
            };
            match frame.kind {
                GOAWAY => heard.goaway = Some(number(&frame.payload[4..8])),
                RST_STREAM => drop(heard.resets.insert(frame.stream, number(&frame.payload))),
                DATA => open.entry(frame.stream).or_default().extend(frame.payload),
                _ => {}
            }
            if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
                let body = open.remove(&frame.stream).unwrap_or_default();
                heard.bodies.insert(frame.stream, body);
            }
        }
        heard
    }

    /// Reads one frame; answers those that want an answer.
    pub fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let mut payload = vec![0; number(&[0, head[0], head[1], head[2]]) as usize];
        self.stream.read_exact(&mut payload)?;
        let frame = Frame {
            kind: head[3],
            flags: head[4],
            stream: number(&head[5..]),
            payload,
        };
        if self.polite && frame.flags & ACK == 0 {
            match frame.kind {
                PING => drop(self.send(PING, ACK, 0, &frame.payload)),
                SETTINGS => drop(self.send(SETTINGS, ACK, 0, &[])),
                _ => {}
            }
        }
        Ok(frame)
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A header block (RFC 7541) of literals that are not indexed.
pub fn block(lines: &[(&str, &str)]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|(name, value)| [vec![0], text(name), text(value)].concat())
        .collect()
}

/// A literal that is kept in the table, for the peer to look up again.
pub fn kept(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], text(name), text(value)].concat()
}

fn text(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    match text.len() {
        length @ ..0x7f => octets.push(length as u8),
        length => {
            octets.push(0x7f);
            let mut rest = length - 0x7f;
            while rest >= 0x80 {
                octets.push(0x80 | (rest & 0x7f) as u8);
                rest >>= 7;
            }
            octets.push(rest as u8);
        }
    }
    octets.extend(text.as_bytes());
    octets
}

fn number(octets: &[u8]) -> u32 {
    u32::from_be_bytes(octets.try_into().unwrap())
}

/// TLS that asks nobody who the endpoint is.
fn client() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
