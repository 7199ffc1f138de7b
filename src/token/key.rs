//! Signing with a key in a token.

use std::sync::Arc;

use cryptoki::error::{Error as BindingError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::locate::locate;
use super::login::{Login, Standing};
use super::pool::{Pool, Seat};
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
}

/// A key in a token, with a pool of sessions.
///
/// A session is opened when it is first needed, and keeps the key's handle. After an error the session is replaced, the
/// login restored, the key found again and the signature tried once more; a token that had to be finalised and
/// initialised to recover stays [`Error::TokenUnavailable`].
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
        let opened = self.login.restore()?;
        let session = self.login.session()?;
        let located = locate(&self.login, &session, &query, expected)?;
        let first = Lane {
            session,
            key: located.object.handle,
            opened,
        };
        Ok(Key {
            login: self.login.clone(),
            query,
            public_key: located.public_key,
            curve: located.curve,
            lanes: Pool::new(sessions, first),
        })
    }
}

impl Key {
    /// Signs a digest of exactly the curve's length; the signature is a DER ECDSA-Sig-Value.
    pub fn sign_digest(&self, digest: &[u8]) -> Result<Vec<u8>, Error> {
        self.check_length(digest)?;
        let (seat, lane) = self.lane()?;
        let (lane, raw) = match lane.sign(digest) {
            Ok(raw) => (lane, raw),
            Err(_) => self.sign_again(lane, digest)?,
        };
        seat.keep(lane);
        self.curve
            .signature_to_der(&raw)
            .ok_or_else(|| Error::SignatureLength {
                token: self.login.label(),
                key: self.query.name(),
                found: raw.len(),
                wanted: 2 * self.curve.coordinate_len(),
            })
    }

    /// Second and last try, in a new session. No signature was received so far, so signing twice is harmless.
    fn sign_again(&self, broken: Lane, digest: &[u8]) -> Result<(Lane, Vec<u8>), Error> {
        let restored = self.login.restore();
        self.login.retire(broken.session, broken.opened);
        restored?;
        let lane = self.open_lane()?;
        match lane.sign(digest) {
            Ok(raw) => Ok((lane, raw)),
            Err(cause) => {
                let doing = format!("signing with key `{}`", self.query.name());
                Err(self.login.unavailable(doing)(cause))
            }
        }
    }

    /// Waits for a seat and takes its session, or opens one.
    fn lane(&self) -> Result<(Seat<'_, Lane>, Lane), Error> {
        loop {
            let mut seat = self.lanes.seat();
            match seat.take() {
                Some(lane) if lane.opened == self.login.standing() => return Ok((seat, lane)),
                Some(lane) => self.login.retire(lane.session, lane.opened),
                None => {}
            }
            match self.open_lane() {
                Err(error) if is_session_limit(&error) && seat.shrink() => {}
                opened => return Ok((seat, opened?)),
            }
        }
    }

    fn open_lane(&self) -> Result<Lane, Error> {
        let opened = self.login.restore()?;
        let session = self.login.session()?;
        let located = locate(&self.login, &session, &self.query, Some(&self.public_key))?;
        Ok(Lane {
            session,
            key: located.object.handle,
            opened,
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
}

impl Drop for Key {
    fn drop(&mut self) {
        for lane in self.lanes.drain() {
            self.login.retire(lane.session, lane.opened);
        }
    }
}

impl Lane {
    fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, BindingError> {
        self.session.sign(&Mechanism::Ecdsa, self.key, digest)
    }
}

fn is_session_limit(error: &Error) -> bool {
    matches!(error, Error::TokenUnavailable { source, .. } if source.is(RvError::SessionCount))
}
