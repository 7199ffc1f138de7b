//! Tokens on a bad day: they go away and come back, fail, hang, and are found to be others.

mod support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::Attribute;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use factory_ca::token::{
    Error, Key, KeyQuery, Module, OpenToken, Persistence, Signer, Target, TriesLeft,
};
use factory_ca::x509::{Curve, KeyKind, PublicKey};
use support::badday::*;
use support::*;

#[test]
fn a_token_that_is_away_for_a_while_is_used_again_by_all_threads() {
    let name = "a_token_that_is_away_for_a_while_is_used_again_by_all_threads";
    in_own_token_directory(name, || {
        let module = softhsm();
        let open = open_token(&module, "line");
        generate(&open, "line-1", 1);
        let key = open.key(KeyQuery::labelled("line-1"), None, 3).unwrap();
        let stations: [Station; 4] = Default::default();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _stop = Stop(&done);
            for station in &stations {
                scope.spawn(|| station.sign_until(&done, &key));
            }
            // The first pause is long over when the second one begins.
            for _ in 0..2 {
                wait_for(|| stations.iter().all(Station::signs));
                let tokens = Away::move_away(tokens());
                wait_for(|| stations.iter().all(Station::fails));
                assert!(is_unavailable(&key.check().unwrap_err()));
                let signed: Vec<u64> = stations.iter().map(Station::signed).collect();
                std::thread::sleep(Duration::from_millis(2500));
                assert_eq!(
                    signed,
                    stations.iter().map(Station::signed).collect::<Vec<_>>()
                );
                tokens.move_back();
                wait_for(|| stations.iter().all(Station::signs));
                key.check().unwrap();
            }
        });
        for station in &stations {
            let slowest = Duration::from_micros(station.slowest.load(SeqCst));
            assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        }
    });
}

#[test]
fn a_token_that_is_away_says_since_when_and_when_it_is_tried_again() {
    let name = "a_token_that_is_away_says_since_when_and_when_it_is_tried_again";
    in_own_token_directory(name, || {
        let open = open_token(&softhsm(), "line");
        generate(&open, "line-1", 1);
        let key = open.key(KeyQuery::labelled("line-1"), None, 1).unwrap();
        key.check().unwrap();
        let tokens = Away::move_away(tokens());
        // The prober sees it first; SoftHSM2 cannot even be initialised without its directory.
        let first = key.check().unwrap_err();
        assert_eq!(
            lines(&first),
            [
                "token `line` is unavailable: initialising its module again",
                "C_Initialize returned CKR_GENERAL_ERROR",
            ]
        );
        for error in [key.sign(b"x").unwrap_err(), key.check().unwrap_err()] {
            let [text, cause] = lines(&error).try_into().unwrap();
            let pattern = r"^token `line` is unavailable: out of order for 0\.\d s, tried again in [01]\.\d s$";
            assert!(
                regex::Regex::new(pattern).unwrap().is_match(&text),
                "{text}"
            );
            assert_eq!(
                cause,
                "token `line` is unavailable: initialising its module again: C_Initialize returned CKR_GENERAL_ERROR"
            );
        }
        // A directory without the token is another matter.
        std::fs::create_dir(&tokens.home).unwrap();
        std::thread::sleep(Duration::from_millis(1050));
        let gone = format!(
            "token `line` (serial `{}`) is gone: module `libsofthsm2.so` no longer shows it",
            open.info().serial
        );
        assert_eq!(key.check().unwrap_err().to_string(), gone);
        std::fs::remove_dir(&tokens.home).unwrap();
        tokens.move_back();
        wait_for(|| key.check().is_ok());
        assert_signs(&key);
    });
}

