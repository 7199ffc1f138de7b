//! Devices that wait for the gateway's backend.

use factory_ca::ledger::{
    AtGateway, Claim, GatewayState, Intent, Ledger, OnLive, Registering, Reservation, State,
};
use factory_ca::timestamp::Timestamp;
use snapbox::str;

use crate::support::factory::Factory;
use crate::support::http::{MockServer, closed_port, ok, status};
use crate::support::requests::{DEVICE, OTHER_DEVICE, openssl, subject};

/// A factory whose ledger says that two devices were registered an hour ago and wait for the backend.
fn factory(url: &str) -> Factory {
    let factory = Factory::demo();
    for (name, device) in [("first", DEVICE), ("second", OTHER_DEVICE)] {
        factory.request(name, &subject(device));
        let line = format!("device issue {name}.csr -o {name}.pem");
        factory.run(&line).succeeds();
    }
    let issued = Ledger::open(&factory.path("pki/ledger.db")).unwrap();
    let past = Timestamp::now().plus(-3600);
    let path = factory.path("pki/waiting.db");
    Ledger::create(&path, "demo-factory", past).unwrap();
    let writer = Ledger::open(&path).unwrap().writer("test", past).unwrap();
    let mut group = writer.group(past).unwrap();
    for device in [DEVICE, OTHER_DEVICE] {
        let entry = issued.device(None, device).unwrap().remove(0);
        let reservation = group.reserve(&Intent {
            issuer: &entry.issuer,
            authority_key: &entry.authority_key,
            serial: &entry.serial,
            profile: "device",
            claim: Some(Claim {
                namespace: "device",
                device,
                on_live: OnLive::Refuse,
            }),
            subject: &entry.subject,
            key: entry.key,
            tbs: entry.tbs,
            not_after: entry.not_after,
            registration: Some(Registering {
                registrar: None,
                name: Some("gate"),
                source: "192.0.2.7",
                at_gateway: AtGateway::Create,
            }),
        });
        let Reservation::Reserved(new) = reservation.unwrap() else {
            panic!("not reserved");
        };
        group.record(new, &entry.certificate.unwrap()).unwrap();
    }
    group.commit().unwrap();
    writer.finish(past).unwrap();
    factory.configure("ledger: ledger.db", "ledger: waiting.db");
    let text = factory.read("pki/factory-ca.yaml");
    let api = format!("foundries: {{api: \"{url}\", token: {{file: api.token}}}}");
    factory.write("pki/factory-ca.yaml", format!("{text}\n{api}\n"));
    factory.write_secret("pki/api.token", "s3cr3t-api-token\n");
    factory
}

fn states(factory: &Factory) -> Vec<(State, GatewayState)> {
    let ledger = Ledger::open(&factory.path("pki/waiting.db")).unwrap();
    assert_eq!(ledger.check().unwrap().violations, []);
    let state = |device| {
        let entry = ledger.device(None, device).unwrap().remove(0);
        (entry.state, entry.registration.unwrap().gateway)
    };
    [DEVICE, OTHER_DEVICE].map(state).to_vec()
}

/// What the backend says about a device whose certificate is in a file.
fn known(factory: &Factory, file: &str, uuid: &str) -> String {
    let path = factory.path(file);
    let key = openssl(&["x509", "-in", path.to_str().unwrap(), "-noout", "-pubkey"]);
    let key = String::from_utf8(key).unwrap();
    serde_json::json!({ "uuid": uuid, "name": "gate", "public-key": key }).to_string()
}

#[test]
fn what_waits_is_shown_and_nobody_asked() {
    let factory = factory(&format!("http://127.0.0.1:{}", closed_port()));
    let outcome = factory.run("gateway retry --dry-run").succeeds();
    outcome.says(str![[r#"
2 waiting for the backend; nobody was asked

"#]]);
    outcome.prints(str![[r#"
DEVICE                                SERIAL                            RECORDED
56b2fa41-d79a-4aad-ba26-e26e719878bb  [SERIAL]  [TIME]
7d2c1f0a-5b6e-4c3d-9a8b-0f1e2d3c4b5a  [SERIAL]  [TIME]

"#]]);
    let pending = (State::Issued, GatewayState::Pending);
    assert_eq!(states(&factory), [pending, pending]);
}

#[test]
fn a_device_the_backend_knows_is_done_and_another_is_created() {
    let server = MockServer::start(Vec::new());
    let factory = factory(&server.url());
    server.expect(vec![
        ok(&known(&factory, "first.pem", DEVICE)),
        status(404, "{}"),
        status(201, "{}"),
    ]);
    let outcome = factory.run("gateway retry").succeeds();
    outcome.says(str![[r#"
2 created, 0 refused, 0 still wait

"#]]);
    let get = |uuid| format!("GET /ota/devices/{uuid}/?factory=demo-factory&by-uuid=1");
    let put = "PUT /ota/devices/".to_owned();
    assert_eq!(server.lines(), [get(DEVICE), get(OTHER_DEVICE), put]);
    let done = (State::Issued, GatewayState::Done);
    assert_eq!(states(&factory), [done, done]);
    let outcome = factory.run("gateway retry").succeeds();
    outcome.says(str![[r#"
no device waits for the backend

"#]]);
}

#[test]
fn a_refused_device_loses_its_certificate_and_an_unknown_one_goes_on_waiting() {
    let server = MockServer::start(Vec::new());
    let factory = factory(&server.url());
    server.expect(vec![
        status(404, "{}"),
        status(409, r#"{"message": "its name is taken"}"#),
        status(404, "{}"),
        status(403, "{}"),
    ]);
    let outcome = factory.run("gateway retry").ends_with(3);
    let text = outcome.stderr.clone();
    assert!(
        text.starts_with(&format!(
            "refused `{DEVICE}`: its name is taken\npending `{OTHER_DEVICE}`: "
        )),
        "{text}"
    );
    assert!(
        text.contains("\n0 created, 1 refused, 1 still wait\n"),
        "{text}"
    );
    let revoked = (State::Revoked, GatewayState::Refused);
    assert_eq!(
        states(&factory),
        [revoked, (State::Issued, GatewayState::Pending)]
    );
}

#[test]
fn a_backend_that_is_elsewhere_ends_the_run() {
    let server = MockServer::start(Vec::new());
    let factory = factory(&server.url());
    server.expect(vec![status(404, "{}"), status(301, "{}")]);
    let outcome = factory.run("gateway retry").ends_with(2);
    assert!(
        outcome
            .stderr
            .contains("redirects are not followed; still waiting: 2"),
        "{}",
        outcome.stderr
    );
    let pending = (State::Issued, GatewayState::Pending);
    assert_eq!(states(&factory), [pending, pending]);
}
