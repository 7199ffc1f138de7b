//! CAs that cannot issue: their time, their certificate, their chain.

use snapbox::str;

use crate::support::factory::Factory;
use crate::support::foreign::ALWAYS;

#[test]
fn an_expired_ca_signs_nothing() {
    let factory = Factory::demo();
    factory.device_request();
    factory.foreign_ca(ALWAYS, ((2020, 1, 1), (2021, 1, 1)));
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
    factory.foreign_ca(((2020, 1, 1), (2021, 1, 1)), ALWAYS);
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: authority `line-1`: certificate `CN=Factory-CA, OU=demo-factory` is valid from [TIME] to [TIME], and now is [TIME]; nothing was signed
hint: check this machine's clock; if it is right the CA has to be renewed

"#]]);
}

#[test]
fn a_ca_that_is_not_valid_yet_signs_nothing() {
    let factory = Factory::demo();
    factory.device_request();
    factory.foreign_ca(ALWAYS, ((2199, 1, 1), (2200, 1, 1)));
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
    factory.foreign_ca(ALWAYS, ((2020, 1, 1), (next_year, 1, 1)));
    factory.refuses("device issue dev.csr -o dev.pem", 1, str![[r#"
error: profile `device` refuses `dev.csr`: the end of validity is [DATE], the end of its issuer, wanted is at least 5 years from now; the issuer needs to be renewed; nothing was signed
hint: run `factory-ca profile show device` to see what it accepts

"#]]);
}

#[test]
fn a_foreign_ca_that_is_in_order_issues() {
    let factory = Factory::demo();
    factory.device_request();
    factory.foreign_ca(ALWAYS, ALWAYS);
    factory.run("device issue dev.csr -o dev.pem").succeeds();
}

#[test]
fn a_certificate_of_the_same_name_for_another_key_is_refused() {
    let factory = Factory::demo();
    factory.device_request();
    let genuine = factory.read("pki/certs/line-1.pem");
    factory.foreign_ca(ALWAYS, ALWAYS);
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
