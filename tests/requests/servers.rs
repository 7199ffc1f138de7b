//! The shipped `tls-server` profile with its lists filled in: names come from the request, if the lists allow them.

use factory_ca::profile::{Profile, Refusal};
use factory_ca::x509::Certificate;

use crate::build::*;
use crate::issuer::{admit, device_ca, now, shipped};

const OTHER_NAME: u8 = 0xa0;
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const X400: u8 = 0xa3;
const DIRECTORY: u8 = 0xa4;
const URI: u8 = 0x86;
const IP: u8 = 0x87;
const REGISTERED_ID: u8 = 0x88;

const LISTS: &str = "one that the lists of profile `tls-server` allow";
const KINDS: &str = "a dNSName or iPAddress";

struct Desk {
    key: Key,
    ca: Certificate,
    server: Profile,
}

impl Desk {
    fn new() -> Desk {
        let text = include_str!("../../profiles/tls-server.yaml")
            .replace("dns: []", "dns: [gw.example.com, \"*.line.example.com\"]")
            .replace("ip: []", "ip: [10.0.0.1, \"fd00::1\"]");
        Desk {
            key: Key::new(),
            ca: device_ca(),
            server: Profile::from_yaml(&text).unwrap(),
        }
    }

    fn csr(&self, names: &[(u8, &[u8])]) -> Vec<u8> {
        let names: Vec<Vec<u8>> = names.iter().map(|(tag, name)| tlv(*tag, &[name])).collect();
        self.csr_with(&tlv(SEQUENCE, &[&names.concat()]))
    }

    fn csr_with(&self, san: &[u8]) -> Vec<u8> {
        Draft::proper(&self.key)
            .extensions(&[&extension(SUBJECT_ALT_NAME, &[], san)])
            .sign(&self.key)
    }

    fn subject(&self, names: &[(u8, &[u8])]) -> String {
        let request = admit(&self.server, &self.csr(names), &self.ca, now()).unwrap();
        request.subject().to_string()
    }

    fn refusal(&self, csr: &[u8]) -> Refusal {
        match admit(&self.server, csr, &self.ca, now()) {
            Ok(request) => panic!("{} is admitted", request.subject()),
            Err(refusal) => refusal,
        }
    }
}

#[test]
fn names_the_lists_allow_are_admitted_and_the_first_names_the_server() {
    let desk = Desk::new();
    let v6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for (names, subject) in [
        (
            vec![(DNS, b"gw.example.com".as_slice())],
            "CN=gw.example.com",
        ),
        (
            vec![(DNS, b"GW.example.com".as_slice())],
            "CN=GW.example.com",
        ),
        (
            vec![(DNS, b"a.line.example.com".as_slice())],
            "CN=a.line.example.com",
        ),
        // The wildcard itself covers no more names than the list allows one by one.
        (
            vec![(DNS, b"*.line.example.com".as_slice())],
            "CN=*.line.example.com",
        ),
        (
            vec![(IP, &[10, 0, 0, 1]), (DNS, b"gw.example.com")],
            "CN=gw.example.com",
        ),
        (vec![(IP, &[10, 0, 0, 1])], ""),
        (vec![(IP, &v6)], ""),
    ] {
        assert_eq!(desk.subject(&names), subject);
    }
}

#[test]
fn a_first_name_above_64_characters_leaves_the_cn_out() {
    let desk = Desk::new();
    let name = |length: usize| format!("{}.line.example.com", "a".repeat(length - 17));
    let long = format!("{}.line.example.com", "a".repeat(63));
    let server = (DNS, long.as_bytes());
    assert_eq!(desk.subject(&[server]), "");
    assert_eq!(desk.subject(&[server, (DNS, b"gw.example.com")]), "");
    for (length, cn) in [(64, format!("CN={}", name(64))), (65, String::new())] {
        assert_eq!(desk.subject(&[(DNS, name(length).as_bytes())]), cn);
    }
}

