//! What only a killed program can show: promises 1 to 4 of the design hold across kill -9 at any moment.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use factory_ca::x509::device_key::DeviceKey;
use factory_ca::x509::name::{COMMON_NAME, ORGANIZATIONAL_UNIT};
use factory_ca::x509::{Certificate, Name};
use serde_json::Value;
use support::factory::Factory;

/// What a crash test asks of the factory.
trait Line {
    fn spawn(&self, arguments: &[&str]) -> Child;
    fn json(&self, arguments: &[&str]) -> Value;
    fn requests(&self, directory: &str, first: usize, count: usize) -> BTreeSet<String>;
    fn assert_delivered(&self, out: &str, devices: &BTreeSet<String>);
    fn live(&self) -> BTreeMap<String, String>;
    fn assert_clean(&self) -> Value;
}

impl Line for Factory {
    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs a command to its end and returns what it reports as JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(arguments);
        self.outcome(command.arg("--json")).succeeds().json()
    }

    /// Makes requests of as many devices in a directory; returns the devices.
    fn requests(&self, directory: &str, first: usize, count: usize) -> BTreeSet<String> {
        std::fs::create_dir(self.path(directory)).unwrap();
        let request = |number: usize| {
            let uuid = format!("00000000-0000-4000-8000-{number:012x}");
            let key = DeviceKey::generate().unwrap();
            let subject =
                Name::from_pairs(&[(COMMON_NAME, &uuid), (ORGANIZATIONAL_UNIT, "demo-factory")])
                    .unwrap();
            let path = self.path(directory).join(format!("{uuid}.csr"));
            std::fs::write(path, key.request(&subject).unwrap()).unwrap();
            uuid
        };
        (first..first + count).map(request).collect()
    }

    /// Every device has its directory, and the certificate in it is the one live in the ledger.
    fn assert_delivered(&self, out: &str, devices: &BTreeSet<String>) {
        let live = self.live();
        for device in devices {
            let directory = self.path(out).join(device);
            let certificate = read_certificate(&directory.join("client.pem"));
            assert_eq!(
                live.get(device),
                Some(&certificate.serial().to_string()),
                "{device}"
            );
            let names = std::fs::read_dir(&directory)
                .unwrap()
                .map(|file| file.unwrap().file_name());
            let names: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
            assert_eq!(
                names,
                ["client.chained", "client.pem", "root.crt"]
                    .map(str::to_owned)
                    .into(),
                "{device}"
            );
        }
    }

    /// Device → serial of its only issued certificate.
    fn live(&self) -> BTreeMap<String, String> {
        let list = self.json(&["device", "list", "--state", "issued"]);
        let mut live = BTreeMap::new();
        for entry in list["certificates"].as_array().unwrap() {
            let device = entry["device"].as_str().unwrap().to_owned();
            let serial = entry["serial"].as_str().unwrap().to_owned();
            assert_eq!(
                live.insert(device.clone(), serial),
                None,
                "{device} has two certificates"
            );
        }
        live
    }

    /// The ledger is clean, no serial repeats, and intents without result are exactly the abandoned ones.
    fn assert_clean(&self) -> Value {
        let check = self.json(&["ledger", "check"]);
        assert_eq!(check["clean"], true, "{check}");
        let export = self
            .command(&["ledger", "export", "--format", "ndjson"])
            .output()
            .unwrap();
        let mut serials = BTreeSet::new();
        let mut abandoned = BTreeSet::new();
        for line in String::from_utf8(export.stdout).unwrap().lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            let serial = entry["serial"].as_str().unwrap().to_owned();
            if entry["state"] == "abandoned" {
                abandoned.insert(serial.clone());
            }
            assert!(serials.insert(serial), "serial {} repeats", entry["serial"]);
        }
        let listed = check["intents_without_result"].as_array().unwrap();
        let listed: BTreeSet<String> = listed
            .iter()
            .map(|serial| serial.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(listed, abandoned);
        check
    }
}

fn read_certificate(path: &Path) -> Certificate {
    Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap()
}

/// Small in CI, large where FACTORY_CA_TEST_SCALE is `full`.
fn scaled(small: usize, full: usize) -> usize {
    match std::env::var("FACTORY_CA_TEST_SCALE").as_deref() {
        Ok("full") => full,
        _ => small,
    }
}

/// Moments spread over a run, in an order that differs from run to run.
fn moment(round: usize, longest: Duration) -> Duration {
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let random =
        (u64::from(clock.subsec_nanos()) / 1000).wrapping_mul(2_654_435_761 + round as u64);
    longest.mul_f64((random % 1000) as f64 / 1000.0)
}

