//! Relying parties: OpenSSL, GnuTLS and rustls' webpki, asked the same question.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, BorrowedCertRevocationList, CertRevocationList, EndEntityCert,
    ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

/// What a relying party was given: PEM files, one certificate or CRL in each.
#[derive(Clone, Debug, Default)]
pub struct Relying {
    /// The trust anchor.
    pub anchor: PathBuf,
    /// CAs between the anchor and what is shown, the issuer of the leaf first.
    pub intermediates: Vec<PathBuf>,
    /// A CRL of each CA of the chain, or none: then nobody looks.
    pub crls: Vec<PathBuf>,
}

/// What a certificate is shown for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Client,
    Server,
}

impl Relying {
    /// What all of them say; that they agree is a test of its own.
    pub fn accepts(&self, leaf: &Path, purpose: Purpose) -> bool {
        let verdicts = [
            self.openssl(std::slice::from_ref(&leaf.to_owned()), purpose),
            self.gnutls(leaf, purpose),
            self.webpki(leaf, purpose),
        ];
        assert!(
            verdicts == [true; 3] || verdicts == [false; 3],
            "OpenSSL, GnuTLS, webpki: {verdicts:?} of {} with {self:?}",
            leaf.display()
        );
        verdicts[0]
    }

    /// OpenSSL in strict mode, for many at once.
    pub fn openssl(&self, leaves: &[PathBuf], purpose: Purpose) -> bool {
        let mut command = Command::new("openssl");
        let purpose = match purpose {
            Purpose::Client => "sslclient",
            Purpose::Server => "sslserver",
        };
        command
            .args(["verify", "-x509_strict", "-purpose", purpose])
            .args(["-no-CApath", "-no-CAstore", "-CAfile"])
            .arg(&self.anchor);
        for file in &self.intermediates {
            command.arg("-untrusted").arg(file);
        }
        if !self.crls.is_empty() {
            command.arg("-crl_check_all");
        }
        for file in &self.crls {
            command.arg("-CRLfile").arg(file);
        }
        let output = command.args(leaves).output().unwrap();
        let accepted = String::from_utf8_lossy(&output.stdout)
            .matches(": OK")
            .count();
        output.status.success() && accepted == leaves.len()
    }

    /// certtool wants the chain in one file, the leaf first; the anchor alone is trusted.
    pub fn gnutls(&self, leaf: &Path, purpose: Purpose) -> bool {
        let scratch = tempfile::tempdir().unwrap();
        let gather = |name: &str, files: &mut dyn Iterator<Item = &Path>| {
            let texts: Vec<String> = files
                .map(|file| std::fs::read_to_string(file).unwrap())
                .collect();
            let path = scratch.path().join(name);
            std::fs::write(&path, texts.concat()).unwrap();
            path
        };
        let above = self.intermediates.iter().map(PathBuf::as_path);
        let chain = gather("chain.pem", &mut std::iter::once(leaf).chain(above));
        let purpose = match purpose {
            Purpose::Client => "1.3.6.1.5.5.7.3.2",
            Purpose::Server => "1.3.6.1.5.5.7.3.1",
        };
        let mut command = Command::new("certtool");
        command
            .args(["--verify", "--verify-profile", "medium"])
            .args(["--verify-purpose", purpose])
            .arg("--load-ca-certificate")
            .arg(&self.anchor);
        if !self.crls.is_empty() {
            let crls = gather("crls.pem", &mut self.crls.iter().map(PathBuf::as_path));
            command.arg("--load-crl").arg(crls);
        }
        let output = command.arg("--infile").arg(chain).output().unwrap();
        let trusted = "Chain verification output: Verified. The certificate is trusted.";
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains(trusted)
    }

    /// rustls' webpki; with CRLs it wants the status of each certificate, from a CRL that has not expired.
    pub fn webpki(&self, leaf: &Path, purpose: Purpose) -> bool {
        let read = |path: &PathBuf| CertificateDer::from_pem_file(path).unwrap();
        let anchor = read(&self.anchor);
        let anchors = [webpki::anchor_from_trusted_cert(&anchor).unwrap()];
        let intermediates: Vec<_> = self.intermediates.iter().map(read).collect();
        let crls: Vec<CertRevocationList<'static>> = self
            .crls
            .iter()
            .map(|path| CertificateRevocationListDer::from_pem_file(path).unwrap())
            .map(|der| {
                let list = BorrowedCertRevocationList::from_der(&der).unwrap();
                list.to_owned().unwrap().into()
            })
            .collect();
        let crls: Vec<&CertRevocationList<'_>> = crls.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&crls).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let leaf = CertificateDer::from_pem_file(leaf).unwrap();
        let leaf = EndEntityCert::try_from(&leaf).unwrap();
        let usage = match purpose {
            Purpose::Client => KeyUsage::client_auth(),
            Purpose::Server => KeyUsage::server_auth(),
        };
        let verified = leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            &intermediates,
            UnixTime::now(),
            usage,
            revocation,
            None,
        );
        verified.is_ok()
    }
}