#[test]
fn names_the_lists_do_not_allow_are_refused() {
    let desk = Desk::new();
    let gateway = (DNS, b"gw.example.com".as_slice());
    for (name, shown) in [
        ((DNS, b"evil.example.com".as_slice()), "`evil.example.com`"),
        ((DNS, b"line.example.com"), "`line.example.com`"),
        ((DNS, b"a.b.line.example.com"), "`a.b.line.example.com`"),
        ((DNS, b"*.gw.example.com"), "`*.gw.example.com`"),
        ((DNS, b"*.example.com"), "`*.example.com`"),
        ((DNS, b"aline.example.com"), "`aline.example.com`"),
        ((DNS, b"10.0.0.1"), "`10.0.0.1`"),
        ((IP, &[10, 0, 0, 2]), "10.0.0.2"),
        ((IP, &[0; 16]), "::"),
    ] {
        for names in [vec![name], vec![gateway, name]] {
            let refusal = desk.refusal(&desk.csr(&names));
            expect(
                &refusal,
                "san-not-allowed",
                "a requested alternative name",
                shown,
                LISTS,
            );
        }
    }
    // As shipped, the lists are empty.
    let refusal = admit(
        &shipped("tls-server"),
        &desk.csr(&[gateway]),
        &desk.ca,
        now(),
    )
    .unwrap_err();
    expect(
        &refusal,
        "san-not-allowed",
        "a requested alternative name",
        "`gw.example.com`",
        LISTS,
    );
}

#[test]
fn names_of_other_kinds_or_forms_are_refused() {
    let desk = Desk::new();
    let name = "a requested alternative name";
    let dns = "a requested dNSName";
    let ip = "a requested iPAddress";
    let upn = [
        oid("1.3.6.1.4.1.311.20.2.3"),
        tlv(CONTEXT_0, &[&[UTF8, 1, b'a']]),
    ]
    .concat();
    for (san, object, found, wanted) in [
        (
            (URI, b"https://gw.example.com/".as_slice()),
            name,
            "the uniformResourceIdentifier `https://gw.example.com/`",
            KINDS,
        ),
        (
            (EMAIL, b"a@example.com"),
            name,
            "the rfc822Name `a@example.com`",
            KINDS,
        ),
        (
            (REGISTERED_ID, &[0x2a, 3]),
            name,
            "the registeredID 1.2.3",
            KINDS,
        ),
        (
            (OTHER_NAME, &upn),
            name,
            "an otherName of type 1.3.6.1.4.1.311.20.2.3",
            KINDS,
        ),
        (
            (DIRECTORY, &device_name(UUID, FACTORY)),
            name,
            "a directoryName",
            KINDS,
        ),
        ((X400, &[]), name, "of another kind", KINDS),
        ((DNS, b""), dns, "``", "a host name"),
        (
            (DNS, b"gw.example.com."),
            dns,
            "`gw.example.com.`",
            "a host name",
        ),
        (
            (DNS, b"gw_1.line.example.com"),
            dns,
            "`gw_1.line.example.com`",
            "a host name",
        ),
        (
            (DNS, b"-a.line.example.com"),
            dns,
            "`-a.line.example.com`",
            "a host name",
        ),
        (
            (DNS, b"gw.example.com\0.evil.com"),
            dns,
            "`gw.example.com\\0.evil.com`",
            "a host name",
        ),
        (
            (DNS, b"a.*.line.example.com"),
            dns,
            "`a.*.line.example.com`",
            "a host name",
        ),
        ((DNS, b"*"), dns, "`*`", "a host name"),
        (
            (IP, &[10, 0, 0, 1, 255, 255, 255, 0]),
            ip,
            "8 octets long",
            "4 or 16 octets",
        ),
        ((IP, &[]), ip, "0 octets long", "4 or 16 octets"),
    ] {
        let refusal = desk.refusal(&desk.csr(&[(DNS, b"gw.example.com"), san]));
        expect(&refusal, "san-kind", object, found, wanted);
    }
}

#[test]
fn requests_without_a_readable_alternative_name_are_refused() {
    let desk = Desk::new();
    let proper = Draft::proper(&desk.key).sign(&desk.key);
    let (list, some) = (
        "the requested subjectAltName",
        "at least one dNSName or iPAddress",
    );
    for csr in [proper, desk.csr(&[])] {
        expect(&desk.refusal(&csr), "san-missing", list, "missing", some);
    }
    let gateway = tlv(SEQUENCE, &[&tlv(DNS, &[b"gw.example.com"])]);
    for san in [vec![], vec![NULL, 0], [gateway, vec![0]].concat()] {
        let refusal = desk.refusal(&desk.csr_with(&san));
        let wanted = "SEQUENCE OF GeneralName in DER";
        expect(&refusal, "san-kind", list, "unreadable", wanted);
    }
}

fn expect(refusal: &Refusal, rule: &str, object: &str, found: &str, wanted: &str) {
    let message = format!("{object} is {found}, wanted is {wanted}");
    assert_eq!((refusal.rule, refusal.to_string()), (rule, message));
}
