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
//! A module stays initialised until the process ends, and `C_Finalize`, `exit` or returning from `main` while another
//! thread signs crashes in the module: join every signing thread first.

mod attributes;
mod cause;
mod error;
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

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data stays whole when a thread panics while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
