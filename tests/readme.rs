//! README.md is true: every command of its `console` blocks is run, and prints what it says there.
//!
//! All blocks run one after the other in one temporary directory, each command in a shell. What differs from run to run
//! (serial numbers, dates, paths) is put out of sight on both sides, so the README shows what a real session showed.
//! A line `...` stands for any lines; `? N` after a command is the exit code it has to end with.

use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;
use snapbox::Assert;

#[test]
fn every_command_of_the_readme_prints_what_it_says() {
    let readme = include_str!("../README.md");
    let steps = steps(readme);
    assert!(steps.len() > 20, "the README has {} commands", steps.len());
    let directory = tempfile::tempdir().unwrap();
    for step in &steps {
        step.check(directory.path());
    }
}

#[test]
fn every_block_of_the_readme_says_what_it_is() {
    let fences = include_str!("../README.md")
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("```"));
    for language in fences.step_by(2) {
        assert!(["console", "sh"].contains(&language), "{language}");
    }
}

/// One command and what follows it.
struct Step {
    line: usize,
    command: String,
    output: String,
    code: i32,
}

impl Step {
    /// A line below the command: more of it (`> `), its exit code (`? `), or what it prints.
    fn take(&mut self, line: &str) {
        match (line.strip_prefix("> "), line.strip_prefix("? ")) {
            (Some(more), _) if self.output.is_empty() => {
                self.command.push_str(&format!("\n{more}"))
            }
            (_, Some(code)) => self.code = code.parse().unwrap(),
            _ => self.output.push_str(&format!("{line}\n")),
        }
    }

    fn check(&self, directory: &Path) {
        let (output, code) = self.run(directory);
        let at = format!("README.md:{}: {}", self.line, self.command);
        assert_eq!(code, self.code, "{at}\n{output}");
        let printed = even_out(&output, directory);
        let wanted = even_out(&self.output, directory);
        let compared = Assert::new().try_eq(Some(&at), printed.into(), wanted.into());
        if let Err(error) = compared {
            panic!("{at}\n{error}");
        }
    }

    /// Standard error goes where standard output goes, as on a terminal.
    fn run(&self, directory: &Path) -> (String, i32) {
        let binary = Path::new(env!("CARGO_BIN_EXE_factory-ca"));
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{}", self.command)])
            .current_dir(directory)
            .env(
                "PATH",
                format!("{}:{path}", binary.parent().unwrap().display()),
            )
            .env("HOME", directory)
            .env("USER", "alice")
            .env_remove("FACTORY_CA_PKI_DIR")
            .env_remove("SOFTHSM2_CONF")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text, output.status.code().unwrap_or(-1))
    }
}

/// The commands of all `console` blocks, in order. An `export` stays in force for what follows it.
fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut exports = String::new();
    let mut block: Option<&str> = None;
    for (number, line) in readme.lines().enumerate() {
        if let Some((indentation, language)) = line.split_once("```") {
            block = (language == "console").then_some(indentation);
            continue;
        }
        let Some(line) = block.map(|indentation| line.strip_prefix(indentation).unwrap_or(line))
        else {
            continue;
        };
        if let Some(command) = line.strip_prefix("$ ") {
            if command.starts_with("export ") {
                exports.push_str(&format!("{command}\n"));
            }
            steps.push(Step {
                line: number + 1,
                command: format!("{exports}{command}"),
                output: String::new(),
                code: 0,
            });
        } else if let Some(step) = steps.last_mut() {
            step.take(line);
        }
    }
    steps
}

/// Replaces what differs from run to run.
fn even_out(text: &str, directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap();
    let mut text = text.replace(&directory.display().to_string(), "/home/alice");
    for (pattern, with) in [
        (r"/usr/lib/[\w-]+/softhsm/", "/usr/lib/softhsm/"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"\d+ audit events", "N audit events"),
        (r"\d{4}-\d\d-\d\d", "DATE"),
        (r"\b[0-9a-f]{64}\b", "SHA-256"),
        (r"\b[0-9a-f]{40}\b", "KEY-ID"),
        (r"\b[0-9a-f]{32}\b", "SERIAL"),
        (r"\b[0-9a-f]{16}\b", "TOKEN"),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, with)
            .into_owned();
    }
    text
}
