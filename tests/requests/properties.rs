//! Whatever the bytes are, the reader returns; whatever it accepts was signed by the key in it.

use factory_ca::x509::Csr;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::build::*;

/// One change to a byte string.
#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Drop(Index),
    Insert(Index, u8),
    Repeat(Index, Index),
    Replace(Index, u8),
}

impl Change {
    fn any() -> impl Strategy<Value = Change> {
        let place = any::<Index>;
        prop_oneof![
            1 => place().prop_map(Change::Cut),
            2 => place().prop_map(Change::Drop),
            2 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
            1 => (place(), place()).prop_map(|(from, to)| Change::Repeat(from, to)),
            6 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let place = |index: &Index| index.index(bytes.len());
        match self {
            Change::Cut(at) => bytes.truncate(place(at)),
            Change::Drop(at) => drop(bytes.remove(place(at))),
            Change::Insert(at, byte) => bytes.insert(place(at), *byte),
            Change::Replace(at, byte) => {
                let at = place(at);
                bytes[at] = *byte;
            }
            Change::Repeat(from, to) => {
                let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
                bytes.extend_from_within(from..to);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in vec(any::<u8>(), 0..400)) {
        let length = bytes.len();
        let sequence = [&[SEQUENCE, 0x82, (length >> 8) as u8, length as u8], bytes.as_slice()].concat();
        let text = [b"-----BEGIN CERTIFICATE REQUEST-----", bytes.as_slice()].concat();
        for input in [&bytes, &sequence, &text, &to_pem(&bytes).into_bytes()] {
            prop_assert!(Csr::from_bytes(input).is_err());
        }
    }

    #[test]
    fn any_bytes_in_any_place_of_a_signed_request_are_read_without_panic(
        bytes in vec(any::<u8>(), 0..80),
        place in 0..5,
    ) {
        let key = Key::new();
        let mut draft = Draft::proper(&key);
        match place {
            0 => draft.version = bytes,
            1 => draft.subject = tlv(SEQUENCE, &[&bytes]),
            2 => draft.spki = tlv(SEQUENCE, &[&bytes]),
            3 => draft = draft.attributes(&[&bytes]),
            _ => draft = draft.extensions(&[&bytes]),
        }
        check(&draft.sign(&key))?;
    }

    #[test]
    fn a_changed_request_is_refused_unless_its_signature_still_fits(
        changes in vec(Change::any(), 1..4),
        as_pem in any::<bool>(),
    ) {
        let key = Key::new();
        let der = Draft::proper(&key).sign(&key);
        let mut bytes = if as_pem { to_pem(&der).into_bytes() } else { der };
        changes.iter().for_each(|change| change.apply(&mut bytes));
        check(&bytes)?;
    }

    #[test]
    fn a_request_with_a_subject_of_any_text_keeps_it(cn in "\\PC{0,40}", ou in ".{0,40}") {
        let key = Key::new();
        let subject = device_name(&cn, &ou);
        let csr = Draft::proper(&key).subject(subject.clone()).sign(&key);
        let read = Csr::from_bytes(&csr).unwrap();
        prop_assert_eq!(read.subject().der(), subject);
        prop_assert_eq!(read.subject().attributes()[0].text.as_deref(), Some(cn.as_str()));
        prop_assert_eq!(read.subject().attributes()[1].text.as_deref(), Some(ou.as_str()));
    }
}

/// Verifies an accepted request once more, with an implementation the reader does not use.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(csr) = Csr::from_bytes(bytes) else {
        return Ok(());
    };
    let der = match bytes.trim_ascii_start().starts_with(b"-----") {
        true => {
            factory_ca::x509::pem::read(bytes)
                .unwrap()
                .remove(0)
                .contents
        }
        false => bytes.to_vec(),
    };
    let (info, signature) = split(&der);
    let key = VerifyingKey::from_sec1_bytes(csr.key().bits()).unwrap();
    let signature = Signature::from_der(signature).unwrap();
    prop_assert!(key.verify(info, &signature).is_ok());
    Ok(())
}

/// The signed bytes and the signature of a request: SEQUENCE { info, algorithm, BIT STRING }.
fn split(der: &[u8]) -> (&[u8], &[u8]) {
    let (parts, _) = value(der);
    let (_, rest) = value(parts);
    let info = &parts[..parts.len() - rest.len()];
    let (_, rest) = value(rest);
    let (bits, _) = value(rest);
    (info, &bits[1..])
}

/// The content of the first value and what follows it.
fn value(der: &[u8]) -> (&[u8], &[u8]) {
    let (start, length) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        length => (2, usize::from(length)),
    };
    (&der[start..start + length], &der[start + length..])
}
