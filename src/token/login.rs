//! Being logged in to a token, and staying so.
//!
//! Login belongs to the process and the token (PKCS#11 section 5.6.8): one anchor session is kept open, because closing
//! the last session logs out. When a session is lost, the anchor is asked for its state; the error code of the failed
//! call is not believed, every module reports another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use cryptoki::error::{Error as BindingError, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;

use super::object::{KeyClass, KeyObject};
use super::{Error, KeyQuery, Module, Pin, Token, TokenInfo, TriesLeft, lock};

/// A token this process is logged in to.
///
/// Cheap to clone. The login lasts until the last clone and the last [`Key`](super::Key) from it are dropped. The PIN is
/// kept, wiped when it is dropped, to log in again after the token lost its sessions.
#[derive(Clone, Debug)]
pub struct OpenToken {
    pub(super) login: Arc<Login>,
}

#[derive(Debug)]
pub(super) struct Login {
    module: Module,
    info: TokenInfo,
    pin: Option<Pin>,
    anchor: Mutex<Anchor>,
    sessions_lost: AtomicU64,
    logins_lost: AtomicU64,
}

/// What sessions and object handles were opened under; they are good as long as it stays the same.
///
/// After a loss the module may give their numbers to new sessions and other objects, so an old session must be neither
/// used nor closed, and an old handle may be another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    sessions_lost: u64,
    logins_lost: u64,
}

#[derive(Debug)]
struct Anchor {
    slot: Slot,
    session: Session,
}

impl OpenToken {
    pub(super) fn login(token: Token, pin: Option<Pin>) -> Result<OpenToken, Error> {
        let Token { module, info } = token;
        let anchor = Anchor::drop_at(&module, &info, pin.as_ref())?;
        Ok(OpenToken {
            login: Arc::new(Login {
                module,
                info,
                pin,
                anchor: Mutex::new(anchor),
                sessions_lost: AtomicU64::new(0),
                logins_lost: AtomicU64::new(0),
            }),
        })
    }

    /// What the token said about itself when it was found.
    pub fn info(&self) -> &TokenInfo {
        &self.login.info
    }

    /// The token's label.
    pub fn label(&self) -> &str {
        &self.login.info.label
    }

    /// All private and public keys in the token.
    pub fn keys(&self) -> Result<Vec<KeyObject>, Error> {
        let session = self.login.session()?;
        let mut keys = Vec::new();
        for class in [KeyClass::Private, KeyClass::Public] {
            let found = KeyObject::find(&session, class, &KeyQuery::default());
            keys.extend(found.map_err(self.login.unavailable("listing its keys"))?);
        }
        Ok(keys)
    }
}

impl Login {
    pub(super) fn label(&self) -> String {
        self.info.label.clone()
    }

    /// A new session that only reads, logged in.
    pub(super) fn session(&self) -> Result<Session, Error> {
        let slot = self.anchored()?.slot;
        let session = self.module.pkcs11().open_ro_session(slot);
        session.map_err(self.unavailable("opening a session"))
    }

    /// A new session that may write to the token.
    pub(super) fn writing_session(&self) -> Result<Session, Error> {
        let slot = self.anchored()?.slot;
        let session = self.module.pkcs11().open_rw_session(slot);
        session.map_err(self.unavailable("opening a session that writes"))
    }

    /// Runs something in the anchor session: objects it makes live as long as the login.
    pub(super) fn in_anchor<T>(
        &self,
        work: impl FnOnce(&Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        work(&self.anchored()?.session)
    }

    /// Makes sure that the process is logged in, and says what sessions are opened under now.
    pub(super) fn restore(&self) -> Result<Standing, Error> {
        let _anchored = self.anchored()?;
        Ok(self.standing())
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            sessions_lost: self.sessions_lost.load(Ordering::SeqCst),
            logins_lost: self.logins_lost.load(Ordering::SeqCst),
        }
    }

    /// Closes a session, unless its number may mean another one by now.
    pub(super) fn retire(&self, session: Session, opened: Standing) {
        match opened.sessions_lost == self.standing().sessions_lost {
            true => drop(session),
            false => std::mem::forget(session),
        }
    }

    pub(super) fn unavailable(
        &self,
        doing: impl Into<String>,
    ) -> impl FnOnce(BindingError) -> Error {
        unavailable(&self.info, doing)
    }

