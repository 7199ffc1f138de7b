//! docs/endpoint.md and contrib/ are true.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use factory_ca::config::Config;
use regex::Regex;
use support::factory::Factory;
use support::http::{MockServer, status};

const ENDPOINT: &str = include_str!("../docs/endpoint.md");
const UNIT: &str = include_str!("../contrib/systemd/factory-ca.service");

#[test]
fn every_configuration_shown_can_be_read() {
    let blocks = blocks("yaml");
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let factory = Factory::demo();
        let text = factory.read("pki/factory-ca.yaml");
        factory.write("pki/factory-ca.yaml", format!("{text}\n{block}"));
        Config::load(&factory.path("pki")).unwrap();
    }
}

#[test]
fn the_configuration_that_init_writes_can_be_filled_in() {
    let factory = Factory::demo();
    let text = factory.read("pki/factory-ca.yaml");
    let (before, after) = text
        .split_once("docs/endpoint.md has every key.\n")
        .unwrap();
    let after: Vec<&str> = after
        .lines()
        .map(|line| line.strip_prefix('#').unwrap())
        .collect();
    factory.write(
        "pki/factory-ca.yaml",
        format!("{before}\n{}\n", after.join("\n")),
    );
    let config = Config::load(&factory.path("pki")).unwrap();
    assert!(config.gateway().url.is_some() && config.server().tls.is_some());
    assert!(config.foundries().token.is_some());
}

#[test]
fn every_key_of_the_configuration_is_told() {
    let field = Regex::new(r"(?m)^    (?:pub )?([a-z_]+):").unwrap();
    for (section, file) in [
        ("server", include_str!("../src/config/server.rs")),
        ("gateway", include_str!("../src/config/gateway.rs")),
        ("foundries", include_str!("../src/config/gateway.rs")),
    ] {
        let name = format!(
            "struct {}{}Yaml {{",
            section[..1].to_uppercase(),
            &section[1..]
        );
        let fields = file.split_once(&name).unwrap().1;
        let fields = fields.split_once("\n}").unwrap().0;
        let known = field
            .captures_iter(fields)
            .map(|found| found[1].replace('_', "-"));
        let told = table(&format!("| `{section}:` | default |"));
        assert_eq!(known.collect::<BTreeSet<_>>(), told, "{section}");
    }
}

#[test]
fn every_metric_is_told() {
    let backend = MockServer::start(vec![status(201, "{}")]);
    let api = format!("api: \"{}\", token: {{file: api.token}}", backend.url());
    let factory = Factory::with_endpoint(&format!("foundries: {{{api}, register-devices: true}}"));
    factory.write_secret("pki/api.token", "s3cr3t\n");
    let (token, endpoint) = (factory.registrar("line", ""), factory.serve());
    let body = include_str!("data/lmp-device-register/register-plain.json");
    assert_eq!(endpoint.post(Some(&token), body).status, 201);
    assert_eq!(endpoint.post(Some(&token), "{}").status, 400);
    let metrics = endpoint.get("/metrics").text();
    let kinds = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names = kinds.map(|line| match line.split_once(' ').unwrap() {
        (name, "counter") => format!("{name}_total"),
        (name, _) => name.to_owned(),
    });
    assert_eq!(names.collect::<BTreeSet<_>>(), table("| metric | tells |"));
}

#[test]
fn every_command_shown_exists() {
    let factory = Factory::empty();
    let command = Regex::new(r"factory-ca ((?:[a-z-]+ ?)+)").unwrap();
    let mut checked = 0;
    for block in blocks("sh") {
        for found in command.captures_iter(&block) {
            let words: Vec<&str> = found[1].split_whitespace().collect();
            let nouns = match words[0] {
                "serve" => 1,
                _ if words[1] == "denied" => 3,
                _ => 2,
            };
            factory
                .run(&format!("{} --help", words[..nouns].join(" ")))
                .succeeds();
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked}");
}

#[test]
fn limits_are_those_of_the_source() {
    for (file, constant) in [
        (
            "src/server/receive.rs",
            "const MOST_OCTETS: usize = 64 * 1024;",
        ),
        (
            "src/server/receive.rs",
            "const BODY: Duration = Duration::from_secs(10);",
        ),
        (
            "src/server/connection.rs",
            "const LARGEST_HEADER: usize = 16 * 1024;",
        ),
        (
            "src/server/connection.rs",
            "const HEADER: Duration = Duration::from_secs(15);",
        ),
        (
            "src/server/connection.rs",
            "const MOST_CONNECTIONS: usize = 1024;",
        ),
        (
            "src/server/mod.rs",
            "const MOST_REGISTRATIONS: usize = 1024;",
        ),
        (
            "src/server/mod.rs",
            "const LAST_ORDERS: Duration = Duration::from_secs(30);",
        ),
        (
            "src/server/register.rs",
            "const PATIENCE: Duration = Duration::from_secs(10);",
        ),
    ] {
        let source = fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR")));
        assert!(source.unwrap().contains(constant), "{file}: {constant}");
    }
}

#[test]
fn the_unit_does_not_restart_where_that_would_do_harm() {
    assert!(UNIT.contains("\nRestartPreventExitStatus=2 4\n"));
    assert!(UNIT.contains("\nLimitCORE=0\n"));
    let Ok(path) = which("systemd-analyze") else {
        return;
    };
    let factory = Factory::empty();
    let unit = UNIT
        .replace("/usr/local/bin/factory-ca serve", "/bin/true")
        .replace("=factory-ca\n", "=root\n");
    let file = factory.write("factory-ca.service", unit);
    let output = Command::new(path)
        .arg("verify")
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("factory-ca.service:"))
        .collect();
    assert_eq!(complaints, [""; 0]);
}

fn which(name: &str) -> Result<String, std::env::VarError> {
    let paths = std::env::var("PATH")?;
    let mut found = std::env::split_paths(&paths).map(|path| path.join(name));
    let found = found.find(|path| path.exists());
    found
        .map(|path| path.display().to_string())
        .ok_or(std::env::VarError::NotPresent)
}

/// The blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = ENDPOINT.split(&fence).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().to_owned())
        .collect()
}

/// The names in the first column of the table that begins so.
fn table(head: &str) -> BTreeSet<String> {
    let rows = ENDPOINT.split_once(head).unwrap().1.lines().skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned())
        .collect()
}
