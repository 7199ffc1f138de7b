//! Making a CA: a key in its token, a certificate signed by its issuer, a record in the ledger, a file.

use super::certify::{By, Bytes, Certifying, Review, made_before, refuse_other_use};
use super::{Entropy, Error, Issuer, Pki};
use crate::config::AuthorityConfig;
use crate::ledger::Writer;
use crate::output::file::{self, Access};
use crate::profile::Naming;
use crate::timestamp::Timestamp;
use crate::token::{Key, KeyAttributes, KeyQuery, Label, OpenToken, Persistence, PinEdge, Signer};
use crate::x509::{Certificate, Curve};

/// What an officer asks for when a CA is made.
pub struct Wish<'a> {
    /// The common name; the profile's default if there is one.
    pub common_name: Option<String>,
    /// The curve of a new key.
    pub curve: Curve,
    /// What to do about a key that is there already.
    pub existing_key: ExistingKey,
    /// Asked before the certificate is signed.
    pub review: Review<'a>,
}

/// What to do about a key with the authority's label that is in the token already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingKey {
    /// It is certified: how an interrupted creation is taken up again.
    Certify,
    /// It is an error.
    Refuse,
}

/// A CA that was made.
pub struct Created {
    /// Its certificate.
    pub certificate: Certificate,
    /// What the token reports of a new key; `None` for a key that was there.
    pub attributes: Option<KeyAttributes>,
}

impl Pki {
    /// Makes the CA that the configuration declares under a name.
    ///
    /// Everything that can be refused is refused before the key is made. A crash after the key was made leaves a key
    /// without certificate; [`ExistingKey::Certify`] takes it up.
    pub fn create_ca(
        &self,
        authority: &AuthorityConfig,
        wish: &Wish<'_>,
        writer: &Writer,
        edge: &dyn PinEdge,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Created, Error> {
        let profile = self.profile(&authority.profile)?;
        if authority.certificate.exists() {
            return Err(file::OutputError::Taken(authority.certificate.clone()).into());
        }
        let issuer = match &authority.issuer {
            Some(name) => Some(self.issuer(self.config().authority(name)?, edge)?),
            None => None,
        };
        let naming = Naming {
            name: wish.common_name.as_deref(),
            factory: self.config().factory(),
        };
        profile.check_ca(
            wish.curve,
            naming,
            issuer.as_ref().map(Issuer::certificate),
            now,
        )?;
        if let Some(issuer) = &issuer {
            issuer.check_time(now)?;
        }
        let place = authority.key_place()?;
        let token = self.login(self.config().token(&place.token)?, edge)?;
        let (key, attributes) = key_in_token(&token, &place.object, wish.curve, wish.existing_key)?;
        let above = issuer.as_ref().map(Issuer::certificate);
        let request = profile.admit_ca(key.public_key(), naming, above, now)?;
        refuse_other_use(&self.ledger()?, &profile, &request)?;
        let before = made_before(&self.ledger()?, &profile, above, &request, now)?;
        let certificate = match before {
            Some(certificate) => certificate,
            None => {
                let certifying = Certifying {
                    profile: &profile,
                    writer,
                    entropy,
                    review: wish.review,
                    now,
                };
                let by = match &issuer {
                    Some(issuer) => By::Issuer(issuer),
                    None => By::Itself(&authority.name, &key),
                };
                certifying.certify(&by, &request, Bytes::Rcgen)?
            }
        };
        file::create(
            &authority.certificate,
            certificate.to_pem().as_bytes(),
            Access::Public,
        )?;
        Ok(Created {
            certificate,
            attributes,
        })
    }
}

/// A key of this label in a token, new or found, with what the token reports of a new one.
pub(super) fn key_in_token(
    token: &OpenToken,
    object: &str,
    curve: Curve,
    existing: ExistingKey,
) -> Result<(Key, Option<KeyAttributes>), Error> {
    let query = || KeyQuery {
        label: Some(object.to_owned()),
        id: None,
    };
    if existing == ExistingKey::Certify {
        return Ok((token.key(query(), None, 1)?, None));
    }
    let label = Label::new(object)?;
    let made = token.generate_key(&label, object.as_bytes(), curve, Persistence::Token)?;
    let key = token.key(query(), Some(&made.public_key), 1)?;
    Ok((key, Some(made.attributes)))
}
