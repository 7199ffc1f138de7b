//! Files that are in the way, cannot be written, or do not fit.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use snapbox::str;

use crate::support::factory::{BINARY, Factory, assert_same};
use crate::support::requests::subject;

#[test]
fn an_existing_output_file_is_left_alone() {
    let factory = Factory::demo();
    factory.device_request();
    factory.write("dev.pem", "somebody needs this");
    factory.refuses(
        "device issue dev.csr -o dev.pem",
        2,
        str![[r#"
error: `dev.pem` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    factory.refuses(
        "ledger export -o dev.pem",
        2,
        str![[r#"
error: `dev.pem` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    factory.refuses(
        "ledger backup dev.pem",
        2,
        str![[r#"
error: `dev.pem` exists already; it was left alone
hint: name another file

"#]],
    );
    factory.write("csrs/empty.csr", "");
    factory.refuses(
        "batch issue csrs --out dev.pem --format pem",
        2,
        str![[r#"
error: `dev.pem` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    factory.refuses(
        "batch issue csrs --out dev.pem",
        2,
        str![[r#"
error: `dev.pem` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
}

#[test]
fn an_existing_pki_directory_is_left_alone() {
    let factory = Factory::demo();
    factory.refuses(
        "init --factory demo-factory",
        2,
        str![[r#"
error: `pki` exists; it was left as it is
hint: name another directory with `--pki-dir DIR`

"#]],
    );
    let empty = Factory::empty();
    empty.write("pki", "a file");
    empty.refuses(
        "init --factory demo-factory",
        2,
        str![[r#"
error: `pki` exists; it was left as it is
hint: name another directory with `--pki-dir DIR`

"#]],
    );
}

#[test]
fn an_existing_ca_is_left_alone() {
    let factory = Factory::demo();
    factory.refuses(
        "ca create line-1",
        2,
        str![[r#"
error: `pki/certs/line-1.pem` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
    factory.refuses("ca create root", 2, str![[r#"
error: `root` becomes the root of factory `demo-factory`. Nobody is there to confirm it, and nothing was done
hint: add `--confirm root`

"#]]);
    factory.refuses(
        "ca create root --confirm line-1",
        2,
        str![[r#"
error: `line-1` was given to confirm, wanted is `root`; nothing was done

"#]],
    );
    factory.refuses(
        "ca create root --confirm root",
        2,
        str![[r#"
error: `pki/certs/factory_ca.pem` exists; it was left as it is
hint: move it away or name another; nothing is ever overwritten

"#]],
    );
}

#[test]
fn a_missing_output_directory_is_named_before_anything_is_signed() {
    let factory = Factory::demo();
    factory.device_request();
    factory.refuses(
        "device issue dev.csr -o out/dev.pem",
        2,
        str![[r#"
error: `out/dev.pem` cannot be written
  Caused by: there is no such directory
hint: put that right, then run the same command again

"#]],
    );
}

#[test]
fn a_read_only_output_directory_is_named_before_anything_is_signed() {
    let factory = Factory::demo();
    factory.device_request();
    fs::create_dir_all(factory.path("csrs")).unwrap();
    factory.request("csrs/dev", &subject(crate::support::requests::DEVICE));
    let read_only = factory.path("out");
    fs::create_dir(&read_only).unwrap();
    let cases: [(&[&str], _); 3] = [
        (
            &["device", "issue", "dev.csr", "-o", "out/dev.pem"],
            str![[r#"
error: `out/dev.pem` cannot be written
  Caused by: permission denied
hint: put that right, then run the same command again

"#]],
        ),
        (
            &["batch", "issue", "csrs", "--out", "out"],
            str![[r#"
error: `out/report.ndjson` cannot be written
  Caused by: Permission denied (os error 13)
hint: put that right, then run the same command again

"#]],
        ),
        (
            &[
                "batch",
                "issue",
                "csrs",
                "--out",
                "out/all.pem",
                "--format",
                "pem",
            ],
            str![[r#"
error: `out/all.pem` cannot be written
  Caused by: permission denied
hint: put that right, then run the same command again

"#]],
        ),
    ];
    for (arguments, text) in cases {
        let mut command = factory.command_without_root(arguments);
        fs::set_permissions(&read_only, fs::Permissions::from_mode(0o555)).unwrap();
        let before = factory.state();
        let outcome = factory.outcome(&mut command);
        outcome.says(text);
        assert_eq!(outcome.code, 2);
        assert_same(&before, &factory.state());
    }
}

#[test]
fn a_ledger_that_cannot_be_written_stops_before_anything_is_signed() {
    let factory = Factory::demo();
    factory.device_request();
    let mut command = factory.command_without_root(&["device", "issue", "dev.csr"]);
    let ledger = factory.path("pki/ledger.db");
    fs::set_permissions(ledger, fs::Permissions::from_mode(0o400)).unwrap();
    factory.refuses_command(
        &mut command,
        3,
        str![[r#"
error: `[HOME]/pki/ledger.db` could not be written; nothing was written
  Caused by: Error code 8: attempt to write a readonly database
hint: check space and permissions, then try again

"#]],
    );
}

#[test]
fn a_full_disk_leaves_no_half_written_file() {
    let factory = Factory::demo();
    fs::create_dir(factory.path("out")).unwrap();
    factory.refuses_command(
        &mut limited(&factory, 512, "bundle export out"),
        3,
        str![[r#"
error: `out/root.crt` cannot be written
  Caused by: File too large (os error 27)
hint: put that right, then run the same command again

"#]],
    );
}

#[test]
fn a_full_disk_leaves_no_half_made_pki() {
    let factory = Factory::empty();
    let mut command = limited(&factory, 4096, "init --factory demo-factory");
    factory.refuses_command(
        &mut command,
        3,
        str![[r#"
error: `[HOME]/.pki.init-[PID]/ledger.db` could not be written; nothing was written
  Caused by: Error code 4874: disk I/O error
hint: check space and permissions, then try again

"#]],
    );
}

#[test]
fn a_disk_that_fills_up_at_any_moment_costs_no_certificate() {
    let mut codes = BTreeSet::new();
    // From before the ledger's first write of a run to after its last.
    for kilobytes in (36..=120).step_by(6) {
        let factory = Factory::demo();
        factory.device_request();
        let line = "device issue dev.csr -o dev.pem";
        let outcome = factory.outcome(&mut limited(&factory, kilobytes * 1024, line));
        let released = factory.path("dev.pem").exists();
        assert_eq!(released, outcome.code == 0, "{}", outcome.stderr);
        codes.insert(outcome.code);
        if !released {
            factory.run(line).succeeds();
        }
        factory.run("ledger check").succeeds();
        assert_eq!(factory.issued(), 3);
    }
    // It was stopped where the ledger's fate is unknown, and where there was room enough.
    assert_eq!(codes, BTreeSet::from([0, 4]));
}

#[test]
fn a_certificate_whose_record_is_in_doubt_is_not_released() {
    let line = "device issue dev.csr -o dev.pem";
    // Where the intent still fits and the record does not.
    let doubtful = (36..=120).step_by(4).find_map(|kilobytes| {
        let factory = Factory::demo();
        factory.device_request();
        let outcome = factory.outcome(&mut limited(&factory, kilobytes * 1024, line));
        outcome
            .stderr
            .contains("was signed")
            .then_some((factory, outcome))
    });
    let (factory, outcome) = doubtful.expect("a record that met the limit");
    outcome.says(str![[r#"
error: certificate [SERIAL] was signed but the ledger did not confirm it; it was not released
  Caused by: committing to `[HOME]/pki/ledger.db`: it is unknown whether the group was written
  Caused by: Error code 778: disk I/O error
hint: stop issuing on this station, then run `factory-ca ledger check`

"#]]);
    assert!(!factory.path("dev.pem").exists());
    factory.run("ledger check").succeeds().prints(str![[r#"
issued 2, revoked 0, abandoned 0, reserved 1, refused 0; [N] audit events
intent without result: [SERIAL] (56b2fa41-d79a-4aad-ba26-e26e719878bb)

"#]]);
    // The serial of the doubtful one is never used again.
    factory.run(line).succeeds().says(str![[r#"
note: intent [SERIAL] (56b2fa41-d79a-4aad-ba26-e26e719878bb) was left without result by an earlier run; its serial is abandoned
56b2fa41-d79a-4aad-ba26-e26e719878bb has certificate [SERIAL] until [DATE], written to `dev.pem`

"#]]);
    factory.run("ledger check").succeeds().prints(str![[r#"
issued 3, revoked 0, abandoned 1, reserved 0, refused 0; [N] audit events
intent without result: [SERIAL] (56b2fa41-d79a-4aad-ba26-e26e719878bb)

"#]]);
}

#[test]
fn a_full_disk_behind_stdout_is_noticed_and_the_certificate_is_not_lost() {
    let factory = Factory::demo();
    factory.device_request();
    let script = "exec \"$0\" device issue dev.csr >/dev/full";
    let outcome = factory.outcome(&mut shell(&factory, script));
    outcome.says(str![[r#"
error: `stdout` cannot be written
  Caused by: No space left on device (os error 28)
hint: put that right, then run the same command again

"#]]);
    assert_eq!(outcome.code, 3);
    let again = factory.run("device issue dev.csr").succeeds();
    assert!(
        again.stderr.contains("already had certificate"),
        "{}",
        again.stderr
    );
    assert_eq!(factory.issued(), 3);
}

#[test]
fn nobody_to_read_stderr_changes_nothing() {
    let factory = Factory::demo();
    factory.write("csrs/broken.csr", "not a request");
    for command in [
        "device issue csrs/broken.csr",
        "batch issue csrs --out devices",
    ] {
        let script = format!("exec \"$0\" {command} 2>/dev/full");
        factory.outcome(&mut shell(&factory, &script)).ends_with(1);
    }
}

/// A command line that may write so many bytes to a file, as if the disk were full then.
fn limited(factory: &Factory, bytes: u64, line: &str) -> Command {
    // The signal comes with this limit only, never with a full disk.
    let script = format!("trap '' XFSZ; exec prlimit --fsize={bytes} \"$0\" {line}");
    shell(factory, &script)
}

fn shell(factory: &Factory, script: &str) -> Command {
    factory.program(Path::new("sh"), &["-c", script, BINARY])
}

#[test]
fn a_directory_without_requests_is_named() {
    let factory = Factory::demo();
    std::fs::create_dir(factory.path("empty")).unwrap();
    factory.write("empty/notes.txt", "nothing to sign");
    factory.refuses(
        "batch issue empty --out devices",
        2,
        str![[r#"
error: `empty` holds no requests; other files: 1
hint: requests are the files that end in `.csr`, `.pem`, `.der` or `.req`

"#]],
    );
}

#[test]
fn a_profile_that_names_no_device_is_not_for_batches() {
    let factory = Factory::demo();
    factory.device_request();
    std::fs::create_dir(factory.path("csrs")).unwrap();
    std::fs::rename(factory.path("dev.csr"), factory.path("csrs/dev.csr")).unwrap();
    factory.configure("profiles: [device]", "profiles: [device, tls-server]");
    factory.refuses(
        "batch issue csrs --out servers --profile tls-server",
        2,
        str![[r#"
error: profile `tls-server` is not for batches: it names no device
hint: issue its certificates one by one with `factory-ca device issue`

"#]],
    );
}
