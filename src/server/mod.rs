//! The signing endpoint: devices register themselves with `POST /sign`, as lmp-device-register speaks it.
//!
//! A thin service over the engine. It refuses whatever a registrar token does not allow, and whatever a profile does
//! not; nothing that a device sends gets into a certificate or a `sota.toml` unread. Trusted are proxies that the
//! configuration names, and whoever holds a registrar token as far as its rights go.
//!
//! ```text
//! connection ──► route ──► register: registrars, body, gateway::sota, desk, backend ──► reply
//! ```
//!
//! | answer | when |
//! |---|---|
//! | 201 | the certificate is durable, and the backend knows the device where it has to |
//! | 400 | the body, the certification request or the settings are refused |
//! | 401, 403 | there is no good registrar token, or its rights do not suffice |
//! | 408, 413, 415 | the body is too slow, too large, or no JSON |
//! | 409 | the device has a certificate for another key, here or at the backend |
//! | 502 | the backend will not have the device |
//! | 503 | the token, the ledger or the backend is not available |

mod address;
mod backend;
mod body;
mod connection;
mod descriptors;
mod devices;
mod files;
mod handover;
mod metrics;
mod problem;
mod quiet;
mod receive;
mod register;
mod registrars;
mod route;
mod sending;
mod status;
mod tls;

pub use tls::{Tls, TlsKey};

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use crate::authority::desk::Desk;
use crate::authority::{Entropy, Issuer};
use crate::config::Anonymous;
use crate::error::Error;
use crate::gateway::{DeviceApi, SotaTemplate};
use crate::hex;
use crate::ledger::{Ledger, Writer};
use crate::profile::Profile;
use crate::timestamp::Timestamp;
use backend::Backend;
use connection::Door;
use devices::Devices;
use metrics::Metrics;
use quiet::Quiet;
use register::Registration;
use registrars::Registrars;
use route::{Endpoint, Room};
use status::{Monitor, Status};

/// Everything the endpoint works with.
pub struct Setup {
    /// Where devices connect.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics are answered instead of there.
    pub operations: Option<SocketAddr>,
    /// The CAs; all of them issue the profile.
    pub issuers: Vec<Issuer>,
    /// The name of the one that issues for callers that are bound to none.
    pub authority: String,
    /// The profile of the certificates.
    pub profile: Profile,
    /// The factory's name.
    pub factory: String,
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// The endpoint's right to write to it.
    pub writer: Writer,
    /// What a request without registrar token may do.
    pub anonymous: Anonymous,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
    /// How the devices' settings are written.
    pub sota: SotaTemplate,
    /// Where devices are created before they get their certificates.
    pub backend: Option<DeviceApi>,
    /// TLS; `None` is plain HTTP.
    pub tls: Option<Tls>,
    /// The random source.
    pub entropy: Entropy,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// Answers devices until SIGTERM or SIGINT, or until the engine cannot go on.
///
/// What was taken is finished first. `listening` is told the addresses once connections are accepted.
pub fn run(setup: Setup, listening: impl FnOnce(&[SocketAddr])) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(workers())
        .thread_name("endpoint")
        .build()
        .map_err(|error| {
            Error::usage(
                format!("threads cannot be started: {error}"),
                "see the limits of this process",
            )
        })?;
    let outcome = runtime.block_on(serve(setup, listening));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(setup: Setup, listening: impl FnOnce(&[SocketAddr])) -> Result<(), Error> {
    let (stop, stopped) = watch::channel(false);
    let stop = Arc::new(stop);
    // Before anybody is answered: from then on a signal must not cut anybody off.
    let signals = Signals::catch()?;
    let now = (setup.clock)();
    let tls = setup.tls.map(|tls| tls::acceptor(tls, now)).transpose()?;
    let (tls, tls_not_after) = tls.unzip();
    let listener = bind(setup.listen, "listen").await?;
    let operations = match setup.operations {
        Some(address) => Some(bind(address, "operations").await?),
        None => None,
    };
    let alarmed = {
        let stop = stop.clone();
        Box::new(move || {
            stop.send_replace(true);
        })
    };
    let (clock, entropy) = (setup.clock, setup.entropy);
    let desk = Arc::new(Desk::open(
        setup.issuers,
        setup.profile.clone(),
        setup.writer,
        entropy,
        clock,
        alarmed,
    ));
    let metrics = Arc::new(Metrics::new(tls_not_after));
    let status = Arc::new(Status::new());
    let registrars = Registrars::open(setup.ledger.clone(), setup.anonymous)?;
    let endpoint = Arc::new(Endpoint {
        registration: Registration {
            desk: desk.clone(),
            authority: setup.authority,
            profile: setup.profile.clone(),
            factory: setup.factory,
            registrars,
            proxies: setup.proxies,
            sota: setup.sota,
            backend: setup.backend.map(|api| Backend {
                api: Arc::new(api),
                desk: desk.clone(),
                metrics: metrics.clone(),
                calls: Semaphore::new(MOST_CALLS),
            }),
            devices: Devices::default(),
            places: Arc::new(Semaphore::new(MOST_REGISTRATIONS)),
            clock,
        },
        metrics: metrics.clone(),
        status: status.clone(),
        run: run_name(entropy),
        requests: AtomicU64::new(1),
        quiet: Quiet::new(),
    });
    let monitor = Monitor {
        desk: desk.clone(),
        profile: setup.profile,
        ledger: setup.ledger,
        metrics,
        status,
        clock,
    };
    monitor.look();
    let (monitoring, end_of_monitoring) = mpsc::channel();
    let monitor = std::thread::spawn(move || monitor.run(&end_of_monitoring));

    let addresses: Vec<SocketAddr> = [Some(&listener), operations.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|listener| listener.local_addr().ok())
        .collect();
    let room = match operations {
        Some(_) => Room::Sign,
        None => Room::Everything,
    };
    let door = |room, seats, tls| Door {
        endpoint: endpoint.clone(),
        room,
        seats,
        tls,
        stop: stopped.clone(),
    };
    let seats = descriptors::room_for(MOST_CONNECTIONS);
    if seats < MOST_CONNECTIONS {
        tracing::warn!(
            seats,
            "the limit of open files leaves room for fewer connections than usual"
        );
    }
    let mut doors = tokio::task::JoinSet::new();
    doors.spawn(door(room, seats, tls).open(listener));
    if let Some(operations) = operations {
        doors.spawn(door(Room::Operations, MOST_OPERATIONS, None).open(operations));
    }
    listening(&addresses);
    signals.wait_for_the_end(stopped).await;
    tracing::info!("stopping: what was taken is finished first");
    stop.send_replace(true);
    let closing = async { while doors.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_ORDERS, closing).await.is_err() {
        tracing::warn!("connections that are still open are cut off");
        doors.shutdown().await;
    }
    drop(monitoring);
    drop(endpoint);
    let monitor = tokio::task::spawn_blocking(|| monitor.join());
    let _ = tokio::time::timeout(THE_REST, monitor).await;
    close(desk, clock).await
}

/// The signals to stop, caught from the beginning.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> Result<Signals, Error> {
        let unusable =
            |error| Error::usage(format!("signals cannot be handled: {error}"), "try again");
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).map_err(unusable)?,
            interrupt: signal(SignalKind::interrupt()).map_err(unusable)?,
        })
    }

    /// Until a signal, or an alarm of the desk.
    async fn wait_for_the_end(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }
}

