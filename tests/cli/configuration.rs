//! factory-ca.yaml, profiles and names.

use factory_ca::config::Config;
use snapbox::str;

use crate::support::factory::Factory;

#[test]
fn an_unknown_key_in_the_configuration_is_an_error() {
    let factory = Factory::demo();
    factory.device_request();
    factory.configure("sessions: auto", "session: auto");
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: `pki/factory-ca.yaml`: line 19, column 5: tokens.line: unknown key `session`, the nearest valid one is `sessions`

"#]]);
}

#[test]
fn values_of_the_configuration_are_checked() {
    let cases = [
        (
            "sessions: auto",
            "sessions: 0",
            str![[r#"
error: `pki/factory-ca.yaml`: `tokens.line.sessions` is 0, wanted is `auto` or 1 to 256

"#]],
        ),
        (
            "ledger: ledger.db",
            "ledger: postgres://db/ledger",
            str![[r#"
error: `pki/factory-ca.yaml`: `ledger` is `postgres://db/ledger`, wanted is a file name

"#]],
        ),
        (
            "issuer: root",
            "issuer: line-1",
            str![[r#"
error: `pki/factory-ca.yaml`: the issuers of authority `line-1` go round in a circle

"#]],
        ),
        (
            "issuer: root",
            "issuer: roof",
            str![[r#"
error: there is no authority `roof`; found: `line-1`, `root`
hint: names are those of factory-ca.yaml

"#]],
        ),
        (
            "token: line,",
            "token: lime,",
            str![[r#"
error: there is no token `lime`; found: `line`, `root`
hint: names are those of factory-ca.yaml

"#]],
        ),
        (
            "module: \"embedded\"",
            "module: libpkcs11.so",
            str![[r#"
error: `pki/factory-ca.yaml`: `tokens.line.module` is `libpkcs11.so`, wanted is `embedded` or an absolute path

"#]],
        ),
        (
            "pin: {file: softhsm/line.pin}",
            "pin: 774411",
            str![[r#"
error: `pki/factory-ca.yaml`: line 16, column 5: tokens.line: `pin` is something else, wanted is `prompt`, `{file: PATH}`, `{fd: N}`, `{env: NAME}`, `{credential: NAME}` or `protected-path`

"#]],
        ),
        (
            "  line-1:",
            "  ../line-1:",
            str![[r#"
error: `pki/factory-ca.yaml`: `authorities` is `../line-1`, wanted is names of letters, digits, `-`, `_`, `.`

"#]],
        ),
    ];
    let factory = Factory::demo();
    for (from, to, text) in cases {
        let sound = factory.read("pki/factory-ca.yaml");
        factory.configure(from, to);
        factory.refuses("ca list", 2, text);
        factory.write("pki/factory-ca.yaml", sound);
    }
    factory.point_line_to("pkcs11:token=line?pin-value=774411");
    factory.refuses("ca list", 2, str![[r#"
error: `pki/factory-ca.yaml`: `tokens.line.uri` cannot be used
  Caused by: `pin-value` would show the PIN to everybody; name where the PIN comes from with `pin-source` or `pin:`

"#]]);
}

#[test]
fn an_unknown_key_in_a_profile_is_an_error() {
    let factory = Factory::demo();
    factory.device_request();
    let profile = factory.run("profile show device").succeeds().stdout;
    factory.write(
        "pki/profiles/device.yaml",
        profile.replace("period: 20y", "perod: 20y"),
    );
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: profile `device`: line 7, column 12: validity: unknown key `perod`, the nearest valid one is `period`
hint: run `factory-ca profile check FILE` until it is sound

"#]]);
    factory.refuses("profile check pki/profiles/device.yaml", 2, str![[r#"
error: profile `pki/profiles/device.yaml`: line 7, column 12: validity: unknown key `perod`, the nearest valid one is `period`
hint: run `factory-ca profile check FILE` until it is sound

"#]]);
}

#[test]
fn a_profile_that_contradicts_itself_is_an_error() {
    let factory = Factory::demo();
    factory.device_request();
    let profile = factory.run("profile show device").succeeds().stdout;
    factory.write(
        "pki/profiles/device.yaml",
        profile.replace("period: 20y", "period: soon"),
    );
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: profile `device`: `validity.period` is `soon`, wanted is a number and one of y, d, h, m, s, such as `20y`
hint: run `factory-ca profile check FILE` until it is sound

"#]]);
    factory.write(
        "pki/profiles/device.yaml",
        profile.replace("name: device", "name: gadget"),
    );
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: profile `device`: `name` is `gadget`, wanted is `device`, as the file is called
hint: run `factory-ca profile check FILE` until it is sound

"#]],
    );
}

#[test]
fn an_unknown_name_lists_what_is_there() {
    let factory = Factory::demo();
    factory.device_request();
    factory.refuses(
        "device issue dev.csr --authority line-7",
        2,
        str![[r#"
error: there is no authority `line-7`; found: `line-1`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
    factory.refuses(
        "device issue dev.csr --profile gadget",
        2,
        str![[r#"
error: there is no profile `gadget`; found: `device`, `device-ca`, `root-ca`, `tls-server`
hint: run `factory-ca profile list`

"#]],
    );
    factory.refuses(
        "device issue dev.csr --profile tls-server",
        2,
        str![[r#"
error: no authority issues profile `tls-server`
hint: add it to `profiles:` of an authority in factory-ca.yaml

"#]],
    );
    factory.refuses(
        "device issue dev.csr --authority root",
        2,
        str![[r#"
error: authority `root` does not issue profile `device`; it issues: nothing
hint: name another authority with `--authority NAME`

"#]],
    );
    factory.refuses(
        "token show lime",
        2,
        str![[r#"
error: there is no token `lime`; found: `line`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
    factory.refuses(
        "ca show line-7",
        2,
        str![[r#"
error: there is no authority `line-7`; found: `line-1`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
    factory.refuses(
        "ca create line-7",
        2,
        str![[r#"
error: there is no authority `line-7`; found: `line-1`, `root`
hint: names are those of factory-ca.yaml

"#]],
    );
    factory.refuses(
        "profile show gadget",
        2,
        str![[r#"
error: there is no profile `gadget`; found: `root-ca`, `device-ca`, `device`, `tls-server`
hint: run `factory-ca profile list`

"#]],
    );
    factory.refuses(
        "device show nobody",
        2,
        str![[r#"
error: the ledger knows no device `nobody`
hint: run `factory-ca device list`

"#]],
    );
}

#[test]
fn two_authorities_for_one_profile_have_to_be_told_apart() {
    let factory = Factory::demo();
    factory.device_request();
    let second = "
  line-2:
    certificate: certs/line-2.pem
    issuer: root
    keys: [{token: line, object: line-2}]
    profiles: [device]
";
    factory.write(
        "pki/factory-ca.yaml",
        factory.read("pki/factory-ca.yaml") + second,
    );
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: 2 authorities issue profile `device`: `line-1`, `line-2`
hint: choose one with `--authority NAME`

"#]],
    );
    factory.refuses(
        "device issue dev.csr --authority line-2",
        2,
        str![[r#"
error: authority `line-2` has no certificate yet: there is no `pki/certs/line-2.pem`
hint: run `factory-ca ca create line-2`

"#]],
    );
}

#[test]
fn a_pki_directory_that_is_not_there_is_named() {
    let factory = Factory::empty();
    for line in [
        "ca list",
        "device issue dev.csr",
        "ledger check",
        "token list",
    ] {
        factory.refuses(
            line,
            2,
            str![[r#"
error: `pki` is no PKI directory: it holds no `factory-ca.yaml`
hint: make one with `factory-ca init --factory NAME`, or name another with `--pki-dir DIR`

"#]],
        );
    }
    factory.refuses(
        "--pki-dir elsewhere ca list",
        2,
        str![[r#"
error: `elsewhere` is no PKI directory: it holds no `factory-ca.yaml`
hint: make one with `factory-ca init --factory NAME`, or name another with `--pki-dir DIR`

"#]],
    );
}

#[test]
fn a_factory_name_of_65_characters_is_refused() {
    let factory = Factory::empty();
    let name = "x".repeat(65);
    factory.refuses(&format!("init --factory {name}"), 2, str![[r#"
error: `--factory` is `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`, wanted is 1 to 64 plain characters
hint: it becomes the OU of every certificate

"#]]);
    let module = crate::support::softhsm_path();
    let with_module = format!("init --factory {name} --module {}", module.display());
    factory.refuses(&with_module, 2, str![[r#"
error: `--factory` is `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`, wanted is 1 to 64 plain characters
hint: it becomes the OU of every certificate

"#]]);
    factory.refuses(
        "init --factory ",
        2,
        str![[r#"
error: `--factory` is ``, wanted is 1 to 64 plain characters
hint: it becomes the OU of every certificate

"#]],
    );
}

#[test]
fn a_factory_name_of_64_characters_is_taken() {
    let factory = Factory::empty();
    let name = "ä".repeat(64);
    factory.run(&format!("init --factory {name}")).succeeds();
    let subject = format!("/CN={}/OU={name}", crate::support::requests::DEVICE);
    factory.key("dev");
    factory.request_with_key("dev", "dev", &subject, &["-utf8"]);
    factory.run("device issue dev.csr -o dev.pem").succeeds();
}

/// The sections of the endpoint that `init` writes as comments: what is a default is said truly, the rest can be read.
#[test]
fn what_init_leaves_commented_out_can_be_filled_in() {
    let factory = Factory::demo();
    let text = factory.read("pki/factory-ca.yaml");
    let (before, comments) = text.split_once("\n#\n#gateway:").unwrap();
    let comments = format!("#gateway:{comments}");
    let lines = comments.lines().map(|line| line.strip_prefix('#').unwrap());
    let lines: Vec<&str> = lines.collect();
    factory.write(
        "pki/factory-ca.yaml",
        format!("{before}\n{}\n", lines.join("\n")),
    );
    factory.run("ca list").succeeds();
    let config = Config::load(&factory.path("pki")).unwrap();
    assert!(config.gateway().url.is_some() && config.gateway().ostree_url.is_some());
    assert!(config.server().operations.is_some() && config.server().tls.is_some());
    assert_eq!(config.server().authorities, ["line-1"]);
    assert!(config.foundries().token.is_some() && config.foundries().device_group.is_some());

    // Without the examples nothing is changed.
    let defaults: Vec<&str> = lines
        .into_iter()
        .filter(|line| !line.contains("# example"))
        .collect();
    let defaults = format!("{before}\n{}\n", defaults.join("\n"));
    factory.write(
        "pki/factory-ca.yaml",
        defaults.replace("timeout: 10s", "timeout: 11s"),
    );
    let changed = Config::load(&factory.path("pki")).unwrap();
    factory.write("pki/factory-ca.yaml", defaults);
    let filled = Config::load(&factory.path("pki")).unwrap();
    factory.write("pki/factory-ca.yaml", text);
    let plain = Config::load(&factory.path("pki")).unwrap();
    assert_eq!(format!("{filled:?}"), format!("{plain:?}"));
    assert_ne!(format!("{changed:?}"), format!("{plain:?}"));
}