#[test]
fn the_other_tokens_of_a_module_go_on_signing_and_come_back_too() {
    let name = "the_other_tokens_of_a_module_go_on_signing_and_come_back_too";
    in_own_token_directory(name, || {
        let module = softhsm();
        let line = open_token(&module, "line");
        let directory = std::fs::read_dir(tokens()).unwrap().next().unwrap();
        let other = open_token(&module, "other");
        generate(&line, "line-1", 1);
        generate(&other, "other-1", 1);
        let key = line.key(KeyQuery::labelled("line-1"), None, 2).unwrap();
        let others = other.key(KeyQuery::labelled("other-1"), None, 2).unwrap();
        let station = Station::default();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _stop = Stop(&done);
            scope.spawn(|| station.sign_until(&done, &others));
            wait_for(|| station.signs());
            let token = Away::move_away(directory.unwrap().path());
            let until = Instant::now() + Duration::from_secs(3);
            while Instant::now() < until {
                assert!(is_unavailable(&key.sign(b"x").unwrap_err()));
                others.check().unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            token.move_back();
            wait_for(|| key.sign(b"x").is_ok());
        });
        assert_eq!(station.failed.load(SeqCst), 0);
        // The whole directory: both are lost, and each login restores its own.
        let tokens = Away::move_away(tokens());
        assert!(is_unavailable(&key.sign(b"x").unwrap_err()));
        assert!(is_unavailable(&others.sign(b"x").unwrap_err()));
        tokens.move_back();
        for key in [&key, &others] {
            wait_for(|| key.sign(b"x").is_ok());
            assert_signs(key);
            key.check().unwrap();
        }
        assert_eq!(line.keys().unwrap().len(), 2);
    });
}

#[test]
fn a_new_token_of_the_same_label_is_not_the_token() {
    in_own_token_directory("a_new_token_of_the_same_label_is_not_the_token", || {
        let module = softhsm();
        let open = open_token(&module, "line");
        generate(&open, "line-1", 1);
        let key = open.key(KeyQuery::labelled("line-1"), None, 1).unwrap();
        let _away = Away::move_away(tokens());
        std::fs::create_dir(tokens()).unwrap();
        key.check().unwrap_err();
        // What the signature finds then: SoftHSM2 was initialised with an empty directory.
        let new = module.initialise(
            &label("line"),
            Target::Free,
            factory_ca::token::OnInitialised::Refuse,
            &pin(SO_PIN),
            &pin(USER_PIN),
        );
        let new = module.find(&new.unwrap().uri()).unwrap();
        let new = new.login(Some(pin(USER_PIN))).unwrap();
        generate(&new, "line-1", 1);
        std::thread::sleep(Duration::from_millis(1050));
        for _ in 0..2 {
            assert!(matches!(key.sign(b"x"), Err(Error::TokenLost { .. })));
            std::thread::sleep(Duration::from_millis(2050));
        }
    });
}

#[test]
fn another_key_of_the_same_label_is_refused() {
    in_own_token_directory("another_key_of_the_same_label_is_refused", || {
        let (_directory, bad, open, key) = bad_day("line");
        let session = other_session(&open);
        session.login(UserType::User, Some(&USER_PIN.into())).ok();
        for object in session.find_objects(&[Attribute::Token(true)]).unwrap() {
            session.destroy_object(object).unwrap();
        }
        assert_eq!(
            key.check().unwrap_err().to_string(),
            "no key labelled `line-1` in token `line`; found: nothing"
        );
        generate(&open, "line-1", 1);
        for _ in 0..3 {
            assert!(matches!(key.check(), Err(Error::KeyMismatch { .. })));
            assert!(matches!(key.sign(b"x"), Err(Error::KeyMismatch { .. })));
        }
        assert_eq!(bad.calls(Function::Finalize), 0);
        bad.assert_was_used_well();
    });
}

#[test]
fn a_pin_that_was_changed_is_tried_once_and_never_again() {
    in_own_token_directory(
        "a_pin_that_was_changed_is_tried_once_and_never_again",
        || {
            let (_directory, bad, open, key) = bad_day("line");
            change_pin(&open);
            let logins = bad.calls(Function::Login);
            let rejected = |outcome: Result<(), Error>| match outcome {
                Err(Error::PinRejected { left, .. }) => assert_eq!(left, TriesLeft::Low),
                other => panic!("{other:?}"),
            };
            for _ in 0..3 {
                rejected(key.check());
                rejected(key.sign(b"x").map(|_| ()));
            }
            // Not even by a restart of the module, which is not due to the PIN.
            assert_eq!(bad.calls(Function::Finalize), 0);
            let tokens = Away::move_away(tokens());
            assert!(is_unavailable(&key.sign(b"x").unwrap_err()));
            tokens.move_back();
            wait_for(|| matches!(key.check(), Err(Error::PinRejected { .. })));
            rejected(key.sign(b"x").map(|_| ()));
            assert_eq!(bad.calls(Function::Login), logins + 1);
            bad.assert_was_used_well();
        },
    );
}

