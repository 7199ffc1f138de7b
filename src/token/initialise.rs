//! Making a token: label, security officer's PIN, user PIN.

use std::sync::Mutex;

use cryptoki::error::{Error as BindingError, RvError};
use cryptoki::session::UserType;
use cryptoki::slot::Slot;

use super::gate::Inside;
use super::session::{Access, Session};
use super::{Error, Label, Module, Pin, TokenInfo, TokenUri, lock};

/// Which token is to be initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The one that is not initialised yet.
    Free,
    /// The one with this serial number.
    Serial(&'a str),
}

/// What to do when the token is initialised already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInitialised {
    /// Leave it as it is, with an error.
    Refuse,
    /// Erase it: every key in it is lost for ever. The security officer's PIN must be the present one.
    Erase,
}

impl Module {
    /// Initialises a token and sets both PINs.
    ///
    /// Refused if another token of this module has the label already, or the token does not take PINs of that length.
    /// Some modules move the token to another slot; it is found again by its label.
    pub fn initialise(
        &self,
        label: &Label,
        target: Target<'_>,
        on_initialised: OnInitialised,
        so_pin: &Pin,
        user_pin: &Pin,
    ) -> Result<TokenInfo, Error> {
        let _one_at_a_time = lock(&WRITES);
        // Not left before it is done: nobody may finalise the module in between.
        let inside = &self.enter("initialising a token")?;
        let tokens = self.tokens_from(inside)?;
        let blank = self.choose(&tokens, target)?;
        self.admit(blank, on_initialised)?;
        self.refuse_taken(&tokens, blank, label)?;
        check_length(blank, label, "security officer", so_pin)?;
        check_length(blank, label, "user", user_pin)?;

        self.init_token(inside, blank, label, so_pin)?;
        // A crash here leaves a token of that label without user PIN: no login works, and only erasing helps.
        let labelled = TokenUri::for_token(label.as_str(), "", "", "");
        let made = self.find_from(inside, &labelled)?;
        self.set_user_pin(inside, &made, so_pin, user_pin)?;
        self.forget_rejection(blank);
        self.find_from(inside, &made.uri())
    }

    fn choose<'t>(
        &self,
        tokens: &'t [TokenInfo],
        target: Target<'_>,
    ) -> Result<&'t TokenInfo, Error> {
        let (wanted, fit): (_, Vec<_>) = match target {
            Target::Free => (
                "not initialised".to_owned(),
                tokens.iter().filter(|info| !info.initialised).collect(),
            ),
            Target::Serial(serial) => (
                format!("with serial `{serial}`"),
                tokens.iter().filter(|info| info.serial == serial).collect(),
            ),
        };
        match (fit.as_slice(), target) {
            ([one], _) => Ok(one),
            ([], Target::Free) => Err(Error::NoFreeToken {
                module: self.name(),
                found: names(tokens.iter()),
            }),
            ([], Target::Serial(_)) => Err(Error::TokenNotFound {
                module: self.name(),
                wanted,
                found: names(tokens.iter()),
            }),
            (many, _) => Err(Error::TokenAmbiguous {
                module: self.name(),
                wanted,
                found: names(many.iter().copied()),
            }),
        }
    }

    fn admit(&self, token: &TokenInfo, on_initialised: OnInitialised) -> Result<(), Error> {
        match on_initialised {
            OnInitialised::Refuse if token.initialised => Err(Error::TokenInitialised {
                token: token.label.clone(),
                serial: token.serial.clone(),
            }),
            OnInitialised::Refuse | OnInitialised::Erase => Ok(()),
        }
    }

    fn refuse_taken(
        &self,
        tokens: &[TokenInfo],
        blank: &TokenInfo,
        label: &Label,
    ) -> Result<(), Error> {
        let twin = tokens
            .iter()
            .filter(|info| info.initialised && info.slot != blank.slot)
            .find(|info| info.label == label.as_str());
        match twin {
            Some(twin) => Err(Error::LabelTaken {
                module: self.name(),
                label: label.to_string(),
                serial: twin.serial.clone(),
            }),
            None => Ok(()),
        }
    }

    fn init_token(
        &self,
        inside: &Inside<'_>,
        blank: &TokenInfo,
        label: &Label,
        so_pin: &Pin,
    ) -> Result<(), Error> {
        let token = || match blank.initialised {
            true => blank.label.clone(),
            false => label.to_string(),
        };
        let slot = Slot::try_from(blank.slot).map_err(self.failed("finding the slot"))?;
        let outcome = inside
            .pkcs11()
            .init_token(slot, &so_pin.auth(), label.as_str());
        outcome.map_err(|cause| match cause {
            BindingError::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid, _) => {
                Error::SoPinRejected { token: token() }
            }
            BindingError::Pkcs11(RvError::SessionExists, _) => Error::TokenInUse { token: token() },
            cause => self.failed("initialising a token")(cause),
        })
    }

    fn set_user_pin(
        &self,
        inside: &Inside<'_>,
        made: &TokenInfo,
        so_pin: &Pin,
        user_pin: &Pin,
    ) -> Result<(), Error> {
        const DOING: &str = "setting the user PIN of the new token";
        let slot = Slot::try_from(made.slot).map_err(self.failed(DOING))?;
        let session = Session::open(self.gate(), inside, slot, Access::Write);
        let session = session.map_err(self.failed(DOING))?;
        let session = session.of(inside).map_err(self.failed(DOING))?;
        let login = session.login(UserType::So, Some(&so_pin.auth()));
        login.map_err(self.failed(DOING))?;
        let outcome = session.init_pin(&user_pin.auth());
        session.logout().map_err(self.failed(DOING))?;
        outcome.map_err(self.failed(DOING))
    }
}

fn check_length(
    token: &TokenInfo,
    label: &Label,
    who: &'static str,
    pin: &Pin,
) -> Result<(), Error> {
    let (min, max) = (token.min_pin_len, token.max_pin_len);
    // Some modules report no limits at all, as 0 and 0.
    match (min..=max).contains(&pin.len()) || max == 0 {
        true => Ok(()),
        false => Err(Error::PinLength {
            token: label.to_string(),
            who,
            min,
            max,
        }),
    }
}

fn names<'a>(tokens: impl Iterator<Item = &'a TokenInfo>) -> Vec<String> {
    tokens.map(TokenInfo::name).collect()
}

/// Held while a token is initialised or a key generated: both look first and write then, and modules are least tested
/// for doing that in several threads.
pub(super) static WRITES: Mutex<()> = Mutex::new(());
