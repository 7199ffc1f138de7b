//! Private CA keys never exist outside their token, and PINs are never shown.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use support::factory::Factory;
use support::requests::{elements, subject};

#[test]
fn the_keys_of_cas_are_sensitive_local_and_never_extractable() {
    let factory = Factory::demo();
    for (token, label) in [("root", "root-ca"), ("line", "line-1")] {
        let listing = pkcs11_tool(&factory, token, &["-O", "--type", "privkey"]);
        let field = |name: &str| {
            let line = listing
                .lines()
                .find_map(|line| line.trim().strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {listing}"))
                .trim()
                .to_owned()
        };
        assert_eq!(
            listing.matches("Private Key Object").count(),
            1,
            "{listing}"
        );
        assert_eq!(field("label:"), label);
        assert_eq!(field("Usage:"), "sign");
        assert_eq!(
            field("Access:"),
            "sensitive, always sensitive, never extractable, local"
        );
        let read = [
            "--read-object",
            "--type",
            "privkey",
            "--label",
            label,
            "-o",
            "stolen",
        ];
        pkcs11_tool(&factory, token, &read);
        let stolen = fs::read(factory.path("stolen")).unwrap_or_default();
        assert_eq!(stolen, [0; 0]);
    }
}

/// This process can have one SoftHSM2 only, and needs the variable before it is loaded: it starts itself again.
#[test]
fn the_token_gives_a_ca_key_away_neither_plain_nor_wrapped() {
    if let Ok(home) = std::env::var(HOME) {
        return try_to_steal(Path::new(&home));
    }
    let factory = Factory::demo();
    let program = std::env::current_exe().unwrap();
    let name = "the_token_gives_a_ca_key_away_neither_plain_nor_wrapped";
    let mut command = factory.program(&program, &["--exact", name, "--nocapture"]);
    command
        .env("SOFTHSM2_CONF", factory.softhsm_configuration())
        .env(HOME, factory.home());
    let outcome = factory.outcome(&mut command).succeeds();
    assert!(outcome.stdout.contains("1 passed"));
}

fn try_to_steal(home: &Path) {
    let module = Pkcs11::new(support::softhsm_path()).unwrap();
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    for name in ["root", "line"] {
        let session = log_in(&module, home, name);
        let key = session
            .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
            .unwrap()[0];
        let plain = session
            .get_attributes(key, &[AttributeType::Value])
            .unwrap();
        assert_eq!(plain, [], "the token shows the key");
        let (wrapper, control) = (wrapping_key(&session), extractable_key(&session));
        // The way out works, for keys that may take it.
        let wrapped = session
            .wrap_key(&Mechanism::AesKeyWrapPad, wrapper, control)
            .unwrap();
        assert!(wrapped.len() > 32);
        let refused = session.wrap_key(&Mechanism::AesKeyWrapPad, wrapper, key);
        assert!(
            matches!(refused, Err(Error::Pkcs11(RvError::KeyUnextractable, _))),
            "{refused:?}"
        );
        // Nor can the key be made weaker afterwards.
        for weaker in [Attribute::Extractable(true), Attribute::Sensitive(false)] {
            assert!(session.update_attributes(key, &[weaker]).is_err());
        }
    }
}

#[test]
fn no_file_outside_the_tokens_holds_a_private_key() {
    let factory = Factory::demo();
    factory.device_request();
    factory
        .run("device issue dev.csr -o pki/dev.pem")
        .succeeds();
    factory.run("bundle export").succeeds();
    factory.run("ledger backup pki/backup.db").succeeds();
    let mut seen = 0;
    for path in files_below(&factory.path("pki")) {
        if path.starts_with(factory.path("pki/softhsm/tokens")) {
            continue;
        }
        let contents = fs::read(&path).unwrap();
        assert!(!holds_private_key(&contents), "{path:?}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} files were looked at");
    // The search finds what it looks for.
    let key = fs::read(factory.path("dev.key")).unwrap();
    assert!(holds_private_key(&key));
    let path = factory.path("dev.key");
    let der = support::requests::openssl(&[
        "pkcs8",
        "-topk8",
        "-nocrypt",
        "-outform",
        "DER",
        "-in",
        path.to_str().unwrap(),
    ]);
    assert_eq!(elements(&der).len(), 1);
    assert!(holds_private_key(&[b"before", der.as_slice()].concat()));
}

#[test]
fn no_pin_is_in_a_text_an_argument_or_the_environment() {
    let factory = Factory::demo();
    fs::create_dir(factory.path("csrs")).unwrap();
    for number in 0..20 {
        let device = format!("{number:08x}-d79a-4aad-ba26-e26e719878bb");
        factory.request(&format!("csrs/{device}"), &subject(&device));
    }
    let pins = factory.pins();
    assert_eq!(pins.len(), 4);
    let mut command = factory.command(&["batch", "issue", "csrs", "--out", "devices"]);
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let place = PathBuf::from(format!("/proc/{}", process.id()));
    let mut seen = 0;
    while process.try_wait().unwrap().is_none() {
        for file in ["cmdline", "environ"] {
            let text = fs::read(place.join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            assert!(pins.iter().all(|pin| !text.contains(pin)), "{file}");
            seen += usize::from(text.contains("SOFTHSM2_CONF="));
        }
    }
    assert!(seen > 0, "the process was gone before it was looked at");
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    // Texts of other commands are searched wherever they are run (Factory::outcome).
    let texts = [output.stdout, output.stderr].concat();
    let written = files_below(&factory.path("devices"));
    let files = written.iter().flat_map(|path| fs::read(path).unwrap());
    let all: Vec<u8> = texts.into_iter().chain(files).collect();
    let all = String::from_utf8_lossy(&all);
    assert!(pins.iter().all(|pin| !all.contains(pin)));
    for line in [
        "token list",
        "token show line",
        "token show line --json",
        "ca list",
        "ca show root",
        "ledger export",
    ] {
        factory.run(line).succeeds();
    }
}

fn pkcs11_tool(factory: &Factory, token: &str, arguments: &[&str]) -> String {
    let pin = factory.read(&format!("pki/softhsm/{token}.pin"));
    let module = support::softhsm_path();
    let label = format!("demo-factory-{token}");
    let mut command = factory.program(Path::new("pkcs11-tool"), &["--token-label", &label]);
    command
        .arg("--module")
        .arg(module)
        .args(["--login", "--pin", &pin])
        .args(arguments)
        .env("SOFTHSM2_CONF", factory.softhsm_configuration());
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn log_in(module: &Pkcs11, home: &Path, name: &str) -> Session {
    let label = format!("demo-factory-{name}");
    let slots = module.get_slots_with_initialized_token().unwrap();
    let here = |slot: &&_| module.get_token_info(**slot).unwrap().label() == label;
    let slot = *slots.iter().find(here).unwrap();
    let session = module.open_rw_session(slot).unwrap();
    let pin = fs::read_to_string(home.join(format!("pki/softhsm/{name}.pin"))).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new(pin.into())))
        .unwrap();
    session
}

fn wrapping_key(session: &Session) -> ObjectHandle {
    let template = [
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32.into()),
        Attribute::Wrap(true),
    ];
    session
        .generate_key(&Mechanism::AesKeyGen, &template)
        .unwrap()
}

fn extractable_key(session: &Session) -> ObjectHandle {
    // The OID of P-256.
    let curve = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let public = [Attribute::EcParams(curve)];
    let private = [Attribute::Extractable(true), Attribute::Sensitive(false)];
    let made = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
    made.unwrap().1
}

/// PEM of any private key, or the start of a PKCS#8 or SEC 1 structure with an EC key.
fn holds_private_key(contents: &[u8]) -> bool {
    let pem = b"PRIVATE KEY-----";
    // PrivateKeyInfo: version 0, then the algorithm id-ecPublicKey (RFC 5208 section 5, RFC 5480 section 2.1.1).
    let pkcs8 = [
        0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    ];
    // ECPrivateKey: version 1, then 32 or 48 bytes (RFC 5915 section 3).
    let sec1 = [
        [0x02, 0x01, 0x01, 0x04, 0x20],
        [0x02, 0x01, 0x01, 0x04, 0x30],
    ];
    let holds = |needle: &[u8]| {
        contents
            .windows(needle.len())
            .any(|window| window == needle)
    };
    holds(pem) || holds(&pkcs8) || sec1.iter().any(|start| holds(start))
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}

const HOME: &str = "FACTORY_CA_TEST_CUSTODY";
