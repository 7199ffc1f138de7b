//! Connections: how many, for how long, and what they speak.
//!
//! Plain connections speak HTTP/1.1; with TLS the client chooses between HTTP/2 and HTTP/1.1.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::handover::{Outbox, Reply};
use super::route::{Endpoint, Room};
use super::sending::Sending;

/// Accepts connections until it is told to stop, then waits for those that are open.
pub(super) struct Door {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) room: Room,
    /// Connections at once.
    pub(super) seats: usize,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Door {
    pub(super) async fn open(mut self, listener: TcpListener) {
        let seats = Arc::new(Semaphore::new(self.seats));
        let mut open = JoinSet::new();
        loop {
            while open.try_join_next().is_some() {}
            let seat = tokio::select! {
                seat = seats.clone().acquire_owned() => seat,
                _ = self.stop.wait_for(|stop| *stop) => break,
            };
            let Ok(seat) = seat else { break };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    open.spawn(self.guest(stream, peer, seat));
                }
                // Out of file descriptors, most likely: others have to leave first.
                Err(error) => {
                    let text = format!("a connection could not be accepted: {error}");
                    self.endpoint.strange(&text);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(listener);
        while open.join_next().await.is_some() {}
    }

    fn guest(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        seat: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + use<> {
        let (endpoint, room, stop) = (self.endpoint.clone(), self.room, self.stop.clone());
        let tls = self.tls.clone();
        async move {
            let _ = stream.set_nodelay(true);
            endpoint.metrics.connections.inc();
            match tls {
                None => speak(stream, Protocol::Http1, endpoint.clone(), room, peer, stop).await,
                Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let protocol = match stream.get_ref().1.alpn_protocol() {
                            Some(b"h2") => Protocol::Http2,
                            _ => Protocol::Http1,
                        };
                        speak(stream, protocol, endpoint.clone(), room, peer, stop).await;
                    }
                    Ok(Err(error)) => endpoint.strange(&format!("TLS with {peer}: {error}")),
                    Err(_) => endpoint.strange(&format!("TLS with {peer} took too long")),
                },
            }
            endpoint.metrics.connections.dec();
            drop(seat);
        }
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    protocol: Protocol,
    endpoint: Arc<Endpoint>,
    room: Room,
    peer: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    let under_way = watch::Sender::new(0);
    let mut requests = under_way.subscribe();
    let outbox = Outbox::default();
    let stream = TokioIo::new(Sending::new(stream, outbox.clone(), UNREAD));
    let service = service_fn(move |request: Request<Incoming>| {
        let (endpoint, outbox) = (endpoint.clone(), outbox.clone());
        let counted = Counted::new(&under_way);
        async move {
            let answer = endpoint.answer(room, request, peer, &outbox).await;
            drop(counted);
            Ok::<Response<Reply>, Infallible>(answer)
        }
    });
    // A connection that breaks is its client's loss: there is nobody to tell.
    match protocol {
        Protocol::Http1 => {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER)
                .max_buf_size(LARGEST_HEADER)
                .serve_connection(stream, service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        }
        Protocol::Http2 => {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(HEADER)
                .keep_alive_timeout(HEADER)
                .max_concurrent_streams(MOST_STREAMS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_send_buf_size(STREAM_WINDOW as usize)
                .max_header_list_size(LARGEST_HEADER as u32)
                .serve_connection(stream, service);
            let mut connection = std::pin::pin!(connection);
            let farewell = tokio::select! {
                _ = connection.as_mut() => return,
                _ = stop.wait_for(|stop| *stop) => LAST_ANSWERS,
                () = idle(&mut requests) => FAREWELL,
            };
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(farewell, connection).await;
        }
    }
}

/// Returns when there has been no request for a while. A client that answers pings does not keep its seat by that.
async fn idle(requests: &mut watch::Receiver<usize>) {
    loop {
        if requests.wait_for(|requests| *requests == 0).await.is_err() {
            return;
        }
        if tokio::time::timeout(HEADER, requests.changed())
            .await
            .is_err()
        {
            return;
        }
    }
}

/// A request under way, until it is dropped.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(requests: &watch::Sender<usize>) -> Counted {
        requests.send_modify(|requests| *requests += 1);
        Counted(requests.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}

/// Requests at once on one HTTP/2 connection.
const MOST_STREAMS: u32 = 32;

/// Octets of a request's header. hyper wants at least 8 KiB to work with.
const LARGEST_HEADER: usize = 16 * 1024;

/// For a header to arrive, and how long an idle connection is kept.
const HEADER: Duration = Duration::from_secs(15);

/// What a client may send on one HTTP/2 stream, and on all of them, before the endpoint takes it: a body, and a few.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// For an HTTP/2 client that asked for nothing to take its leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// For one that waits for answers when the endpoint stops.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// For a client to read something of what it is sent.
const UNREAD: Duration = Duration::from_secs(15);

/// For a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Before accepting is tried again.
const PAUSE: Duration = Duration::from_millis(100);