#[test]
fn a_batch_killed_at_random_moments_ends_with_one_certificate_for_each_device() {
    let factory = Factory::demo();
    let devices = factory.requests("csrs", 0, scaled(600, 5000));
    let batch = ["batch", "issue", "csrs", "--out", "devices"];
    let mut interrupted = 0;
    for round in 0..scaled(10, 100) {
        let mut run = factory.spawn(&batch);
        std::thread::sleep(moment(
            round,
            Duration::from_millis(scaled(500, 2500) as u64),
        ));
        run.kill().unwrap();
        interrupted += usize::from(run.wait().unwrap().code().is_none());
    }
    assert!(interrupted > 0, "no run was killed before its end");
    let report = factory.json(&batch);
    assert_eq!(
        report["issued"].as_u64().unwrap() + report["repeated"].as_u64().unwrap(),
        devices.len() as u64
    );
    let check = factory.assert_clean();
    assert_eq!(check["issued"], CAS + devices.len());
    assert_eq!(check["reserved"], 0);
    factory.assert_delivered("devices", &devices);
    let again = factory.json(&batch);
    assert_eq!(
        (&again["issued"], &again["repeated"]),
        (&Value::from(0), &Value::from(devices.len()))
    );
}

#[test]
fn two_batches_and_an_officer_share_a_ledger_and_one_is_killed() {
    let factory = Factory::demo();
    let count = scaled(500, 5000);
    let killed = factory.requests("a", 0, count);
    let living = factory.requests("b", count, count);
    let first = factory.requests("c", 2 * count, 1);
    factory.json(&["batch", "issue", "c", "--out", "out-c"]);
    let mut one = factory.spawn(&["batch", "issue", "a", "--out", "out-a"]);
    let mut other = factory.spawn(&["batch", "issue", "b", "--out", "out-b"]);
    std::thread::sleep(Duration::from_millis(150));
    one.kill().unwrap();
    one.wait().unwrap();
    let device = first.first().unwrap();
    let permit = factory.json(&["device", "allow-reissue", device, "--by", "alice"]);
    assert_eq!(permit["allowed_by"], "alice");
    assert!(
        other.wait().unwrap().success(),
        "the living batch was disturbed"
    );
    let living_entries = factory.json(&["device", "list", "--state", "abandoned"]);
    for entry in living_entries["certificates"].as_array().unwrap() {
        let device = entry["device"].as_str().unwrap();
        assert!(
            !living.contains(device),
            "{device} of the living batch was abandoned"
        );
    }
    factory.json(&["batch", "issue", "a", "--out", "out-a"]);
    let check = factory.assert_clean();
    assert_eq!(check["issued"], CAS + 2 * count + 1);
    factory.assert_delivered("out-a", &killed);
    factory.assert_delivered("out-b", &living);
}

#[test]
fn an_interrupted_batch_finishes_what_is_in_flight_and_resumes() {
    let factory = Factory::demo();
    let devices = factory.requests("csrs", 0, scaled(9000, 30_000));
    let batch = [
        "batch",
        "issue",
        "csrs",
        "--out",
        "all.ndjson",
        "--format",
        "ndjson",
    ];
    let run = factory
        .command(&batch)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let pid = rustix::process::Pid::from_raw(run.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = run.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(
        told.contains("interrupted: run the same command again to do the rest"),
        "{told}"
    );
    let check = factory.assert_clean();
    assert_eq!(
        (&check["reserved"], &check["abandoned"]),
        (&Value::from(0), &Value::from(0))
    );
    assert!(
        !factory.path("all.ndjson").exists(),
        "a bundle is whole or not there"
    );
    let report = factory.json(&batch);
    assert_eq!(
        CAS as u64 + report["repeated"].as_u64().unwrap(),
        check["issued"].as_u64().unwrap()
    );
    assert_eq!(
        report["issued"].as_u64().unwrap() + report["repeated"].as_u64().unwrap(),
        devices.len() as u64
    );
    let lines = std::fs::read_to_string(factory.path("all.ndjson")).unwrap();
    assert_eq!(lines.lines().count(), devices.len());
}

#[test]
fn memory_is_bounded_however_many_requests_there_are() {
    let factory = Factory::demo();
    let count = scaled(15_000, 300_000);
    let report = factory.json(&["bench", "--count", &count.to_string()]);
    assert_eq!(report["count"], count);
    let peak = report["peak_memory_kib"].as_u64().unwrap();
    assert!(peak > 4 * 1024, "{peak} KiB cannot be true");
    assert!(peak < MOST_MEMORY_KIB, "{count} requests took {peak} KiB");
}

#[test]
fn requests_for_one_device_in_one_batch_get_one_certificate() {
    let factory = Factory::demo();
    factory.requests("csrs", 0, 40);
    for number in 0..40 {
        let name = format!("00000000-0000-4000-8000-{number:012x}");
        let directory = factory.path("csrs");
        std::fs::copy(
            directory.join(format!("{name}.csr")),
            directory.join(format!("copy-of-{name}.csr")),
        )
        .unwrap();
    }
    let report = factory.json(&["batch", "issue", "csrs", "--out", "devices"]);
    assert_eq!(
        (&report["issued"], &report["repeated"]),
        (&Value::from(40), &Value::from(40))
    );
    assert_eq!(factory.assert_clean()["issued"], CAS + 40);
}

/// The root and the device CA are in the ledger, too.
const CAS: usize = 2;

/// What is in flight (15 MiB), the ledger's page cache (32 MiB), the program itself, and room to breathe. A million
/// requests kept in memory would take a gigabyte.
const MOST_MEMORY_KIB: u64 = 96 * 1024;
