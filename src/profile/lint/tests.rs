//! Every lint fires on bytes that break its clause, and on nothing else.

use super::{Finding, LINTS, check};
use crate::profile::{IssuerView, Profile, Request};
use crate::testing::{ES256, Factory, SoftKey, UUID, device_csr, now, serial, shipped};
use crate::x509::template::{AlternativeName, BasicConstraints, KeyUsage, Marked};
use crate::x509::{Name, Serial, SignatureAlgorithm, Tbs, Template};

struct Case {
    factory: Factory,
    profile: Profile,
    request: Request,
}

impl Case {
    fn device() -> Case {
        Case::with(shipped("device"))
    }

    fn with(profile: Profile) -> Case {
        let factory = Factory::new();
        let csr = device_csr(|wanted| {
            wanted.subject_alt_names = vec![rcgen::SanType::DnsName(
                "gw.example.com".try_into().unwrap(),
            )];
        });
        let view = IssuerView::of(&factory.ca, ES256);
        let request = profile.admit(&csr, view, now()).unwrap();
        Case {
            factory,
            profile,
            request,
        }
    }

    fn view(&self) -> IssuerView<'_> {
        IssuerView::of(&self.factory.ca, ES256)
    }

    fn template(&self) -> Template {
        self.profile.template(&self.request, self.view(), serial())
    }

    fn check(&self, tbs: Tbs) -> Result<(), Finding> {
        check(tbs, &self.profile, self.view(), &self.request).map(|_| ())
    }

    /// The lint that fires after the template was bent.
    fn fires(&self, bend: impl FnOnce(&mut Template)) -> &'static str {
        let mut template = self.template();
        bend(&mut template);
        self.check(template.to_tbs().unwrap()).unwrap_err().lint
    }

    /// The lint that fires after bytes were replaced.
    fn fires_on_bytes(&self, from: &[u8], to: &[u8]) -> &'static str {
        let der = self.template().to_tbs().unwrap().der().to_vec();
        let at = der
            .windows(from.len())
            .position(|window| window == from)
            .unwrap();
        let bent = [&der[..at], to, &der[at + from.len()..]].concat();
        self.check(Tbs::forged(bent, ES256)).unwrap_err().lint
    }
}

#[test]
fn a_proper_certificate_passes_and_each_lint_has_a_name_and_a_clause() {
    let case = Case::device();
    assert_eq!(case.check(case.template().to_tbs().unwrap()), Ok(()));
    let mut names: Vec<&str> = LINTS.iter().map(|lint| lint.name).collect();
    assert!(LINTS.iter().all(|lint| lint.clause.starts_with("RFC ")));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), LINTS.len());
}

#[test]
fn a_finding_reads_well() {
    let case = Case::device();
    let mut template = case.template();
    template.serial = Serial::from_random(&[1; 12]).unwrap();
    let finding = case.check(template.to_tbs().unwrap()).unwrap_err();
    assert_eq!(
        finding.to_string(),
        "lint `serial-number`: the serial number is 12 octets, wanted is 16 octets (RFC 5280 section 4.1.2.2)"
    );
}

#[test]
fn lints_of_the_fixed_fields_fire() {
    let case = Case::device();
    assert_eq!(
        case.fires_on_bytes(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]),
        "version"
    );
    assert_eq!(
        case.fires(|t| t.serial = Serial::from_random(&[1; 20]).unwrap()),
        "serial-number"
    );
    assert_eq!(
        case.fires_on_bytes(&[2, 16, 0x5a], &[2, 16, 0xda]),
        "serial-number"
    );
    assert_eq!(
        case.fires(|t| t.signature = SignatureAlgorithm::EcdsaSha384),
        "signature-algorithm"
    );
    assert_eq!(
        case.fires(|t| t.issuer = case.factory.root.subject().clone()),
        "issuer-name"
    );
    assert_eq!(
        case.fires(|t| t.not_before = t.not_before.plus(-1)),
        "validity"
    );
    assert_eq!(case.fires(|t| t.not_after = t.not_before), "validity");
    assert_eq!(
        case.fires(|t| t.key = SoftKey::new().public_key()),
        "public-key"
    );
    let upper =
        Name::from_pairs(&[(crate::x509::name::COMMON_NAME, &UUID.to_uppercase())]).unwrap();
    assert_eq!(case.fires(|t| t.subject = upper), "subject-name");
}

#[test]
fn times_in_the_wrong_type_are_found() {
    let case = Case::device();
    let mut template = case.template();
    template.not_after = crate::timestamp::Timestamp::from_rfc3339("2050-06-01T00:00:00Z").unwrap();
    let der = template.to_tbs().unwrap().der().to_vec();
    let at = der
        .windows(15)
        .position(|window| window == b"20500601000000Z")
        .unwrap();
    let mut bent = der.clone();
    bent[at..at + 4].copy_from_slice(b"2040");
    assert_eq!(
        case.check(Tbs::forged(bent, ES256)).unwrap_err().lint,
        "time-encoding"
    );
}

