//! The session that keeps a login, and the one try that a PIN has.

use cryptoki::error::{Error as BindingError, RvError};
use cryptoki::session::UserType;
use cryptoki::slot::Slot;

use super::gate::Inside;
use super::login::unavailable;
use super::session::{Access, Session};
use super::{Error, Module, Pin, TokenInfo, TriesLeft};

#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) slot: Slot,
    pub(super) session: Session,
}

impl Anchor {
    pub(super) fn drop_at(
        module: &Module,
        inside: &Inside<'_>,
        info: &TokenInfo,
        pin: Option<&Pin>,
    ) -> Result<Anchor, Error> {
        let slot = Slot::try_from(info.slot).map_err(unavailable(info, "finding its slot"))?;
        let session = Session::open(module.gate(), inside, slot, Access::Read);
        let session = session.map_err(unavailable(info, "opening a session"))?;
        let anchor = Anchor { slot, session };
        if needs_login(info, pin) {
            anchor.log_in(module, inside, info, pin)?;
        }
        Ok(anchor)
    }

    /// One try, and only one.
    pub(super) fn log_in(
        &self,
        module: &Module,
        inside: &Inside<'_>,
        info: &TokenInfo,
        pin: Option<&Pin>,
    ) -> Result<(), Error> {
        check_login(module, info, pin)?;
        let session = self.session.of(inside);
        let session = session.map_err(unavailable(info, "logging in"))?;
        let outcome = session.login(UserType::User, pin.map(Pin::auth).as_ref());
        let token = info.label.clone();
        match outcome {
            Ok(()) | Err(BindingError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(BindingError::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => Err(rejected(module, info, tries_left(module, inside, info))),
            Err(BindingError::Pkcs11(RvError::PinLocked, _)) => Err(Error::PinLocked { token }),
            Err(BindingError::Pkcs11(RvError::PinExpired, _)) => Err(Error::PinExpired { token }),
            Err(BindingError::Pkcs11(RvError::UserPinNotInitialized, _)) => {
                Err(Error::PinNotSet { token })
            }
            // Whatever the code says: a token that counts a try more has rejected the PIN.
            Err(cause) => match tries_left(module, inside, info) {
                TriesLeft::Unknown => Err(unavailable(info, "logging in")(cause)),
                left if left == TriesLeft::of(info) => Err(unavailable(info, "logging in")(cause)),
                left => Err(rejected(module, info, left)),
            },
        }
    }
}

pub(super) fn needs_login(info: &TokenInfo, pin: Option<&Pin>) -> bool {
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

fn rejected(module: &Module, info: &TokenInfo, left: TriesLeft) -> Error {
    module.remember_rejection(info);
    Error::PinRejected {
        token: info.label.clone(),
        left,
    }
}

fn tries_left(module: &Module, inside: &Inside<'_>, info: &TokenInfo) -> TriesLeft {
    let now = module.find_from(inside, &info.uri());
    now.as_ref().map_or(TriesLeft::Unknown, TriesLeft::of)
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
