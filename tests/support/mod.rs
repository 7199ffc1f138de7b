//! What integration tests share. Each test program uses a part of it.
#![allow(dead_code)]

pub mod badday;
#[path = "../requests/build.rs"]
pub mod build;
pub mod device;
pub mod endpoint;
pub mod factory;
pub mod foreign;
pub mod fulldisk;
pub mod http;
pub mod relying;
pub mod requests;

use std::path::{Path, PathBuf};
use std::process::Command;

use factory_ca::token::{
    Label, Module, OnInitialised, OpenToken, Pin, Target, TokenInfo, TokenUri,
};

pub const SO_PIN: &str = "so-774411";
pub const USER_PIN: &str = "user-995511";

/// Runs a test on SoftHSM2 with a token directory of its own.
///
/// SoftHSM2 reads `SOFTHSM2_CONF` from the environment when it is loaded, and there is one SoftHSM2 per process: so the
/// test program starts itself again for that one test, with the variable set. `name` is the test's full name.
pub fn in_own_token_directory(name: &str, test: impl FnOnce()) {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == name) {
        return test();
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, name)
        .env("SOFTHSM2_CONF", softhsm_configuration(directory.path()))
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    // A misspelt name would run nothing and succeed.
    assert!(stdout.contains("1 passed"), "no test is called {name}");
}

/// Writes a configuration with an empty token directory.
pub fn softhsm_configuration(directory: &Path) -> PathBuf {
    let tokens = directory.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let file = directory.join("softhsm2.conf");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// Where this machine keeps SoftHSM2.
pub fn softhsm_path() -> PathBuf {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("SoftHSM2 is needed to test: install softhsm2")
}

pub fn softhsm() -> Module {
    Module::load(softhsm_path()).unwrap()
}

pub fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned().into(), "a test").unwrap()
}

pub fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// Initialises one more token.
pub fn new_token(module: &Module, name: &str) -> TokenInfo {
    let refuse = OnInitialised::Refuse;
    module
        .initialise(
            &label(name),
            Target::Free,
            refuse,
            &pin(SO_PIN),
            &pin(USER_PIN),
        )
        .unwrap()
}

/// Initialises one more token and logs in.
pub fn open_token(module: &Module, name: &str) -> OpenToken {
    let info = new_token(module, name);
    let token = module.find(&info.uri()).unwrap();
    token.login(Some(pin(USER_PIN))).unwrap()
}

pub fn uri(text: &str) -> TokenUri {
    TokenUri::parse(text).unwrap()
}

const INSIDE: &str = "FACTORY_CA_TEST_IN_OWN_TOKEN_DIRECTORY";
