//! The request reader and the corpus: each case is refused with its exact words, its neighbours are read.

use factory_ca::x509::Csr;

use crate::build::*;
use crate::corpus::{self, Case};

#[test]
fn files_that_are_no_request_are_refused() {
    refused(corpus::no_requests());
}

#[test]
fn requests_whose_outer_structure_is_no_der_are_refused() {
    refused(corpus::odd_structure());
}

#[test]
fn requests_whose_info_is_wrong_are_refused() {
    refused(corpus::odd_info());
}

#[test]
fn requests_with_odd_keys_are_refused() {
    refused(corpus::odd_keys());
}

#[test]
fn requests_with_odd_attributes_are_refused() {
    refused(corpus::odd_attributes());
}

#[test]
fn requests_with_odd_signature_algorithms_are_refused() {
    refused(corpus::odd_signature_algorithms());
}

#[test]
fn their_neighbours_are_read() {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let usage = extension(KEY_USAGE, &TRUE, &[3, 2, 7, 0x80]);
    let request = extension_request(&[&usage]);
    let password = attribute(CHALLENGE_PASSWORD, &[&[UTF8, 1, b'a']]);
    let attributes = |list: &[&[u8]]| proper.clone().attributes(list).sign(&key);
    let same = [&[SEQUENCE], &key.public().spki()[1..]].concat();
    for request in [
        attributes(&[]),
        attributes(&[&password]),
        attributes(&[&password, &request]),
        proper.clone().extensions(&[]).sign(&key),
        proper.clone().spki(same).sign(&key),
    ] {
        assert!(Csr::from_bytes(&request).is_ok());
    }
}

#[test]
fn requests_over_the_size_limit_are_refused_before_they_are_read() {
    let key = Key::new();
    let draft = Draft::proper(&key);
    let padding = |length: usize| {
        let password = tlv(UTF8, &[&vec![b'a'; length]]);
        draft
            .clone()
            .attributes(&[&attribute(CHALLENGE_PASSWORD, &[&password])])
            .sign(&key)
    };
    assert!(Csr::from_bytes(&padding(11_000)).is_ok());
    assert!(Csr::from_bytes(to_pem(&padding(11_000)).as_bytes()).is_ok());
    let spaces = [to_pem(&draft.sign(&key)).as_bytes(), &[b' '; 16_384]].concat();
    let large = padding(20_000);
    let message = |found: usize| format!("it has {found} bytes, at most 16384 are read");
    for bytes in [large, spaces, vec![0x30; 16_385]] {
        let error = Csr::from_bytes(&bytes).unwrap_err();
        assert_eq!(error.to_string(), message(bytes.len()));
        let error = Csr::from_der(&bytes).unwrap_err();
        assert_eq!(error.to_string(), message(bytes.len()));
    }
}

#[test]
fn requests_with_empty_or_huge_subjects_are_read_and_left_to_the_profile() {
    let key = Key::new();
    let proper = Draft::proper(&key);
    let many = vec![(CN, UTF8, b"a".as_slice()); 500];
    for (subject, attributes) in [
        (name(&[]), 0),
        (name(&[(CN, UTF8, &[b'a'; 9000])]), 1),
        (name(&many), 500),
    ] {
        let csr = Csr::from_bytes(&proper.clone().subject(subject.clone()).sign(&key)).unwrap();
        assert_eq!(csr.subject().attributes().len(), attributes);
        assert_eq!(csr.subject().der(), subject);
    }
}

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
