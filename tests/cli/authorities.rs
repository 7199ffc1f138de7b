//! CAs that cannot issue: their time, their certificate, their chain.

use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use snapbox::str;

use crate::support::factory::Factory;

type Day = (i32, u8, u8);

const ALWAYS: (Day, Day) = ((2020, 1, 1), (2200, 1, 1));

#[test]
fn an_expired_ca_signs_nothing() {
    let factory = Factory::demo();
    factory.device_request();
    foreign_ca(&factory, ALWAYS, ((2020, 1, 1), (2021, 1, 1)));
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: authority `line-1`: certificate `CN=line-1, OU=demo-factory` is valid from [TIME] to [TIME], and now is [TIME]; nothing was signed
hint: check this machine's clock; if it is right the CA has to be renewed

"#]]);
    factory.write("csrs/dev.csr", factory.read("dev.csr"));
    factory.refuses("batch issue csrs --out devices", 2, str![[r#"
error: authority `line-1`: certificate `CN=line-1, OU=demo-factory` is valid from [TIME] to [TIME], and now is [TIME]; nothing was signed
hint: check this machine's clock; if it is right the CA has to be renewed

"#]]);
}

#[test]
fn an_expired_root_is_named() {
    let factory = Factory::demo();
    factory.device_request();
    foreign_ca(&factory, ((2020, 1, 1), (2021, 1, 1)), ALWAYS);
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: authority `line-1`: certificate `CN=Factory-CA, OU=demo-factory` is valid from [TIME] to [TIME], and now is [TIME]; nothing was signed
hint: check this machine's clock; if it is right the CA has to be renewed

"#]]);
}

#[test]
fn a_ca_that_is_not_valid_yet_signs_nothing() {
    let factory = Factory::demo();
    factory.device_request();
    foreign_ca(&factory, ALWAYS, ((2199, 1, 1), (2200, 1, 1)));
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: authority `line-1`: certificate `CN=line-1, OU=demo-factory` is valid from [TIME] to [TIME], and now is [TIME]; nothing was signed
hint: check this machine's clock; if it is right the CA has to be renewed

"#]]);
}

#[test]
fn a_ca_that_ends_before_the_profile_wants_signs_nothing() {
    let factory = Factory::demo();
    factory.device_request();
    // Longer than a 64 character name may be short, and shorter than the five years a device wants.
    let next_year = time::OffsetDateTime::now_utc().year() + 2;
    foreign_ca(&factory, ALWAYS, ((2020, 1, 1), (next_year, 1, 1)));
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the end of validity is [DATE], the end of its issuer, wanted is at least 5 years from now; the issuer needs to be renewed; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn a_foreign_ca_that_is_in_order_issues() {
    let factory = Factory::demo();
    factory.device_request();
    foreign_ca(&factory, ALWAYS, ALWAYS);
    factory.run("device issue dev.csr -o dev.pem").succeeds();
}

#[test]
fn a_certificate_of_the_same_name_for_another_key_is_refused() {
    let factory = Factory::demo();
    factory.device_request();
    let genuine = factory.read("pki/certs/line-1.pem");
    foreign_ca(&factory, ALWAYS, ALWAYS);
    factory.write("pki/certs/factory_ca.pem", genuine);
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: certificate `pki/certs/line-1.pem` is not issued by `root`: it names `CN=Factory-CA, OU=demo-factory`, that one is `CN=line-1, OU=demo-factory`
hint: run `factory-ca ca list` to see what the configuration names

"#]]);
    let other = Factory::demo();
    factory.write(
        "pki/certs/factory_ca.pem",
        other.read("pki/certs/factory_ca.pem"),
    );
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: certificate `pki/certs/line-1.pem` is not issued by `root`: its signature does not verify with that one's key
hint: run `factory-ca ca list` to see what the configuration names

"#]]);
}

#[test]
fn a_certificate_file_that_is_none_is_named() {
    let factory = Factory::demo();
    factory.device_request();
    factory.write("pki/certs/line-1.pem", "not a certificate");
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: certificate `pki/certs/line-1.pem` cannot be used
  Caused by: there is text outside the PEM blocks

"#]],
    );
    std::fs::remove_file(factory.path("pki/certs/line-1.pem")).unwrap();
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: authority `line-1` has no certificate yet: there is no `pki/certs/line-1.pem`
hint: run `factory-ca ca create line-1`

"#]],
    );
}

/// Replaces root and device CA by ones of another tool, of the same names, with these days of validity.
fn foreign_ca(factory: &Factory, root: (Day, Day), line: (Day, Day)) {
    let key = || KeyPair::generate().unwrap();
    let root = CertifiedIssuer::self_signed(parameters("Factory-CA", root), key()).unwrap();
    let line = CertifiedIssuer::signed_by(parameters("line-1", line), key(), &root).unwrap();
    factory.write("pki/certs/factory_ca.pem", root.pem());
    factory.write("pki/certs/line-1.pem", line.pem());
    let key = factory.write("foreign.key", line.key().serialize_pem());
    let pin = factory.read("pki/softhsm/line.pin");
    let mut import = Command::new("softhsm2-util");
    import
        .args([
            "--import",
            key.to_str().unwrap(),
            "--token",
            "demo-factory-line",
        ])
        .args(["--label", "foreign", "--id", "f0", "--pin", &pin])
        .env("SOFTHSM2_CONF", factory.softhsm_configuration());
    assert!(import.output().unwrap().status.success());
    factory.configure("object: line-1}", "object: foreign}");
}

fn parameters(name: &str, (from, until): (Day, Day)) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let names = &mut parameters.distinguished_name;
    names.push(DnType::CommonName, name);
    names.push(DnType::OrganizationalUnitName, "demo-factory");
    parameters.not_before = date_time_ymd(from.0, from.1, from.2);
    parameters.not_after = date_time_ymd(until.0, until.1, until.2);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.use_authority_key_identifier_extension = true;
    parameters
}
