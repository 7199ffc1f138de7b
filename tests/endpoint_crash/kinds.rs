//! What clients do, each kind in its own way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::client::{Back, Crowd, End};
use crate::device::{Request, uuid};

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Comes back with a new key, and is content with a certificate.
    Device,
    /// Keeps its request, and asks again when it has its certificate.
    Keeper,
    /// Comes again with another key after it got its certificate; its registrar may reissue.
    Returner,
    /// Two with the same request at once.
    Twins,
    /// Two with the same UUID and different keys: one of them is refused.
    Rivals,
}

impl Crowd {
    /// One device of this kind after the other.
    pub fn keep_asking(&self, kind: Kind, over: &AtomicBool) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        while !over.load(Ordering::Relaxed) {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            self.ask(kind, &uuid(kind as u32, number));
        }
    }

    fn ask(&self, kind: Kind, uuid: &str) {
        let request = Request::new(uuid);
        let same = || self.must_register(request.clone(), &self.token, Back::WithSameRequest);
        match kind {
            Kind::Device => {
                self.must_register(request, &self.token, Back::WithNewKey);
            }
            Kind::Keeper => self.assert_same(uuid, same(), same()),
            Kind::Returner => {
                for _ in 0..3 {
                    self.must_register(Request::new(uuid), &self.reissue, Back::WithNewKey);
                }
            }
            Kind::Twins => {
                let (one, other) = at_once(same, same);
                self.assert_same(uuid, one, other);
            }
            Kind::Rivals => {
                let ask = || self.register(Request::new(uuid), &self.token, Back::WithNewKey);
                let (one, other) = at_once(ask, ask);
                self.judge_rivals(uuid, &one, &other);
            }
        }
    }

    fn assert_same(&self, uuid: &str, one: Option<String>, other: Option<String>) {
        if one != other {
            self.fault(uuid, &format!("one {one:?}, the other {other:?}"));
        }
    }

    /// Both may be registered: a reply that was sent right before a kill may be forgotten.
    fn judge_rivals(&self, uuid: &str, one: &End, other: &End) {
        match (one, other) {
            (End::Registered(_), End::Registered(_)) => {}
            (End::Registered(_), End::Refused(answer))
            | (End::Refused(answer), End::Registered(_)) => {
                let is_live = answer.message().contains("already has certificate");
                if answer.status != 409 || !is_live {
                    self.fault(uuid, &answer.text());
                }
            }
            _ => self.fault(uuid, &format!("{one:?}\n{other:?}")),
        }
    }
}

/// Two at once.
fn at_once<T: Send>(one: impl FnOnce() -> T + Send, other: impl FnOnce() -> T + Send) -> (T, T) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        (one(), other.join().unwrap())
    })
}
