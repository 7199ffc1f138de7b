//! A root that is offline: a CA's request travels to it in a file, and its answer back.
//!
//! `request` (online, makes the key) → `sign` (offline) → `import` (online). Each side checks what it gets before it acts,
//! and repeating a step changes nothing: the same request gets the same certificate, the same answer is there already.

pub mod note;

use std::path::Path;

use super::ca::{Wish, key_in_token};
use super::pki::{check_link, read_certificate};
use super::{Error, Pki, issuer};
use crate::config::AuthorityConfig;
use crate::hex;
use crate::output::file::{self, Access, OutputError};
use crate::profile::Naming;
use crate::timestamp::Timestamp;
use crate::token::{KeyQuery, PinEdge, Signer};
use crate::x509::request::{self, RequestInfo};
use crate::x509::{Certificate, Csr, PublicKey};
use note::{Kind, Note, NoteError};

/// A CA's request, read and checked: its checksum, its proof of possession, and that its fields say what it says.
pub struct Request {
    /// The authority's name on the machine that asks.
    pub authority: String,
    /// The request.
    pub csr: Csr,
}

/// The answer: the CA's certificate and the root's.
pub struct Answer {
    /// The authority's name on the machine that asked.
    pub authority: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// The root that signed it.
    pub root: Certificate,
}

impl Pki {
    /// Makes the key of an authority and a request for its certificate; returns the file's text.
    ///
    /// Everything that can be refused is refused before the key is made; `wish.existing_key` takes up a key that is
    /// there already, so a request can be written again.
    pub fn request_ca(
        &self,
        authority: &AuthorityConfig,
        wish: &Wish<'_>,
        edge: &dyn PinEdge,
    ) -> Result<String, Error> {
        if authority.certificate.exists() {
            return Err(OutputError::Taken(authority.certificate.clone()).into());
        }
        let profile = self.profile(&authority.profile)?;
        let factory = self.config().factory();
        let naming = Naming {
            name: wish.common_name.as_deref(),
            factory,
        };
        let subject = profile.name_ca(wish.curve, naming)?;
        let place = authority.key_place()?;
        let token = self.login(self.config().token(&place.token)?, edge)?;
        let (key, _) = key_in_token(&token, &place.object, wish.curve, wish.existing_key)?;
        let info = RequestInfo {
            subject: &subject,
            key: key.public_key(),
            names: &[],
        };
        let algorithm = issuer::algorithm(&authority.name, &key)?;
        let der = info.sign(algorithm, |info| Ok::<_, Error>(key.sign(info)?))?;
        // What is sent was read back, so its signature is good.
        let csr = Csr::from_der(&der)?;
        let fields = [
            ("factory", factory.to_owned()),
            ("authority", authority.name.clone()),
            ("subject", csr.subject().to_string()),
            ("key", shown(csr.key())),
        ];
        Ok(Note::write(Kind::Request, &fields, &request::to_pem(&der)))
    }

    /// Takes an answer in: writes the certificate where the configuration wants it, and the root's if it is not there.
    ///
    /// The certificate has to be of the key in the authority's token, of this factory, signed by the root; a root that is
    /// there already has to be the same. A crash between the two files is mended by the same command.
    pub fn import_ca(
        &self,
        file: &Path,
        answer: &Answer,
        edge: &dyn PinEdge,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (authority, root) = self.place_of(answer)?;
        let differs = |what, found: String, wanted: String| NoteError::Differs {
            file: file.to_owned(),
            what,
            found,
            wanted,
        };
        if let Some(known) = self.known_root(root)?
            && known.der() != answer.root.der()
        {
            let print = |certificate: &Certificate| hex::encode(certificate.fingerprint());
            let (found, wanted) = (print(&answer.root), print(&known));
            return Err(differs("the root's SHA-256", found, wanted).into());
        }
        let certificate = &answer.certificate;
        check_link(file, certificate, root, &answer.root)?;
        check_link(file, &answer.root, root, &answer.root)?;
        if !certificate.signs_certificates() {
            let (found, wanted) = ("one of no CA".to_owned(), "a CA's".to_owned());
            return Err(differs("the certificate", found, wanted).into());
        }
        for one in [certificate, &answer.root] {
            if now < one.not_before() || now > one.not_after() {
                let found = format!("{} to {}", one.not_before(), one.not_after());
                let wanted = format!("one that holds {now}, this machine's clock");
                return Err(differs("the validity", found, wanted).into());
            }
        }
        let place = authority.key_place()?;
        let token = self.login(self.config().token(&place.token)?, edge)?;
        let query = KeyQuery {
            label: Some(place.object.clone()),
            id: None,
        };
        token.key(query, Some(certificate.key()), 1)?;
        for (path, certificate) in [
            (&root.certificate, &answer.root),
            (&authority.certificate, certificate),
        ] {
            file::create(path, certificate.to_pem().as_bytes(), Access::Public)?;
        }
        Ok(())
    }