    /// The anchor, logged in again or replaced if need be. One thread repairs, the others wait.
    fn anchored(&self) -> Result<MutexGuard<'_, Anchor>, Error> {
        let mut anchor = lock(&self.anchor);
        match anchor
            .session
            .get_session_info()
            .map(|info| info.session_state())
        {
            Ok(SessionState::RoUser | SessionState::RwUser) => {}
            Ok(_) => self.log_in_again(&anchor)?,
            Err(_) => self.replace(&mut anchor)?,
        }
        Ok(anchor)
    }

    fn log_in_again(&self, anchor: &Anchor) -> Result<(), Error> {
        let pin = self.pin.as_ref();
        if !needs_login(&self.info, pin) {
            return Ok(());
        }
        self.logins_lost.fetch_add(1, Ordering::SeqCst);
        log_in(&self.module, &self.refreshed()?, pin, &anchor.session)
    }

    fn replace(&self, anchor: &mut Anchor) -> Result<(), Error> {
        // Counted first: from here on nobody closes an old session number.
        self.sessions_lost.fetch_add(1, Ordering::SeqCst);
        let new = Anchor::drop_at(&self.module, &self.refreshed()?, self.pin.as_ref())?;
        std::mem::forget(std::mem::replace(anchor, new).session);
        Ok(())
    }

    /// The token as it is now; its slot may have changed.
    fn refreshed(&self) -> Result<TokenInfo, Error> {
        let found = self.module.find(&self.info.uri());
        found.map(|token| token.info).map_err(|error| match error {
            Error::TokenNotFound { module, .. } => Error::TokenLost {
                token: self.label(),
                module,
            },
            error => error,
        })
    }
}

impl Anchor {
    fn drop_at(module: &Module, info: &TokenInfo, pin: Option<&Pin>) -> Result<Anchor, Error> {
        let slot = Slot::try_from(info.slot).map_err(unavailable(info, "finding its slot"))?;
        let session = module.pkcs11().open_ro_session(slot);
        let session = session.map_err(unavailable(info, "opening a session"))?;
        if needs_login(info, pin) {
            log_in(module, info, pin, &session)?;
        }
        Ok(Anchor { slot, session })
    }
}

fn needs_login(info: &TokenInfo, pin: Option<&Pin>) -> bool {
    info.login_required || pin.is_some()
}

/// Refuses a login that cannot succeed, without a try.
fn check_login(module: &Module, info: &TokenInfo, pin: Option<&Pin>) -> Result<(), Error> {
    let token = info.label.clone();
    if module.has_rejected(info) {
        return Err(Error::PinRejected {
            token,
            left: TriesLeft::of(info),
        });
    }
    match pin {
        _ if info.pin_locked => Err(Error::PinLocked { token }),
        _ if !info.user_pin_initialised => Err(Error::PinNotSet { token }),
        None if !info.protected_auth_path => Err(Error::PinMissing { token }),
        _ => Ok(()),
    }
}

/// One try, and only one.
fn log_in(
    module: &Module,
    info: &TokenInfo,
    pin: Option<&Pin>,
    session: &Session,
) -> Result<(), Error> {
    check_login(module, info, pin)?;
    let outcome = session.login(UserType::User, pin.map(Pin::auth).as_ref());
    let token = info.label.clone();
    match outcome {
        Ok(()) | Err(BindingError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(BindingError::Pkcs11(
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
            _,
        )) => {
            module.remember_rejection(info);
            let now = module.find(&info.uri()).map(|token| token.info);
            Err(Error::PinRejected {
                token,
                left: now.as_ref().map_or(TriesLeft::Unknown, TriesLeft::of),
            })
        }
        Err(BindingError::Pkcs11(RvError::PinLocked, _)) => Err(Error::PinLocked { token }),
        Err(BindingError::Pkcs11(RvError::PinExpired, _)) => Err(Error::PinExpired { token }),
        Err(BindingError::Pkcs11(RvError::UserPinNotInitialized, _)) => {
            Err(Error::PinNotSet { token })
        }
        Err(cause) => Err(unavailable(info, "logging in")(cause)),
    }
}

impl TriesLeft {
    fn of(info: &TokenInfo) -> TriesLeft {
        match info {
            info if info.pin_locked => TriesLeft::Locked,
            info if info.pin_final_try => TriesLeft::FinalTry,
            info if info.pin_count_low => TriesLeft::Low,
            _ => TriesLeft::Unknown,
        }
    }
}

fn unavailable(info: &TokenInfo, doing: impl Into<String>) -> impl FnOnce(BindingError) -> Error {
    let (token, doing) = (info.label.clone(), doing.into());
    move |source| Error::TokenUnavailable {
        token,
        doing,
        source: source.into(),
    }
}
