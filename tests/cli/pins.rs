//! PINs: where they come from, and that a wrong one is tried once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use snapbox::str;

use crate::support::factory::Factory;
use crate::support::requests::{DEVICE, OTHER_DEVICE, subject};

#[test]
fn a_wrong_pin_is_an_error() {
    let factory = Factory::demo();
    factory.device_request();
    factory.write_secret("wrong.pin", "774411\n");
    factory.refuses(
        "device issue dev.csr -o dev.pem --pin-file line=wrong.pin",
        2,
        str![[r#"
error: token `demo-factory-line` rejected the PIN
hint: check where the PIN comes from before trying again: few tries are left before the token locks

"#]],
    );
}

#[test]
fn a_wrong_pin_is_tried_once() {
    let factory = Factory::demo();
    fs::create_dir(factory.path("csrs")).unwrap();
    for device in [DEVICE, OTHER_DEVICE] {
        factory.request(&format!("csrs/{device}"), &subject(device));
    }
    factory.configure(
        "module: \"embedded\"",
        &format!("module: {}", spy().display()),
    );
    factory.configure("sessions: auto", "sessions: 4");
    factory.write_secret("wrong.pin", "774411");
    let log = factory.path("spy.log");
    let run = |arguments: &str| {
        let _ = fs::remove_file(&log);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut command = factory.command(&arguments);
        command
            .env("SOFTHSM2_CONF", factory.softhsm_configuration())
            .env("PKCS11SPY", crate::support::softhsm_path())
            .env("PKCS11SPY_OUTPUT", &log);
        let code = factory.outcome(&mut command).code;
        let calls = fs::read_to_string(&log).unwrap();
        let count = |call: &str| calls.lines().filter(|line| line.ends_with(call)).count();
        (code, count(": C_Login"), count(": C_SignInit"))
    };
    assert_eq!(
        run("batch issue csrs --out devices --pin-file line=wrong.pin"),
        (2, 1, 0)
    );
    let one = format!("device issue csrs/{DEVICE}.csr --pin-file line=wrong.pin");
    assert_eq!(run(&one), (2, 1, 0));
    assert_eq!(factory.issued(), 2);
    // The spy sees what happens: with the right PIN there is one login, too, and a signature for each device.
    assert_eq!(run("batch issue csrs --out devices"), (0, 1, 2));
}

#[test]
fn a_pin_file_that_others_can_read_is_refused() {
    let factory = Factory::demo();
    factory.device_request();
    let pin = factory.path("pki/softhsm/line.pin");
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o644)).unwrap();
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: the PIN file `pki/softhsm/line.pin` has mode 0644, wanted is 0600
hint: run `chmod 600 pki/softhsm/line.pin`

"#]],
    );
}

#[test]
fn a_missing_pin_file_is_named() {
    let factory = Factory::demo();
    factory.device_request();
    factory.refuses(
        "device issue dev.csr -o dev.pem --pin-file line=nowhere.pin",
        2,
        str![[r#"
error: the PIN cannot be read from file `nowhere.pin`
  Caused by: No such file or directory (os error 2)
hint: name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml

"#]],
    );
}

#[test]
fn an_empty_pin_file_is_an_error() {
    let factory = Factory::demo();
    factory.device_request();
    factory.write_secret("empty.pin", "\n");
    factory.refuses(
        "device issue dev.csr -o dev.pem --pin-file line=empty.pin",
        2,
        str![[r#"
error: the PIN from file `empty.pin` is empty
hint: name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml

"#]],
    );
}

#[test]
fn nobody_is_asked_for_a_pin_without_a_terminal() {
    let factory = Factory::demo();
    factory.device_request();
    factory.configure("pin: {file: softhsm/line.pin}", "pin: prompt");
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: the PIN cannot be read from the prompt
  Caused by: there is no terminal
hint: name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml

"#]]);
}

#[test]
fn a_pin_for_a_token_that_is_not_configured_is_an_error() {
    let factory = Factory::demo();
    factory.device_request();
    factory.refuses(
        "device issue dev.csr --pin-file lime=pki/softhsm/line.pin",
        2,
        str![[r#"
error: there is no token `lime`; found: `line`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
    factory.refuses("device issue dev.csr --pin-file line", 2, str![[r#"
error: invalid value 'line' for '--pin-file <TOKEN=PATH>': wanted is TOKEN=VALUE, with the token's name in factory-ca.yaml

For more information, try '--help'.

"#]]);
    factory.refuses(
        "device issue dev.csr --pin-fd line=three",
        2,
        str![[r#"
error: `--pin-fd line=three` names no file descriptor
hint: give a number, as in `--pin-fd line=3 3<pin`

"#]],
    );
    factory.refuses(
        "device issue dev.csr --pin-fd line=77",
        2,
        str![[r#"
error: the PIN cannot be read from file descriptor 77
  Caused by: No such file or directory (os error 2)
hint: name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml

"#]],
    );
}

#[test]
fn a_pin_that_is_not_in_the_environment_is_an_error() {
    let factory = Factory::demo();
    factory.device_request();
    factory.configure("pin: {file: softhsm/line.pin}", "pin: {env: LINE_PIN}");
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: the environment variable `LINE_PIN` with the PIN is not set
hint: name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml

"#]],
    );
    factory.configure("pin: {env: LINE_PIN}", "pin: {credential: line-pin}");
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: there is no systemd credential `line-pin`: CREDENTIALS_DIRECTORY is not set
hint: name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml

"#]],
    );
}

#[test]
fn pins_come_from_files_descriptors_and_the_environment() {
    let factory = Factory::demo();
    factory.device_request();
    let pin = factory.read("pki/softhsm/line.pin");
    factory.configure("pin: {file: softhsm/line.pin}", "pin: {env: LINE_PIN}");
    let mut with_variable = factory.command(&["device", "issue", "dev.csr"]);
    let first = factory
        .outcome(with_variable.env("LINE_PIN", pin))
        .succeeds();
    let script = "exec \"$0\" device issue dev.csr --pin-fd line=3 3<pki/softhsm/line.pin";
    let binary = crate::support::factory::BINARY;
    let mut with_descriptor = factory.program(Path::new("sh"), &["-c", script, binary]);
    let second = factory.outcome(&mut with_descriptor).succeeds();
    let third = factory.run("device issue dev.csr --pin-file line=pki/softhsm/line.pin");
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.stdout, third.succeeds().stdout);
}

/// OpenSC's module that writes down every call and hands it on.
fn spy() -> PathBuf {
    let places = [
        "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so",
        "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so",
        "/usr/lib64/pkcs11-spy.so",
        "/usr/lib64/pkcs11/pkcs11-spy.so",
        "/usr/lib/pkcs11-spy.so",
    ];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("pkcs11-spy is needed to test: install opensc")
}
