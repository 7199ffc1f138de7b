//! CAs of another tool, whose time may be over.

use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::factory::Factory;

pub type Day = (i32, u8, u8);

pub const ALWAYS: (Day, Day) = ((2020, 1, 1), (2200, 1, 1));

impl Factory {
    /// Replaces root and device CA by ones of another tool, of the same names, with these days of validity.
    pub fn foreign_ca(&self, root: (Day, Day), line: (Day, Day)) {
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(parameters("Factory-CA", root), key()).unwrap();
        let line = CertifiedIssuer::signed_by(parameters("line-1", line), key(), &root).unwrap();
        self.write("pki/certs/factory_ca.pem", root.pem());
        self.write("pki/certs/line-1.pem", line.pem());
        let key = self.write("foreign.key", line.key().serialize_pem());
        let pin = self.read("pki/softhsm/line.pin");
        let mut import = Command::new("softhsm2-util");
        import
            .args([
                "--import",
                key.to_str().unwrap(),
                "--token",
                "demo-factory-line",
            ])
            .args(["--label", "foreign", "--id", "f0", "--pin", &pin])
            .env("SOFTHSM2_CONF", self.softhsm_configuration());
        assert!(import.output().unwrap().status.success());
        self.configure("object: line-1}", "object: foreign}");
    }
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
