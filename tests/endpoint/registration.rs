//! Devices that register as lmp-device-register does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml_edit::{DocumentMut, Item};

use crate::support::device::{Device, Hsm};
use crate::support::factory::Factory;
use crate::support::requests::{DEVICE, OTHER_DEVICE, openssl, text};
use crate::support::{SO_PIN, USER_PIN, in_own_token_directory, new_token, softhsm, softhsm_path};

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

#[test]
fn a_plain_device_registers() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let sota = factory.path("sota");
    let device = Device::new(DEVICE).token(&token);
    device.register(&endpoint.address, &sota).unwrap();
    assert_complete(&factory, &sota, &["pkey.pem"]);
    assert_key_in_file(&sota);
    assert_eq!(
        subject(&sota),
        format!("subject=CN={DEVICE},OU=demo-factory")
    );
    let wanted = sota_toml(&[("tags", "main")]);
    assert_eq!(read_sota_toml(&sota), wanted);
    assert_eq!(
        ledger_says(&factory, DEVICE),
        ("line".into(), DEVICE.into())
    );
}

#[test]
fn a_production_device_registers() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "--production allow");
    let endpoint = factory.serve();
    let sota = factory.path("sota");
    let device = Device::new(DEVICE).token(&token).production();
    device
        .named("gerät-1 №")
        .register(&endpoint.address, &sota)
        .unwrap();
    assert_complete(&factory, &sota, &["pkey.pem"]);
    assert_key_in_file(&sota);
    assert_eq!(
        subject(&sota),
        format!("subject=CN={DEVICE},OU=demo-factory,businessCategory=production")
    );
    assert_eq!(
        ledger_says(&factory, DEVICE),
        ("line".into(), "gerät-1 №".into())
    );
}

#[test]
fn a_device_with_apps_and_tags_registers() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    for (number, tags, apps) in [
        (1, "main,devel", "shellhttpd,mosquitto"),
        (2, "", ""),
        (3, "a\"b", "c\\d"),
        (4, "ünï → ☃", "é"),
    ] {
        let sota = factory.path(&format!("sota-{number}"));
        let device = Device::number(number).token(&token).tags(tags).apps(apps);
        device.register(&endpoint.address, &sota).unwrap();
        assert_complete(&factory, &sota, &["pkey.pem"]);
        let wanted = sota_toml(&[("tags", tags), ("compose_apps", apps)]);
        assert_eq!(read_sota_toml(&sota), wanted);
    }
}

#[test]
fn a_device_with_its_key_in_a_token_registers() {
    let name = "registration::a_device_with_its_key_in_a_token_registers";
    in_own_token_directory(name, || {
        let factory = Factory::with_endpoint("");
        let token = factory.registrar("line", "");
        let endpoint = factory.serve();
        new_token(&softhsm(), "aktualizr");
        let hsm = Hsm {
            module: softhsm_path(),
            token: "aktualizr".to_owned(),
            pin: USER_PIN.to_owned(),
        };
        let sota = factory.path("sota");
        let device = Device::new(DEVICE).token(&token).hsm(&hsm);
        device.register(&endpoint.address, &sota).unwrap();
        assert_complete(&factory, &sota, &[]);
        let mut wanted = sota_toml(&[("tags", "main")]);
        *value(&mut wanted, "tls", "pkey_source") = "pkcs11".to_owned();
        *value(&mut wanted, "tls", "cert_source") = "pkcs11".to_owned();
        // What was unset is a comment.
        for (section, lines) in &mut wanted {
            lines.retain(|(key, _)| {
                section != "import" || !["tls_pkey_path", "tls_clientcert_path"].contains(&&**key)
            });
        }
        assert_eq!(read_sota_toml(&sota), wanted);
        let written = fs::read_to_string(sota.join("sota.toml")).unwrap();
        for section in ["[storage]", "[import]"] {
            let (_, text) = written.split_once(section).unwrap();
            let text = text.split("\n[").next().unwrap();
            for key in ["tls_pkey_path", "tls_clientcert_path"] {
                assert!(
                    text.contains(&format!("\n# {key} is not set\n")),
                    "{written}"
                );
            }
        }

        // The certificate in the token is the one on disk, and it certifies the token's key.
        let der = ["--read-object", "--type", "cert", "--id", "03"];
        let imported = hsm.pkcs11_tool(&der);
        let client = sota.join("client.pem");
        let certificate = openssl(&["x509", "-in", text(&client), "-outform", "DER"]);
        assert_eq!(imported, certificate);
        let public = hsm.pkcs11_tool(&["--read-object", "--type", "pubkey", "--id", "01"]);
        let of_token = factory.write("public.der", public);
        let of_token = openssl(&["pkey", "-pubin", "-inform", "DER", "-in", text(&of_token)]);
        assert_eq!(certified_key(&sota), of_token);
        for secret in [USER_PIN, SO_PIN] {
            assert!(!endpoint.log().contains(secret));
        }
    });
}

