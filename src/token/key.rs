//! Signing with a key in a token.

use std::sync::Arc;
use std::time::Duration;

use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;

use super::cause::{Cause, Reason};
use super::circuit::Proof;
use super::gate::Inside;
use super::locate::{Located, locate};
use super::login::{Login, Standing};
use super::pool::{Pool, Seat, Stuck};
use super::session::Session;
use super::{Error, KeyQuery, OpenToken};
use crate::x509::{Curve, PublicKey};

/// A private key that signs, wherever it lives.
///
/// Implementations may be called from any number of threads.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message with ECDSA; hashes it first with the curve's digest and returns a DER ECDSA-Sig-Value.
    ///
    /// The signature is not verified here: whoever uses it does, against the certificate's key.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error>;

    /// How many signatures can be under way at the same time; more callers wait.
    fn lanes(&self) -> usize;

    /// Makes sure that the token answers, is logged in and has the key; brings it back if it can be.
    ///
    /// Meant to be called once a second. It makes no signature, so it does not prove that the next one succeeds.
    fn check(&self) -> Result<(), Error>;
}

/// A key in a token, with a pool of sessions.
///
/// A session is opened when it is first needed, and keeps the key's handle. After an error the session is replaced, the
/// login restored, the key found again and the signature tried once more. If the token is out of order all the same, its
/// module is finalised and initialised, the token and the key are looked for again, and the signature is tried for the last
/// time: that brings back a SoftHSM2 whose directory was away, or a device that ended its sessions.
///
/// If that does not help either, signatures fail at once with [`Error::TokenUnavailable`], which says since when and when
/// it is tried again: after a second, later after up to eight. A PIN that was rejected is never tried again, and only the
/// same token (label and serial) with the same key will do.
#[derive(Debug)]
pub struct Key {
    login: Arc<Login>,
    query: KeyQuery,
    public_key: PublicKey,
    curve: Curve,
    lanes: Pool<Lane>,
}

/// A session with the key's handle in it.
#[derive(Debug)]
struct Lane {
    session: Session,
    key: ObjectHandle,
    opened: Standing,
}

impl OpenToken {
    /// Opens the one private key that fits.
    ///
    /// With `expected`, the key of a certificate, only that key will do: other keys of the same label or id are passed
    /// over, and [`Error::KeyMismatch`] lists them if it is not there. Without, exactly one key must fit the query and
    /// the token must show its public key. At most `sessions` sessions (at least one) are opened for it.
    pub fn key(
        &self,
        query: KeyQuery,
        expected: Option<&PublicKey>,
        sessions: usize,
    ) -> Result<Key, Error> {
        let (first, located) = Lane::open(&self.login, &self.login.enter()?, &query, expected)?;
        Ok(Key {
            login: self.login.clone(),
            query,
            public_key: located.public_key,
            curve: located.curve,
            lanes: Pool::new(sessions, PATIENCE, first),
        })
    }
}

impl Key {
    /// Signs a digest of exactly the curve's length; the signature is a DER ECDSA-Sig-Value.
    pub fn sign_digest(&self, digest: &[u8]) -> Result<Vec<u8>, Error> {
        self.check_length(digest)?;
        let signing = || self.sign_in_a_seat(digest);
        let raw = self.login.unless_out_of_order(Proof::Signature, signing)?;
        self.curve
            .signature_to_der(&raw)
            .ok_or_else(|| Error::SignatureLength {
                token: self.login.label(),
                key: self.query.name(),
                found: raw.len(),
                wanted: 2 * self.curve.coordinate_len(),
            })
    }

    fn sign_in_a_seat(&self, digest: &[u8]) -> Result<Vec<u8>, Error> {
        loop {
            let mut seat = self.lanes.seat().map_err(|stuck| self.stuck(&stuck))?;
            let signed = self.login.recovering(
                |inside| self.sign_twice(inside, &mut seat, digest),
                |inside| self.sign_anew(inside, digest),
            );
            match signed {
                Err(error) if is_session_limit(&error) && seat.shrink() => {}
                signed => {
                    let (lane, raw) = signed?;
                    seat.keep(lane);
                    return Ok(raw);
                }
            }
        }
    }

