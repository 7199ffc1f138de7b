//! The Foundries API, spoken to from the command line.

use std::sync::Arc;

use snapbox::data::Inline;
use snapbox::{Redactions, str};

use crate::support::factory::{Factory, Outcome, compare};
use crate::support::http::{Answer, MockServer, closed_port, ok, status};

const UUID: &str = "56b2fa41-d79a-4aad-ba26-e26e719878bb";
const OTHER: &str = "7d2c1f0a-5b6e-4c3d-9a8b-0f1e2d3c4b5a";
const TOKEN: &str = "s3cr3t-api-token";

/// The embedded PKI with a section `foundries:` for this server.
fn factory(url: &str) -> Factory {
    let factory = Factory::demo();
    foundries(
        &factory,
        &format!("api: \"{url}\", token: {{file: api.token}}"),
    );
    factory.write_secret("pki/api.token", &format!("{TOKEN}\n"));
    factory
}

fn foundries(factory: &Factory, section: &str) {
    let text = factory.read("pki/factory-ca.yaml");
    let text = text.lines().filter(|line| !line.starts_with("foundries:"));
    let text: Vec<&str> = text.collect();
    let text = format!("{}\nfoundries: {{{section}}}\n", text.join("\n"));
    factory.write("pki/factory-ca.yaml", text);
}

fn run(factory: &Factory, line: &str) -> Outcome {
    let outcome = factory.run(line);
    assert!(!outcome.stdout.contains(TOKEN) && !outcome.stderr.contains(TOKEN));
    outcome
}

fn denied() -> Answer {
    let name = "line 1,\u{1b}[31m dev";
    ok(&serde_json::json!({
        "devices": [{"uuid": UUID, "name": name}, {"uuid": OTHER, "name": null}],
        "total": 2,
        "next": null,
    })
    .to_string())
}

