//! docs/endpoint.md, the README and contrib/ are true: their commands run, their configurations load, their tables agree
//! with the sources.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use factory_ca::config::Config;
use regex::Regex;
use support::factory::{BINARY, Factory};
use support::http::{MockServer, ok, status};
use support::requests::DEVICE;

const ENDPOINT: &str = include_str!("../docs/endpoint.md");
const README: &str = include_str!("../README.md");
const UNIT: &str = include_str!("../contrib/systemd/factory-ca.service");
const CONTAINER: &str = include_str!("../contrib/container/Containerfile");
const BODY: &str = include_str!("data/lmp-device-register/register-plain.json");

#[test]
fn every_configuration_shown_can_be_read() {
    let factory = Factory::demo();
    let text = factory.read("pki/factory-ca.yaml");
    let inline = Regex::new(r"`((?:server|gateway|foundries): \{[^`…]*\})`").unwrap();
    let inline = inline.captures_iter(ENDPOINT);
    let shown: Vec<String> = blocks(ENDPOINT, "yaml")
        .into_iter()
        .chain(inline.map(|found| found[1].to_owned()))
        .collect();
    assert!(shown.len() > 3, "{shown:?}");
    for block in shown {
        factory.write("pki/factory-ca.yaml", format!("{text}\n{block}\n"));
        Config::load(&factory.path("pki")).unwrap_or_else(|error| panic!("{block}: {error}"));
    }
}

#[test]
fn every_key_of_the_configuration_is_told_and_offered_by_init() {
    for section in ["server", "gateway", "foundries"] {
        let told = table(&format!("| `{section}:` | default |"));
        assert_eq!(names(&told), keys(section), "{section}");
        let template = source("src/cli/factory-ca.yaml.in");
        let comments = template.split_once(&format!("\n#{section}:\n")).unwrap().1;
        let comments = comments.lines().take_while(|line| line.starts_with("#  "));
        let offered = comments.map(|line| line[3..].split(':').next().unwrap().to_owned());
        assert_eq!(offered.collect::<BTreeSet<_>>(), keys(section), "{section}");
    }
}

#[test]
fn every_right_of_a_registrar_is_told() {
    let help = Factory::empty()
        .run("registrar create --help")
        .succeeds()
        .stdout;
    let option = Regex::new(r"(?m)^ +(?:-o, )?(--[a-z-]+) <").unwrap();
    let mut known: BTreeSet<String> = option
        .captures_iter(&help)
        .map(|found| found[1].to_owned())
        .collect();
    for other in ["--pki-dir", "--pin-file", "--pin-fd", "--by", "--output"] {
        assert!(known.remove(other), "{other}");
    }
    // The one without value.
    assert!(help.contains("--reissue\n"));
    known.insert("--reissue".to_owned());
    assert_eq!(names(&table("| option | right |")), known);
}

