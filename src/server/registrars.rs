//! Who asks: registrar tokens, compared by their hashes in constant time.
//!
//! The ledger holds the hashes. They are read again every second, and within milliseconds when a token is not known;
//! whether a token is still good is decided in the transaction that reserves.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};
use ipnet::IpNet;

use super::problem::Problem;
use crate::config::Anonymous;
use crate::ledger::{self, Ledger, Production, Registrar, Standing};
use crate::timestamp::Timestamp;
use crate::x509::key::sha256;

/// Everyone who may ask.
pub(super) struct Registrars {
    ledger: Arc<Ledger>,
    anonymous: Anonymous,
    known: Mutex<Known>,
}

struct Known {
    registrars: Arc<[Registrar]>,
    read_at: Instant,
}

/// Who asks, and from where.
pub(super) struct Caller {
    /// The address behind trusted proxies.
    pub(super) address: IpAddr,
    /// `None` for nobody in particular.
    pub(super) registrar: Option<Registrar>,
    /// What may be asked about production.
    pub(super) production: Production,
}

impl Registrars {
    pub(super) fn open(
        ledger: Arc<Ledger>,
        anonymous: Anonymous,
    ) -> Result<Registrars, ledger::Error> {
        let known = Known {
            registrars: ledger.registrars()?.into(),
            read_at: Instant::now(),
        };
        Ok(Registrars {
            ledger,
            anonymous,
            known: Mutex::new(known),
        })
    }

    /// Finds out who asks. A registrar token that is sent has to be good, whether or not one is needed.
    pub(super) fn caller(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let Some(token) = presented(headers)? else {
            return self.nobody(address);
        };
        let Some(registrar) = self.find(&sha256(token))? else {
            // A client without token has to send some text to skip its OAuth flow.
            if self.anonymous != Anonymous::Refuse && !token.starts_with(PREFIX) {
                return self.nobody(address);
            }
            let text = "the registrar token is not known";
            return Err(unauthorized("registrar-unknown", text));
        };
        let name = &registrar.name;
        match registrar.standing(now) {
            Standing::Closed => {
                let text = format!("registrar token `{name}` is closed");
                return Err(unauthorized("registrar-closed", text));
            }
            Standing::Expired => {
                let text = format!("registrar token `{name}` is no longer good");
                return Err(unauthorized("registrar-expired", text));
            }
            // Whether one more is allowed is decided where it is counted.
            Standing::Exhausted | Standing::Open => {}
        }
        Ok(Caller {
            address,
            production: registrar.production,
            registrar: Some(registrar),
        })
    }

    fn nobody(&self, address: IpAddr) -> Result<Caller, Problem> {
        match self.anonymous {
            Anonymous::Production(production) => Ok(Caller {
                address,
                registrar: None,
                production,
            }),
            Anonymous::Refuse => Err(unauthorized(
                "registrar-missing",
                "a registrar token is needed: the device sends it with `-T TOKEN`, as `OSF-TOKEN` or `Authorization: Bearer`",
            )),
        }
    }

    /// Compares with every hash there is, whichever fits.
    fn find(&self, hash: &[u8; 32]) -> Result<Option<Registrar>, Problem> {
        let found = |registrars: &[Registrar]| {
            let mut found = None;
            for registrar in registrars {
                if aws_lc_rs::constant_time::verify_slices_are_equal(&registrar.token, hash).is_ok()
                {
                    found = Some(registrar.clone());
                }
            }
            found
        };
        match found(&self.read(OLD)?) {
            Some(registrar) => Ok(Some(registrar)),
            None => Ok(found(&self.read(OLD_FOR_A_STRANGER)?)),
        }
    }

    fn read(&self, old: Duration) -> Result<Arc<[Registrar]>, Problem> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.read_at.elapsed() >= old {
            known.registrars = self
                .ledger
                .registrars()
                .map_err(|error| Problem::of(&error.into()))?
                .into();
            known.read_at = Instant::now();
        }
        Ok(known.registrars.clone())
    }
}

impl Caller {
    /// How records and logs name the caller.
    pub(super) fn source(&self) -> String {
        match &self.registrar {
            Some(registrar) => format!("registrar `{}`, {}", registrar.name, self.address),
            None => self.address.to_string(),
        }
    }

    /// Whether the token may be used from there.
    pub(super) fn check_network(&self) -> Result<(), Problem> {
        let Some(registrar) = &self.registrar else {
            return Ok(());
        };
        let networks = &registrar.networks;
        let within = |network: &IpNet| network.contains(&self.address);
        match networks.is_empty() || networks.iter().any(within) {
            true => Ok(()),
            false => {
                let names: Vec<String> = networks.iter().map(IpNet::to_string).collect();
                let text = format!(
                    "registrar token `{}` may be used from {}, this is {}",
                    registrar.name,
                    names.join(", "),
                    self.address
                );
                Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "registrar-network",
                    text,
                ))
            }
        }
    }

    /// Whether a device of this kind may be registered.
    pub(super) fn check_production(&self, is_production: bool) -> Result<(), Problem> {
        let who = match &self.registrar {
            Some(registrar) => format!("registrar token `{}`", registrar.name),
            None => "an anonymous request".to_owned(),
        };
        let (rule, text) = match (self.production, is_production) {
            (Production::Refuse, true) => {
                ("production-refused", "may not register production devices")
            }
            (Production::Require, false) => (
                "production-required",
                "may register production devices only: the subject has no businessCategory=production",
            ),
            _ => return Ok(()),
        };
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            rule,
            format!("{who} {text}"),
        ))
    }
}

/// The token a request carries. Two different ones are refused rather than chosen from.
fn presented(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let bearer = |value: &'_ [u8]| -> bool {
        value
            .get(..7)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    };
    let osf = headers
        .get_all("osf-token")
        .into_iter()
        .map(|value| value.as_bytes());
    let authorization = headers
        .get_all(AUTHORIZATION)
        .into_iter()
        .map(|value| value.as_bytes());
    let authorization = authorization
        .filter(|value| bearer(value))
        .map(|value| &value[7..]);
    let mut tokens = osf
        .chain(authorization)
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty());
    let first = tokens.next();
    match tokens.all(|token| Some(token) == first) {
        true => Ok(first),
        false => Err(unauthorized(
            "registrar-ambiguous",
            "two different registrar tokens were sent",
        )),
    }
}

fn unauthorized(rule: &'static str, text: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, rule, text)
}

/// What was read longer ago is read again.
const OLD: Duration = Duration::from_secs(1);

/// A token that is not known may have been made a moment ago. Strangers cannot make the ledger be read more often.
pub(super) const OLD_FOR_A_STRANGER: Duration = Duration::from_millis(5);

/// How every registrar token begins.
const PREFIX: &[u8] = b"fcr_";