#[test]
fn an_upper_case_device_keeps_its_spelling_and_is_the_same_device() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let sota = factory.path("sota");
    let upper = DEVICE.to_uppercase();
    let device = Device::new(&upper).token(&token);
    device.register(&endpoint.address, &sota).unwrap();
    assert_complete(&factory, &sota, &["pkey.pem"]);
    assert_eq!(
        subject(&sota),
        format!("subject=CN={upper},OU=demo-factory")
    );
    ledger_says(&factory, DEVICE);
    let again = Device::new(DEVICE).token(&token);
    let told = again.register(&endpoint.address, &factory.path("again"));
    assert!(told.unwrap_err().contains("HTTP_409"));
}

#[test]
fn a_device_that_is_refused_prints_why() {
    let factory = Factory::with_endpoint("");
    let token = factory.registrar("line", "");
    let endpoint = factory.serve();
    let register = |device: Device, number: usize| {
        let sota = factory.path(&format!("sota-{number}"));
        let told = device.token(&token).register(&endpoint.address, &sota);
        let names: Vec<_> = fs::read_dir(&sota).unwrap().collect();
        assert_eq!(names.len(), 1, "there is more than the key");
        let told = told.unwrap_err();
        let request = regex::Regex::new(r"request: [0-9a-f]{8}-\d+\n").unwrap();
        assert!(request.is_match(&told), "{told}");
        request.replace(&told, "").into_owned()
    };
    for (number, (device, wanted)) in [
        (
            Device::new(DEVICE).factory("other-factory"),
            "Unable to create device: HTTP_400\nmessage: Invalid factory(other-factory) must be demo-factory\n",
        ),
        (
            Device::new(DEVICE).group("beta"),
            "Unable to create device: HTTP_400\nmessage: Registration-reference does not support 'group' field\n",
        ),
        (
            Device::new(DEVICE).production(),
            "Unable to create device: HTTP_403\nmessage: registrar token `line` may not register production devices\n",
        ),
        (
            Device::new("no-uuid"),
            "Unable to create device: HTTP_400\n  csr: the subject's CN is `no-uuid`, wanted is a UUID (8-4-4-4-12 hexadecimal digits)\nmessage: the certification request is refused\n",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(register(device, number), wanted);
    }
    assert_eq!(factory.issued(), 2);
    Device::new(OTHER_DEVICE)
        .token(&token)
        .register(&endpoint.address, &factory.path("sota"))
        .unwrap();
}

/// Sections with their keys and values, in the order of the file.
type Toml = Vec<(String, Vec<(String, String)>)>;

/// The four files and nothing else beside these; certificate, chain and anchor belong together.
fn assert_complete(factory: &Factory, sota: &Path, more: &[&str]) {
    let names = fs::read_dir(sota).unwrap().map(|file| file.unwrap());
    let names: BTreeSet<String> = names
        .map(|file| file.file_name().into_string().unwrap())
        .collect();
    let four = ["client.chained", "client.pem", "root.crt", "sota.toml"];
    let wanted = four.iter().chain(more).map(|name| (*name).to_owned());
    assert_eq!(names, wanted.collect());

    let read = |name: &str| fs::read_to_string(sota.join(name)).unwrap();
    let (client, chained, root) = (read("client.pem"), read("client.chained"), read("root.crt"));
    assert_eq!(client.matches("-----BEGIN").count(), 1);
    assert!(client.starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(
        chained,
        format!("{client}{}", factory.read("pki/certs/line-1.pem"))
    );
    assert_eq!(root, factory.read("pki/certs/factory_ca.pem"));
    let path = |name: &str| sota.join(name);
    openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
        text(&path("root.crt")),
        "-untrusted",
        text(&path("client.chained")),
        text(&path("client.pem")),
    ]);
}

