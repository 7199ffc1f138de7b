//! Help pages, man pages and completions.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use snapbox::{Data, Redactions};

use crate::support::factory::{Factory, compare};

/// Every command that does something.
const COMMANDS: [&str; 37] = [
    "init",
    "token list",
    "token init",
    "token show",
    "ca create",
    "ca request",
    "ca sign",
    "ca import",
    "ca sign-csr",
    "tls create",
    "ca list",
    "ca show",
    "crl issue",
    "crl show",
    "device issue",
    "device list",
    "device show",
    "device allow-reissue",
    "batch issue",
    "registrar create",
    "registrar list",
    "registrar close",
    "bundle export",
    "profile list",
    "profile show",
    "profile check",
    "ledger check",
    "ledger export",
    "ledger backup",
    "gateway retry",
    "gateway denied list",
    "gateway denied delete",
    "serve",
    "bench",
    "completions",
    "man",
    "",
];

const NOUNS: [&str; 12] = [
    "crl",
    "token",
    "ca",
    "tls",
    "device",
    "batch",
    "registrar",
    "bundle",
    "profile",
    "ledger",
    "gateway",
    "gateway denied",
];

#[test]
fn every_help_page_is_as_reviewed() {
    let factory = Factory::empty();
    for command in COMMANDS.iter().chain(&NOUNS) {
        let page = factory
            .run(format!("{command} --help").trim_start())
            .succeeds();
        assert_eq!(page.stderr, "");
        snapshot(&page.stdout, &format!("{command} help"));
    }
    let short = factory.run("-h").succeeds();
    snapshot(&short.stdout, "short help");
}

#[test]
fn every_command_has_two_examples_and_its_exit_codes() {
    let factory = Factory::empty();
    for command in COMMANDS {
        let page = factory
            .run(format!("{command} --help").trim_start())
            .succeeds()
            .stdout;
        let examples = page
            .lines()
            .skip_while(|line| *line != "Examples:")
            .filter(|line| line.starts_with(format!("  factory-ca {command}").trim_end()));
        assert_eq!(examples.count(), 2, "{command}");
        assert!(page.contains("\nExit codes"), "{command}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let factory = Factory::empty();
    factory.run("man man").succeeds();
    let page = |name: &&str| match *name {
        "" => "factory-ca.1".to_owned(),
        name => format!("factory-ca-{}.1", name.replace(' ', "-")),
    };
    let wanted: BTreeSet<String> = COMMANDS.iter().chain(&NOUNS).map(page).collect();
    let found: BTreeSet<String> = fs::read_dir(factory.path("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, wanted);
    for name in found {
        let text = factory.read(&format!("man/{name}"));
        assert!(text.contains(".TH ") && text.contains(".SH NAME"), "{name}");
    }
}

#[test]
fn completions_are_printed_for_the_usual_shells() {
    let factory = Factory::empty();
    for (shell, mark) in [
        ("bash", "complete -F _factory"),
        ("zsh", "#compdef factory-ca"),
        ("fish", "complete -c factory-ca"),
    ] {
        let script = factory
            .run(&format!("completions {shell}"))
            .succeeds()
            .stdout;
        assert!(
            script.contains(mark) && script.contains("allow-reissue"),
            "{shell}"
        );
    }
}

fn snapshot(found: &str, name: &str) {
    let file = format!("{}.txt", name.trim().replace(' ', "-"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(file);
    compare(&Redactions::new(), found, Data::read_from(&path, None));
}