/// Waits for registrations that outlived their connections, then closes the desk.
///
/// A token or a backend that does not answer is not waited for: what is under way in them is left to the next start.
/// Why the desk had to end is told all the same, because a service manager goes by it.
async fn close(mut desk: Arc<Desk>, clock: fn() -> Timestamp) -> Result<(), Error> {
    let unfinished = |cause: Option<Arc<_>>| match cause {
        Some(cause) => Error::Stopped(cause),
        None => Error::Interrupted(
            "registrations are still under way; they are left to the next start".to_owned(),
        ),
    };
    let begun = tokio::time::Instant::now();
    let desk = loop {
        match Arc::try_unwrap(desk) {
            Ok(desk) => break desk,
            Err(shared) if begun.elapsed() > THE_REST => return Err(unfinished(shared.cause())),
            Err(shared) => desk = shared,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let cause = desk.cause();
    let closed = tokio::task::spawn_blocking(move || desk.close(clock()));
    match tokio::time::timeout(THE_REST, closed).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(Error::Stopped(error)),
        Ok(Err(_)) | Err(_) => Err(unfinished(cause)),
    }
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        let text = format!("`{address}` cannot be listened on: {error}");
        let hint = format!("name another address with `server.{key}` in factory-ca.yaml");
        Error::usage(text, hint)
    })
}

/// Some random letters for the numbers of requests.
fn run_name(entropy: Entropy) -> String {
    let mut random = [0; 4];
    entropy(&mut random);
    hex::encode(random)
}

/// A thread for every other processor; token and ledger have the rest.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    (processors / 2).clamp(1, 8)
}

/// Connections at once; more wait in the operating system's queue.
const MOST_CONNECTIONS: usize = 1024;

/// Connections at once of those who look after the endpoint.
const MOST_OPERATIONS: usize = 64;

/// Registrations at once: with a slow token, what it does in the ten seconds that a device waits.
const MOST_REGISTRATIONS: usize = 1024;

/// Calls to the backend at once.
const MOST_CALLS: usize = 128;

/// How long what was taken may take to finish after the signal to stop.
const LAST_ORDERS: Duration = Duration::from_secs(30);

/// How long the monitor, registrations without connection, and the desk may each take after that.
const THE_REST: Duration = Duration::from_secs(5);
