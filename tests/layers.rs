//! The direction of imports, read from the sources: downwards only, and each foreign library in its own room.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Who may use whom: a room uses rooms of lower rows only. Rooms of one row do not know each other.
const ROWS: [&[&str]; 9] = [
    &["main"],
    &["cli"],
    &["server"],
    &["error"],
    &["authority", "gateway"],
    &["config", "output"],
    &["profile", "ledger", "token"],
    &["x509"],
    &["hex", "secret", "timestamp", "url", "yaml"],
];

/// Which room uses which library. Everything else may be used everywhere.
const LIBRARIES: [(&str, &[&str]); 16] = [
    // `server` compares hashes in constant time with it.
    ("aws_lc_rs", &["x509", "cli", "server"]),
    ("clap", &["cli"]),
    ("cryptoki", &["token"]),
    // `profile` names object identifiers with it; bytes are made in `x509`.
    ("der", &["x509", "profile"]),
    ("hyper", &["server"]),
    ("indicatif", &["cli"]),
    ("p256", &["x509"]),
    ("prometheus_client", &["server"]),
    ("rcgen", &["x509"]),
    ("rpassword", &["cli"]),
    ("rusqlite", &["ledger"]),
    ("rustls", &["server", "gateway"]),
    ("tokio", &["server"]),
    ("toml_edit", &["gateway"]),
    ("ureq", &["gateway"]),
    // The lints read with another parser than the one that wrote.
    ("x509_parser", &["x509", "profile"]),
];

/// What is allowed all the same, file by file, and why.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    (
        "src/ledger/writer.rs",
        "aws_lc_rs",
        "draws a writer's name; nothing depends on its secrecy",
    ),
    (
        "src/ledger/check/entries.rs",
        "x509_parser",
        "proves stored certificates independently",
    ),
    (
        "src/ledger/group.rs",
        "der",
        "splits a certificate into TBS and signature",
    ),
    (
        "src/token/generate.rs",
        "der",
        "writes the curve's OID for CKA_EC_PARAMS",
    ),
    (
        "src/token/object.rs",
        "der",
        "writes the curve's OID for CKA_EC_PARAMS",
    ),
];

#[test]
fn imports_go_downwards() {
    let path = Regex::new(r"\bcrate::([a-z_0-9]+)").unwrap();
    let mut wrong = Vec::new();
    for source in sources() {
        let room = room(&source.path);
        let known = row(&room).unwrap_or_else(|| panic!("no row for {room}"));
        for used in path.captures_iter(&source.text) {
            let used = &used[1];
            if room != used && row(used).is_none_or(|row| row <= known) {
                wrong.push(format!("{}: crate::{used}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn imports_are_written_so_that_this_test_sees_them() {
    let hidden = Regex::new(r"crate::\{|use (super::)+\{?(cli|error|authority|gateway|config|output|profile|ledger|token|x509)\b").unwrap();
    for source in sources() {
        let top = source.path.components().count() == 2;
        if let Some(found) = hidden.find(&source.text) {
            let within =
                found.as_str().starts_with("use super") && !top && is_own(&source, found.as_str());
            assert!(within, "{}: {}", source.path.display(), found.as_str());
        }
    }
}

#[test]
fn each_library_has_its_room() {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (library, rooms) in LIBRARIES {
        let path = Regex::new(&format!(
            r"(^|[^:\w])(::)?{library}::|\buse (::)?{library}\b"
        ))
        .unwrap();
        for source in sources()
            .iter()
            .filter(|source| path.is_match(&source.text))
        {
            let file = source.path.to_str().unwrap();
            let excepted = EXCEPTIONS
                .iter()
                .any(|(excepted, with, _)| *excepted == file && *with == library);
            match (rooms.contains(&room(&source.path).as_str()), excepted) {
                (true, false) => {}
                (false, true) => drop(used.insert((file.to_owned(), library))),
                (false, false) => wrong.push(format!("{file}: {library}")),
                (true, true) => wrong.push(format!("{file}: {library} needs no exception")),
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    for (file, library, _) in EXCEPTIONS {
        let needed = used.contains(&(file.to_owned(), library));
        assert!(needed, "{file} needs no exception for {library}");
    }
}

#[test]
fn only_the_command_line_prints_reads_the_environment_and_the_clock() {
    let world = Regex::new(r"\b(e?print(ln)?!|dbg!|env::(var|args|vars|current_dir)|Timestamp::now|(SystemTime|OffsetDateTime|Utc)::now|process::exit|io::std(in|out|err)\b)").unwrap();
    for source in sources() {
        if matches!(room(&source.path).as_str(), "cli" | "main") {
            continue;
        }
        let code = without_comments(&source.text);
        let found: Vec<&str> = world.find_iter(&code).map(|found| found.as_str()).collect();
        // `Timestamp::now` itself is where the clock is read.
        let allowed: &[&str] = match source.path.to_str().unwrap() {
            "src/timestamp.rs" => &["OffsetDateTime::now"],
            _ => &[],
        };
        assert!(
            found.iter().all(|found| allowed.contains(found)),
            "{}: {found:?}",
            source.path.display()
        );
    }
}

struct Source {
    /// From the package's directory.
    path: PathBuf,
    /// Without its tests.
    text: String,
}

/// The sources without tests: those may use what they like.
fn sources() -> Vec<Source> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut directories = vec![package.join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "tests" {
                directories.push(path);
            } else if name.ends_with(".rs") && !TESTS.contains(&name) {
                let whole = fs::read_to_string(&path).unwrap();
                let text = whole
                    .split("#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap()
                    .to_owned();
                let path = path.strip_prefix(package).unwrap().to_owned();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Files that are compiled for tests only; the crate's root, which declares the rooms.
const TESTS: [&str; 5] = [
    "tests.rs",
    "testing.rs",
    "second_opinion.rs",
    "proptests.rs",
    "lib.rs",
];

fn room(path: &Path) -> String {
    let first = path
        .components()
        .nth(1)
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

/// Whether a `use super::…` stays within the room.
fn is_own(source: &Source, import: &str) -> bool {
    let up = import.matches("super::").count();
    // src/room/file.rs is two below the root's modules, src/room/mod.rs one.
    let depth = source.path.components().count() - 1 - usize::from(source.path.ends_with("mod.rs"));
    up < depth
}

fn without_comments(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}
