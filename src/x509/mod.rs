//! Bytes ⇄ types, no policy.
//!
//! Everything here reads or writes the structures of RFC 5280, RFC 2986 and RFC 7468. What may be certified is the
//! business of `profile`; which key signs is the business of `token`.

pub mod certificate;
pub mod crl;
pub mod csr;
pub mod device_key;
mod ed25519;
pub mod key;
pub mod name;
pub mod pem;
pub mod request;
pub mod serial;
pub mod signed;
pub mod template;
mod tlv;

pub use certificate::Certificate;
pub use csr::{Csr, CsrError, Extension};
pub use key::{Curve, KeyIdentifierMethod, KeyKind, PublicKey, SignatureAlgorithm};
pub use name::Name;
pub use serial::Serial;
pub use template::{Tbs, Template};
