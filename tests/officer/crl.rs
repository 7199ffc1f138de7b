//! `crl issue`: lists that relying parties take.

use crate::support::factory::Factory;
use crate::support::relying::{Purpose, Relying};

#[test]
fn relying_parties_take_the_lists_and_their_numbers_rise() {
    let factory = Factory::demo();
    factory.device_request();
    factory.run("device issue dev.csr -o dev.pem").succeeds();
    for number in 1..=2 {
        for ca in ["root", "line-1"] {
            let issued = factory.run(&format!("crl issue {ca} --json")).succeeds();
            assert_eq!(issued.json()["lists"][0]["number"], number);
        }
    }
    let relying = Relying {
        anchor: factory.path("pki/certs/factory_ca.pem"),
        intermediates: vec![factory.path("pki/certs/line-1.pem")],
        crls: ["root", "line-1"]
            .map(|ca| factory.path(&format!("pki/crl/{ca}.pem")))
            .to_vec(),
    };
    assert!(relying.accepts(&factory.path("dev.pem"), Purpose::Client));
    factory.run("ledger check").succeeds();
}
