//! The shipped `device` profile: what it admits, and the exact words of each refusal.

use factory_ca::profile::{Profile, Refusal};
use factory_ca::x509::Certificate;

use crate::build::*;
use crate::issuer::{admit, at, device_ca, now, shipped, tbs};

const ORDER: &str = "CN, OU, businessCategory (optional), in this order and nothing else";
const STRINGS: &str = "a UTF8String, PrintableString or IA5String";
const CLEAN: &str = "text without control characters";

/// One key, one issuer and the profile, for a table of requests.
struct Desk {
    key: Key,
    ca: Certificate,
    device: Profile,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            key: Key::new(),
            ca: device_ca(),
            device: shipped("device"),
        }
    }

    fn csr(&self, subject: &[u8]) -> Vec<u8> {
        Draft::proper(&self.key)
            .subject(subject.to_vec())
            .sign(&self.key)
    }

    /// The device an admitted request names, once its subject and key were found in the TBS bytes unchanged.
    fn device(&self, csr: &[u8], subject: &[u8]) -> String {
        let request = admit(&self.device, csr, &self.ca, now()).unwrap();
        assert_eq!(request.subject().der(), subject);
        let tbs = tbs(&self.device, &request, &self.ca);
        for part in [subject, self.key.public().spki()] {
            assert!(tbs.windows(part.len()).any(|window| window == part));
        }
        request.device().unwrap().to_owned()
    }

    fn refusal(&self, csr: &[u8]) -> Refusal {
        match admit(&self.device, csr, &self.ca, now()) {
            Ok(request) => panic!("{} is admitted", request.subject()),
            Err(refusal) => refusal,
        }
    }
}

#[test]
fn subjects_that_keep_to_the_profile_are_admitted_byte_for_byte() {
    let desk = Desk::new();
    let upper = UUID.to_ascii_uppercase();
    let strings = |cn, ou| name(&[(CN, cn, UUID.as_bytes()), (OU, ou, FACTORY.as_bytes())]);
    let production = |tag| {
        name(&[
            (CN, UTF8, UUID.as_bytes()),
            (OU, UTF8, FACTORY.as_bytes()),
            (BUSINESS_CATEGORY, tag, b"production"),
        ])
    };
    for subject in [
        device_name(UUID, FACTORY),
        device_name(&upper, FACTORY),
        strings(UTF8, PRINTABLE),
        strings(PRINTABLE, PRINTABLE),
        strings(IA5, IA5),
        production(UTF8),
        production(PRINTABLE),
    ] {
        let csr = desk.csr(&subject);
        assert_eq!(desk.device(&csr, &subject), UUID);
    }
}

#[test]
fn every_way_devices_write_pem_is_read() {
    let desk = Desk::new();
    let subject = device_name(UUID, FACTORY);
    let der = desk.csr(&subject);
    let pem = to_pem(&der);
    let one_line = pem
        .replace('\n', "")
        .replace("ST-----M", "ST-----\nM")
        .replace("-----END", "\n-----END");
    for text in [
        pem.clone(),
        pem.replace('\n', "\r\n"),
        pem.replace("CERTIFICATE", "NEW CERTIFICATE"),
        one_line,
        pem.replace('\n', ""),
        pem.trim_end().to_owned(),
        format!("\r\n\r\n{pem}\n\n"),
    ] {
        assert_eq!(desk.device(text.as_bytes(), &subject), UUID, "{text}");
    }
    assert_eq!(desk.device(&der, &subject), UUID);
}