fn assert_key_in_file(sota: &Path) {
    let key = sota.join("pkey.pem");
    let public = openssl(&["pkey", "-in", text(&key), "-pubout"]);
    assert_eq!(certified_key(sota), public);
}

fn certified_key(sota: &Path) -> Vec<u8> {
    let certificate = sota.join("client.pem");
    openssl(&["x509", "-in", text(&certificate), "-noout", "-pubkey"])
}

/// In the order of the certificate.
fn subject(sota: &Path) -> String {
    let certificate = sota.join("client.pem");
    let options = [
        "-noout",
        "-subject",
        "-nameopt",
        "sep_comma_plus,utf8,sname",
    ];
    let mut arguments = vec!["x509", "-in", text(&certificate)];
    arguments.extend(options);
    let text = String::from_utf8(openssl(&arguments)).unwrap();
    text.trim_end().to_owned()
}

/// Who registered the device, and under which name.
fn ledger_says(factory: &Factory, device: &str) -> (String, String) {
    let shown = factory.run(&format!("device show {device} --json"));
    let shown = shown.succeeds().json();
    let certificates = shown["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 1);
    let registration = &certificates[0]["registration"];
    assert_eq!(registration["source"], "127.0.0.1");
    assert_eq!(registration["gateway"], "none");
    let text = |key: &str| registration[key].as_str().unwrap().to_owned();
    (text("registrar"), text("name"))
}

/// What a device gets with these settings for pacman.
fn sota_toml(pacman: &[(&str, &str)]) -> Toml {
    let mut settings = vec![
        ("type", "ostree+compose_apps"),
        ("ostree_server", "https://ostree.example:8443/ostree"),
        ("compose_apps_root", "/var/sota/compose-apps"),
        ("reset_apps_root", "/var/sota/reset-apps"),
        ("reset_apps", " "),
    ];
    settings.extend(pacman);
    let sections: [(&str, &[(&str, &str)]); 6] = [
        (
            "tls",
            &[
                ("server", "https://gateway.example:8443"),
                ("ca_source", "file"),
                ("pkey_source", "file"),
                ("cert_source", "file"),
            ],
        ),
        (
            "provision",
            &[
                ("server", "https://gateway.example:8443"),
                ("primary_ecu_hardware_id", "intel-corei7-64"),
            ],
        ),
        (
            "uptane",
            &[
                ("repo_server", "https://gateway.example:8443/repo"),
                ("key_source", "file"),
            ],
        ),
        ("pacman", &settings),
        ("storage", &[("type", "sqlite"), ("path", "/var/sota/")]),
        (
            "import",
            &[
                ("tls_cacert_path", "/var/sota/root.crt"),
                ("tls_pkey_path", "/var/sota/pkey.pem"),
                ("tls_clientcert_path", "/var/sota/client.pem"),
            ],
        ),
    ];
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let sections = sections.iter();
    sections
        .map(|(name, keys)| ((*name).to_owned(), keys.iter().map(pair).collect()))
        .collect()
}

fn value<'a>(toml: &'a mut Toml, section: &str, key: &str) -> &'a mut String {
    let (_, lines) = toml.iter_mut().find(|(name, _)| name == section).unwrap();
    let (_, value) = lines.iter_mut().find(|(name, _)| name == key).unwrap();
    value
}

fn read_sota_toml(sota: &Path) -> Toml {
    let written = fs::read_to_string(sota.join("sota.toml")).unwrap();
    let document: DocumentMut = written.parse().unwrap();
    let mut sections = Toml::new();
    for (name, section) in document.iter() {
        let Item::Table(table) = section else {
            panic!("{name} is no table: {written}");
        };
        let text = |value: &Item| value.as_str().unwrap().to_owned();
        let lines = table
            .iter()
            .map(|(key, value)| (key.to_owned(), text(value)));
        sections.push((name.to_owned(), lines.collect()));
    }
    sections
}
