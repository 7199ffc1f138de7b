//! `tls create`: the key and the certificate of the endpoint, which then serves with them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use snapbox::str;

use crate::root;
use crate::support::device::Device;
use crate::support::factory::Factory;
use crate::support::relying::Purpose;
use crate::support::requests::{DEVICE, openssl, text};

const FILE: &str =
    "tls create --dns localhost --ip 127.0.0.1 --key pki/endpoint.key -o pki/certs/endpoint.pem";
const TOKEN: &str = "tls create --dns localhost --ip 127.0.0.1 --token line --object endpoint -o pki/certs/endpoint.pem";

fn factory(key: &str) -> Factory {
    Factory::with_endpoint(&format!(
        "server: {{tls: {{certificate: certs/endpoint.pem, key: {key}}}}}"
    ))
}

/// A device that trusts the root registers over TLS.
fn assert_serves(factory: &Factory) {
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(root(factory).anchor).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let device = Device::new(DEVICE).token(&token).tls(&Arc::new(config));
    device
        .register(&endpoint.address, &factory.path("sota"))
        .unwrap();
}

#[test]
fn an_endpoint_serves_with_a_key_in_a_file() {
    let factory = factory("{file: endpoint.key}");
    factory.run(FILE).succeeds().says(str![[r#"
the key in `pki/endpoint.key` has certificate [SERIAL] for localhost, 127.0.0.1 until [DATE], written to `pki/certs/endpoint.pem`
next, for the endpoint, in factory-ca.yaml: `server: {tls: {certificate: certs/endpoint.pem, key: {file: endpoint.key}}}`

"#]]);
    let mode = fs::metadata(factory.path("pki/endpoint.key")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o7777, 0o600);
    let certificate = factory.path("pki/certs/endpoint.pem");
    assert!(root(&factory).accepts(&certificate, Purpose::Server));
    assert_serves(&factory);
}

#[test]
fn an_endpoint_serves_with_a_key_in_a_token() {
    let factory = factory("{token: line, object: endpoint}");
    factory.run(TOKEN).succeeds().says(str![[r#"
key `endpoint` in token `line` has certificate [SERIAL] for localhost, 127.0.0.1 until [DATE], written to `pki/certs/endpoint.pem`
next, for the endpoint, in factory-ca.yaml: `server: {tls: {certificate: certs/endpoint.pem, key: {token: line, object: endpoint}}}`

"#]]);
    assert_serves(&factory);
}

#[test]
fn where_the_roots_token_is_elsewhere_a_request_is_written() {
    let factory = Factory::demo();
    let line =
        "tls create --dns gateway.example.com --ip 2001:db8::1 --key tls.key --request -o tls.csr";
    factory.run(line).succeeds();
    let csr = factory.path("tls.csr");
    let shown = openssl(&["req", "-in", text(&csr), "-verify", "-noout", "-text"]);
    let shown = String::from_utf8(shown).unwrap();
    assert!(
        shown.contains("Subject: CN = gateway.example.com"),
        "{shown}"
    );
    assert!(
        shown.contains("DNS:gateway.example.com, IP Address:2001:DB8:0:0:0:0:0:1"),
        "{shown}"
    );
    assert_eq!(factory.issued(), 2);
    let sign = "ca sign-csr tls.csr --allow-dns gateway.example.com --allow-ip 2001:db8::1 --yes -o tls.pem";
    factory.run(sign).succeeds();
    assert!(root(&factory).accepts(&factory.path("tls.pem"), Purpose::Server));
    // A key in a token signs a request, too.
    let line =
        "tls create --dns a.example --token line --object other --key-type p384 --request -o a.csr";
    factory.run(line).succeeds();
    openssl(&[
        "req",
        "-in",
        text(&factory.path("a.csr")),
        "-verify",
        "-noout",
    ]);
}

#[test]
fn what_is_there_already_is_left_as_it_is() {
    let factory = Factory::demo();
    factory
        .run("tls create --dns localhost --key tls.key -o tls.pem")
        .succeeds();
    factory.refuses(
        "tls create --dns localhost --key tls.key -o other.pem",
        2,
        str![[r#"
error: `tls.key` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    factory.refuses(
        "tls create --dns localhost --key other.key -o tls.pem",
        2,
        str![[r#"
error: `tls.pem` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    // The same key, certified once more.
    factory
        .run("tls create --dns localhost --key tls.key --existing-key -o new.pem")
        .succeeds();
    let key = |name: &str| {
        openssl(&[
            "x509",
            "-in",
            text(&factory.path(name)),
            "-noout",
            "-pubkey",
        ])
    };
    assert_eq!(key("tls.pem"), key("new.pem"));
}

#[test]
fn a_key_that_cannot_be_used_is_named() {
    let factory = Factory::demo();
    factory.write_secret("rsa.key", "no key\n");
    factory.refuses(
        "tls create --dns localhost --key rsa.key --existing-key -o tls.pem",
        2,
        str![[r#"
error: key `rsa.key` cannot be used: it is no P-256 key in PKCS#8
hint: leave out `--existing-key` and name a new file

"#]],
    );
    factory.write("open.key", "no key\n");
    factory
        .run("tls create --dns localhost --key open.key --existing-key -o tls.pem")
        .ends_with(2);
    factory
        .run("tls create --dns localhost -o tls.pem")
        .ends_with(2);
    factory
        .run("tls create --key tls.key -o tls.pem")
        .ends_with(2);
    assert_eq!(factory.issued(), 2);
}

#[test]
fn what_the_profile_refuses_is_refused_before_a_key_is_made() {
    let factory = Factory::demo();
    let profile = include_str!("../../profiles/tls-server.yaml");
    factory.write(
        "pki/profiles/tls-server.yaml",
        profile.replace("[p256, p384]", "[p256]"),
    );
    let in_token =
        "tls create --dns localhost --token line --object tls --key-type p384 -o tls.pem";
    factory.refuses(
        in_token,
        1,
        str![[r#"
error: the key is P-384, wanted is P-256
hint: run `factory-ca profile list` and `factory-ca profile show NAME` to see what is accepted

"#]],
    );
    // The root ends in twenty years.
    factory.write(
        "pki/profiles/tls-server.yaml",
        profile
            .replace("at-least: 30d", "at-least: 25y")
            .replace("period: 2y", "period: 30y"),
    );
    let in_file = "tls create --dns localhost --key tls.key -o tls.pem";
    let outcome = factory.run(in_file).ends_with(1);
    assert!(
        outcome.stderr.starts_with("error: the end of validity is "),
        "{}",
        outcome.stderr
    );
    assert!(!factory.path("tls.key").exists());
    assert_eq!(factory.issued(), 2);
}

#[test]
fn a_key_is_a_cas_or_a_servers_but_never_both() {
    let factory = Factory::demo();
    for more in ["", " --request"] {
        factory.refuses(
            &format!("tls create --dns localhost --token line --object line-1 --existing-key -o tls.pem{more}"),
            2,
            str![[r#"
error: key `line-1` in token `line` is that of authority `line-1`; nothing was signed
hint: name another `--object`: a server has a key of its own

"#]],
        );
    }
    // The key of a CA that somebody else keeps.
    factory.key("online");
    factory.request_with_key("ca", "online", "/CN=fio-1/OU=demo-factory", &[]);
    let names = ["-addext", "subjectAltName=DNS:localhost"];
    factory.request_with_key("server", "online", "/", &names);
    factory
        .run("ca sign-csr ca.csr --profile device-ca --confirm fio-1 -o ca.pem")
        .succeeds();
    factory.refuses(
        "ca sign-csr server.csr --allow-dns localhost --yes -o server.pem",
        1,
        str![[r#"
error: profile `tls-server` refuses `server.csr`: the key is that of CA `CN=fio-1, OU=demo-factory`, wanted is a server's own; nothing was signed
hint: run `factory-ca profile show tls-server` to see what it accepts

"#]],
    );
    // And the other way round.
    factory.key("tls");
    factory.request_with_key("server", "tls", "/", &names);
    factory.request_with_key("ca", "tls", "/CN=fio-2/OU=demo-factory", &[]);
    factory
        .run("ca sign-csr server.csr --allow-dns localhost --yes -o server.pem")
        .succeeds();
    factory.refuses(
        "ca sign-csr ca.csr --profile device-ca --confirm fio-2 -o ca2.pem",
        1,
        str![[r#"
error: profile `device-ca` refuses `ca.csr`: the key is that of server `CN=localhost`, wanted is a CA's own; nothing was signed
hint: run `factory-ca profile show device-ca` to see what it accepts

"#]],
    );
}

#[test]
fn a_name_that_is_no_host_name_is_refused_before_a_key_is_made() {
    let factory = Factory::demo();
    factory.refuses(
        "tls create --dns gate_way.example.com --key tls.key -o tls.pem",
        2,
        str![[r#"
error: invalid value 'gate_way.example.com' for '--dns <NAME>': wanted is a host name

For more information, try '--help'.

"#]],
    );
}