#[test]
fn a_pin_is_rejected_when_the_token_counts_it_whatever_the_code_says() {
    let name = "a_pin_is_rejected_when_the_token_counts_it_whatever_the_code_says";
    in_own_token_directory(name, || {
        let (_directory, bad, open, key) = bad_day("line");
        change_pin(&open);
        bad.spoil(Function::Login, CKR_FUNCTION_FAILED, FOR_EVER);
        let logins = bad.calls(Function::Login);
        for _ in 0..3 {
            assert!(matches!(key.sign(b"x"), Err(Error::PinRejected { .. })));
        }
        assert_eq!(bad.calls(Function::Login), logins + 1);
        assert_eq!(bad.calls(Function::Finalize), 0);
    });
}

#[test]
fn one_failure_of_any_code_is_not_noticed() {
    in_own_token_directory("one_failure_of_any_code_is_not_noticed", || {
        let (_directory, bad, _open, key) = bad_day("line");
        for code in [
            CKR_GENERAL_ERROR,
            CKR_FUNCTION_FAILED,
            CKR_DEVICE_ERROR,
            CKR_DEVICE_REMOVED,
            CKR_OBJECT_HANDLE_INVALID,
            CKR_OPERATION_ACTIVE,
            CKR_SESSION_CLOSED,
            CKR_SESSION_HANDLE_INVALID,
            CKR_USER_NOT_LOGGED_IN,
        ] {
            // Failing in C_Sign leaves an operation active in the session.
            for function in [Function::SignInit, Function::Sign] {
                bad.fail(function, code, 1);
                assert_signs(&key);
            }
            for function in [
                Function::GetSessionInfo,
                Function::GetTokenInfo,
                Function::FindObjectsInit,
            ] {
                bad.fail(function, code, 1);
                key.check().unwrap();
            }
            bad.fail(Function::SignInit, code, 1);
            bad.fail(Function::GetSessionInfo, code, 1);
            assert_signs(&key);
        }
        assert_eq!(bad.calls(Function::Finalize), 0);
        bad.assert_was_used_well();
    });
}

#[test]
fn lost_sessions_are_opened_again() {
    in_own_token_directory("lost_sessions_are_opened_again", || {
        let (_directory, bad, _open, key) = bad_day("line");
        for _ in 0..3 {
            end_all_sessions();
            assert_signs(&key);
            end_all_sessions();
            key.check().unwrap();
        }
        assert_eq!(bad.calls(Function::Finalize), 0);
        bad.assert_was_used_well();
    });
}

#[test]
fn a_device_that_opens_no_sessions_is_initialised_again() {
    in_own_token_directory(
        "a_device_that_opens_no_sessions_is_initialised_again",
        || {
            let (_directory, bad, _open, key) = bad_day("line");
            bad.fail(Function::SignInit, CKR_DEVICE_ERROR, 1);
            bad.fail(Function::GetSessionInfo, CKR_DEVICE_ERROR, 1);
            bad.fail(Function::OpenSession, CKR_DEVICE_ERROR, 1);
            assert_signs(&key);
            assert_eq!(bad.calls(Function::Finalize), 1);
            assert_eq!(bad.calls(Function::Initialize), 2);
            // Once a second at most: the next one is refused.
            bad.fail(Function::SignInit, CKR_DEVICE_ERROR, 1);
            bad.fail(Function::GetSessionInfo, CKR_DEVICE_ERROR, 1);
            bad.fail(Function::OpenSession, CKR_DEVICE_REMOVED, 1);
            assert_eq!(
                lines(&key.sign(b"x").unwrap_err()),
                [
                    "token `line` is unavailable: opening a session",
                    "C_OpenSession returned CKR_DEVICE_REMOVED",
                ]
            );
            assert_eq!(bad.calls(Function::Finalize), 1);
            wait_for(|| key.check().is_ok());
            assert_signs(&key);
            bad.assert_was_used_well();
        },
    );
}

