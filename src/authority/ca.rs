//! Making a CA: a key in its token, a certificate signed by its issuer, a record in the ledger, a file.

use super::{Entropy, Error, Issuer, Pki, abandon, issuer, new_serial, record};
use crate::config::AuthorityConfig;
use crate::ledger::{EntryId, Intent, Reservation, Writer};
use crate::output::file::{self, Access};
use crate::profile::{IssuerView, Linted, Naming, Profile, Request, lint};
use crate::timestamp::Timestamp;
use crate::token::{Key, KeyAttributes, KeyQuery, Label, OpenToken, Persistence, PinEdge, Signer};
use crate::x509::{Certificate, Curve, Serial};

/// What an officer asks for when a CA is made.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The common name; the profile's default if there is one.
    pub common_name: Option<String>,
    /// The curve of a new key.
    pub curve: Curve,
    /// What to do about a key that is there already.
    pub existing_key: ExistingKey,
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
        wish: &Wish,
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
        let token = self.login(self.config().token(&authority.token)?, edge)?;
        let (key, attributes) = authority_key(&token, authority, wish)?;
        let made = Making {
            authority,
            profile: &profile,
            writer,
            entropy,
            now,
        };
        let certificate = match self.recorded(&profile, &key, issuer.as_ref(), naming, now)? {
            Some(certificate) => certificate,
            None => made.certify(&key, issuer.as_ref(), naming)?,
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

    /// The live certificate of a key whose creation was interrupted after the record and before the file.
    ///
    /// Only one that says what is asked for now: another issuer or name is a new certificate.
    fn recorded(
        &self,
        profile: &Profile,
        key: &Key,
        issuer: Option<&Issuer>,
        naming: Naming<'_>,
        now: Timestamp,
    ) -> Result<Option<Certificate>, Error> {
        let above = issuer.map(Issuer::certificate);
        let wanted = profile.admit_ca(key.public_key(), naming, above, now)?;
        let issuer = above.map_or(wanted.subject(), Certificate::subject);
        let key = key.public_key().fingerprint();
        for entry in self.ledger()?.by_key_without_claim(&key, profile.name())? {
            let live = entry.is_live(now) && entry.issuer == issuer.der();
            let Some(der) = entry.certificate.filter(|_| live) else {
                continue;
            };
            let path = self.config().ledger().to_owned();
            let certificate = Certificate::from_der(&der)
                .map_err(|source| Error::Certificate { path, source })?;
            if certificate.subject() == wanted.subject() {
                return Ok(Some(certificate));
            }
        }
        Ok(None)
    }
}

fn authority_key(
    token: &OpenToken,
    authority: &AuthorityConfig,
    wish: &Wish,
) -> Result<(Key, Option<KeyAttributes>), Error> {
    let query = || KeyQuery {
        label: Some(authority.object.clone()),
        id: None,
    };
    if wish.existing_key == ExistingKey::Certify {
        return Ok((token.key(query(), None, 1)?, None));
    }
    let id = authority.object.as_bytes();
    let made = token.generate_key(
        &Label::new(&authority.object)?,
        id,
        wish.curve,
        Persistence::Token,
    )?;
    let key = token.key(query(), Some(&made.public_key), 1)?;
    Ok((key, Some(made.attributes)))
}

/// One CA in the making.
struct Making<'a> {
    authority: &'a AuthorityConfig,
    profile: &'a Profile,
    writer: &'a Writer,
    entropy: Entropy,
    now: Timestamp,
}

impl Making<'_> {
    /// Lint → reserve → sign → verify → record, as in [`Authority::issue`](super::Authority::issue), for a name we
    /// chose ourselves: rcgen writes the bytes.
    fn certify(
        &self,
        key: &Key,
        issuer: Option<&Issuer>,
        naming: Naming<'_>,
    ) -> Result<Certificate, Error> {
        let above = issuer.map(Issuer::certificate);
        let request = self
            .profile
            .admit_ca(key.public_key(), naming, above, self.now)?;
        let view = match issuer {
            Some(issuer) => issuer.view(),
            None => IssuerView::self_signed(
                request.subject(),
                issuer::algorithm(&self.authority.name, key)?,
            ),
        };
        let serial = new_serial(self.profile, self.entropy)?;
        let tbs = self
            .profile
            .template(&request, view, serial.clone())
            .to_tbs_with_rcgen()?;
        let linted = lint::check(tbs, self.profile, view, &request)?;
        let entry = self.reserve(&request, view, &serial, &linted)?;
        let signed = match issuer {
            Some(issuer) => issuer.sign(&linted),
            None => issuer::sign(&self.authority.name, key, &linted),
        };
        let der = match signed {
            Ok(der) => der,
            Err(error) => return Err(abandon(self.writer, entry, error, self.now)?),
        };
        record(self.writer, entry, &der, &serial, self.now)?;
        let path = self.authority.certificate.clone();
        Certificate::from_der(&der).map_err(|source| Error::Certificate { path, source })
    }

    fn reserve(
        &self,
        request: &Request,
        view: IssuerView<'_>,
        serial: &Serial,
        linted: &Linted,
    ) -> Result<EntryId, Error> {
        let itself = request.key().fingerprint();
        let authority_key = view
            .certificate
            .and_then(Certificate::subject_key_identifier);
        let mut group = self.writer.group(self.now)?;
        let reservation = group.reserve(&Intent {
            issuer: view.subject.der(),
            authority_key: authority_key.unwrap_or(&itself[..20]),
            serial,
            profile: self.profile.name(),
            claim: None,
            subject: &request.subject().to_string(),
            key: itself,
            tbs: linted.tbs().fingerprint(),
            not_after: request.not_after(),
            registration: None,
        })?;
        group.commit()?;
        match reservation {
            Reservation::Reserved(entry) => Ok(entry),
            Reservation::Refused(conflict) => Err(conflict.into()),
            Reservation::Repeated(entry) => Err(Error::CertificateLost(entry.id)),
        }
    }
}
