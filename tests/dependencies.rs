//! What the program is built from: every crate of `Cargo.lock` for Linux, held to `deny.toml`.
//!
//! Checked are declared licences, duplicate versions, and that everything comes from crates.io. Not checked are licence
//! texts and security advisories: `cargo deny check` does that where it is installed and may fetch the advisories.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use toml_edit::DocumentMut;

#[test]
fn every_licence_is_allowed() {
    let allowed = strings(&deny()["licenses"]["allow"]);
    let refused: Vec<String> = packages()
        .into_iter()
        .filter(|package| !licence_is_allowed(&package.licence, &allowed))
        .map(|package| format!("{} {}: {}", package.name, package.version, package.licence))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn every_crate_has_one_version_unless_deny_toml_says_why_not() {
    let deny = deny();
    let mut excused: BTreeSet<String> = skipped(&deny);
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        versions
            .entry(package.name)
            .or_default()
            .insert(package.version);
    }
    for (name, versions) in versions {
        let unexcused: Vec<&String> = versions
            .iter()
            .filter(|version| versions.len() == 1 || !take_excuse(&mut excused, &name, version))
            .collect();
        assert!(unexcused.len() == 1, "`{name}` has versions {versions:?}");
    }
    assert!(excused.is_empty(), "excused but not there: {excused:?}");
}

#[test]
fn every_crate_comes_from_crates_io() {
    for package in packages() {
        assert_eq!(package.elsewhere, "", "{}", package.name);
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()].into();
    for (expression, wanted) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only/MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("ISC AND (GPL-3.0-only OR MIT)", true),
        ("ISC AND (GPL-3.0-only OR MIT) AND GPL-3.0-only", false),
        ("(MIT)", true),
        ("GPL-3.0-only WITH Classpath-exception-2.0 OR ISC", true),
        ("MIT WITH anything", false),
        ("", false),
    ] {
        assert_eq!(
            licence_is_allowed(expression, &allowed),
            wanted,
            "{expression}"
        );
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
    /// What cargo adds for anything that is not from crates.io: a path, a repository, another registry.
    elsewhere: String,
}

/// Every crate but our own that Linux needs, tests included.
fn packages() -> BTreeSet<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .args(["--edges", "normal,build,dev", "--format", "{p}|{l}|"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let packages: BTreeSet<Package> = text
        .lines()
        .map(package)
        .filter(|package| package.name != env!("CARGO_PKG_NAME"))
        .collect();
    assert!(packages.len() > 50, "{} crates", packages.len());
    packages
}

/// Reads `name v1.2.3 (proc-macro)|MIT OR Apache-2.0| (*)`.
fn package(line: &str) -> Package {
    let mut fields = line.split('|');
    let mut words = fields.next().unwrap().splitn(3, ' ');
    let mut word = || words.next().unwrap_or_default();
    Package {
        name: word().to_owned(),
        version: word().trim_start_matches('v').to_owned(),
        elsewhere: word().replace("(proc-macro)", ""),
        licence: fields.next().unwrap().to_owned(),
    }
}

fn deny() -> DocumentMut {
    include_str!("../deny.toml").parse().unwrap()
}

fn strings(array: &toml_edit::Item) -> BTreeSet<String> {
    let values = array.as_array().unwrap().iter();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

/// `name@version` of every excused duplicate.
fn skipped(deny: &DocumentMut) -> BTreeSet<String> {
    let skip = deny["bans"]["skip"].as_array().unwrap().iter();
    skip.map(|entry| {
        let entry = entry.as_inline_table().unwrap();
        let reason = entry["reason"].as_str().unwrap();
        assert!(!reason.is_empty());
        entry["crate"].as_str().unwrap().to_owned()
    })
    .collect()
}

/// Whether `name@1` or `name@0.7` excuses this version; each excuse is good once.
fn take_excuse(excused: &mut BTreeSet<String>, name: &str, version: &str) -> bool {
    let mut prefixes = version.match_indices('.').map(|(end, _)| &version[..end]);
    prefixes.any(|prefix| excused.remove(&format!("{name}@{prefix}")))
}

/// `OR` needs one, `AND` needs all, `AND` binds tighter; an exception (`WITH`) has to be allowed by its full name.
fn licence_is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ");
    let spaced = spaced.replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut found = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        found |= all(words, allowed);
    }
    found
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut found = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        found &= one(words, allowed);
    }
    found
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let found = any(words, allowed);
        return words.next() == Some(")") && found;
    }
    let mut name = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    allowed.contains(&name)
}