#[test]
fn subjects_with_other_attributes_or_another_order_are_refused() {
    let desk = Desk::new();
    let cn = (CN, UTF8, UUID.as_bytes());
    let ou = (OU, UTF8, FACTORY.as_bytes());
    let production = (BUSINESS_CATEGORY, UTF8, b"production".as_slice());
    let title = ("2.5.4.12", UTF8, b"boss".as_slice());
    let evil = (O, UTF8, b"evil".as_slice());
    let again = "there again, or out of order, as";
    for (subject, rule, object, found, wanted) in [
        (name(&[]), "subject-missing", "CN", "missing", ORDER),
        (name(&[cn]), "subject-missing", "OU", "missing", ORDER),
        (
            name(&[ou]),
            "subject-missing",
            "CN",
            "missing where OU stands",
            ORDER,
        ),
        (
            name(&[ou, cn]),
            "subject-missing",
            "CN",
            "missing where OU stands",
            ORDER,
        ),
        (
            name(&[cn, evil, ou]),
            "subject-missing",
            "OU",
            "missing where O stands",
            ORDER,
        ),
        (
            name(&[cn, cn, ou]),
            "subject-missing",
            "OU",
            "missing where CN stands",
            ORDER,
        ),
        (
            name(&[evil, cn, ou]),
            "subject-missing",
            "CN",
            "missing where O stands",
            ORDER,
        ),
        (
            name(&[cn, ou, cn]),
            "subject-unwanted",
            "CN",
            &format!("{again} `{UUID}`"),
            ORDER,
        ),
        (
            name(&[cn, ou, (CN, UTF8, b"root")]),
            "subject-unwanted",
            "CN",
            &format!("{again} `root`"),
            ORDER,
        ),
        (
            name(&[cn, ou, evil]),
            "subject-unwanted",
            "O",
            "there as `evil`",
            ORDER,
        ),
        (
            name(&[cn, ou, title]),
            "subject-unwanted",
            "2.5.4.12",
            "there as `boss`",
            ORDER,
        ),
        (
            name(&[cn, ou, (O, BMP, b"\0e")]),
            "subject-unwanted",
            "O",
            "there as (unreadable)",
            ORDER,
        ),
        (
            name(&[cn, ou, (O, UTF8, &[b'a'; 999])]),
            "subject-unwanted",
            "O",
            &format!("there as `{}…`", "a".repeat(80)),
            ORDER,
        ),
        (
            name(&[cn, production, ou]),
            "subject-missing",
            "OU",
            "missing where businessCategory stands",
            ORDER,
        ),
        (
            name(&[cn, ou, production, production]),
            "subject-unwanted",
            "businessCategory",
            &format!("{again} `production`"),
            ORDER,
        ),
        (
            crowded_name(&[cn, ou]),
            "subject-multi-valued",
            "OU",
            "in an RDN with another attribute",
            "an RDN of its own",
        ),
    ] {
        expect(
            &desk.refusal(&desk.csr(&subject)),
            rule,
            object,
            found,
            wanted,
        );
    }
}

