//! TLS: certificate and key from the PKI, and what is wrong with them when the endpoint does not start.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use factory_ca::x509::Certificate;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned};
use snapbox::str;

use crate::support::badday::{CKR_DEVICE_ERROR, FOR_EVER, Function};
use crate::support::device::Device;
use crate::support::endpoint::{Endpoint, read_answer};
use crate::support::factory::Factory;
use crate::support::requests::{DEVICE, openssl, text};
use crate::support::softhsm_path;

const KEY_IN_FILE: &str = "{file: endpoint.key}";
const KEY_IN_TOKEN: &str = "{token: line, object: endpoint}";

/// A factory whose root has certified the endpoint's key; `key` says where that is.
fn factory(key: &str) -> Factory {
    let factory = Factory::with_endpoint(&format!(
        "server: {{tls: {{certificate: certs/endpoint.pem, key: {key}}}}}"
    ));
    let keys = "    keys: [{token: root, object: root-ca}]\n";
    factory.configure(keys, &format!("{keys}    profiles: [tls-server]\n"));
    let profile = include_str!("../../profiles/tls-server.yaml")
        .replace("dns: []", "dns: [localhost]")
        .replace("ip: []", "ip: [127.0.0.1]");
    factory.write("pki/profiles/tls-server.yaml", profile);
    let names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    factory.key("endpoint");
    factory.request_with_key("endpoint", "endpoint", "/", &names);
    factory
        .run("device issue endpoint.csr --profile tls-server --authority root -o pki/certs/endpoint.pem")
        .succeeds();
    let pem = factory.read("endpoint.key");
    factory.write_secret("pki/endpoint.key", &pem);
    factory
}

/// The same with the key in the embedded token `line`.
fn factory_with_key_in_token() -> Factory {
    let factory = factory(KEY_IN_TOKEN);
    import(&factory, "privkey", "endpoint.key", "endpoint");
    fs::remove_file(factory.path("pki/endpoint.key")).unwrap();
    factory
}

