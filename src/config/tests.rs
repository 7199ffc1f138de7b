//! The configuration as a whole.

use super::*;

pub(super) const GOOD: &str = r#"
factory: acme
ledger: ledger.db
tokens:
  root: {uri: "pkcs11:token=acme-root", module: /usr/lib/softhsm/libsofthsm2.so, pin: prompt}
  line: {uri: "pkcs11:token=acme-line;serial=1234", module: embedded, pin: {file: softhsm/line.pin}, sessions: 4}
authorities:
  root: {certificate: certs/factory_ca.pem, keys: [{token: root, object: root-ca}]}
  line-1: {certificate: certs/line-1.pem, issuer: root, keys: [{token: line, object: line-1}], profiles: [device]}
"#;

pub(super) fn load(text: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(FILE), text).unwrap();
    Config::load(directory.path()).map_err(|error| {
        let place = format!("{}/", directory.path().display());
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default()).replace(&place, "")
    })
}

#[test]
fn a_configuration_is_read_with_its_defaults() {
    let config = load(GOOD).unwrap();
    assert_eq!(config.factory(), "acme");
    assert!(matches!(
        config.token("root").unwrap().pin,
        PinSource::Prompt
    ));
    assert_eq!(config.token("line").unwrap().sessions, Some(4));
    assert_eq!(config.token("line").unwrap().module, ModuleSource::Embedded);
    assert_eq!(config.authority("root").unwrap().profile, "root-ca");
    assert_eq!(config.authority("line-1").unwrap().profile, "device-ca");
    assert_eq!(config.issuing("device").len(), 1);
}

#[test]
fn a_pin_may_come_from_the_uri_instead() {
    let from_uri = r#"{uri: "pkcs11:token=acme-root?pin-source=file:/run/root.pin""#;
    let text = GOOD.replace(r#"{uri: "pkcs11:token=acme-root""#, from_uri);
    let refused = load(&text).unwrap_err();
    assert_eq!(
        refused,
        "`factory-ca.yaml`: `tokens.root.uri` is one with pin-source, wanted is the PIN's place in `pin:` only"
    );
    let config = load(&text.replace(", pin: prompt", "")).unwrap();
    let pin = &config.token("root").unwrap().pin;
    assert!(matches!(pin, PinSource::File(path) if path == Path::new("/run/root.pin")));
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (from, to, message) in [
        (
            "factory: acme",
            "factroy: acme",
            "`factory-ca.yaml`: line 2, column 1: unknown key `factroy`, the nearest valid one is `factory`",
        ),
        (
            "pin: prompt",
            "pin: {fil: x}",
            "`factory-ca.yaml`: line 5, column 9: tokens.root: `pin` is something else, wanted is `prompt`, `{file: PATH}`, `{fd: N}`, `{env: NAME}`, `{credential: NAME}` or `protected-path`",
        ),
        (
            "pin: prompt",
            "pin: 774411",
            "`factory-ca.yaml`: line 5, column 9: tokens.root: `pin` is something else, wanted is `prompt`, `{file: PATH}`, `{fd: N}`, `{env: NAME}`, `{credential: NAME}` or `protected-path`",
        ),
        (
            "issuer: root",
            "issuer: rot",
            "there is no authority `rot`; found: `line-1`, `root`",
        ),
        (
            "issuer: root",
            "issuer: line-1",
            "`factory-ca.yaml`: the issuers of authority `line-1` go round in a circle",
        ),
        (
            "token: line,",
            "token: lime,",
            "there is no token `lime`; found: `line`, `root`",
        ),
        (
            "sessions: 4",
            "sessions: 0",
            "`factory-ca.yaml`: `tokens.line.sessions` is 0, wanted is `auto` or 1 to 256",
        ),
        (
            "module: embedded",
            "module: softhsm",
            "`factory-ca.yaml`: `tokens.line.module` is `softhsm`, wanted is `embedded` or an absolute path",
        ),
        (
            "factory: acme",
            "factory: \"\"",
            "`factory-ca.yaml`: `factory` is ``, wanted is 1 to 64 plain characters",
        ),
    ] {
        assert!(GOOD.contains(from));
        assert_eq!(load(&GOOD.replace(from, to)).unwrap_err(), message);
    }
}
