//! Tokens, modules and keys that are not what the configuration says.

use std::path::Path;
use std::process::Command;

use snapbox::str;

use crate::support::factory::Factory;

#[test]
fn a_missing_token_lists_what_is_there() {
    let factory = Factory::demo();
    factory.device_request();
    factory.point_line_to("pkcs11:token=nowhere");
    factory.refuses("device issue dev.csr -o dev.pem", 3, str![[r#"
error: no token labelled `nowhere` in `libsofthsm2.so`; found: `demo-factory-line`, `demo-factory-root`
hint: check that the token is connected, then run `factory-ca token list`

"#]]);
}

#[test]
fn two_tokens_of_one_label_are_ambiguous() {
    let factory = Factory::demo();
    factory.device_request();
    second_line_token(&factory);
    factory.run("device issue dev.csr").succeeds();
    factory.point_line_to("pkcs11:token=demo-factory-line");
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: `libsofthsm2.so` has 2 tokens labelled `demo-factory-line`: `demo-factory-line` (serial `[TOKEN]`), `demo-factory-line` (serial `[TOKEN]`); add `serial=` to the URI
hint: run `factory-ca token list` to see their serial numbers

"#]]);
}

#[test]
fn a_label_that_is_taken_is_not_given_again() {
    let factory = Factory::demo();
    factory.point_line_to("pkcs11:token=demo-factory-line");
    factory.write_secret("so.pin", "so-774411");
    factory.refuses(
        "token init line --so-pin-file so.pin",
        2,
        str![[r#"
error: token `demo-factory-line` (serial `[TOKEN]`) is already initialised; nothing was erased
hint: to erase it and all its keys, add `--erase --confirm LABEL`

"#]],
    );
}

#[test]
fn a_token_is_not_erased_by_accident() {
    let factory = Factory::demo();
    factory.write_secret("so.pin", "so-774411");
    factory.refuses(
        "token init line --so-pin-file so.pin",
        2,
        str![[r#"
error: token `demo-factory-line` (serial `[TOKEN]`) is already initialised; nothing was erased
hint: to erase it and all its keys, add `--erase --confirm LABEL`

"#]],
    );
    let erase = "token init line --so-pin-file so.pin --erase";
    factory.refuses(
        erase,
        2,
        str![[r#"
error: every key in token `demo-factory-line` will be lost for ever. Nobody is there to confirm it, and nothing was done
hint: add `--confirm demo-factory-line`

"#]],
    );
    factory.refuses(
        &format!("{erase} --confirm line"),
        2,
        str![[r#"
error: `line` was given to confirm, wanted is `demo-factory-line`; nothing was done

"#]],
    );
    factory.refuses(
        &format!("{erase} --confirm demo-factory-line"),
        2,
        str![[r#"
error: token `demo-factory-line` rejected the security officer's PIN; nothing was initialised
hint: check where the PIN comes from before trying again: too many wrong ones make a token unusable for ever

"#]],
    );
}

#[test]
fn a_module_that_is_not_there_is_named() {
    let factory = Factory::demo();
    factory.device_request();
    factory.configure("module: \"embedded\"", "module: /nonexistent/libpkcs11.so");
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: no PKCS#11 module at `/nonexistent/libpkcs11.so`
  Caused by: No such file or directory (os error 2)
hint: name the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`

"#]],
    );
    let empty = Factory::empty();
    empty.refuses(
        "init --factory acme --module /nonexistent/libpkcs11.so",
        2,
        str![[r#"
error: no PKCS#11 module at `/nonexistent/libpkcs11.so`
  Caused by: No such file or directory (os error 2)
hint: name the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`

"#]],
    );
}

#[test]
fn a_file_that_is_no_module_is_named() {
    let factory = Factory::demo();
    factory.device_request();
    let text = factory.write("text.so", "this is no library");
    factory.configure(
        "module: \"embedded\"",
        &format!("module: {}", text.display()),
    );
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: `[HOME]/text.so` is not a PKCS#11 module
  Caused by: [HOME]/text.so: file too short
hint: name the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`

"#]],
    );
    factory.refuses(
        "token list --module text.so",
        2,
        str![[r#"
error: `text.so` is not a PKCS#11 module
  Caused by: [HOME]/text.so: file too short
hint: name the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`

"#]],
    );
    let places = [
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/lib64",
        "/usr/lib",
    ];
    let libraries = places
        .iter()
        .map(|place| Path::new(place).join("libc.so.6"));
    let library = libraries.into_iter().find(|path| path.exists()).unwrap();
    std::os::unix::fs::symlink(library, factory.path("libc.so")).unwrap();
    factory.refuses(
        "token list --module libc.so",
        2,
        str![[r#"
error: `libc.so` is not a PKCS#11 module
  Caused by: it does not export `C_GetFunctionList`
hint: name the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`

"#]],
    );
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let factory = Factory::demo();
    factory.device_request();
    factory.write(
        "pki/factory-ca.yaml",
        factory.read("pki/factory-ca.yaml") + LINE_2,
    );
    factory.run("ca create line-2").succeeds();
    factory.configure("object: line-1}", "object: line-2}");
    factory.refuses("device issue dev.csr -o dev.pem", 2, str![[r#"
error: no key labelled `line-2` in token `demo-factory-line` is the key of the certificate (P-256, SHA-256 [FINGERPRINT]…); found: `line-2` (id `6c696e652d32`) P-256, SHA-256 [FINGERPRINT]…
hint: run `factory-ca token show NAME` and compare with the certificate

"#]]);
}

#[test]
fn a_key_that_is_not_there_is_named() {
    let factory = Factory::demo();
    factory.device_request();
    factory.configure("object: line-1}", "object: line-7}");
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: no key labelled `line-7` in token `demo-factory-line`; found: `line-1` (id `6c696e652d31`)
hint: run `factory-ca token show NAME`

"#]],
    );
}

#[test]
fn a_key_is_not_made_twice() {
    let factory = Factory::demo();
    std::fs::remove_file(factory.path("pki/certs/line-1.pem")).unwrap();
    factory.refuses("ca create line-1", 2, str![[r#"
error: token `demo-factory-line` already has key `line-1` (id `6c696e652d31`); nothing was generated
hint: if a creation was interrupted here, run `factory-ca ca create NAME --existing-key` to certify this key

"#]]);
    // The interrupted creation is taken up: the same certificate again.
    factory.run("ca create line-1 --existing-key").succeeds();
    factory.device_request();
    factory.run("device issue dev.csr").succeeds();
}

#[test]
fn a_label_of_33_bytes_is_refused() {
    let factory = Factory::demo();
    factory.point_line_to(&format!("pkcs11:token={}", "x".repeat(33)));
    factory.write_secret("so.pin", "so-774411");
    factory.refuses(
        "token init line --so-pin-file so.pin",
        2,
        str![[r#"
error: `pki/factory-ca.yaml`: `tokens.line.uri` cannot be used
  Caused by: `token` in the PKCS#11 URI has 33 bytes, a token holds at most 32

"#]],
    );
    // Bytes count, not characters.
    let config = factory.read("pki/factory-ca.yaml");
    let two_bytes_each = "%C3%A4".repeat(16) + "x";
    factory.write(
        "pki/factory-ca.yaml",
        config.replace(&"x".repeat(33), &two_bytes_each),
    );
    factory.refuses(
        "token init line --so-pin-file so.pin",
        2,
        str![[r#"
error: `pki/factory-ca.yaml`: `tokens.line.uri` cannot be used
  Caused by: `token` in the PKCS#11 URI has 33 bytes, a token holds at most 32

"#]],
    );
}

fn second_line_token(factory: &Factory) {
    let mut command = Command::new(Path::new("softhsm2-util"));
    command
        .args(["--init-token", "--free", "--label", "demo-factory-line"])
        .args(["--so-pin", "774411", "--pin", "995511"])
        .env("SOFTHSM2_CONF", factory.softhsm_configuration());
    assert!(command.output().unwrap().status.success());
}

const LINE_2: &str = "
  line-2:
    certificate: certs/line-2.pem
    issuer: root
    keys: [{token: line, object: line-2}]
";
