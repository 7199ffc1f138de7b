//! Requests that are wrong in one place, and the exact words each is refused with.
//!
//! Every case is signed after it was bent, so none is refused merely because its signature no longer fits.

mod attributes;
mod files;
mod keys;
mod structure;

use factory_ca::x509::Csr;

/// A case's name, the bytes and the message.
type Case = (&'static str, Vec<u8>, &'static str);

/// Compares all cases of a table before it fails, so that one run shows everything that changed.
fn refused(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (case, bytes, wanted) in cases {
        let found = match Csr::from_bytes(&bytes) {
            Ok(_) => "it is read".to_owned(),
            Err(error) => error.to_string(),
        };
        if found != wanted {
            wrong.push(format!("{case}:\n  found:  {found}\n  wanted: {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const P256: &str = "1.2.840.10045.3.1.7";
const NEITHER: &str = "it is neither PEM nor DER, wanted is a certification request in one of them";
