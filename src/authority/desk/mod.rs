//! The desk: many callers at once, one ledger thread, a thread for each lane of a token.
//!
//! ```text
//! submit ──► ledger ──► signers ──► ledger ──► reply
//!            reserve    C_Sign,     record
//!                       verify
//! ```
//!
//! The steps are those of [`Authority::issue`]. Whatever waits for the ledger goes into one transaction, so callers who
//! come together share its sync. A token that fails keeps its callers waiting until their deadline, and is tried again
//! meanwhile; the ledger refuses at once. What leaves an outcome in doubt ends the desk: nothing more is signed,
//! nothing is released, and [`Desk::close`] returns the reason.

mod books;
mod inbox;
mod signer;
mod waiting;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use inbox::Inbox;
use signer::Signer;
use waiting::Waiting;

use super::{Authority, Entropy, Error, Issued, Issuer, Prepared};
use crate::ledger::{AtGateway, EntryId, OnLive, RegistrarId, Writer};
use crate::profile::Profile;
use crate::timestamp::Timestamp;
use crate::x509::Csr;

/// Where certificates are asked for by many at once.
pub struct Desk {
    counters: BTreeMap<String, Arc<Counter>>,
    writer: Arc<Writer>,
    entropy: Entropy,
    clock: fn() -> Timestamp,
    inbox: Arc<Inbox>,
    books: JoinHandle<()>,
    signers: Vec<JoinHandle<()>>,
    alarm: Arc<Alarm>,
    fault: Fault,
}

/// Since when the ledger cannot be written, and why.
type Fault = Arc<Mutex<Option<(Instant, String)>>>;

/// One CA of the desk, and those that wait for its token.
pub struct Counter {
    issuer: Issuer,
    waiting: Waiting,
}

/// A request that was admitted, with all that the ledger is to know about it.
pub struct Application {
    /// What is to be signed.
    pub prepared: Prepared,
    /// Where it came from, as the ledger keeps it: the token's name and the address.
    pub source: String,
    /// Where the device came from: the address.
    pub address: String,
    /// The device's name, for the gateway's backend.
    pub name: Option<String>,
    /// The registrar that vouches for it; `None` for nobody.
    pub registrar: Option<RegistrarId>,
    /// What to do when the device has a live certificate.
    pub on_live: OnLive,
    /// Whether the gateway's backend is to be told before the certificate is handed out.
    pub at_gateway: AtGateway,
    /// When its caller stops waiting for the token.
    pub deadline: Instant,
}

/// A refusal to be kept in the ledger.
pub struct Rejection {
    /// The token's name and the address.
    pub source: String,
    /// The device, as far as it is known.
    pub device: Option<String>,
    /// SHA-256 of the key, as far as it is known.
    pub key: Option<[u8; 32]>,
    /// The rule's stable name.
    pub rule: &'static str,
    /// What was wrong.
    pub message: String,
}

/// How long each step took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps {
    /// Until the reservation was durable.
    pub reserve: Duration,
    /// Until the signature was made and verified.
    pub sign: Duration,
    /// Until the certificate was durable.
    pub record: Duration,
}

/// What a caller gets.
pub type Answer = Result<(Issued, Steps), Arc<Error>>;

type Reply = Box<dyn FnOnce(Answer) + Send>;
/// Called when something is durable, or could not be made so.
pub type Done = Box<dyn FnOnce(Result<(), Arc<Error>>) + Send>;

impl Desk {
    /// Opens the desk for some CAs, all of which issue one profile.
    ///
    /// `alarmed` is called once when the desk has to end: an outcome is in doubt, a token is broken, or its PIN is wrong.
    pub fn open(
        issuers: Vec<Issuer>,
        profile: Profile,
        writer: Writer,
        entropy: Entropy,
        clock: fn() -> Timestamp,
        alarmed: Box<dyn Fn() + Send + Sync>,
    ) -> Desk {
        let inbox = Arc::new(Inbox::default());
        let alarm = Arc::new(Alarm::new(alarmed));
        let writer = Arc::new(writer);
        let fault = Fault::default();
        let mut counters = BTreeMap::new();
        let mut signers = Vec::new();
        for issuer in issuers {
            let waiting = Waiting::default();
            let counter = Arc::new(Counter { issuer, waiting });
            for _ in 0..counter.issuer.lanes() {
                let (counter, inbox) = (counter.clone(), inbox.clone());
                let alarm = alarm.clone();
                let signer = Signer {
                    counter,
                    inbox,
                    alarm,
                };
                signers.push(start("signer", move || signer.run()));
            }
            counters.insert(counter.issuer.name().to_owned(), counter);
        }
        let books = books::Books {
            profile,
            writer: writer.clone(),
            entropy,
            clock,
            alarm: alarm.clone(),
            fault: fault.clone(),
            inbox: inbox.clone(),
            owed: Vec::new(),
        };
        Desk {
            counters,
            writer,
            entropy,
            clock,
            inbox,
            books: start("ledger", move || books.run()),
            signers,
            alarm,
            fault,
        }
    }

    /// A CA of the desk.
    pub fn counter(&self, authority: &str) -> Option<&Arc<Counter>> {
        self.counters.get(authority)
    }