#[test]
fn denied_devices_are_listed() {
    let server = MockServer::start(vec![denied(), denied(), ok(r#"{"devices": []}"#)]);
    let factory = factory(&server.url());
    let outcome = run(&factory, "gateway denied list").succeeds();
    outcome.says("").prints(str![[r#"
UUID                                  NAME
56b2fa41-d79a-4aad-ba26-e26e719878bb  line 1, [31m dev
7d2c1f0a-5b6e-4c3d-9a8b-0f1e2d3c4b5a

"#]]);
    let outcome = run(&factory, "gateway denied list --json").succeeds();
    let wanted = serde_json::json!({"devices": [
        {"uuid": UUID, "name": "line 1, [31m dev"},
        {"uuid": OTHER, "name": null},
    ]});
    assert_eq!(outcome.json(), wanted);
    let outcome = run(&factory, "gateway denied list").succeeds();
    outcome.prints("").says(str![[r#"
no device is denied

"#]]);
    let line = "GET /ota/factories/demo-factory/denied-devices/?limit=50&page=1";
    assert_eq!(server.lines(), [line; 3]);
}

#[test]
fn devices_are_taken_off_the_list() {
    let server = MockServer::start(vec![status(204, ""), status(404, ""), status(204, "")]);
    let factory = factory(&server.url());
    let both = format!("gateway denied delete {UUID} {OTHER} --yes");
    run(&factory, &both).succeeds().says(str![[r#"
note: `7d2c1f0a-5b6e-4c3d-9a8b-0f1e2d3c4b5a` is not on the list
one device can register again

"#]]);
    let outcome = run(&factory, &format!("gateway denied delete -y --json {UUID}")).succeeds();
    let wanted = serde_json::json!({"removed": [UUID], "not_listed": []});
    assert_eq!(outcome.json(), wanted);
    let line = |uuid| format!("DELETE /ota/factories/demo-factory/denied-devices/{uuid}/");
    assert_eq!(server.lines(), [line(UUID), line(OTHER), line(UUID)]);
}

#[test]
fn a_rehearsal_changes_nothing() {
    let server = MockServer::start(vec![denied(), denied(), denied()]);
    let factory = factory(&server.url());
    let unknown = "00000000-0000-0000-0000-000000000000";
    let upper = UUID.to_uppercase();
    let outcome = run(
        &factory,
        &format!("gateway denied delete {upper} {unknown} --dry-run"),
    );
    outcome.says(str![[r#"
note: `00000000-0000-0000-0000-000000000000` is not on the list
one device would be able to register again; nothing was changed

"#]]);
    outcome.prints(str![[r#"
UUID                                  NAME
56b2fa41-d79a-4aad-ba26-e26e719878bb  line 1, [31m dev

"#]]);
    outcome.succeeds();
    let outcome = run(
        &factory,
        &format!("gateway denied delete {unknown} --dry-run"),
    )
    .succeeds();
    outcome.prints("").says(str![[r#"
note: `00000000-0000-0000-0000-000000000000` is not on the list
no device would be able to register again; nothing was changed

"#]]);
    let json = format!("gateway denied delete {OTHER} {unknown} --dry-run --json");
    let wanted = serde_json::json!({
        "would_remove": [{"uuid": OTHER, "name": null}],
        "not_listed": [unknown],
    });
    assert_eq!(run(&factory, &json).succeeds().json(), wanted);
    assert!(server.lines().iter().all(|line| line.starts_with("GET ")));
}

#[test]
fn nobody_to_ask_is_no_consent() {
    let server = MockServer::start(Vec::new());
    let factory = factory(&server.url());
    let line = format!("gateway denied delete {UUID} {OTHER}");
    factory.refuses(
        &line,
        2,
        str![[r#"
error: 2 devices will be able to register again. Nobody is there to confirm it, and nothing was done
hint: add `--yes`

"#]],
    );
    factory.refuses(
        "gateway denied delete ../x --yes",
        2,
        str![[r#"
error: invalid value '../x' for '<UUID>...': wanted is a UUID (8-4-4-4-12 hexadecimal digits)

For more information, try '--help'.

"#]],
    );
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn what_goes_wrong_is_explained() {
    let evil = "Location: https://evil.example/\r\n";
    let server = MockServer::start(vec![
        status(401, r#"{"message": "no such token s3cr3t-api-token"}"#),
        status(404, "no such factory"),
        Answer::With(302, evil, String::new()),
        ok("<html>"),
        status(503, ""),
        status(204, ""),
        Answer::Close,
    ]);
    let factory = factory(&server.url());
    let port = server.port().to_string();
    let explained = |line: &str, code: i32, text: Inline| {
        let outcome = run(&factory, line).ends_with(code);
        assert_eq!(outcome.stdout, "");
        let found = outcome.stderr.replace(&port, "PORT");
        compare(&Redactions::new(), &found, text.into());
    };
    explained(
        "gateway denied list",
        2,
        str![[r#"
error: `http://127.0.0.1:PORT` answered 401: no such token …
hint: check that the API token is still good and has the scopes for this

"#]],
    );
    explained(
        "gateway denied list",
        2,
        str![[r#"
error: `http://127.0.0.1:PORT` answered 404: no such factory
hint: check `factory:` and `foundries: {api: …}` in factory-ca.yaml

"#]],
    );
    explained(
        "gateway denied list",
        2,
        str![[r#"
error: `http://127.0.0.1:PORT` sends us to `https://evil.example/`, and redirects are not followed
hint: put the API's own address into `foundries: {api: …}` in factory-ca.yaml

"#]],
    );
    explained(
        "gateway denied list",
        2,
        str![[r#"
error: the answer of `http://127.0.0.1:PORT` cannot be used: it is not the JSON that is wanted
hint: check `foundries: {api: …}` in factory-ca.yaml

"#]],
    );
    explained(
        "--json gateway denied list",
        3,
        str![[r#"
{"error":{"code":"api-unavailable","hint":"try again in a moment","message":"`http://127.0.0.1:PORT` is not available: it answered 503"}}

"#]],
    );
    let both = format!("gateway denied delete {UUID} {OTHER} --yes");
    explained(
        &both,
        3,
        str![[r#"
error: `http://127.0.0.1:PORT` is not available: the connection was lost; done before that: 1 of 2
hint: try again in a moment

"#]],
    );
}

#[test]
fn without_a_token_nothing_is_asked() {
    let factory = Factory::demo();
    factory.refuses(
        "gateway denied list",
        2,
        str![[r#"
error: `foundries.token` in factory-ca.yaml is missing: without an API token nobody can be asked
hint: add `foundries: {token: {file: PATH}}`, or `{env: NAME}`, or `{credential: NAME}`

"#]],
    );
    foundries(&factory, "token: {file: api.token}");
    factory.refuses(
        "gateway denied list",
        2,
        str![[r#"
error: there is no API token
  Caused by: file `pki/api.token` cannot be read
  Caused by: No such file or directory (os error 2)
hint: put the token where `foundries: {token: …}` in factory-ca.yaml says, and nothing else

"#]],
    );
    factory.write("pki/api.token", TOKEN);
    factory.refuses(
        "gateway denied list",
        2,
        str![[r#"
error: there is no API token
  Caused by: the file `pki/api.token` has mode 0644, wanted is 0600
hint: run `chmod 600 pki/api.token`

"#]],
    );
    factory.write_secret("pki/api.token", "s3cr3t api token\n");
    factory.refuses(
        "gateway denied list",
        2,
        str![[r#"
error: the API token from file `pki/api.token` holds other characters than visible ASCII ones
hint: put the token where `foundries: {token: …}` in factory-ca.yaml says, and nothing else

"#]],
    );
    foundries(&factory, "token: s3cr3t");
    let outcome = factory.run("gateway denied list").ends_with(2);
    assert!(!outcome.stderr.contains("s3cr3t"), "{}", outcome.stderr);
    foundries(&factory, "api: \"http://api.example\", token: {env: X}");
    factory.refuses("gateway denied list", 2, str![[r#"
error: `pki/factory-ca.yaml`: `foundries.api` is `http://api.example`, wanted is `https://`, a host, a port if need be, and no path (`http://` for this machine only)

"#]]);
}

#[test]
fn the_token_may_come_from_the_environment() {
    let server = MockServer::start(vec![denied()]);
    let factory = factory(&server.url());
    foundries(
        &factory,
        &format!("api: \"{}\", token: {{env: API_TOKEN}}", server.url()),
    );
    let mut command = factory.command(&["gateway", "denied", "list"]);
    // A proxy of the environment is not used.
    let proxy = format!("http://127.0.0.1:{}", closed_port());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &proxy);
    }
    factory
        .outcome(command.env("API_TOKEN", "from-the-environment"))
        .succeeds();
    let token = server.received()[0].header("osf-token").map(str::to_owned);
    assert_eq!(token.as_deref(), Some("from-the-environment"));
}

#[test]
fn the_api_is_known_by_a_certificate_of_the_system_s_store() {
    let (ca, tls) = authority_and_server();
    let server = MockServer::start_tls(vec![denied()], tls);
    let factory = factory(&format!("https://localhost:{}", server.port()));
    factory.write("ca.pem", ca);
    let (other, _) = authority_and_server();
    factory.write("other.pem", other);

    let with_store = |name: &str| {
        let mut command = factory.command(&["gateway", "denied", "list"]);
        factory.outcome(command.env("SSL_CERT_FILE", factory.path(name)))
    };
    let refused = with_store("other.pem").ends_with(3);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    assert_eq!(server.lines(), [""; 0]);
    with_store("ca.pem").succeeds();
    let received = server.received();
    assert_eq!(received[0].header("osf-token"), Some(TOKEN));
}

/// A CA in PEM, and a server for `localhost` with a certificate of it.
fn authority_and_server() -> (String, rustls::ServerConfig) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "a test's CA");
    let certificate = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&server_key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![server.der().clone()],
            rustls_pki_types::PrivateKeyDer::try_from(server_key.serialize_der()).unwrap(),
        )
        .unwrap();
    (certificate.pem(), config)
}
