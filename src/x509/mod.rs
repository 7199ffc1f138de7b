//! Bytes ⇄ types, no policy.
//!
//! Everything here reads or writes the structures of RFC 5280, RFC 2986 and RFC 7468. What may be certified is the
//! business of `profile`; which key signs is the business of `token`.

pub mod key;
pub mod serial;

pub use key::{Curve, KeyKind, PublicKey, SignatureAlgorithm};
pub use serial::Serial;
