//! TLS of the endpoint: its certificate, and its key from a file or in a token.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, Signer as TlsSigner, SigningKey};
use rustls::{ServerConfig, SignatureAlgorithm, SignatureScheme};
use tokio_rustls::TlsAcceptor;

use crate::error::Error;
use crate::timestamp::Timestamp;
use crate::token::Signer;
use crate::x509::{Certificate, Curve, KeyKind};

/// Where the endpoint's private key is.
pub enum TlsKey {
    /// PKCS#8 in PEM.
    Pem(zeroize::Zeroizing<String>),
    /// In a token.
    Token(Arc<dyn Signer>),
}

/// What TLS needs.
pub struct Tls {
    /// The certificate and those between it and the root, PEM.
    pub chain: Vec<u8>,
    /// Its file, for errors.
    pub path: std::path::PathBuf,
    /// Its key.
    pub key: TlsKey,
}

/// Makes what accepts TLS connections: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, no client certificates.
///
/// A certificate that no device would accept now is refused; one that expires later is used until somebody replaces it.
/// When that is comes with it.
pub(super) fn acceptor(tls: Tls, now: Timestamp) -> Result<(TlsAcceptor, Timestamp), Error> {
    let wrong = |what: &str| unusable(&tls.path, what);
    let read: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&tls.chain).collect();
    let chain = read.map_err(|error| wrong(&error.to_string()))?;
    let leaf = chain
        .first()
        .ok_or_else(|| wrong("there is no certificate in it"))?;
    let leaf = Certificate::from_der(leaf).map_err(|error| wrong(&error.to_string()))?;
    let (from, until) = (leaf.not_before(), leaf.not_after());
    if now < from || now > until {
        let what = format!("it is valid from {from} to {until}, and now is {now}");
        return Err(wrong(&what));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key: Arc<dyn SigningKey> = match tls.key {
        TlsKey::Pem(pem) => {
            let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
                .map_err(|_| wrong("its key is no private key in PEM"))?;
            let load = provider.key_provider.load_private_key(key);
            load.map_err(|_| wrong("its key cannot be used for TLS"))?
        }
        TlsKey::Token(signer) => {
            let key = TokenKey::of(signer).ok_or_else(|| wrong("its key is not EC"))?;
            match key.belongs_to(&leaf)? {
                true => Arc::new(key),
                false => return Err(wrong(OTHER_KEY)),
            }
        }
    };
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().or_else(|error| match error {
        // A token's key has shown already whose it is.
        rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown) => Ok(()),
        _ => Err(wrong(OTHER_KEY)),
    })?;
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| wrong(&error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), until))
}

fn unusable(path: &Path, what: &str) -> Error {
    Error::usage(
        format!("`{}` cannot be used for TLS: {what}", path.display()),
        "see `server.tls` in factory-ca.yaml",
    )
}

/// A token's key as rustls wants it.
struct TokenKey {
    signer: Arc<dyn Signer>,
    scheme: SignatureScheme,
}

impl TokenKey {
    fn of(signer: Arc<dyn Signer>) -> Option<TokenKey> {
        let scheme = match signer.public_key().kind() {
            KeyKind::Ec(Curve::P256) => SignatureScheme::ECDSA_NISTP256_SHA256,
            KeyKind::Ec(Curve::P384) => SignatureScheme::ECDSA_NISTP384_SHA384,
            _ => return None,
        };
        Some(TokenKey { signer, scheme })
    }

    /// Whether it is the certificate's key. Some tokens have no public keys to compare: only a signature tells then.
    fn belongs_to(&self, leaf: &Certificate) -> Result<bool, Error> {
        let KeyKind::Ec(curve) = leaf.key().kind() else {
            return Ok(false);
        };
        let signature = self.signer.sign(PROBE)?;
        let verified = leaf
            .key()
            .verify(curve.signature_algorithm(), PROBE, &signature);
        Ok(verified.is_ok())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({:?})", self.scheme)
    }
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn TlsSigner>> {
        offered.contains(&self.scheme).then(|| {
            let (signer, scheme) = (self.signer.clone(), self.scheme);
            Box::new(TokenKey { signer, scheme }) as Box<dyn TlsSigner>
        })
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl TlsSigner for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        // A handshake asks for its signature from within the runtime, and a token may take its time.
        tokio::task::block_in_place(|| self.signer.sign(message))
            .map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// What no handshake ever signs.
const PROBE: &[u8] = b"factory-ca serve: is this the key of the certificate?";

const OTHER_KEY: &str = "its key belongs to another certificate";
