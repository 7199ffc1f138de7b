//! The security officer: certificates and lists beside those of devices, and what becomes of CAs.
//!
//! Relying parties (OpenSSL in strict mode, GnuTLS, rustls' webpki) are asked at each point what they accept.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod crl;
mod docs;
mod exchange;
mod sign_csr;
mod tls;

use support::factory::Factory;
use support::relying::Relying;

/// Who trusts the root and was given nothing else.
fn root(factory: &Factory) -> Relying {
    Relying {
        anchor: factory.path("pki/certs/factory_ca.pem"),
        ..Relying::default()
    }
}
