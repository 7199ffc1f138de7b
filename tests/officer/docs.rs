//! The officer's pages: whoever follows one, command by command, gets what it says.

use std::fs;
use std::path::Path;

use crate::support::factory::Factory;

fn run(page: &str, factory: &Factory) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/officer")
        .join(page);
    let text = fs::read_to_string(path).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_factory-ca"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let blocks: Vec<&str> = text
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    for block in &blocks {
        let mut command = factory.program(Path::new("sh"), &["-ec", block]);
        let outcome = factory.outcome(command.env("PATH", &path));
        assert_eq!(outcome.code, 0, "{page}: {block}\n{}", outcome.stderr);
    }
    blocks.len()
}

fn acme() -> Factory {
    let factory = Factory::empty();
    factory.run("init --factory acme").succeeds();
    factory
}

#[test]
fn an_offline_root() {
    let factory = Factory::empty();
    assert_eq!(run("offline-root.md", &factory), 4);
    factory.run("--pki-dir online bundle export").succeeds();
}

#[test]
fn servers() {
    let factory = acme();
    assert_eq!(run("tls.md", &factory), 4);
    // Root, device CA, endpoint, gateway, the backend's CA.
    assert_eq!(factory.issued(), 5);
}

#[test]
fn revocation_lists() {
    let factory = acme();
    assert_eq!(run("revocation.md", &factory), 3);
    assert!(factory.path("pki/crl/root-000004.crl").exists());
}
