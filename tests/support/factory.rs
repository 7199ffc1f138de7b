//! A factory in a temporary directory, and `factory-ca` run in it as a person would.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use factory_ca::ledger::Ledger;
use regex::Regex;
use snapbox::{Assert, Data, Redactions};
use tempfile::TempDir;

use super::badday::BadDay;

/// A directory that commands run in; the PKI directory is `pki` below it.
pub struct Factory {
    home: TempDir,
    /// Where SoftHSM2 is told to keep tokens; nowhere for the embedded default, which knows by itself.
    softhsm: Option<PathBuf>,
}

/// How a command ended.
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    redactions: Redactions,
}

/// What a command that fails must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// Issued and reserved certificates; `None` where no ledger can be read.
    certificates: Option<(u64, u64)>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Factory {
    /// A directory without PKI.
    pub fn empty() -> Factory {
        let home = tempfile::tempdir().unwrap();
        let softhsm = None;
        Factory { home, softhsm }
    }

    /// The embedded PKI of `demo-factory`.
    pub fn demo() -> Factory {
        let factory = Factory::empty();
        factory.run("init --factory demo-factory").succeeds();
        factory
    }

    /// The PKI of `demo-factory` on a module of its own, made step by step as an officer would: tokens `root` and
    /// `line` with PINs from files, then the CAs with keys on this curve.
    pub fn with_module(key_type: &str) -> Factory {
        let mut factory = Factory::empty();
        factory.softhsm = Some(super::softhsm_configuration(factory.home()));
        let module = super::softhsm_path();
        let init = format!("init --factory demo-factory --module {}", module.display());
        factory.run(&init).succeeds();
        for name in ["root", "line"] {
            let file = format!("{name}.pin");
            factory.write_secret(&file, &format!("user-pin-of-{name}\n"));
            factory.write_secret("so.pin", "so-pin-774411\n");
            let init = format!("token init {name} --so-pin-file so.pin --pin-file {name}={file}");
            factory.run(&init).succeeds();
        }
        for ca in ["root --confirm root", "line-1"] {
            let create = format!("ca create {ca} --key-type {key_type} {PIN_FILES}");
            factory.run(&create).succeeds();
        }
        factory
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// Writes a file that only its owner can read.
    pub fn write_secret(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.write(name, contents);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces a text that must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}: {text}");
        fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    /// Changes factory-ca.yaml.
    pub fn configure(&self, from: &str, to: &str) {
        self.edit("pki/factory-ca.yaml", from, to);
    }

    /// Puts a module that can have a bad day between the embedded token `line` and its users.
    pub fn bad_day(&self) -> BadDay {
        let bad = BadDay::build(self.home());
        let text = self.read("pki/factory-ca.yaml");
        let (before, line) = text.split_once("\n  line:\n").unwrap();
        let line = line.replacen("\"embedded\"", bad.module.to_str().unwrap(), 1);
        let text = format!("{before}\n  line:\n{line}");
        fs::write(self.path("pki/factory-ca.yaml"), text).unwrap();
        bad
    }

    /// Replaces the URI of the token `line` by one without serial number.
    pub fn point_line_to(&self, uri: &str) {
        let text = self.read("pki/factory-ca.yaml");
        let line = Regex::new(r#"uri: "[^"]*-line[^"]*""#).unwrap();
        assert!(line.is_match(&text));
        let text = line.replace(&text, format!("uri: \"{uri}\""));
        fs::write(self.path("pki/factory-ca.yaml"), text.as_bytes()).unwrap();
    }

    /// Where SoftHSM2 finds the embedded tokens.
    pub fn softhsm_configuration(&self) -> PathBuf {
        match &self.softhsm {
            Some(path) => path.clone(),
            None => self.path("pki/softhsm/softhsm2.conf"),
        }
    }

    /// The program with these arguments, an environment of its own, and nobody at a terminal.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program(Path::new(BINARY), arguments)
    }

    /// Another program in the same circumstances.
    pub fn program(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.home())
            .stdin(Stdio::null());
        if let Some(softhsm) = &self.softhsm {
            command.env("SOFTHSM2_CONF", softhsm);
        }
        command
    }

    /// The program as somebody without privileges, who owns the whole directory.
    ///
    /// Root may write everywhere, so tests about permissions run as `nobody` when they are started by root.
    pub fn command_without_root(&self, arguments: &[&str]) -> Command {
        if !rustix::process::geteuid().is_root() {
            return self.command(arguments);
        }
        // The build directory may be out of reach for `nobody`.
        let program = self.path("factory-ca");
        fs::copy(BINARY, &program).unwrap();
        give_away(self.home());
        let mut all = vec![
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            program.to_str().unwrap(),
        ];
        all.extend(arguments);
        self.program(Path::new("setpriv"), &all)
    }

    /// Runs a command line; arguments are separated by spaces.
    pub fn run(&self, line: &str) -> Outcome {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.outcome(&mut self.command(&arguments))
    }

    pub fn outcome(&self, command: &mut Command) -> Outcome {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let outcome = Outcome {
            code: status
                .code()
                .unwrap_or_else(|| panic!("{command:?}: {status}")),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            redactions: self.redactions(),
        };
        self.check_for_pins(&outcome);
        outcome
    }

    /// Runs a command that must fail: with this code, this text, nothing signed and nothing half-written.
    pub fn refuses(&self, line: &str, code: i32, text: impl Into<Data>) {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.refuses_command(&mut self.command(&arguments), code, text);
    }

    pub fn refuses_command(&self, command: &mut Command, code: i32, text: impl Into<Data>) {
        let before = self.state();
        let outcome = self.outcome(command);
        let after = self.state();
        outcome.says(text);
        assert_eq!(outcome.stdout, "");
        assert_eq!(outcome.code, code, "{}", outcome.stderr);
        assert_same(&before, &after);
    }

    pub fn state(&self) -> State {
        let mut files = BTreeMap::new();
        collect(self.home(), self.home(), &mut files);
        State {
            certificates: self.certificates(),
            files,
        }
    }

    /// How many certificates the ledger holds; `None` if there is no sound ledger.
    pub fn issued(&self) -> u64 {
        self.certificates().unwrap().0
    }

    fn certificates(&self) -> Option<(u64, u64)> {
        let ledger = Ledger::open(&self.path("pki/ledger.db")).ok()?;
        let check = ledger.check().unwrap();
        assert_eq!(check.violations, []);
        Some((check.counts.issued, check.counts.reserved))
    }

    /// No PIN of this factory is ever shown.
    fn check_for_pins(&self, outcome: &Outcome) {
        for pin in self.pins() {
            assert!(!outcome.stdout.contains(&pin) && !outcome.stderr.contains(&pin));
        }
    }

    /// The PINs in the files of this factory.
    pub fn pins(&self) -> Vec<String> {
        self.texts_in(&["pin"])
    }

    /// The PINs and the tokens for other servers in the files of this factory.
    pub fn secrets(&self) -> Vec<String> {
        self.texts_in(&["pin", "token"])
    }

    fn texts_in(&self, extensions: &[&str]) -> Vec<String> {
        let mut files = BTreeMap::new();
        collect(self.home(), self.home(), &mut files);
        let known = |path: &Path| {
            let extension = path.extension().and_then(|found| found.to_str());
            extension.is_some_and(|found| extensions.contains(&found))
        };
        files
            .into_iter()
            .filter(|(path, _)| known(path))
            .map(|(_, text)| String::from_utf8(text).unwrap().trim_end().to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    }

    fn redactions(&self) -> Redactions {
        let mut redactions = Redactions::new();
        let home = self.home().canonicalize().unwrap();
        redactions.insert("[HOME]", home).unwrap();
        for (name, pattern) in [
            ("[TIME]", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
            ("[DATE]", r"\b20\d\d-\d\d-\d\d\b"),
            ("[HASH]", r"\b[0-9a-f]{64}\b"),
            ("[KEYID]", r"\b[0-9a-f]{40}\b"),
            ("[SERIAL]", r"\b[0-9a-f]{32}\b"),
            (
                "[TOKEN]",
                r"(serial=|serial |serial `)(?<redacted>[0-9a-f]{16})\b",
            ),
            ("[FINGERPRINT]", r"SHA-256 (?<redacted>[0-9a-f]{16})…"),
            // One event for a group, and groups form as they come.
            ("[N]", r"(?<redacted>\d+) audit events"),
            ("[PID]", r"\.init-(?<redacted>[0-9]+)"),
        ] {
            redactions
                .insert(name, Regex::new(&named(pattern)).unwrap())
                .unwrap();
        }
        redactions
    }
}

impl Outcome {
    /// It did what it was asked.
    pub fn succeeds(self) -> Outcome {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }

    pub fn ends_with(self, code: i32) -> Outcome {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// What people read, as a snapshot.
    pub fn says(&self, text: impl Into<Data>) -> &Outcome {
        compare(&self.redactions, &self.stderr, text.into());
        self
    }

    /// The data, as a snapshot.
    pub fn prints(&self, text: impl Into<Data>) -> &Outcome {
        compare(&self.redactions, &self.stdout, text.into());
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// SNAPSHOTS=overwrite writes the snapshots anew.
pub fn compare(redactions: &Redactions, found: &str, wanted: Data) {
    Assert::new()
        .action_env("SNAPSHOTS")
        .eq(redactions.redact(found), wanted.raw());
}

pub fn assert_same(before: &State, after: &State) {
    let names = |state: &State| state.files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after), "files came or went");
    for (path, contents) in &before.files {
        assert!(after.files[path] == *contents, "{path:?} was changed");
    }
    assert_eq!(before.certificates, after.certificates);
}

/// A pattern without a group for what is to be replaced is replaced as a whole.
fn named(pattern: &str) -> String {
    match pattern.contains("?<redacted>") {
        true => pattern.to_owned(),
        false => format!("(?<redacted>{pattern})"),
    }
}

/// Every file with its contents; but neither what the ledger nor what SoftHSM2 keeps for itself.
fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let Ok(listing) = fs::read_dir(directory) else {
        return;
    };
    for entry in listing {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_owned();
        let text = name.to_str().unwrap();
        // Of whichever PKI directory it is.
        let inside = text.split_once('/').map_or("", |(_, inside)| inside);
        let kept = ["softhsm/lock", "softhsm/saved", "softhsm/tokens"];
        if inside.starts_with("ledger.db") || kept.contains(&inside) || text == "factory-ca" {
            continue;
        }
        // A process's copy of the tokens goes with it.
        if inside == "softhsm/run" {
            collect(root, &path, files);
            continue;
        }
        match path.is_dir() {
            true => {
                files.insert(name, Vec::new());
                collect(root, &path, files);
            }
            false => {
                files.insert(name, fs::read(&path).unwrap_or_default());
            }
        }
    }
}

/// Makes `nobody` the owner of a directory and everything in it.
pub fn give_away(path: &Path) {
    std::os::unix::fs::lchown(path, Some(65534), Some(65534)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

/// Where commands read the PINs of [`Factory::with_module`].
pub const PIN_FILES: &str = "--pin-file root=root.pin --pin-file line=line.pin";

pub const BINARY: &str = env!("CARGO_BIN_EXE_factory-ca");
