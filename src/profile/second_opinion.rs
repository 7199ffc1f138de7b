//! For the shipped profiles our TBS and rcgen's are the same bytes.

use super::{IssuerView, Profile};
use crate::testing::{ES256, Factory, SoftKey, ca_request, device_csr, now, serial, shipped};
use crate::x509::Template;

fn same_bytes(template: &Template) {
    let ours = template.to_tbs().unwrap();
    let theirs = template.to_tbs_with_rcgen().unwrap();
    assert_eq!(
        crate::hex::encode(ours.der()),
        crate::hex::encode(theirs.der())
    );
    assert!(ours.der().len() > 250);
}

#[test]
fn ca_profiles_agree() {
    let key = SoftKey::new().public_key();
    let request = ca_request("root-ca", &key, None);
    let view = IssuerView::self_signed(request.subject(), ES256);
    same_bytes(&shipped("root-ca").template(&request, view, serial()));

    let factory = Factory::new();
    let request = ca_request("device-ca", &key, Some(&factory.root));
    let view = IssuerView::of(&factory.root, ES256);
    same_bytes(&shipped("device-ca").template(&request, view, serial()));
}

#[test]
fn device_profile_agrees_before_and_after_2050() {
    let factory = Factory::new();
    let view = IssuerView::of(&factory.ca, ES256);
    let request = shipped("device")
        .admit(&device_csr(|_| {}), view, now())
        .unwrap();
    let mut template = shipped("device").template(&request, view, serial());
    same_bytes(&template);
    template.not_after = crate::timestamp::Timestamp::from_rfc3339("2050-01-01T00:00:00Z").unwrap();
    same_bytes(&template);
}

#[test]
fn servers_with_names_and_addresses_agree() {
    let text = include_str!("../../profiles/tls-server.yaml")
        .replace("dns: []", "dns: [\"*.example.com\"]")
        .replace("ip: []", "ip: [10.0.0.1, \"fd00::1\"]")
        .replace(
            "  subject-key-identifier: sha256-160",
            "  subject-key-identifier: sha256-160\n  crl-distribution-points: [\"http://crl.example.com/root.crl\"]\n  ca-issuers: [\"http://crl.example.com/root.crt\"]",
        );
    let profile = Profile::from_yaml(&text).unwrap();
    let factory = Factory::new();
    let view = IssuerView::of(&factory.root, ES256);
    let csr = device_csr(|wanted| {
        wanted.subject_alt_names = ["gw.example.com", "10.0.0.1", "fd00::1"]
            .map(|name| match name.parse() {
                Ok(address) => rcgen::SanType::IpAddress(address),
                Err(_) => rcgen::SanType::DnsName(name.try_into().unwrap()),
            })
            .to_vec();
    });
    let request = profile.admit(&csr, view, now()).unwrap();
    assert_eq!(request.subject().to_string(), "CN=gw.example.com");
    same_bytes(&profile.template(&request, view, serial()));
}
