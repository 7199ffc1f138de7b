//! Sessions that outlive their module's epoch without harm.

use std::sync::Arc;

use cryptoki::error::Error as BindingError;
use cryptoki::session::Session as Opened;
use cryptoki::slot::Slot;

use super::cause::{Cause, Reason};
use super::gate::{Gate, Inside};

/// A session that is used, and closed, only in the epoch it was opened in.
///
/// A module that was initialised again gives the same numbers to new sessions: to close an old one would close another.
#[derive(Debug)]
pub(super) struct Session {
    gate: Arc<Gate>,
    epoch: u64,
    opened: Option<Opened>,
}

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Session {
    pub(super) fn open(
        gate: &Arc<Gate>,
        inside: &Inside<'_>,
        slot: Slot,
        access: Access,
    ) -> Result<Session, BindingError> {
        let opened = match access {
            Access::Read => inside.pkcs11().open_ro_session(slot)?,
            Access::Write => inside.pkcs11().open_rw_session(slot)?,
        };
        Ok(Session {
            gate: gate.clone(),
            epoch: inside.epoch(),
            opened: Some(opened),
        })
    }

    /// The session itself, as long as the caller is inside the module.
    pub(super) fn of<'s>(&'s self, inside: &'s Inside<'_>) -> Result<&'s Opened, Cause> {
        let current = self.opened.as_ref().filter(|_| self.is_of(inside));
        current.ok_or(Reason::Restarted.into())
    }

    pub(super) fn is_of(&self, inside: &Inside<'_>) -> bool {
        self.epoch == inside.epoch()
    }

    /// Lets it go without closing it: its number may mean another session by now.
    pub(super) fn forget(mut self) {
        std::mem::forget(self.opened.take());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let opened = self.opened.take();
        match self.gate.enter_now() {
            Some(inside) if self.is_of(&inside) => drop(opened),
            _ => std::mem::forget(opened),
        }
    }
}