#[test]
fn subjects_with_other_values_are_refused() {
    let desk = Desk::new();
    let cn = |tag, value: &[u8]| name(&[(CN, tag, value), (OU, UTF8, FACTORY.as_bytes())]);
    let ou = |tag, value: &[u8]| name(&[(CN, UTF8, UUID.as_bytes()), (OU, tag, value)]);
    let category = |value: &[u8]| {
        name(&[
            (CN, UTF8, UUID.as_bytes()),
            (OU, UTF8, FACTORY.as_bytes()),
            (BUSINESS_CATEGORY, UTF8, value),
        ])
    };
    let uuid = "a UUID (8-4-4-4-12 hexadecimal digits)";
    let factory = "`demo-factory`, as in the issuer's name";
    let wide: Vec<u8> = UUID.bytes().flat_map(|byte| [0, byte]).collect();
    for (subject, rule, object, found, wanted) in [
        (
            cn(UTF8, &[b'a'; 65]),
            "subject-length",
            "CN",
            "65 characters long",
            "1 to 64 characters",
        ),
        (
            cn(UTF8, b""),
            "subject-length",
            "CN",
            "0 characters long",
            "1 to 64 characters",
        ),
        (
            ou(UTF8, &[b'a'; 65]),
            "subject-length",
            "OU",
            "65 characters long",
            "1 to 64 characters",
        ),
        (
            cn(UTF8, b"dev-0042"),
            "subject-uuid",
            "CN",
            "`dev-0042`",
            uuid,
        ),
        (
            cn(UTF8, &UUID.as_bytes()[..35]),
            "subject-uuid",
            "CN",
            &format!("`{}`", &UUID[..35]),
            uuid,
        ),
        (
            cn(UTF8, UUID.replace('-', "").as_bytes()),
            "subject-uuid",
            "CN",
            &format!("`{}`", UUID.replace('-', "")),
            uuid,
        ),
        (
            cn(UTF8, UUID.replace('5', "g").as_bytes()),
            "subject-uuid",
            "CN",
            &format!("`{}`", UUID.replace('5', "g")),
            uuid,
        ),
        (
            cn(UTF8, format!("{UUID} ").as_bytes()),
            "subject-uuid",
            "CN",
            &format!("`{UUID} `"),
            uuid,
        ),
        (
            cn(UTF8, format!("{{{UUID}}}").as_bytes()),
            "subject-uuid",
            "CN",
            &format!("`{{{UUID}}}`"),
            uuid,
        ),
        (
            cn(UTF8, UUID.replace('5', "５").as_bytes()),
            "subject-uuid",
            "CN",
            &format!("`{}`", UUID.replace('5', "５")),
            uuid,
        ),
        (
            cn(UTF8, "\u{202e}bb".as_bytes()),
            "subject-uuid",
            "CN",
            "`\\u{202e}bb`",
            uuid,
        ),
        (
            cn(UTF8, format!("{UUID}\0").as_bytes()),
            "subject-characters",
            "CN",
            &format!("`{UUID}\\0`"),
            CLEAN,
        ),
        (
            cn(UTF8, b"\x1b[2J"),
            "subject-characters",
            "CN",
            "`\\u{1b}[2J`",
            CLEAN,
        ),
        (
            ou(UTF8, b"demo-factory\n"),
            "subject-characters",
            "OU",
            "`demo-factory\\n`",
            CLEAN,
        ),
        (
            ou(UTF8, "demo\u{85}factory".as_bytes()),
            "subject-characters",
            "OU",
            "`demo\\u{85}factory`",
            CLEAN,
        ),
        (
            ou(UTF8, b"other-factory"),
            "subject-factory",
            "OU",
            "`other-factory`",
            factory,
        ),
        (
            ou(UTF8, b"Demo-Factory"),
            "subject-factory",
            "OU",
            "`Demo-Factory`",
            factory,
        ),
        (
            ou(UTF8, b"demo-factory "),
            "subject-factory",
            "OU",
            "`demo-factory `",
            factory,
        ),
        (
            category(b"evil"),
            "subject-value",
            "businessCategory",
            "`evil`",
            "`production`",
        ),
        (
            category(b"Production"),
            "subject-value",
            "businessCategory",
            "`Production`",
            "`production`",
        ),
        (
            category(b""),
            "subject-length",
            "businessCategory",
            "0 characters long",
            "1 to 128 characters",
        ),
        (
            cn(BMP, &wide),
            "subject-string-type",
            "CN",
            "a BMPString",
            STRINGS,
        ),
        (
            ou(TELETEX, b"demo-factory"),
            "subject-string-type",
            "OU",
            "a TeletexString",
            STRINGS,
        ),
        (
            ou(UTF8, b"demo\xff"),
            "subject-string-type",
            "OU",
            "a UTF8String that is not UTF-8",
            STRINGS,
        ),
        (
            ou(PRINTABLE, b"demo_factory"),
            "subject-string-type",
            "OU",
            "a PrintableString with characters that type does not have",
            STRINGS,
        ),
        (
            ou(IA5, "démo".as_bytes()),
            "subject-string-type",
            "OU",
            "an IA5String with characters that type does not have",
            STRINGS,
        ),
        (
            ou(INTEGER, b"\x01"),
            "subject-string-type",
            "OU",
            "no string",
            STRINGS,
        ),
    ] {
        expect(
            &desk.refusal(&desk.csr(&subject)),
            rule,
            object,
            found,
            wanted,
        );
    }
}