    /// The root's certificate, if it is here already.
    pub fn known_root(&self, root: &AuthorityConfig) -> Result<Option<Certificate>, Error> {
        match read_certificate(root) {
            Ok(certificate) => Ok(Some(certificate)),
            Err(Error::NotCreated { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The authority that an answer is for, and its root.
    pub fn place_of(&self, answer: &Answer) -> Result<(&AuthorityConfig, &AuthorityConfig), Error> {
        let authority = self.config().authority(&answer.authority)?;
        match &authority.issuer {
            Some(issuer) => Ok((authority, self.config().authority(issuer)?)),
            None => Err(Error::RootImported(authority.name.clone())),
        }
    }
}

impl Request {
    /// Reads a request's file on the machine of a factory's root.
    pub fn read(file: &Path, text: &str, factory: &str) -> Result<Request, Error> {
        let note = Note::read(file, text, Kind::Request)?;
        note.expect(file, "factory", factory)?;
        let csr = Csr::from_pem(note.pem.as_bytes())?;
        note.expect(file, "subject", &csr.subject().to_string())?;
        note.expect(file, "key", &shown(csr.key()))?;
        Ok(Request {
            authority: note.field(file, "authority")?.to_owned(),
            csr,
        })
    }
}

impl Answer {
    /// Writes the answer's file.
    pub fn to_text(&self, factory: &str) -> String {
        let certificate = &self.certificate;
        let fields = [
            ("factory", factory.to_owned()),
            ("authority", self.authority.clone()),
            ("subject", certificate.subject().to_string()),
            ("key", shown(certificate.key())),
            ("serial", certificate.serial().to_string()),
            (
                "valid",
                format!(
                    "{} to {}",
                    certificate.not_before(),
                    certificate.not_after()
                ),
            ),
            ("root", hex::encode(self.root.fingerprint())),
        ];
        let pem = format!("{}{}", certificate.to_pem(), self.root.to_pem());
        Note::write(Kind::Answer, &fields, &pem)
    }

    /// Reads an answer's file.
    pub fn read(file: &Path, text: &str, factory: &str) -> Result<Answer, Error> {
        let note = Note::read(file, text, Kind::Answer)?;
        note.expect(file, "factory", factory)?;
        let broken = |source| Error::Certificate {
            path: file.to_owned(),
            source,
        };
        let mut both = Certificate::all_from_pem(note.pem.as_bytes()).map_err(broken)?;
        let (Some(root), Some(certificate), true) = (both.pop(), both.pop(), both.is_empty())
        else {
            return Err(Error::Note(NoteError::Missing {
                file: file.to_owned(),
                missing: "a certificate and its root",
            }));
        };
        note.expect(file, "subject", &certificate.subject().to_string())?;
        note.expect(file, "key", &shown(certificate.key()))?;
        note.expect(file, "root", &hex::encode(root.fingerprint()))?;
        Ok(Answer {
            authority: note.field(file, "authority")?.to_owned(),
            certificate,
            root,
        })
    }
}

fn shown(key: &PublicKey) -> String {
    format!("{}, SHA-256 {}", key.kind(), hex::encode(key.fingerprint()))
}