#[test]
fn a_token_that_does_not_sign_is_left_alone_for_a_while() {
    in_own_token_directory(
        "a_token_that_does_not_sign_is_left_alone_for_a_while",
        || {
            let (_directory, bad, _open, key) = bad_day("line");
            bad.fail(Function::SignInit, CKR_DEVICE_ERROR, FOR_EVER);
            assert_eq!(
                lines(&key.sign(b"x").unwrap_err()),
                [
                    "token `line` is unavailable: signing with key `line-1`",
                    "C_SignInit returned CKR_DEVICE_ERROR",
                ]
            );
            assert_eq!(bad.calls(Function::Finalize), 1);
            let tried = bad.calls(Function::SignInit);
            let start = Instant::now();
            for _ in 0..1000 {
                let error = key.sign(b"x").unwrap_err().to_string();
                assert!(error.contains("out of order for 0."), "{error}");
            }
            assert!(
                start.elapsed() < Duration::from_millis(500),
                "{:?}",
                start.elapsed()
            );
            assert_eq!(bad.calls(Function::SignInit), tried);
            bad.well(Function::SignInit);
            assert!(key.check().is_err());
            std::thread::sleep(Duration::from_millis(1050));
            assert_signs(&key);
            key.check().unwrap();
            bad.assert_was_used_well();
        },
    );
}

#[test]
fn a_hundred_threads_do_not_each_initialise_the_module() {
    in_own_token_directory(
        "a_hundred_threads_do_not_each_initialise_the_module",
        || {
            let (_directory, bad, open, _) = bad_day("line");
            let key = open.key(KeyQuery::labelled("line-1"), None, 8).unwrap();
            bad.fail(Function::SignInit, CKR_GENERAL_ERROR, FOR_EVER);
            let until = Instant::now() + Duration::from_millis(2500);
            std::thread::scope(|scope| {
                for _ in 0..100 {
                    scope.spawn(|| {
                        while Instant::now() < until {
                            assert!(is_unavailable(&key.sign(b"x").unwrap_err()));
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    });
                }
            });
            // At 0 and 1 s; the next try would be at 3 s.
            let finalised = bad.calls(Function::Finalize);
            assert!((1..=3).contains(&finalised), "{finalised}");
            bad.well(Function::SignInit);
            wait_for(|| key.sign(b"x").is_ok());
            bad.assert_was_used_well();
        },
    );
}

#[test]
fn nobody_is_inside_when_the_module_is_finalised() {
    in_own_token_directory("nobody_is_inside_when_the_module_is_finalised", || {
        let (_directory, bad, open, _) = bad_day("line");
        let key = open.key(KeyQuery::labelled("line-1"), None, 4).unwrap();
        let stations: [Station; 6] = Default::default();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _stop = Stop(&done);
            for station in &stations {
                scope.spawn(|| station.sign_until(&done, &key));
            }
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    // Everything else that goes into the module.
                    let _ = (
                        key.check(),
                        open.keys(),
                        open.key(KeyQuery::default(), None, 1),
                    );
                }
            });
            for round in 1..=4 {
                wait_for(|| stations.iter().all(Station::signs));
                bad.fail(Function::OpenSession, CKR_DEVICE_ERROR, FOR_EVER);
                bad.fail(Function::SignInit, CKR_DEVICE_ERROR, FOR_EVER);
                wait_for(|| bad.calls(Function::Finalize) >= round);
                bad.well(Function::OpenSession);
                bad.well(Function::SignInit);
            }
            wait_for(|| stations.iter().all(Station::signs));
        });
        bad.assert_was_used_well();
    });
}