/// Puts a half of a key pair into the embedded token `line`.
fn import(factory: &Factory, half: &str, key: &str, label: &str) {
    let der = factory.path("key.der");
    let key = factory.path(key);
    let mut convert = vec![
        "pkey",
        "-in",
        text(&key),
        "-outform",
        "DER",
        "-out",
        text(&der),
    ];
    if half == "pubkey" {
        convert.push("-pubout");
    }
    openssl(&convert);
    let pin = factory.read("pki/softhsm/line.pin");
    let output = Command::new("pkcs11-tool")
        .env("SOFTHSM2_CONF", factory.path("pki/softhsm/softhsm2.conf"))
        .arg("--module")
        .arg(softhsm_path())
        .args(["--token-label", "demo-factory-line", "--login", "--pin"])
        .arg(pin.trim_end())
        .args(["--type", half, "--id", "09", "--usage-sign"])
        .args(["--label", label, "--write-object", text(&der)])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// A device's trust in the factory's root, and what else it would like to speak.
fn trust(
    factory: &Factory,
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = factory.read("pki/certs/factory_ca.pem");
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    // Each handshake asks for a signature of its own.
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

fn device_trust(factory: &Factory) -> Arc<ClientConfig> {
    trust(factory, rustls::ALL_VERSIONS, &[])
}

/// What `/metrics` says over TLS about one of them.
fn metric(endpoint: &Endpoint, config: &Arc<ClientConfig>, name: &str) -> f64 {
    let server = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(config.clone(), server).unwrap();
    let mut stream = StreamOwned::new(session, endpoint.connect());
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let text = read_answer(&mut BufReader::new(stream)).unwrap().text();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value
        .unwrap_or_else(|| panic!("{text}"))
        .trim()
        .parse()
        .unwrap()
}

/// Shakes hands and asks for the endpoint's health.
fn ask(endpoint: &Endpoint, config: &Arc<ClientConfig>) -> std::io::Result<ClientConnection> {
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(config.clone(), name).unwrap();
    let mut stream = StreamOwned::new(session, endpoint.connect());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    if stream.conn.alpn_protocol() != Some(b"h2") {
        let mut reader = BufReader::new(&mut stream);
        reader.fill_buf()?;
        assert_eq!(read_answer(&mut reader).unwrap().text(), "ok\n");
    }
    Ok(stream.conn)
}

#[test]
fn metrics_tell_when_the_endpoints_own_certificate_ends() {
    let factory = factory(KEY_IN_FILE);
    let endpoint = factory.serve();
    let pem = factory.read("pki/certs/endpoint.pem");
    let end = Certificate::from_pem(pem.as_bytes()).unwrap().not_after();
    let name = "factory_ca_tls_not_after_timestamp_seconds ";
    let told = metric(&endpoint, &device_trust(&factory), name);
    assert_eq!(told, end.unix() as f64);
}

#[test]
fn devices_register_over_tls() {
    for factory in [factory(KEY_IN_FILE), factory_with_key_in_token()] {
        let token = factory.registrar("line", "");
        let endpoint = factory.serve();
        let sota = factory.path("sota");
        let device = Device::new(DEVICE).token(&token);
        let device = device.tls(&device_trust(&factory));
        device.register(&endpoint.address, &sota).unwrap();
        assert_eq!(fs::read_dir(&sota).unwrap().count(), 5);
        // And nobody else's root will do.
        let other = Factory::demo();
        let stranger = Device::number(1).tls(&device_trust(&other));
        let told = stranger.register(&endpoint.address, &factory.path("other"));
        assert_eq!(told, Err("HEAD: no reply".to_owned()));
        assert_eq!(factory.issued(), 4);
    }
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_http_2_if_the_client_can() {
    let factory = factory(KEY_IN_FILE);
    let endpoint = factory.serve();
    for (version, number) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for (offered, chosen) in [
            (&["h2", "http/1.1"] as &[&str], Some("h2")),
            (&["http/1.1"], Some("http/1.1")),
            (&[], None),
        ] {
            let connection = ask(&endpoint, &trust(&factory, &[version], offered)).unwrap();
            assert_eq!(connection.protocol_version(), Some(number));
            assert_eq!(connection.alpn_protocol(), chosen.map(str::as_bytes));
            let certificates = connection.peer_certificates().unwrap();
            let shown = openssl(&[
                "x509",
                "-in",
                text(&factory.path("pki/certs/endpoint.pem")),
                "-outform",
                "DER",
            ]);
            assert_eq!(certificates, [CertificateDer::from(shown)]);
        }
    }
    let both = trust(&factory, rustls::ALL_VERSIONS, &[]);
    let connection = ask(&endpoint, &both).unwrap();
    assert_eq!(
        connection.protocol_version(),
        Some(ProtocolVersion::TLSv1_3)
    );
}

#[test]
fn http_2_carries_one_registration_after_the_other() {
    let factory = factory(KEY_IN_FILE);
    let token = factory.registrar("line", "");
    let authorisation = format!("OSF-TOKEN: {token}");
    let endpoint = factory.serve();
    let url = format!("https://{}/sign", endpoint.address);
    let curl = |more: &[&str]| {
        let mut arguments = vec!["--silent", "--show-error", "--max-time", "30"];
        arguments.extend(["--cacert", "pki/certs/factory_ca.pem"]);
        arguments.extend([
            "--write-out",
            "%{http_version} %{http_code} %{num_connects}\n",
        ]);
        arguments.extend(more);
        let mut command = factory.program(Path::new("curl"), &arguments);
        factory.outcome(&mut command).succeeds().stdout
    };
    let head = curl(&["--http2", "--head", "--output", "head", &url]);
    assert_eq!(head, "2 200 1\n");
    for number in 1..=2 {
        let device = Device::number(number);
        factory.write("body", device.body(&device.request()));
        let answers = curl(&[
            if number == 1 { "--http2" } else { "--http1.1" },
            "--header",
            "Content-type: application/json",
            "--header",
            &authorisation,
            "--data-binary",
            "@body",
            "--output",
            "first",
            &url,
            "--output",
            "second",
            &url,
        ]);
        let version = if number == 1 { "2" } else { "1.1" };
        assert_eq!(answers, format!("{version} 201 1\n{version} 201 0\n"));
        assert_eq!(factory.read("first"), factory.read("second"));
        let json: serde_json::Value = serde_json::from_str(&factory.read("first")).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 4);
    }
    let refused = curl(&["--http2", "--request", "PUT", "--output", "refused", &url]);
    assert_eq!(refused, "2 405 1\n");
    assert!(factory.read("refused").starts_with("{\"message\":"));
}

#[test]
fn strangers_on_the_port_disturb_nobody() {
    let factory = factory(KEY_IN_FILE);
    let endpoint = factory.serve();
    let config = device_trust(&factory);
    // One that says nothing, one that hangs up in the middle of its greeting, and many that do not speak TLS.
    let silent = endpoint.connect();
    endpoint
        .connect()
        .write_all(&[0x16, 0x03, 0x01, 0x02, 0x00])
        .unwrap();
    for _ in 0..30 {
        let mut plain = endpoint.connect();
        let _ = plain.write_all(b"POST /sign HTTP/1.1\r\nHost: ca\r\nOSF-TOKEN: fcr_not-for-the-log-of-anybody-at-all\r\n\r\n");
        let mut rest = Vec::new();
        let _ = plain.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP"));
    }
    let begun = Instant::now();
    ask(&endpoint, &config).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    drop(silent);
    endpoint.signal(Signal::TERM);
    let (_, log) = endpoint.wait();
    let lines = log
        .lines()
        .filter(|line| line.contains("TLS with 127.0.0.1:"));
    assert!((1..=10).contains(&lines.count()), "{log}");
}

#[test]
fn a_slow_token_keeps_only_its_own_handshakes_waiting() {
    let factory = factory_with_key_in_token();
    let bad = factory.bad_day();
    let endpoint = factory.serve();
    let config = device_trust(&factory);
    ask(&endpoint, &config).unwrap();
    bad.slow(Function::Sign, Duration::from_millis(300), FOR_EVER);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| ask(&endpoint, &config).unwrap());
        }
    });
    bad.well(Function::Sign);
    // One that does not sign breaks handshakes off, and is taken up again by itself.
    bad.fail(Function::Sign, CKR_DEVICE_ERROR, FOR_EVER);
    assert!(ask(&endpoint, &config).is_err());
    bad.well(Function::Sign);
    let begun = Instant::now();
    while ask(&endpoint, &config).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            endpoint.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let factory = factory(KEY_IN_FILE);
    let key = factory.path("pki/endpoint.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    factory.refuses_to_serve(
        2,
        str![[r#"
error: the file `pki/endpoint.key` has mode 0644, wanted is 0600
hint: run `chmod 600 pki/endpoint.key`

"#]],
    );
}

#[test]
fn files_that_are_missing_or_hold_something_else_are_named() {
    let factory = factory(KEY_IN_FILE);
    let (certificate, key) = ("pki/certs/endpoint.pem", "pki/endpoint.key");
    let good = (factory.read(certificate), factory.read(key));
    fs::remove_file(factory.path(key)).unwrap();
    factory.refuses_to_serve(
        2,
        str![[r#"
error: file `pki/endpoint.key` cannot be read
  Caused by: No such file or directory (os error 2)

"#]],
    );
    factory.write_secret(key, "no key\n");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: its key is no private key in PEM
hint: see `server.tls` in factory-ca.yaml

"#]],
    );
    let locked = good.1.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    factory.write_secret(key, &locked);
    factory.refuses_to_serve(
        2,
        str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: its key is no private key in PEM
hint: see `server.tls` in factory-ca.yaml

"#]],
    );
    factory.key("other");
    factory.write_secret(key, &factory.read("other.key"));
    factory.refuses_to_serve(
        2,
        str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: its key belongs to another certificate
hint: see `server.tls` in factory-ca.yaml

"#]],
    );
    factory.write_secret(key, &good.1);
    fs::remove_file(factory.path(certificate)).unwrap();
    factory.refuses_to_serve(
        2,
        str![[r#"
error: `pki/certs/endpoint.pem` cannot be read
  Caused by: No such file or directory (os error 2)

"#]],
    );
    factory.write(certificate, "no certificate\n");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: there is no certificate in it
hint: see `server.tls` in factory-ca.yaml

"#]],
    );
    factory.write(certificate, good.0.replace("MII", "MIJ"));
    factory.refuses_to_serve(2, str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: not a certificate in DER: its structure is broken
hint: see `server.tls` in factory-ca.yaml

"#]]);
    factory.write(certificate, &good.0);
    drop(factory.serve());
}

#[test]
fn a_certificate_outside_its_validity_is_not_shown_to_devices() {
    let factory = factory(KEY_IN_FILE);
    let key = KeyPair::from_pem(&factory.read("pki/endpoint.key")).unwrap();
    let mut wanted = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let mut certify = |from: i32, until: i32| {
        wanted.not_before = date_time_ymd(from, 1, 1);
        wanted.not_after = date_time_ymd(until, 1, 1);
        let certificate = wanted.self_signed(&key).unwrap();
        factory.write("pki/certs/endpoint.pem", certificate.pem());
    };
    certify(2020, 2021);
    factory.refuses_to_serve(2, str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: it is valid from [TIME] to [TIME], and now is [TIME]
hint: see `server.tls` in factory-ca.yaml

"#]]);
    certify(2198, 2199);
    factory.refuses_to_serve(2, str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: it is valid from [TIME] to [TIME], and now is [TIME]
hint: see `server.tls` in factory-ca.yaml

"#]]);
    certify(2020, 2199);
    drop(factory.serve());
}

#[test]
fn a_key_that_is_not_in_the_token_is_named() {
    let factory = factory(KEY_IN_TOKEN);
    factory.refuses_to_serve(
        2,
        str![[r#"
error: no key labelled `endpoint` in token `demo-factory-line`; found: `line-1` (id `6c696e652d31`)
hint: run `factory-ca token show NAME`

"#]],
    );
    factory.configure(KEY_IN_TOKEN, "{token: lime, object: endpoint}");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: there is no token `lime`; found: `line`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
    factory.configure("{token: lime, object: endpoint}", "{token: line}");
    factory.refuses_to_serve(2, str![[r#"
error: `pki/factory-ca.yaml`: `server.tls.key` is something else, wanted is `{file: PATH}` or `{token: NAME, object: LABEL}`

"#]]);
    factory.configure("{token: line}", KEY_IN_TOKEN);
    factory.write("pki/certs/endpoint.pem", "no certificate\n");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: `pki/certs/endpoint.pem` holds no certificate that can be read
hint: see `server.tls` in factory-ca.yaml

"#]],
    );
}

#[test]
fn a_token_key_that_belongs_to_another_certificate_is_found_out_at_the_start() {
    let factory = factory(KEY_IN_TOKEN);
    factory.key("other");
    // A token need not have public keys; only a signature tells then.
    import(&factory, "privkey", "other.key", "endpoint");
    factory.refuses_to_serve(
        2,
        str![[r#"
error: `pki/certs/endpoint.pem` cannot be used for TLS: its key belongs to another certificate
hint: see `server.tls` in factory-ca.yaml

"#]],
    );
    import(&factory, "pubkey", "other.key", "endpoint");
    factory.refuses_to_serve(2, str![[r#"
error: no key labelled `endpoint` in token `demo-factory-line` is the key of the certificate (P-256, SHA-256 [FINGERPRINT]…); found: `endpoint` (id `09`) P-256, SHA-256 [FINGERPRINT]…
hint: run `factory-ca token show NAME` and compare with the certificate

"#]]);
}
