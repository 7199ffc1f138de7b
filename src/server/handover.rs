//! Handing a certificate out: it counts as offered once the connection has taken the whole reply.
//!
//! Noted any sooner, a kill in between would leave a device without the certificate that it counts as having: it comes
//! back with a new key and is refused. What is noted is that the operating system has the octets, not that the device
//! has: a reply that the network loses counts as given. With HTTP/2 another stream's octets may stand for this one's.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::devices::DeviceTurn;
use crate::authority::desk::Desk;
use crate::ledger::EntryId;

/// A certificate on its way to a device. Dropped unsent, nobody got it.
pub(super) struct Handover {
    pub(super) desk: Arc<Desk>,
    pub(super) entry: EntryId,
    /// The device's next request comes after the note.
    pub(super) turn: DeviceTurn,
}

/// What a connection was given and has not sent yet.
#[derive(Clone, Default)]
pub(super) struct Outbox(Arc<Mutex<Vec<Handover>>>);

impl Outbox {
    fn put(&self, handover: Handover) {
        self.lock().push(handover);
    }

    /// Everything was sent.
    pub(super) fn empty(&self) {
        for Handover { desk, entry, turn } in std::mem::take(&mut *self.lock()) {
            desk.offer(entry);
            drop(turn);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Handover>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of every answer: whole before its first octet is sent.
#[derive(Default)]
pub(super) struct Reply {
    octets: Bytes,
    handover: Option<(Handover, Outbox)>,
}

impl Reply {
    pub(super) fn new(octets: String) -> Reply {
        Reply {
            octets: octets.into(),
            handover: None,
        }
    }

    /// The body carries a certificate; the connection's outbox has it as soon as the connection takes the body.
    pub(super) fn hand_over(&mut self, handover: Handover, outbox: &Outbox) {
        self.handover = Some((handover, outbox.clone()));
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.octets.is_empty() {
            return Poll::Ready(None);
        }
        if let Some((handover, outbox)) = self.handover.take() {
            outbox.put(handover);
        }
        let octets = std::mem::take(&mut self.octets);
        Poll::Ready(Some(Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        self.octets.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.octets.len() as u64)
    }
}
