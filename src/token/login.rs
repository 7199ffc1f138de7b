//! Being logged in to a token, and staying so.
//!
//! Login belongs to the process and the token (PKCS#11 section 5.6.8): one anchor session is kept open, because closing
//! the last session logs out. When a session is lost, the anchor is asked for its state; the error code of the failed
//! call is not believed, every module reports another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cryptoki::session::SessionState;

use super::anchor::{Anchor, needs_login};
use super::cause::{Cause, Reason};
use super::circuit::Circuit;
use super::gate::Inside;
use super::object::{KeyClass, KeyObject};
use super::session::{Access, Session};
use super::{Error, KeyQuery, Module, Pin, Token, TokenInfo, lock_within};

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
    pub(super) module: Module,
    pub(super) circuit: Circuit,
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
    epoch: u64,
    sessions_lost: u64,
    logins_lost: u64,
}

impl OpenToken {
    pub(super) fn login(token: Token, pin: Option<Pin>) -> Result<OpenToken, Error> {
        let Token { module, info } = token;
        let anchor = {
            let inside = module.enter("logging in")?;
            Anchor::drop_at(&module, &inside, &info, pin.as_ref())?
        };
        Ok(OpenToken {
            login: Arc::new(Login {
                module,
                circuit: Circuit::default(),
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
        let inside = self.login.enter()?;
        let session = self.login.session(&inside)?;
        let session = session
            .of(&inside)
            .map_err(self.login.unavailable("listing its keys"))?;
        let mut keys = Vec::new();
        for class in [KeyClass::Private, KeyClass::Public] {
            let found = KeyObject::find(session, class, &KeyQuery::default());
            keys.extend(found.map_err(self.login.unavailable("listing its keys"))?);
        }
        Ok(keys)
    }
}

impl Login {
    pub(super) fn label(&self) -> String {
        self.info.label.clone()
    }

    /// Enters the module.
    pub(super) fn enter(&self) -> Result<Inside<'_>, Error> {
        let inside = self.module.gate().enter();
        inside.map_err(|cause| self.unavailable("waiting for its module")(cause))
    }

    /// A new session that only reads, logged in.
    pub(super) fn session(&self, inside: &Inside<'_>) -> Result<Session, Error> {
        let slot = self.anchored(inside)?.slot;
        let session = Session::open(self.module.gate(), inside, slot, Access::Read);
        session.map_err(self.unavailable("opening a session"))
    }

    /// A new session that may write to the token.
    pub(super) fn writing_session(&self, inside: &Inside<'_>) -> Result<Session, Error> {
        let slot = self.anchored(inside)?.slot;
        let session = Session::open(self.module.gate(), inside, slot, Access::Write);
        session.map_err(self.unavailable("opening a session that writes"))
    }

    /// Makes sure that the process is logged in, and says what sessions are opened under now.
    pub(super) fn restore(&self, inside: &Inside<'_>) -> Result<Standing, Error> {
        let _anchored = self.anchored(inside)?;
        Ok(self.standing(inside))
    }

    pub(super) fn standing(&self, inside: &Inside<'_>) -> Standing {
        Standing {
            epoch: inside.epoch(),
            sessions_lost: self.sessions_lost.load(Ordering::SeqCst),
            logins_lost: self.logins_lost.load(Ordering::SeqCst),
        }
    }

    /// Closes a session, unless its number may mean another one by now.
    pub(super) fn retire(&self, session: Session, opened: Standing) {
        match opened.sessions_lost == self.sessions_lost.load(Ordering::SeqCst) {
            true => drop(session),
            false => session.forget(),
        }
    }

    /// Asks the token itself. SoftHSM2 says of a token whose directory is gone that its session is logged in, and that it
    /// has no keys.
    pub(super) fn ask(&self, inside: &Inside<'_>) -> Result<(), Error> {
        let slot = self.anchored(inside)?.slot;
        let found = inside.pkcs11().get_token_info(slot);
        let found = found.map_err(self.unavailable("asking it for its state"))?;
        match TokenInfo::new(&found, slot).identity() == self.info.identity() {
            true => Ok(()),
            false => Err(self.lost(self.module.name())),
        }
    }

    pub(super) fn unavailable<C: Into<Cause>>(
        &self,
        doing: impl Into<String>,
    ) -> impl FnOnce(C) -> Error {
        unavailable(&self.info, doing)
    }

    /// The anchor, logged in again or replaced if need be. One thread repairs, the others wait.
    pub(super) fn anchored(&self, inside: &Inside<'_>) -> Result<MutexGuard<'_, Anchor>, Error> {
        let anchor = lock_within(&self.anchor, REPAIR_PATIENCE).ok_or(Reason::Repairing);
        let mut anchor = anchor.map_err(self.unavailable("waiting for its session"))?;
        let state = anchor.session.of(inside).and_then(|session| {
            let info = session.get_session_info()?;
            Ok(info.session_state())
        });
        match state {
            Ok(SessionState::RoUser | SessionState::RwUser) => {}
            Ok(_) => self.log_in_again(inside, &anchor)?,
            Err(_) => self.replace(inside, &mut anchor)?,
        }
        Ok(anchor)
    }

    fn log_in_again(&self, inside: &Inside<'_>, anchor: &Anchor) -> Result<(), Error> {
        let pin = self.pin.as_ref();
        if !needs_login(&self.info, pin) {
            return Ok(());
        }
        self.logins_lost.fetch_add(1, Ordering::SeqCst);
        anchor.log_in(&self.module, inside, &self.refreshed(inside)?, pin)
    }

    fn replace(&self, inside: &Inside<'_>, anchor: &mut Anchor) -> Result<(), Error> {
        // Counted first: from here on nobody closes an old session number.
        self.sessions_lost.fetch_add(1, Ordering::SeqCst);
        let pin = self.pin.as_ref();
        let new = Anchor::drop_at(&self.module, inside, &self.refreshed(inside)?, pin)?;
        std::mem::replace(anchor, new).session.forget();
        Ok(())
    }

    /// The token as it is now; its slot may have changed.
    fn refreshed(&self, inside: &Inside<'_>) -> Result<TokenInfo, Error> {
        let found = self.module.find_from(inside, &self.info.uri());
        found.map_err(|error| match error {
            Error::TokenNotFound { module, .. } => self.lost(module),
            error => error,
        })
    }

    fn lost(&self, module: String) -> Error {
        Error::TokenLost {
            token: self.label(),
            serial: self.info.serial.clone(),
            module,
        }
    }
}

pub(super) fn unavailable<C: Into<Cause>>(
    info: &TokenInfo,
    doing: impl Into<String>,
) -> impl FnOnce(C) -> Error {
    let (token, doing) = (info.label.clone(), doing.into());
    move |source| Error::TokenUnavailable {
        token,
        doing,
        source: source.into(),
    }
}

/// How long a caller waits for the thread that restores the session. A login takes milliseconds, over a network seconds.
const REPAIR_PATIENCE: Duration = Duration::from_secs(5);
