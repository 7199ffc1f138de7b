//! Requests that are wrong in one place, and the exact words each is refused with.
//!
//! Every case is signed after it was bent, so none is refused merely because its signature no longer fits.

mod attributes;
mod files;
mod keys;
mod structure;

pub use attributes::{odd_attributes, odd_signature_algorithms};
pub use files::no_requests;
pub use keys::odd_keys;
pub use structure::{odd_info, odd_structure};

/// A case's name, the bytes and the message.
pub type Case = (&'static str, Vec<u8>, &'static str);

const P256: &str = "1.2.840.10045.3.1.7";
const NEITHER: &str = "it is neither PEM nor DER, wanted is a certification request in one of them";