#[test]
fn requests_for_a_ca_certificate_are_refused_and_other_extensions_ignored() {
    let desk = Desk::new();
    let csr = |extensions: &[&[u8]]| {
        Draft::proper(&desk.key)
            .extensions(extensions)
            .sign(&desk.key)
    };
    let constraints = |value: &[u8]| csr(&[&extension(BASIC_CONSTRAINTS, &TRUE, value)]);
    let ca = [SEQUENCE, 3, BOOLEAN, 1, 0xff];
    let unknown = extension("1.2.3.4", &TRUE, b"anything");
    let refused = |value: &[u8], found: &str| {
        let refusal = desk.refusal(&constraints(value));
        assert_eq!(refusal.rule, "csr-asks-for-ca");
        let message =
            format!("the requested basicConstraints is {found}, wanted is none, or CA:FALSE");
        assert_eq!(refusal.to_string(), message);
    };
    refused(&ca, "CA:TRUE");
    refused(&[SEQUENCE, 6, BOOLEAN, 1, 0xff, INTEGER, 1, 0], "CA:TRUE");
    refused(&[], "unreadable");
    refused(&[OCTET_STRING, 0], "unreadable");
    refused(&[[SEQUENCE, 0].as_slice(), &ca].concat(), "unreadable");

    let subject = device_name(UUID, FACTORY);
    let san = extension(SUBJECT_ALT_NAME, &[], &[SEQUENCE, 3, 0x82, 1, b'a']);
    for admitted in [
        constraints(&[SEQUENCE, 0]),
        constraints(&[SEQUENCE, 3, BOOLEAN, 1, 0]),
        csr(&[&unknown, &san]),
        csr(&[]),
    ] {
        assert_eq!(desk.device(&admitted, &subject), UUID);
    }
    let plain = admit(&desk.device, &csr(&[]), &desk.ca, now()).unwrap();
    let adorned = admit(&desk.device, &csr(&[&unknown, &san]), &desk.ca, now()).unwrap();
    assert_eq!(
        tbs(&desk.device, &plain, &desk.ca),
        tbs(&desk.device, &adorned, &desk.ca)
    );
}

#[test]
fn extensions_no_profile_writes_are_refused_by_name_where_the_profile_says_so() {
    let key = Key::new();
    let text = include_str!("../../profiles/device.yaml").replace(
        "requested-extensions: ignore",
        "requested-extensions: refuse-unlisted",
    );
    let strict = Profile::from_yaml(&text).unwrap();
    let csr = |kind| {
        Draft::proper(&key)
            .extensions(&[&extension(kind, &[], &[SEQUENCE, 0])])
            .sign(&key)
    };
    for (kind, shown) in [("2.5.29.32", "certificatePolicies"), ("1.2.3.4", "1.2.3.4")] {
        let refusal = admit(&strict, &csr(kind), &device_ca(), now()).unwrap_err();
        assert_eq!(refusal.rule, "csr-extension");
        assert_eq!(
            refusal.to_string(),
            format!("a requested extension is {shown}, wanted is only those the profile writes")
        );
    }
    assert!(admit(&strict, &csr(BASIC_CONSTRAINTS), &device_ca(), now()).is_ok());
}

#[test]
fn validity_ends_with_the_issuer_and_never_below_what_must_be_left() {
    let desk = Desk::new();
    let csr = desk.csr(&device_name(UUID, FACTORY));
    let end = at("2036-11-24T02:00:00Z");
    assert_eq!(desk.ca.not_after(), end);
    for moment in [now(), at("2031-11-24T02:00:00Z")] {
        let request = admit(&desk.device, &csr, &desk.ca, moment).unwrap();
        assert_eq!(request.not_after(), end);
    }
    for moment in [
        at("2031-11-24T02:00:01Z"),
        at("2036-11-24T01:59:59Z"),
        at("2040-01-01T00:00:00Z"),
    ] {
        let refusal = admit(&desk.device, &csr, &desk.ca, moment).unwrap_err();
        assert_eq!(refusal.rule, "validity-at-least");
        assert_eq!(
            refusal.to_string(),
            "the end of validity is 2036-11-24, the end of its issuer, wanted is at least 5 years from now; the issuer needs to be renewed"
        );
    }
}

#[test]
fn an_issuer_without_the_factory_in_its_name_admits_no_device() {
    use factory_ca::profile::IssuerView;
    use factory_ca::x509::{Csr, Name, SignatureAlgorithm};
    let key = Key::new();
    let csr = Csr::from_bytes(&Draft::proper(&key).sign(&key)).unwrap();
    let nameless = Name::from_der(&name(&[(CN, UTF8, b"line-1")])).unwrap();
    let view = IssuerView::self_signed(&nameless, SignatureAlgorithm::EcdsaSha256);
    let refusal = shipped("device").admit(&csr, view, now()).unwrap_err();
    let wanted = "that of the issuer's name, which has none";
    expect(&refusal, "subject-factory", "OU", "`demo-factory`", wanted);
}

fn expect(refusal: &Refusal, rule: &str, object: &str, found: &str, wanted: &str) {
    let message = format!("the subject's {object} is {found}, wanted is {wanted}");
    assert_eq!((refusal.rule, refusal.to_string()), (rule, message));
}
