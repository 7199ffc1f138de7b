//! The only way into a module: any number of callers are inside, or the one that finalises and initialises it again.
//!
//! `C_Finalize` while another thread is inside a module crashes, and no module can be asked who is. So the binding's handle
//! is kept here and lent to whoever entered. Whoever shuts the gate waits for the others only so long: a call that never
//! returns must not stop the rest, and while it lasts the module is not finalised.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as BindingError, RvError};

use super::cause::{Cause, Reason};
use super::lock;

#[derive(Debug)]
pub(super) struct Gate {
    pkcs11: Pkcs11,
    shared: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: usize,
    /// Somebody waits until nobody is inside; nobody new may enter.
    shutting: bool,
    /// Somebody finalises the module.
    shut: bool,
    /// How often it was initialised again.
    epoch: u64,
}

/// Proof that the module is not finalised before this is dropped.
///
/// One thread must not hold two: it would wait for itself when somebody shuts the gate in between.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    gate: &'a Gate,
    epoch: u64,
}

/// Proof that nobody is inside.
struct Shut<'a>(&'a Gate);

impl Gate {
    /// Initialises the module.
    pub(super) fn open(pkcs11: Pkcs11) -> Result<Arc<Gate>, BindingError> {
        let shared = match initialise(&pkcs11) {
            // Another library in this process was first; its sessions and ours share the module.
            Err(BindingError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => true,
            outcome => outcome.map(|()| false)?,
        };
        Ok(Arc::new(Gate {
            pkcs11,
            shared,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Enters; waits while the module is initialised again, but not for ever.
    pub(super) fn enter(&self) -> Result<Inside<'_>, Cause> {
        let closed = |state: &mut State| state.shutting || state.shut;
        let (mut state, waited) = self
            .changed
            .wait_timeout_while(lock(&self.state), ENTER_PATIENCE, closed)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Reason::Restarting.into());
        }
        Ok(self.admit(&mut state))
    }

    /// Enters without waiting, even when somebody waits to shut the gate; not when it is shut.
    pub(super) fn enter_now(&self) -> Option<Inside<'_>> {
        let mut state = lock(&self.state);
        (!state.shut).then(|| self.admit(&mut state))
    }

    /// Finalises the module and initialises it again. One caller at a time: see [`Module`](super::Module).
    ///
    /// From then on there is another epoch, even if the module does not answer: sessions and handles of earlier ones must
    /// be neither used nor closed.
    pub(super) fn reopen(&self) -> Result<(), Cause> {
        let _shut = self.shut()?;
        match self.pkcs11.clone().finalize() {
            Ok(()) | Err(BindingError::Pkcs11(RvError::CryptokiNotInitialized, _)) => {
                Ok(initialise(&self.pkcs11)?)
            }
            // It may be finalised all the same; if not, it refuses to be initialised, and why is the first answer.
            Err(cause) => initialise(&self.pkcs11).map_err(|_| cause.into()),
        }
    }

    /// How often the module was initialised again.
    pub(super) fn epoch(&self) -> u64 {
        lock(&self.state).epoch
    }

    /// Whether another library in this process initialised the module, and would lose it.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    fn shut(&self) -> Result<Shut<'_>, Cause> {
        let mut state = lock(&self.state);
        state.shutting = true;
        let occupied = |state: &mut State| state.inside > 0;
        let (mut state, waited) = self
            .changed
            .wait_timeout_while(state, SHUT_PATIENCE, occupied)
            .unwrap_or_else(PoisonError::into_inner);
        state.shutting = false;
        if waited.timed_out() {
            self.changed.notify_all();
            return Err(Reason::Occupied(state.inside).into());
        }
        state.shut = true;
        state.epoch += 1;
        Ok(Shut(self))
    }

    fn admit(&self, state: &mut State) -> Inside<'_> {
        state.inside += 1;
        Inside {
            gate: self,
            epoch: state.epoch,
        }
    }
}

impl Inside<'_> {
    pub(super) fn pkcs11(&self) -> &Pkcs11 {
        &self.gate.pkcs11
    }

    /// How often the module had been initialised again when this was made, and has been still.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.gate.state);
        state.inside -= 1;
        if state.shutting && state.inside == 0 {
            self.gate.changed.notify_all();
        }
    }
}

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).shut = false;
        self.0.changed.notify_all();
    }
}

fn initialise(pkcs11: &Pkcs11) -> Result<(), BindingError> {
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
}

/// How long whoever finalises waits for the calls inside. Most last milliseconds, a TPM's signature a few hundred; as
/// long as this lasts, nobody else gets in.
const SHUT_PATIENCE: Duration = Duration::from_secs(1);
/// How long callers wait outside: as long as others may need to get out, and then some for the module to come up.
const ENTER_PATIENCE: Duration = Duration::from_secs(5);