#[test]
fn a_call_that_does_not_return_stops_neither_the_others_nor_the_process() {
    let name = "a_call_that_does_not_return_stops_neither_the_others_nor_the_process";
    in_own_token_directory(name, || {
        let (_directory, bad, open, slow) = bad_day("line");
        let key = open.key(KeyQuery::labelled("line-1"), None, 2).unwrap();
        bad.slow(Function::Sign, Duration::from_secs(8), 1);
        let start = Instant::now();
        std::thread::scope(|scope| {
            let hanging = scope.spawn(|| slow.sign(b"x"));
            std::thread::sleep(Duration::from_millis(200));
            assert_signs(&key);
            bad.fail(Function::SignInit, CKR_DEVICE_ERROR, FOR_EVER);
            assert_eq!(
                lines(&key.sign(b"x").unwrap_err()),
                [
                    "token `line` is unavailable: initialising its module again",
                    "the module cannot be initialised again: a call into it does not return",
                ]
            );
            assert_eq!(bad.calls(Function::Finalize), 0);
            // Nobody waits any longer, and once the token signs again, the call inside is nobody's business.
            bad.well(Function::SignInit);
            wait_for(|| key.sign(b"x").is_ok());
            assert!(
                start.elapsed() < Duration::from_secs(7),
                "{:?}",
                start.elapsed()
            );
            assert!(hanging.join().unwrap().is_ok());
        });
        bad.assert_was_used_well();
    });
}

#[test]
fn others_wait_for_the_thread_that_restores_the_session_only_so_long() {
    let name = "others_wait_for_the_thread_that_restores_the_session_only_so_long";
    in_own_token_directory(name, || {
        let (_directory, bad, open, key) = bad_day("line");
        let other = open.key(KeyQuery::labelled("line-1"), None, 1).unwrap();
        end_all_sessions();
        bad.slow(Function::Login, Duration::from_secs(10), 1);
        std::thread::scope(|scope| {
            let restoring = scope.spawn(|| key.sign(b"x"));
            std::thread::sleep(Duration::from_millis(200));
            let start = Instant::now();
            let error = other.sign(b"x").unwrap_err();
            assert!(is_unavailable(&error), "{error:?}");
            assert!(
                start.elapsed() < Duration::from_secs(8),
                "{:?}",
                start.elapsed()
            );
            // The others are told at once.
            let start = Instant::now();
            assert!(other.check().is_err());
            assert!(
                start.elapsed() < Duration::from_millis(500),
                "{:?}",
                start.elapsed()
            );
            assert!(restoring.join().unwrap().is_ok());
        });
        assert_signs(&other);
        bad.assert_was_used_well();
    });
}

#[test]
fn a_token_with_few_sessions_makes_do_with_them() {
    in_own_token_directory("a_token_with_few_sessions_makes_do_with_them", || {
        let (_directory, bad, open, _) = bad_day("line");
        let key = open.key(KeyQuery::labelled("line-1"), None, 4).unwrap();
        bad.fail(Function::OpenSession, CKR_SESSION_COUNT, FOR_EVER);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|_| assert_signs(&key)));
            }
        });
        assert_eq!(key.lanes(), 1);
        key.check().unwrap();
        assert_eq!(bad.calls(Function::Finalize), 0);
    });
}

#[test]
fn a_slow_token_is_no_token_out_of_order() {
    in_own_token_directory("a_slow_token_is_no_token_out_of_order", || {
        let (_directory, bad, open, _) = bad_day("line");
        let key = open.key(KeyQuery::labelled("line-1"), None, 2).unwrap();
        bad.slow(Function::Sign, Duration::from_millis(20), FOR_EVER);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| (0..10).for_each(|_| assert_signs(&key)));
            }
            scope.spawn(|| (0..50).for_each(|_| key.check().unwrap()));
        });
        assert_eq!(bad.calls(Function::Finalize), 0);
    });
}

/// A thread that signs, and what became of it.
#[derive(Default)]
struct Station {
    good: AtomicU64,
    failed: AtomicU64,
    /// Signatures, or failures, one after the other.
    row: AtomicU64,
    failing: AtomicBool,
    /// Of all calls, in microseconds.
    slowest: AtomicU64,
}

