//! Issuing certificate revocation lists.
//!
//! Collect → reserve a number → write → lint → sign → verify → record, and only then the file. A crash after the number
//! was taken leaves a gap in the numbers, which RFC 5280 section 5.2.3 allows; no number is used twice.

use super::{Error, Issuer};
use crate::ledger::{Ledger, NewCrl, Writer};
use crate::profile::Period;
use crate::timestamp::Timestamp;
use crate::x509::crl::{Crl, CrlTemplate, REASONS, Revoked};

/// When lists are made, and how long each is good.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// A new list is made so often.
    pub every: Period,
    /// A list is good for so much longer, so that a late one leaves no gap.
    pub overlap: Period,
}

/// A list that would be made.
#[derive(Clone, Debug)]
pub struct CrlPlan {
    /// When it starts to count.
    pub this_update: Timestamp,
    /// By when the next one will be there.
    pub next_update: Timestamp,
    /// What it lists.
    pub revoked: Vec<Revoked>,
}

/// A list that passed the checks: only such are signed.
pub struct LintedCrl {
    tbs: Vec<u8>,
}

impl Rhythm {
    /// When lists start: one now, and so many more ahead.
    ///
    /// # Errors
    ///
    /// [`Error::CrlTooLate`] if one would start when the CA has ended; asked before the first one is signed.
    pub fn starts(
        self,
        issuer: &Issuer,
        now: Timestamp,
        ahead: u32,
    ) -> Result<Vec<Timestamp>, Error> {
        let end = issuer.certificate().not_after();
        let (mut starts, mut this_update) = (Vec::new(), now);
        for _ in 0..=ahead {
            if this_update >= end {
                return Err(Error::CrlTooLate { this_update, end });
            }
            starts.push(this_update);
            this_update = self.every.after(this_update);
        }
        Ok(starts)
    }
}

impl CrlPlan {
    /// What a list of this CA says that starts at a moment; see [`Ledger::revoked`] for what it names.
    ///
    /// It is good no longer than the CA itself.
    pub fn collect(
        issuer: &Issuer,
        ledger: &Ledger,
        rhythm: Rhythm,
        this_update: Timestamp,
    ) -> Result<CrlPlan, Error> {
        let end = issuer.certificate().not_after();
        let subject = issuer.certificate().subject().der();
        let next_update = rhythm.overlap.after(rhythm.every.after(this_update));
        Ok(CrlPlan {
            this_update,
            next_update: next_update.min(end),
            revoked: ledger.revoked(subject, issuer.key_identifier(), this_update)?,
        })
    }

    /// Signs the list and records it.
    ///
    /// # Errors
    ///
    /// [`Error::CrlUnfit`] for a list that would not be sound; [`Error::Unrecorded`] when a list was signed and the ledger
    /// did not confirm it: nothing is released then.
    pub fn issue(
        &self,
        issuer: &Issuer,
        writer: &Writer,
        now: Timestamp,
    ) -> Result<(Crl, u32), Error> {
        issuer.check_time(now)?;
        let certificate = issuer.certificate();
        let mut group = writer.group(now)?;
        let (id, number) = group.reserve_crl(&NewCrl {
            issuer: certificate.subject().der(),
            authority_key: issuer.key_identifier(),
            this_update: self.this_update,
            next_update: self.next_update,
            entries: u32::try_from(self.revoked.len()).unwrap_or(u32::MAX),
        })?;
        group.commit()?;
        let template = CrlTemplate {
            signature: issuer.view().signature,
            issuer: certificate.subject(),
            authority_key_identifier: issuer.key_identifier(),
            this_update: self.this_update,
            next_update: self.next_update,
            number: number.into(),
            revoked: &self.revoked,
        };
        let der = issuer.sign_crl(&LintedCrl::check(&template)?)?;
        let crl = read_back(&der, &template)?;
        let recorded = writer.group(now).and_then(|mut group| {
            group.record_crl(id, crl.fingerprint())?;
            group.commit()
        });
        match recorded {
            Ok(()) => Ok((crl, number)),
            Err(source) => Err(Error::Unrecorded {
                serials: format!("list {number}"),
                source,
            }),
        }
    }
}

impl LintedCrl {
    /// Writes a list's bytes, if what it says may stand in a list that is published.
    fn check(template: &CrlTemplate<'_>) -> Result<LintedCrl, Error> {
        for revoked in template.revoked {
            let known = REASONS.iter().any(|(reason, _)| *reason == revoked.reason);
            // removeFromCRL is for delta lists (section 5.3.1): OpenSSL reads it as "not revoked", others as "revoked".
            if !known || revoked.reason == REMOVE_FROM_CRL {
                let what = format!(
                    "certificate {} has reason {}",
                    revoked.serial, revoked.reason
                );
                return Err(Error::CrlUnfit(what));
            }
        }
        Ok(LintedCrl {
            tbs: template.to_tbs()?,
        })
    }

    /// The bytes to sign.
    pub(super) fn tbs(&self) -> &[u8] {
        &self.tbs
    }
}

/// What was signed, read by another reader than the writer: it has to say the same.
fn read_back(der: &[u8], template: &CrlTemplate<'_>) -> Result<Crl, Error> {
    let crl = Crl::from_der(der).map_err(|error| Error::CrlUnfit(error.to_string()))?;
    let same = crl.issuer == *template.issuer
        && crl.this_update == template.this_update
        && crl.next_update == Some(template.next_update)
        && crl.number == Some(template.number)
        && crl.authority_key_identifier.as_deref() == Some(template.authority_key_identifier)
        && crl.revoked == template.revoked;
    match same {
        true => Ok(crl),
        false => Err(Error::CrlUnfit("it does not say what it should".to_owned())),
    }
}

const REMOVE_FROM_CRL: u8 = 8;