    /// Signs in the seat's session, and if that fails in a new one.
    fn sign_twice(
        &self,
        inside: &Inside<'_>,
        seat: &mut Seat<'_, Lane>,
        digest: &[u8],
    ) -> Result<(Lane, Vec<u8>), Error> {
        let lane = match seat.take() {
            Some(lane) if lane.opened == self.login.standing(inside) => lane,
            old => {
                if let Some(lane) = old {
                    self.login.retire(lane.session, lane.opened);
                }
                self.open_lane(inside)?
            }
        };
        if let Ok(raw) = lane.sign(inside, digest) {
            return Ok((lane, raw));
        }
        let restored = self.login.restore(inside);
        self.login.retire(lane.session, lane.opened);
        restored?;
        self.sign_anew(inside, digest)
    }

    /// Signs in a new session. No signature was received so far, so signing again is harmless.
    fn sign_anew(&self, inside: &Inside<'_>, digest: &[u8]) -> Result<(Lane, Vec<u8>), Error> {
        let lane = self.open_lane(inside)?;
        match lane.sign(inside, digest) {
            Ok(raw) => Ok((lane, raw)),
            Err(cause) => {
                let doing = format!("signing with key `{}`", self.query.name());
                Err(self.login.unavailable(doing)(cause))
            }
        }
    }

    fn open_lane(&self, inside: &Inside<'_>) -> Result<Lane, Error> {
        match Lane::open(&self.login, inside, &self.query, Some(&self.public_key)) {
            Ok((lane, _)) => Ok(lane),
            Err(error @ Error::KeyNotFound { .. }) => {
                self.login.ask(inside)?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Sessions belong to whoever signs: this looks for the key in the session that keeps the login.
    fn probe(&self, inside: &Inside<'_>) -> Result<(), Error> {
        self.login.ask(inside)?;
        let anchor = self.login.anchored(inside)?;
        let session = anchor.session.of(inside);
        let session = session.map_err(self.login.unavailable("searching for a key"))?;
        locate(&self.login, session, &self.query, Some(&self.public_key)).map(|_| ())
    }

    fn stuck(&self, stuck: &Stuck) -> Error {
        self.login.unavailable("waiting for a session")(Reason::Busy {
            sessions: stuck.taken,
            seconds: stuck.since.as_secs(),
        })
    }

    /// Tokens sign digests of any length; a short one would weaken the signature, a long one would be cut.
    fn check_length(&self, digest: &[u8]) -> Result<(), Error> {
        // SHA-256 for P-256 and SHA-384 for P-384: as long as a coordinate.
        let wanted = self.curve.coordinate_len();
        match digest.len() == wanted {
            true => Ok(()),
            false => Err(Error::DigestLength {
                key: self.query.name(),
                found: digest.len(),
                wanted,
            }),
        }
    }
}

impl Signer for Key {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.sign_digest(self.curve.digest(message).as_ref())
    }

    fn lanes(&self) -> usize {
        self.lanes.limit()
    }

    /// On SoftHSM2 the session's state says nothing about a directory that is gone; C_GetTokenInfo does. The key is looked
    /// for, too: together a few signatures' time.
    fn check(&self) -> Result<(), Error> {
        self.login.unless_out_of_order(Proof::Answer, || {
            self.lanes.moving().map_err(|stuck| self.stuck(&stuck))?;
            self.login.recovering(
                |inside| self.probe(inside).or_else(|_| self.probe(inside)),
                |inside| self.probe(inside),
            )
        })
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        for lane in self.lanes.drain() {
            self.login.retire(lane.session, lane.opened);
        }
    }
}

impl Lane {
    fn open(
        login: &Login,
        inside: &Inside<'_>,
        query: &KeyQuery,
        expected: Option<&PublicKey>,
    ) -> Result<(Lane, Located), Error> {
        let opened = login.restore(inside)?;
        let session = login.session(inside)?;
        let searched = session
            .of(inside)
            .map_err(login.unavailable("searching for a key"))?;
        let located = locate(login, searched, query, expected)?;
        let lane = Lane {
            session,
            key: located.object.handle,
            opened,
        };
        Ok((lane, located))
    }

    fn sign(&self, inside: &Inside<'_>, digest: &[u8]) -> Result<Vec<u8>, Cause> {
        let session = self.session.of(inside)?;
        Ok(session.sign(&Mechanism::Ecdsa, self.key, digest)?)
    }
}

fn is_session_limit(error: &Error) -> bool {
    matches!(error, Error::TokenUnavailable { source, .. } if source.is(RvError::SessionCount))
}

/// How long no session may finish anything before nobody waits for one any longer. Slow tokens take a second.
const PATIENCE: Duration = Duration::from_secs(10);