impl Station {
    fn sign_until(&self, done: &AtomicBool, key: &Key) {
        while !done.load(SeqCst) {
            let start = Instant::now();
            let outcome = key.sign(MESSAGE);
            let taken = start.elapsed().as_micros().try_into().unwrap();
            self.slowest.fetch_max(taken, SeqCst);
            if self.failing.swap(outcome.is_err(), SeqCst) != outcome.is_err() {
                self.row.store(0, SeqCst);
            }
            self.row.fetch_add(1, SeqCst);
            match outcome {
                Ok(signature) => {
                    assert_verifies(key, &signature);
                    self.good.fetch_add(1, SeqCst);
                }
                Err(error) => {
                    assert!(is_unavailable(&error), "{error:?}");
                    self.failed.fetch_add(1, SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    fn signs(&self) -> bool {
        !self.failing.load(SeqCst) && self.row.load(SeqCst) > 20
    }

    fn fails(&self) -> bool {
        self.failing.load(SeqCst) && self.row.load(SeqCst) > 20
    }

    fn signed(&self) -> u64 {
        self.good.load(SeqCst)
    }
}

/// Sends the threads home, even when an assertion fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// A directory that was moved away.
struct Away {
    home: PathBuf,
    away: PathBuf,
}

impl Away {
    fn move_away(home: PathBuf) -> Away {
        // Out of the token directory: SoftHSM2 takes every directory there for a token.
        let away = tokens().with_file_name("away");
        std::fs::rename(&home, &away).unwrap();
        Away { home, away }
    }

    fn move_back(self) {
        std::fs::rename(&self.away, &self.home).unwrap();
    }
}

/// A token with key `line-1` behind a module that can have a bad day. It goes with its directory.
fn bad_day(name: &str) -> (tempfile::TempDir, BadDay, OpenToken, Key) {
    let directory = tempfile::tempdir().unwrap();
    let bad = BadDay::build(directory.path());
    let open = open_token(&Module::load(&bad.module).unwrap(), name);
    generate(&open, "line-1", 1);
    let key = open.key(KeyQuery::labelled("line-1"), None, 1).unwrap();
    assert_signs(&key);
    (directory, bad, open, key)
}

fn generate(open: &OpenToken, name: &str, id: u8) -> PublicKey {
    let made = open.generate_key(&label(name), &[id], Curve::P256, Persistence::Token);
    made.unwrap().public_key
}

/// Changes the PIN and logs everybody out.
fn change_pin(open: &OpenToken) {
    let session = other_session(open);
    session
        .set_pin(&USER_PIN.into(), &"another-pin".into())
        .unwrap();
    session.logout().unwrap();
}

/// What another tool does with the token, without the module that has a bad day.
fn other_session(open: &OpenToken) -> Session {
    let slot = Slot::try_from(open.info().slot).unwrap();
    other_handle().open_rw_session(slot).unwrap()
}

/// Behind the back of the module that has a bad day.
fn end_all_sessions() {
    other_handle().finalize().unwrap();
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    other_handle().initialize(arguments).unwrap();
}

fn other_handle() -> Pkcs11 {
    Pkcs11::new(softhsm_path()).unwrap()
}

/// SoftHSM2's token directory.
fn tokens() -> PathBuf {
    let configuration = PathBuf::from(std::env::var("SOFTHSM2_CONF").unwrap());
    configuration.with_file_name("tokens")
}

fn assert_signs(key: &Key) {
    assert_verifies(key, &key.sign(MESSAGE).unwrap());
}

fn assert_verifies(key: &Key, signature: &[u8]) {
    let KeyKind::Ec(curve) = key.public_key().kind() else {
        panic!("{:?}", key.public_key());
    };
    let algorithm = curve.signature_algorithm();
    let verified = key.public_key().verify(algorithm, MESSAGE, signature);
    assert_eq!(verified, Ok(()));
}

fn is_unavailable(error: &Error) -> bool {
    matches!(
        error,
        Error::TokenUnavailable { .. } | Error::TokenLost { .. } | Error::ModuleFailed { .. }
    )
}

/// The error's text and its causes.
fn lines(error: &Error) -> Vec<String> {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |&error| error.source())
        .map(ToString::to_string)
        .collect()
}

/// Longer than the longest pause between two tries.
fn wait_for(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const MESSAGE: &[u8] = b"to be signed";
