//! Keys in PKCS#11 tokens: find a token, log in, generate keys, sign.
//!
//! Above [`Signer`] nobody knows that PKCS#11 exists. A token is named by its label and serial number (a
//! [`TokenUri`]), never by its slot; a key by the public key in the CA's certificate, which label and id only help to
//! find. Nothing is guessed: no match or two are errors that list what was found.
//!
//! Refused: private keys a token would give away, digests of the wrong length, a second attempt with a PIN that was
//! rejected, and re-initialising a token unless [`OnInitialised::Erase`] says so.
//!
//! Trusted: the module. It is native code in this process; whoever can replace the file, or the configuration it reads,
//! can sign anything and read the PIN. What a module reports about a key's attributes cannot be verified from outside.
//!
//! A token that went away is used again when it is back: its session is opened again, the login restored, the key found
//! again, and if need be the module finalised and initialised ([`Key`]); everything that calls a module enters through its
//! gate, so that nobody is inside then. `exit` or returning from `main` while another thread signs still crashes in the
//! module: join every signing thread first.

mod anchor;
mod attributes;
mod cause;
mod circuit;
mod error;
mod gate;
mod generate;
mod info;
mod initialise;
mod key;
mod label;
mod locate;
mod login;
mod module;
mod object;
mod pin;
mod pin_source;
mod pool;
mod query;
mod recover;
mod session;
mod uri;

pub use attributes::KeyAttributes;
pub use cause::Cause;
pub use error::{Error, TriesLeft};
pub use generate::{GeneratedKey, Persistence};
pub use info::TokenInfo;
pub use initialise::{OnInitialised, Target};
pub use key::{Key, Signer};
pub use label::{Label, MAX_LABEL};
pub use login::OpenToken;
pub use module::{Module, Token};
pub use object::{KeyClass, KeyObject};
pub use pin::{Pin, PinError};
pub use pin_source::{PinEdge, PinSource};
pub use query::KeyQuery;
pub use uri::{ObjectType, TokenUri, UriError};

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Locks a mutex whose data stays whole when a thread panics while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks a mutex that somebody may hold while a module does not return.
fn lock_within<T>(mutex: &Mutex<T>, patience: Duration) -> Option<MutexGuard<'_, T>> {
    let start = Instant::now();
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if start.elapsed() >= patience => return None,
            // A mutex of the standard library cannot be waited for with a limit.
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