    /// The CAs of the desk.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.counters.values().map(|counter| &counter.issuer)
    }

    /// Admits a request and writes its TBS bytes; nothing is reserved yet.
    pub fn prepare(
        &self,
        counter: &Counter,
        csr: &Csr,
        profile: &Profile,
    ) -> Result<Prepared, Error> {
        let authority = Authority::new(&counter.issuer, &self.writer, self.entropy);
        authority.prepare(csr, profile, (self.clock)())
    }

    /// Hands in an application; `reply` is called from a thread of the desk, once.
    ///
    /// It is not called if the desk is closed before.
    pub fn submit(
        &self,
        counter: &Arc<Counter>,
        application: Application,
        reply: impl FnOnce(Answer) + Send + 'static,
    ) {
        let case = Box::new(Case {
            counter: counter.clone(),
            application,
            steps: Steps::default(),
            since: Instant::now(),
            reply: Box::new(reply),
        });
        self.send(Job::Reserve(case));
    }

    /// Notes that a certificate is being handed out. It becomes durable with the next group, or soon.
    pub fn offer(&self, entry: EntryId) {
        self.send(Job::Offer(entry));
    }

    /// Keeps a refusal.
    pub fn reject(&self, rejection: Rejection) {
        self.send(Job::Reject(rejection));
    }

    /// Keeps what the gateway's backend said about a device: it is there.
    pub fn gateway_done(&self, entry: EntryId, done: Done) {
        self.send(Job::GatewayDone(entry, done));
    }

    /// Keeps what the gateway's backend said about a device: it will not have it. The certificate is revoked.
    pub fn gateway_refused(&self, entry: EntryId, done: Done) {
        self.send(Job::GatewayRefused(entry, done));
    }

    /// Why the ledger could not be written a moment ago; forgotten soon, so that it is tried again.
    pub fn ledger_fault(&self) -> Option<String> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = fault.as_ref().filter(|(at, _)| at.elapsed() < FORGOTTEN);
        recent.map(|(_, text)| text.clone())
    }

    /// Takes note of what a check of a token found; ends the desk if only an officer can help.
    pub fn consider(&self, error: Error) {
        if signer::ends_the_desk(&error) {
            self.alarm.raise(Arc::new(error));
        }
    }

    /// Why the desk has to end, if it has to.
    pub fn cause(&self) -> Option<Arc<Error>> {
        self.alarm.cause()
    }

    /// Ends the desk; everything that was submitted should have been answered. Returns why it had to end, if it had to.
    pub fn close(self, now: Timestamp) -> Result<(), Arc<Error>> {
        for counter in self.counters.values() {
            counter.waiting.end();
        }
        for signer in self.signers {
            let _ = signer.join();
        }
        self.inbox.put(Job::End);
        let _ = self.books.join();
        // After a commit in doubt the writer refuses to write; what it had reserved is for the next one to abandon.
        let finished = Arc::into_inner(self.writer).map_or(Ok(vec![]), |writer| writer.finish(now));
        match (self.alarm.cause(), finished) {
            (Some(cause), _) => Err(cause),
            (None, Err(error)) => Err(Arc::new(error.into())),
            (None, Ok(_)) => Ok(()),
        }
    }

    fn send(&self, job: Job) {
        self.inbox.put(job);
    }
}

impl Counter {
    /// The CA.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}

/// An application under way.
struct Case {
    counter: Arc<Counter>,
    application: Application,
    steps: Steps,
    since: Instant,
    reply: Reply,
}

impl Case {
    /// The time since the step before.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.since, now))
    }
}

/// What the ledger thread gets to do.
enum Job {
    Reserve(Box<Case>),
    Record(Box<Case>, EntryId, Vec<u8>),
    Abandon(Box<Case>, EntryId, Error),
    Offer(EntryId),
    Reject(Rejection),
    GatewayDone(EntryId, Done),
    GatewayRefused(EntryId, Done),
    End,
}

/// Why the desk has to end.
struct Alarm {
    raised: AtomicBool,
    cause: Mutex<Option<Arc<Error>>>,
    alarmed: Box<dyn Fn() + Send + Sync>,
}

impl Alarm {
    fn new(alarmed: Box<dyn Fn() + Send + Sync>) -> Alarm {
        Alarm {
            raised: AtomicBool::new(false),
            cause: Mutex::new(None),
            alarmed,
        }
    }

    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// The first cause is kept, unless a later one leaves an outcome in doubt.
    fn raise(&self, error: Arc<Error>) {
        let grave = books::leaves_doubt(&error);
        let mut cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        let before = cause.as_deref().is_some_and(books::leaves_doubt);
        if cause.is_none() || (grave && !before) {
            *cause = Some(error);
        }
        drop(cause);
        if !self.raised.swap(true, Ordering::AcqRel) {
            (self.alarmed)();
        }
    }

    fn cause(&self) -> Option<Arc<Error>> {
        let cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        cause.clone()
    }
}

/// A thread with a name that tools show.
fn start(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let named = std::thread::Builder::new().name(name.to_owned());
    match named.spawn(work) {
        Ok(thread) => thread,
        Err(error) => panic!("no thread can be started: {error}"),
    }
}

/// After so long a fault of the ledger does not keep anybody from trying.
const FORGOTTEN: Duration = Duration::from_secs(2);
