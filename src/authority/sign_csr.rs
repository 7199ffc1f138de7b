//! Signing a request that somebody brings to an officer: a server's, or a CA's whose key is elsewhere.

use super::certify::{By, Bytes, Certifying, made_before, refuse_other_use};
use super::{Error, Issuer};
use crate::ledger::Ledger;
use crate::profile::Kind;
use crate::x509::{Certificate, Csr};

/// What to do when a certificate for the same key and names is valid already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It is the answer: repeating a command changes nothing.
    Repeat,
    /// A new one is made beside it: how a server's certificate is renewed with its key.
    Renew,
}

impl Certifying<'_> {
    /// Certifies a request under a profile that holds no device's place.
    ///
    /// The profile decides what the certificate says; of a CA's request the subject's bytes are kept, its OU has to be
    /// the factory. Whether the issuer lists the profile in its configuration is not asked: that is for stations and
    /// endpoints, here an officer has agreed to each certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] names the rule; [`Error::ForDevices`] for a profile that issues to devices;
    /// [`Error::Withheld`] if the review said no.
    pub fn sign_csr(
        &self,
        csr: &Csr,
        issuer: &Issuer,
        factory: &str,
        ledger: &Ledger,
        repetition: Repetition,
    ) -> Result<Certificate, Error> {
        if self.profile.namespace().is_some() || self.profile.kind() == Kind::Root {
            return Err(Error::ForDevices(self.profile.name().to_owned()));
        }
        issuer.check_time(self.now)?;
        let request = match self.profile.kind() {
            Kind::Leaf => self.profile.admit(csr, issuer.view(), self.now)?,
            _ => self
                .profile
                .admit_ca_csr(csr, factory, issuer.certificate(), self.now)?,
        };
        refuse_other_use(ledger, self.profile, &request)?;
        if repetition == Repetition::Repeat {
            let above = Some(issuer.certificate());
            let before = made_before(ledger, self.profile, above, &request, self.now)?;
            if let Some(certificate) = before {
                return Ok(certificate);
            }
        }
        self.certify(&By::Issuer(issuer), &request, Bytes::Verbatim)
    }
}
