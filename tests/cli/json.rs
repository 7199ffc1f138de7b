//! Errors for machines.

use serde_json::Value;
use snapbox::str;

use crate::support::factory::Factory;

#[test]
fn errors_are_json_when_asked_for() {
    let factory = Factory::demo();
    factory.request("dev", "/CN=gateway-1/OU=demo-factory");
    factory.refuses("--json device issue dev.csr -o dev.pem", 1, str![[r#"
{"error":{"code":"subject-uuid","hint":"run `factory-ca profile show device` to see what it accepts","message":"profile `device` refuses `dev.csr`: the subject's CN is `gateway-1`, wanted is a UUID (8-4-4-4-12 hexadecimal digits); nothing was signed"}}

"#]]);
    factory.refuses("--json device issue nowhere.csr -o dev.pem", 2, str![[r#"
{"error":{"code":"file","hint":null,"message":"`nowhere.csr` cannot be read: No such file or directory (os error 2)"}}

"#]]);
    factory.refuses("--json --pki-dir nowhere ledger check", 2, str![[r#"
{"error":{"code":"no-pki-directory","hint":"make one with `factory-ca init --factory NAME`, or name another with `--pki-dir DIR`","message":"`nowhere` is no PKI directory: it holds no `factory-ca.yaml`"}}

"#]]);
    factory.refuses(
        "--json device issue dev.csr --pin-file line=nowhere.pin",
        2,
        str![[r#"
{"error":{"code":"pin","hint":"name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml","message":"the PIN cannot be read from file `nowhere.pin`: No such file or directory (os error 2)"}}

"#]],
    );
    factory.refuses(
        "--json frobnicate",
        2,
        str![[r#"
{"error":{"code":"usage","hint":"run the command with `--help`","message":"unrecognized subcommand 'frobnicate'"}}

"#]],
    );
    factory.refuses(
        "device issue --json",
        2,
        str![[r#"
{"error":{"code":"usage","hint":"run the command with `--help`","message":"the following required arguments were not provided: <CSR>"}}

"#]],
    );
}

#[test]
fn every_json_error_has_code_message_and_hint() {
    let factory = Factory::demo();
    for line in [
        "token show lime",
        "ca show x",
        "profile check x.yaml",
        "device show x",
    ] {
        let outcome = factory.run(&format!("--json {line}")).ends_with(2);
        let error: Value = serde_json::from_str(&outcome.stderr).unwrap();
        let keys: Vec<&String> = error["error"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "hint", "message"]);
    }
}

#[test]
fn wrong_usage_is_explained() {
    let factory = Factory::demo();
    factory.refuses(
        "device isue dev.csr",
        2,
        str![[r#"
error: unrecognized subcommand 'isue'

  tip: a similar subcommand exists: 'issue'

Usage: factory-ca device [OPTIONS] <COMMAND>

For more information, try '--help'.

"#]],
    );
    factory.refuses(
        "device issue",
        2,
        str![[r#"
error: the following required arguments were not provided:
  <CSR>

Usage: factory-ca device issue <CSR>

For more information, try '--help'.

"#]],
    );
    factory.refuses(
        "init",
        2,
        str![[r#"
error: the following required arguments were not provided:
  --factory <FACTORY>

Usage: factory-ca init --factory <FACTORY>

For more information, try '--help'.

"#]],
    );
    factory.refuses(
        "batch issue nowhere --out devices",
        2,
        str![[r#"
error: `nowhere` cannot be read
  Caused by: No such file or directory (os error 2)

"#]],
    );
    factory.refuses(
        "device list --state lost",
        2,
        str![[r#"
error: invalid value 'lost' for '--state <STATE>'
  [possible values: reserved, issued, revoked, abandoned]

For more information, try '--help'.

"#]],
    );
}
