//! Devices that register as lmp-device-register does.

use crate::support::factory::Factory;

#[test]
fn a_captured_request_gets_four_files() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let body = include_str!("../data/lmp-device-register/register-plain.json");
    let answer = endpoint.post(Some(&token), body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let json = answer.json();
    let files: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        files,
        ["client.chained", "client.pem", "root.crt", "sota.toml"]
    );
    let again = endpoint.post(Some(&token), body);
    assert_eq!(again.body, answer.body);
    assert_eq!(factory.issued(), 3);
}