#[test]
fn every_override_that_is_refused_is_told() {
    let source = source("src/gateway/sota/overrides.rs");
    let ours = source.split_once("const OURS").unwrap().1;
    let ours = ours.split_once("\n];").unwrap().0;
    let pair = Regex::new(r#"\("(\w+)", "(\w+)"\)"#).unwrap();
    let known = pair
        .captures_iter(ours)
        .map(|found| format!("{}.{}", &found[1], &found[2]));
    let name = Regex::new("`([a-z_.]+)`").unwrap();
    let rows = table("| refused | |");
    let told = rows.iter().flat_map(|row| name.captures_iter(&row[0]));
    let told = told.map(|found| found[1].to_owned());
    assert_eq!(told.collect::<BTreeSet<_>>(), known.collect());
}

#[test]
fn every_status_is_told() {
    let used = Regex::new(r"StatusCode::([A-Z_]+)").unwrap();
    let mut known = BTreeSet::new();
    for path in files("src/server") {
        for found in used.captures_iter(&source(&path)) {
            known.insert(match &found[1] {
                "CREATED" => 201,
                "BAD_REQUEST" => 400,
                "UNAUTHORIZED" => 401,
                "FORBIDDEN" => 403,
                "NOT_FOUND" => 404,
                "METHOD_NOT_ALLOWED" => 405,
                "REQUEST_TIMEOUT" => 408,
                "CONFLICT" => 409,
                "PAYLOAD_TOO_LARGE" => 413,
                "UNSUPPORTED_MEDIA_TYPE" => 415,
                "INTERNAL_SERVER_ERROR" => 500,
                "BAD_GATEWAY" => 502,
                "SERVICE_UNAVAILABLE" => 503,
                // Of `HEAD`, and of what operation asks for.
                "OK" => continue,
                other => panic!("{path}: {other}"),
            });
        }
    }
    let told = table("| status | meaning |");
    let told = told.iter().flat_map(|row| row[0].split(", "));
    let told = told.map(|status| status.parse().unwrap());
    assert_eq!(told.collect::<BTreeSet<u16>>(), known);
}

#[test]
fn every_metric_is_told() {
    let backend = MockServer::start(vec![status(201, "{}")]);
    let factory = partially_detached(&backend);
    let (token, endpoint) = (factory.registrar("line", ""), factory.serve());
    assert_eq!(endpoint.post(Some(&token), BODY).status, 201);
    assert_eq!(endpoint.post(Some(&token), "{}").status, 400);
    let metrics = endpoint.get("/metrics").text();
    let kinds = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let known = kinds.map(|line| match line.split_once(' ').unwrap() {
        (name, "counter") => format!("{name}_total"),
        (name, _) => name.to_owned(),
    });
    let mut known: BTreeSet<String> = known.collect();
    // This endpoint speaks plain HTTP; tests/endpoint/tls.rs reads it.
    known.insert("factory_ca_tls_not_after_timestamp_seconds".to_owned());
    assert_eq!(names(&table("| metric | tells |")), known);
    let step = Regex::new(r#"factory_ca_step_seconds_count\{step="([a-z]+)"\}"#).unwrap();
    let steps: BTreeSet<&str> = step
        .captures_iter(&metrics)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert_eq!(
        steps.into_iter().collect::<Vec<_>>(),
        ["admit", "backend", "record", "request", "reserve", "sign"]
    );
    let alert = Regex::new(r#"(factory_ca_[a-z_]+)(?:\{(\w+)="([a-z0-9-]+)"\})?"#).unwrap();
    let sources: String = files("src").iter().map(|path| source(path)).collect();
    for alert in blocks(ENDPOINT, "text")
        .iter()
        .flat_map(|block| alert.captures_iter(block))
    {
        assert!(known.contains(&alert[1]), "{}", &alert[1]);
        let value = alert.get(3).map(|value| value.as_str());
        let is_known = |value: &str| sources.contains(&format!("\"{value}\""));
        assert!(value.is_none_or(|value| value == "500" || is_known(value)));
    }
}

/// Whoever follows the page, command by command, gets what it says.
#[test]
fn the_commands_shown_run() {
    let denied = format!(r#"{{"devices": [{{"uuid": "{DEVICE}", "name": null}}], "next": null}}"#);
    let backend = MockServer::start(vec![status(201, "{}"), ok(&denied), status(204, "")]);
    let factory = partially_detached(&backend);
    let mut started = 0;
    for block in blocks(ENDPOINT, "sh") {
        if block == "factory-ca serve\n" {
            let token = factory.read("fixture-1.token");
            let endpoint = factory.serve();
            let answer = endpoint.post(Some(token.trim_end()), BODY);
            assert_eq!(answer.status, 201, "{}", answer.text());
            started += 1;
            continue;
        }
        let mut command = factory.program(Path::new("sh"), &["-ec", &block]);
        let outcome = factory.outcome(command.env("PATH", path_with_program()));
        assert_eq!(outcome.code, 0, "{block}\n{}", outcome.stderr);
    }
    assert_eq!(started, 1);
    let asked = [
        "PUT /ota/devices/".to_owned(),
        "GET /ota/factories/demo-factory/denied-devices/?limit=50&page=1".to_owned(),
        format!("DELETE /ota/factories/demo-factory/denied-devices/{DEVICE}/"),
    ];
    assert_eq!(backend.lines(), asked);
    // The certificate that was made on the way is good for what it was made for.
    let config = factory.read("pki/factory-ca.yaml");
    let tls = blocks(ENDPOINT, "yaml").pop().unwrap();
    factory.write("pki/factory-ca.yaml", format!("{config}\n{tls}"));
    factory.serve();
}

/// Also those that need a device, root or the Internet: their words and options exist.
#[test]
fn every_command_shown_exists() {
    let factory = Factory::empty();
    let inline = Regex::new("`(factory-ca [a-z][^`…]*)`").unwrap();
    let mut checked = 0;
    for (name, text) in [("docs/endpoint.md", ENDPOINT), ("README.md", README)] {
        let blocks = ["sh", "shell"].map(|language| blocks(text, language).concat());
        let lines = blocks.iter().flat_map(|block| block.lines());
        let lines = lines.filter(|line| line.starts_with("factory-ca "));
        let inline = inline
            .captures_iter(text)
            .map(|found| found.get(1).unwrap());
        for line in lines.chain(inline.map(|found| found.as_str())) {
            // Words in capitals stand for something; `help` is asked for anyway.
            let line = line.replace("UUID", DEVICE).replace("factory-ca help", "");
            let words = line
                .split_whitespace()
                .skip_while(|word| *word == "factory-ca");
            let mut words: Vec<&str> = words
                .take_while(|word| !word.starts_with(['<', '>', '2']))
                .collect();
            words.push("--help");
            let outcome = factory.outcome(&mut factory.command(&words));
            assert_eq!(outcome.code, 0, "{name}: {line}\n{}", outcome.stderr);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn limits_are_those_of_the_source() {
    let receive = "src/server/receive.rs";
    let connection = "src/server/connection.rs";
    let server = "src/server/mod.rs";
    let register = "src/server/register.rs";
    let overrides = "src/gateway/sota/overrides.rs";
    let api = "src/gateway/device_api/register.rs";
    let limits = [
        (
            "octets of a body",
            "64 KiB",
            receive,
            "MOST_OCTETS: usize = 64 * 1024",
        ),
        (
            "time for a body",
            "10 s",
            receive,
            "BODY: Duration = Duration::from_secs(10)",
        ),
        (
            "octets of a header",
            "16 KiB",
            connection,
            "LARGEST_HEADER: usize = 16 * 1024",
        ),
        (
            "time for a header, and for an idle connection",
            "15 s",
            connection,
            "HEADER: Duration = Duration::from_secs(15)",
        ),
        (
            "time for a TLS handshake",
            "10 s",
            connection,
            "HANDSHAKE: Duration = Duration::from_secs(10)",
        ),
        (
            "connections at once",
            "1024, fewer if the limit of open files is low; more wait",
            server,
            "MOST_CONNECTIONS: usize = 1024",
        ),
        (
            "requests at once on one HTTP/2 connection",
            "32",
            connection,
            "MOST_STREAMS: u32 = 32",
        ),
        (
            "connections at once to `operations`",
            "64",
            server,
            "MOST_OPERATIONS: usize = 64",
        ),
        (
            "time for a client to read an answer on",
            "15 s",
            connection,
            "UNREAD: Duration = Duration::from_secs(15)",
        ),
        (
            "registrations at once",
            "1024; one at a time for each device",
            server,
            "MOST_REGISTRATIONS: usize = 1024",
        ),
        (
            "waiting for token and queue",
            "10 s",
            register,
            "PATIENCE: Duration = Duration::from_secs(10)",
        ),
        (
            "characters of a device's name",
            "128",
            register,
            "LONGEST_NAME: usize = 128",
        ),
        (
            "overrides",
            "64 keys, in 16 sections, 16 KiB altogether",
            overrides,
            "MOST_SECTIONS: usize = 16;\nconst MOST_KEYS: usize = 64;\nconst MOST_BYTES: usize = 16 * 1024",
        ),
        (
            "calls to the API for one device",
            "7",
            api,
            "LONGEST_REGISTRATION: u32 = 2 * PAUSES.len() as u32 + 1;",
        ),
        (
            "time to finish after SIGTERM",
            "30 s for connections, then 15 s for token, backend and ledger",
            server,
            "LAST_ORDERS: Duration = Duration::from_secs(30)",
        ),
        (
            "devices that wait for the API at once",
            "128",
            server,
            "MOST_CALLS: usize = 128",
        ),
    ];
    let told = table("| limit | value |");
    let told: BTreeMap<&str, &str> = told.iter().map(|row| (&*row[0], &*row[1])).collect();
    for (what, value, file, constant) in limits {
        assert_eq!(told.get(what), Some(&value));
        assert!(
            source(file).contains(&format!("const {constant}")),
            "{file}: {constant}"
        );
    }
    assert_eq!(told.len(), limits.len());
    assert_eq!(factory_ca::gateway::device_api::LONGEST_REGISTRATION, 7);
}

#[test]
fn the_unit_does_not_restart_where_that_would_do_harm() {
    let value = |key: &str| {
        let lines = UNIT.lines().filter_map(|line| line.strip_prefix(key));
        let values: Vec<&str> = lines.filter_map(|line| line.strip_prefix('=')).collect();
        assert_eq!(values.len(), 1, "{key}");
        values[0]
    };
    assert_eq!(value("Restart"), "on-failure");
    assert_eq!(value("RestartPreventExitStatus"), "2 4");
    assert_eq!(value("LimitCORE"), "0");
    assert_eq!(value("KillSignal"), "SIGTERM");
    // Longer than LAST_ORDERS and three times THE_REST.
    let rest = "THE_REST: Duration = Duration::from_secs(5)";
    assert!(source("src/server/mod.rs").contains(rest));
    assert!(value("TimeoutStopSec").parse::<u32>().unwrap() > 30 + 3 * 5);
}

#[test]
fn systemd_takes_the_unit() {
    let Some(analyze) = which("systemd-analyze") else {
        return;
    };
    let factory = Factory::empty();
    // Neither the program nor its user need to be here.
    let unit = UNIT
        .replace("/usr/local/bin/factory-ca serve", "/bin/true")
        .replace("=factory-ca\n", "=root\n");
    let file = factory.write("factory-ca.service", unit);
    let output = Command::new(&analyze).arg("verify").arg(&file).output();
    let text = String::from_utf8(output.unwrap().stderr).unwrap();
    let complaints: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("factory-ca.service:"))
        .collect();
    assert_eq!(complaints, [""; 0]);
}

/// The image is not built here. What its build copies is at least what the program is made of, and nothing else.
#[test]
fn the_image_is_built_from_what_the_program_is_made_of() {
    let copied: BTreeSet<&str> = CONTAINER
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split(' ').rev().skip(1))
        .collect();
    let mut wanted: BTreeSet<String> = ["Cargo.toml", "Cargo.lock", "src"]
        .map(str::to_owned)
        .into();
    if source("Cargo.toml").contains("[[bench]]") {
        wanted.insert("benches".to_owned());
    }
    let included = Regex::new(r#"include_(?:str|bytes)!\("((?:\.\./)+)(\w+)/"#).unwrap();
    for path in files("src") {
        let below = path.matches('/').count();
        let source = source(&path);
        let outside = included
            .captures_iter(&source)
            .filter(|found| found[1].len() == 3 * below);
        wanted.extend(outside.map(|found| found[2].to_owned()));
    }
    // Data of unit tests.
    wanted.remove("tests");
    let wanted: BTreeSet<&str> = wanted.iter().map(|name| &**name).collect();
    assert_eq!(copied, wanted);
    assert!(CONTAINER.contains("\nUSER 65532:65532\n"));
}

/// A factory whose devices are created at a server, with the gateway's address.
fn partially_detached(backend: &MockServer) -> Factory {
    let api = format!("api: \"{}\", token: {{file: api.token}}", backend.url());
    let factory = Factory::with_endpoint(&format!("foundries: {{{api}, register-devices: true}}"));
    factory.write_secret("pki/api.token", "s3cr3t-of-the-api\n");
    factory
}

fn path_with_program() -> String {
    let directory = Path::new(BINARY).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", directory.display())
}

fn which(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&paths).map(|path| path.join(name));
    found.find(|path| path.exists())
}

/// The keys of a section of factory-ca.yaml, as it is read.
fn keys(section: &str) -> BTreeSet<String> {
    let file = match section {
        "server" => source("src/config/server.rs"),
        _ => source("src/config/gateway.rs"),
    };
    let (first, rest) = section.split_at(1);
    let head = format!("struct {}{rest}Yaml {{", first.to_uppercase());
    let fields = file.split_once(&head).unwrap().1;
    let fields = fields.split_once("\n}").unwrap().0;
    let field = Regex::new(r"(?m)^    ([a-z_]+):").unwrap();
    let fields = field.captures_iter(fields);
    fields.map(|found| found[1].replace('_', "-")).collect()
}

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// All Rust files below a directory of the project.
fn files(directory: &str) -> Vec<String> {
    let mut all = Vec::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    for found in fs::read_dir(path).unwrap().map(Result::unwrap) {
        let name = format!("{directory}/{}", found.file_name().to_str().unwrap());
        if found.file_type().unwrap().is_dir() {
            all.extend(files(&name));
        } else if name.ends_with(".rs") {
            all.push(name);
        }
    }
    all
}

/// The blocks of one language, without their indentation.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut block: Option<(&str, String)> = None;
    for line in text.lines() {
        match &mut block {
            None => {
                let indentation = line.strip_suffix(&fence);
                let indentation = indentation.filter(|before| before.trim().is_empty());
                block = indentation.map(|indentation| (indentation, String::new()));
            }
            Some(_) if line.trim() == "```" => blocks.extend(block.take().map(|(_, text)| text)),
            Some((indentation, text)) => {
                text.push_str(line.strip_prefix(&**indentation).unwrap_or(line));
                text.push('\n');
            }
        }
    }
    blocks
}

/// The cells of the table of docs/endpoint.md that begins so.
fn table(head: &str) -> Vec<Vec<String>> {
    let rows = ENDPOINT.split_once(head).unwrap().1.lines().skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// What the first column names.
fn names(rows: &[Vec<String>]) -> BTreeSet<String> {
    let name = |row: &Vec<String>| row[0].trim_matches('`').to_owned();
    rows.iter().map(name).collect()
}
