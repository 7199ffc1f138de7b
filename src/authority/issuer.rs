//! An issuer: a CA certificate, the chain above it, and the key that signs.

use std::sync::Arc;

use super::Error;
use super::crl::LintedCrl;
use crate::profile::{IssuerView, Linted};
use crate::timestamp::Timestamp;
use crate::token::Signer;
use crate::x509::key::KeyError;
use crate::x509::{Certificate, KeyKind, SignatureAlgorithm, crl};

/// A CA that can sign.
pub struct Issuer {
    name: String,
    /// Its certificate first, the root last.
    chain: Vec<Certificate>,
    signature: SignatureAlgorithm,
    signer: Arc<dyn Signer>,
}

impl Issuer {
    /// Puts an issuer together from its verified chain (its own certificate first) and its key.
    ///
    /// The key must be the one in the certificate: that, not a label, is a CA key's identity.
    pub fn new(
        name: &str,
        chain: Vec<Certificate>,
        signer: Arc<dyn Signer>,
    ) -> Result<Issuer, Error> {
        let wrong = |reason| Error::SignatureWrong {
            authority: name.to_owned(),
            source: KeyError::Malformed(reason),
        };
        let certificate = chain
            .first()
            .ok_or_else(|| wrong("there is no certificate"))?;
        if signer.public_key() != certificate.key() {
            return Err(wrong("the key in the token is not the certificate's"));
        }
        Ok(Issuer {
            name: name.to_owned(),
            signature: algorithm(name, signer.as_ref())?,
            chain,
            signer,
        })
    }

    /// The name commands use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.chain[0]
    }

    /// Its certificate first, the root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The root the chain ends at.
    pub fn root(&self) -> &Certificate {
        &self.chain[self.chain.len() - 1]
    }

    /// What admission and lints need to know.
    pub fn view(&self) -> IssuerView<'_> {
        IssuerView::of(self.certificate(), self.signature)
    }

    /// The SKI's bytes; empty for a CA of other tools that has none (lints then refuse to issue below it).
    pub fn key_identifier(&self) -> &[u8] {
        self.certificate()
            .subject_key_identifier()
            .unwrap_or_default()
    }

    /// How many signatures the key makes at once.
    pub fn lanes(&self) -> usize {
        self.signer.lanes()
    }

    /// The token answers and has the key; brings it back if it can be. Makes no signature.
    pub fn check(&self) -> Result<(), Error> {
        Ok(self.signer.check()?)
    }

    /// Every certificate of the chain is valid now.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Error> {
        let outside = |certificate: &&Certificate| {
            now < certificate.not_before() || now > certificate.not_after()
        };
        match self.chain.iter().find(outside) {
            None => Ok(()),
            Some(certificate) => Err(Error::AuthorityNotValid {
                authority: self.name.clone(),
                certificate: certificate.subject().to_string(),
                from: certificate.not_before(),
                until: certificate.not_after(),
                now,
            }),
        }
    }

    /// Signs linted bytes with the token and verifies the result with the CA's own public key.
    ///
    /// One token operation. The bytes that were linted are the bytes that are signed.
    pub fn sign(&self, linted: &Linted) -> Result<Vec<u8>, Error> {
        sign(&self.name, self.signer.as_ref(), linted)
    }

    /// Signs a revocation list and verifies the result with the CA's own public key.
    pub(super) fn sign_crl(&self, list: &LintedCrl) -> Result<Vec<u8>, Error> {
        let (signer, tbs) = (self.signer.as_ref(), list.tbs());
        let signature = signer.sign(tbs)?;
        let algorithm = algorithm(&self.name, signer)?;
        let verified = signer.public_key().verify(algorithm, tbs, &signature);
        verified.map_err(|source| Error::SignatureWrong {
            authority: self.name.clone(),
            source,
        })?;
        Ok(crl::with_signature(tbs, algorithm, &signature)?)
    }

    /// The token operation alone; [`Issuer::finish`] must follow before anything is used.
    pub fn sign_only(&self, linted: &Linted) -> Result<Vec<u8>, Error> {
        Ok(self.signer.sign(linted.tbs().der())?)
    }

    /// Verifies a signature and puts the certificate together.
    pub fn finish(&self, linted: &Linted, signature: &[u8]) -> Result<Vec<u8>, Error> {
        finish(&self.name, self.signer.as_ref(), linted, signature)
    }
}

/// What a key signs with.
pub(super) fn algorithm(authority: &str, signer: &dyn Signer) -> Result<SignatureAlgorithm, Error> {
    match signer.public_key().kind() {
        KeyKind::Ec(curve) => Ok(curve.signature_algorithm()),
        _ => Err(Error::SignatureWrong {
            authority: authority.to_owned(),
            source: KeyError::Malformed("a CA key must be EC"),
        }),
    }
}

pub(super) fn sign(
    authority: &str,
    signer: &dyn Signer,
    linted: &Linted,
) -> Result<Vec<u8>, Error> {
    let signature = signer.sign(linted.tbs().der())?;
    finish(authority, signer, linted, &signature)
}

fn finish(
    authority: &str,
    signer: &dyn Signer,
    linted: &Linted,
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    signer
        .public_key()
        .verify(algorithm(authority, signer)?, linted.tbs().der(), signature)
        .map_err(|source| Error::SignatureWrong {
            authority: authority.to_owned(),
            source,
        })?;
    Ok(linted.tbs().with_signature(signature)?)
}