#[test]
fn a_certificate_that_outlives_its_issuer_is_found() {
    let mut case = Case::device();
    case.request.not_after = case.factory.ca.not_after().plus(1);
    assert_eq!(case.fires(|_| {}), "nesting");
}

#[test]
fn issuers_that_may_not_sign_are_found() {
    let mut case = Case::device();
    let device = case
        .factory
        .ca_key
        .certify(&case.template().to_tbs().unwrap());
    case.factory.ca = device;
    assert_eq!(case.fires(|_| {}), "issuer-may-sign");

    let factory = Factory::new();
    let request =
        crate::testing::ca_request("device-ca", &SoftKey::new().public_key(), Some(&factory.ca));
    let view = IssuerView::of(&factory.ca, ES256);
    let tbs = shipped("device-ca")
        .template(&request, view, serial())
        .to_tbs()
        .unwrap();
    let finding = check(tbs, &shipped("device-ca"), view, &request).unwrap_err();
    assert_eq!(
        (finding.lint, finding.found.as_str()),
        ("issuer-may-sign", "a CA with path length 0")
    );
}

#[test]
fn names_beyond_their_bounds_are_found() {
    let mut case = Case::device();
    let long =
        Name::from_pairs(&[(crate::x509::name::COMMON_NAME, "x".repeat(65).as_str())]).unwrap();
    case.request.subject = long;
    assert_eq!(case.fires(|_| {}), "subject-limits");
}

#[test]
fn keys_the_profile_does_not_admit_are_found() {
    let mut case = Case::device();
    case.profile = Profile::from_yaml(
        &include_str!("../../../profiles/device.yaml").replace("[p256]", "[p384]"),
    )
    .unwrap();
    assert_eq!(case.fires(|_| {}), "public-key");
}

#[test]
fn unique_identifiers_are_found() {
    let case = Case::device();
    let der = case.template().to_tbs().unwrap().der().to_vec();
    // [1] IMPLICIT BIT STRING before the extensions, with the outer length corrected.
    let extensions = der
        .windows(3)
        .position(|window| window[0] == 0xa3 && window[2] == 0x30)
        .unwrap();
    let content = [&der[4..extensions], &[0x81, 2, 0, 1], &der[extensions..]].concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let bent = [&[0x30, 0x82, length[0], length[1]], content.as_slice()].concat();
    assert_eq!(
        case.check(Tbs::forged(bent, ES256)).unwrap_err().lint,
        "unique-identifiers"
    );
}

#[test]
fn lints_of_the_extensions_fire() {
    let case = Case::device();
    assert_eq!(
        case.fires_on_bytes(&[6, 3, 0x55, 0x1d, 0x0e], &[6, 3, 0x55, 0x1d, 0x23]),
        "extensions-unique"
    );
    assert_eq!(
        case.fires(|t| t.ca_issuers = vec!["http://a".into()]),
        "extensions-listed"
    );
    assert_eq!(case.fires(|t| t.key_usage = None), "extensions-listed");
    let root_id = case
        .factory
        .root
        .subject_key_identifier()
        .map(<[u8]>::to_vec);
    assert_eq!(
        case.fires(|t| t.authority_key_identifier = root_id),
        "authority-key-identifier"
    );
    assert_eq!(
        case.fires(|t| t.subject_key_identifier = Some(vec![1; 20])),
        "subject-key-identifier"
    );
    let ca = BasicConstraints {
        ca: true,
        path_length: None,
    };
    assert_eq!(
        case.fires(|t| t.basic_constraints = Some(Marked {
            critical: true,
            content: ca
        })),
        "basic-constraints"
    );
    let leaf = BasicConstraints {
        ca: false,
        path_length: None,
    };
    assert_eq!(
        case.fires(|t| t.basic_constraints = Some(Marked {
            critical: false,
            content: leaf
        })),
        "basic-constraints"
    );
    let usage = Marked {
        critical: true,
        content: KeyUsage(0x8400),
    };
    assert_eq!(case.fires(|t| t.key_usage = Some(usage)), "key-usage");
    let purposes = case.profile.extended_key_usage.clone().unwrap().content;
    let critical = Marked {
        critical: true,
        content: purposes,
    };
    assert_eq!(
        case.fires(|t| t.extended_key_usage = Some(critical)),
        "extended-key-usage"
    );
}

#[test]
fn alternative_names_that_are_no_host_names_are_found() {
    let text = include_str!("../../../profiles/tls-server.yaml")
        .replace("dns: []", "dns: [gw.example.com]");
    let case = Case::with(Profile::from_yaml(&text).unwrap());
    let name = AlternativeName::Dns("gw example".into());
    assert_eq!(
        case.fires(|t| t.subject_alternative_names = vec![name]),
        "subject-alternative-name"
    );
}

#[test]
fn trailing_bytes_are_found() {
    let case = Case::device();
    let der = [case.template().to_tbs().unwrap().der(), &[0]].concat();
    assert_eq!(
        case.check(Tbs::forged(der, ES256)).unwrap_err().lint,
        "structure"
    );
}
