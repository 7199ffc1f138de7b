//! Generating signing keys that never leave the token.

use cryptoki::error::Error as BindingError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use der::Encode;

use super::initialise::WRITES;
use super::login::Login;
use super::object::{KeyClass, KeyObject};
use super::{Cause, Error, KeyAttributes, KeyQuery, Label, OpenToken, lock};
use crate::x509::{Curve, PublicKey};

/// How long a generated key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// In the token, for ever.
    Token,
    /// Until the login ends or the token loses its sessions: rehearsals and benchmarks leave nothing behind.
    Session,
}

/// A key pair that was just generated.
#[derive(Clone, Debug)]
pub struct GeneratedKey {
    /// The public half.
    pub public_key: PublicKey,
    /// What the token says about the private half, to be recorded.
    pub attributes: KeyAttributes,
}

impl OpenToken {
    /// Generates an EC key pair for signing: private, sensitive, not extractable, good for CKA_SIGN only.
    ///
    /// Refused if any key of that label or id is in the token already. That is checked under a lock of this process;
    /// another process can still generate the same label at the same moment, and finding the key then says so. What the
    /// token reports afterwards is checked: a key that could leave the token is [`Error::KeyExposed`], and stays there.
    pub fn generate_key(
        &self,
        label: &Label,
        id: &[u8],
        curve: Curve,
        persistence: Persistence,
    ) -> Result<GeneratedKey, Error> {
        let generation = Generation {
            login: &self.login,
            label,
            id,
            curve,
            persistence,
        };
        let _one_at_a_time = lock(&WRITES);
        let inside = &self.login.enter()?;
        let (own, anchor);
        let session = match persistence {
            Persistence::Token => {
                own = self.login.writing_session(inside)?;
                own.of(inside)
            }
            // A session object goes with the session that made it.
            Persistence::Session => {
                anchor = self.login.anchored(inside)?;
                anchor.session.of(inside)
            }
        };
        generation.run(session.map_err(generation.unavailable())?)
    }
}

struct Generation<'a> {
    login: &'a Login,
    label: &'a Label,
    id: &'a [u8],
    curve: Curve,
    persistence: Persistence,
}

impl Generation<'_> {
    fn run(&self, session: &Session) -> Result<GeneratedKey, Error> {
        self.refuse_twins(session)?;
        let (public, private) = session
            .generate_key_pair(
                &Mechanism::EccKeyPairGen,
                &self.public_template()?,
                &self.private_template(),
            )
            .map_err(self.unavailable())?;
        let attributes = self.read(session, KeyClass::Private, private)?.attributes;
        self.check(&attributes)?;
        let public = self.read(session, KeyClass::Public, public)?;
        Ok(GeneratedKey {
            public_key: self.public_key(public)?,
            attributes,
        })
    }

    fn refuse_twins(&self, session: &Session) -> Result<(), Error> {
        for query in [
            KeyQuery::labelled(self.label.as_str()),
            KeyQuery::with_id(self.id),
        ] {
            for class in [KeyClass::Private, KeyClass::Public] {
                let twins = KeyObject::find(session, class, &query);
                if let Some(twin) = twins.map_err(self.unavailable())?.first() {
                    return Err(Error::KeyExists {
                        token: self.login.label(),
                        found: twin.name(),
                    });
                }
            }
        }
        Ok(())
    }

    fn public_template(&self) -> Result<Vec<Attribute>, Error> {
        let curve = self.curve.oid().to_der();
        let curve = curve.map_err(|_| self.unavailable()(BindingError::InvalidValue))?;
        let mut template = self.common();
        template.extend([
            Attribute::EcParams(curve),
            // Readable without login, so that anybody can compare it with the certificate.
            Attribute::Private(false),
            Attribute::Verify(true),
        ]);
        Ok(template)
    }

    fn private_template(&self) -> Vec<Attribute> {
        let mut template = self.common();
        template.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::SignRecover(false),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ]);
        template
    }

    fn common(&self) -> Vec<Attribute> {
        vec![
            Attribute::Token(self.persistence == Persistence::Token),
            Attribute::Label(self.label.as_str().into()),
            Attribute::Id(self.id.to_vec()),
        ]
    }

    fn read(
        &self,
        session: &Session,
        class: KeyClass,
        handle: ObjectHandle,
    ) -> Result<KeyObject, Error> {
        KeyObject::read(session, class, handle).map_err(self.unavailable())
    }

    fn check(&self, attributes: &KeyAttributes) -> Result<(), Error> {
        match attributes.exposure() {
            Some(problem) => Err(Error::KeyExposed {
                token: self.login.label(),
                key: self.label.to_string(),
                problem,
            }),
            None => Ok(()),
        }
    }

    fn public_key(&self, public: KeyObject) -> Result<PublicKey, Error> {
        let (token, key) = (self.login.label(), self.label.to_string());
        match (public.public_key, public.problem) {
            (Some(public_key), _) => Ok(public_key),
            (None, Some(source)) => Err(Error::PublicKey { token, key, source }),
            (None, None) => Err(Error::PublicKeyUnknown {
                token,
                key: format!("`{key}`"),
            }),
        }
    }

    fn unavailable<C: Into<Cause>>(&self) -> impl FnOnce(C) -> Error {
        self.login
            .unavailable(format!("generating key `{}`", self.label))
    }
}
