//! The token layer on SoftHSM2.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use factory_ca::token::{
    Error, Key, KeyClass, KeyQuery, Module, OnInitialised, OpenToken, Persistence, Signer, Target,
    TriesLeft,
};
use factory_ca::x509::{Curve, KeyKind};
use support::*;

#[test]
fn a_generated_key_is_kept_in_the_token_and_signs() {
    in_own_token_directory("a_generated_key_is_kept_in_the_token_and_signs", || {
        let open = open_token(&softhsm(), "acme-root");
        for (curve, name, id) in [(Curve::P256, "p256", 1), (Curve::P384, "p384", 2)] {
            let made = open
                .generate_key(&label(name), &[id], curve, Persistence::Token)
                .unwrap();
            assert_eq!(made.public_key.kind(), KeyKind::Ec(curve));
            let attributes = made.attributes;
            for (found, wanted) in [
                (attributes.token, true),
                (attributes.private, true),
                (attributes.sensitive, true),
                (attributes.always_sensitive, true),
                (attributes.extractable, false),
                (attributes.never_extractable, true),
                (attributes.local, true),
                (attributes.sign, true),
                (attributes.sign_recover, false),
                (attributes.decrypt, false),
                (attributes.unwrap, false),
                (attributes.derive, false),
            ] {
                assert_eq!(found, Some(wanted), "{attributes:?}");
            }
            let key = open.key(KeyQuery::labelled(name), None, 1).unwrap();
            assert_eq!(key.public_key(), &made.public_key);
            assert_signs(&key);
        }
    });
}

#[test]
fn keys_are_listed_with_both_halves() {
    in_own_token_directory("keys_are_listed_with_both_halves", || {
        let open = open_token(&softhsm(), "acme-root");
        let made = generate(&open, "root-ca", &[0xca, 0xfe]);
        let keys = open.keys().unwrap();
        let classes: Vec<KeyClass> = keys.iter().map(|key| key.class).collect();
        assert_eq!(classes, [KeyClass::Private, KeyClass::Public]);
        for key in &keys {
            assert_eq!(key.label, "root-ca");
            assert_eq!(key.id, [0xca, 0xfe]);
            assert_eq!(key.kind, Some(KeyKind::Ec(Curve::P256)));
        }
        assert_eq!(keys[1].public_key.as_ref(), Some(&made));
        assert_eq!(keys[1].attributes.private, Some(false));
    });
}

#[test]
fn a_session_key_signs_and_is_gone_with_the_login() {
    in_own_token_directory("a_session_key_signs_and_is_gone_with_the_login", || {
        let module = softhsm();
        let open = open_token(&module, "acme-root");
        let made = open
            .generate_key(&label("rehearsal"), &[9], Curve::P256, Persistence::Session)
            .unwrap();
        assert_eq!(made.attributes.token, Some(false));
        let key = open
            .key(KeyQuery::with_id(&[9]), Some(&made.public_key), 2)
            .unwrap();
        assert_signs(&key);
        drop((key, open));
        let token = module.find(&uri("pkcs11:token=acme-root")).unwrap();
        let open = token.login(Some(pin(USER_PIN))).unwrap();
        assert!(open.keys().unwrap().is_empty());
    });
}

#[test]
fn tokens_of_one_label_are_ambiguous_until_the_serial_is_named() {
    let name = "tokens_of_one_label_are_ambiguous_until_the_serial_is_named";
    in_own_token_directory(name, || {
        let module = softhsm();
        // Our own initialisation refuses a second token of that label.
        let first = new_token(&module, "line");
        let refused = module.initialise(
            &label("line"),
            Target::Free,
            OnInitialised::Refuse,
            &pin(SO_PIN),
            &pin(USER_PIN),
        );
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!(
                "`libsofthsm2.so` already has a token labelled `line` (serial `{}`); nothing was initialised",
                first.serial
            )
        );
        let free = module
            .tokens()
            .unwrap()
            .into_iter()
            .find(|info| !info.initialised);
        let slot = Slot::try_from(free.unwrap().slot).unwrap();
        other_handle()
            .init_token(slot, &SO_PIN.into(), "line")
            .unwrap();

        let twins = module.tokens().unwrap();
        let mut serials: Vec<&str> = twins.iter().map(|info| info.serial.as_str()).collect();
        serials.retain(|serial| !serial.is_empty());
        assert_eq!(serials.len(), 2);
        let message = module
            .find(&uri("pkcs11:token=line"))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("`libsofthsm2.so` has 2 tokens labelled `line`: `line` (serial `"),
            "{message}"
        );
        assert!(message.ends_with("; add `serial=` to the URI"), "{message}");
        for serial in serials {
            assert!(message.contains(serial), "{message}");
            let one = module.find(&uri(&format!("pkcs11:token=line;serial={serial}")));
            assert_eq!(one.unwrap().info().serial, serial);
        }
    });
}

#[test]
fn a_missing_token_lists_what_was_found() {
    in_own_token_directory("a_missing_token_lists_what_was_found", || {
        let module = softhsm();
        let find = || {
            module
                .find(&uri("pkcs11:token=acme-root"))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            find(),
            "no token labelled `acme-root` in `libsofthsm2.so`; found: nothing"
        );
        new_token(&module, "spare");
        assert_eq!(
            find(),
            "no token labelled `acme-root` in `libsofthsm2.so`; found: `spare`"
        );
    });
}

#[test]
fn a_rejected_pin_names_the_token_and_is_not_tried_again() {
    in_own_token_directory(
        "a_rejected_pin_names_the_token_and_is_not_tried_again",
        || {
            let module = softhsm();
            new_token(&module, "acme-root");
            let login = |text| {
                let token = module.find(&uri("pkcs11:token=acme-root")).unwrap();
                token.login(Some(pin(text))).unwrap_err()
            };
            let error = login("wrong-123456");
            assert_eq!(error.to_string(), "token `acme-root` rejected the PIN");
            // SoftHSM2 tells that a wrong PIN was entered, and never locks.
            assert!(
                matches!(
                    error,
                    Error::PinRejected {
                        left: TriesLeft::Low,
                        ..
                    }
                ),
                "{error:?}"
            );
            assert!(!format!("{error:?}").contains("wrong-123456"));
            // The right PIN comes too late, which proves that the token was not asked.
            assert!(matches!(login(USER_PIN), Error::PinRejected { .. }));
        },
    );
}

#[test]
fn logging_in_twice_is_success() {
    in_own_token_directory("logging_in_twice_is_success", || {
        let module = softhsm();
        let first = open_token(&module, "acme-root");
        let token = module.find(&uri("pkcs11:token=acme-root")).unwrap();
        let second = token.login(Some(pin(USER_PIN))).unwrap();
        generate(&first, "root-ca", &[1]);
        drop(first);
        // The first login's end does not log the second one out.
        assert_signs(&second.key(KeyQuery::labelled("root-ca"), None, 1).unwrap());
    });
}

#[test]
fn a_login_that_cannot_succeed_is_not_tried() {
    in_own_token_directory("a_login_that_cannot_succeed_is_not_tried", || {
        let module = softhsm();
        new_token(&module, "acme-root");
        let token = module.find(&uri("pkcs11:token=acme-root")).unwrap();
        assert_eq!(
            token.login(None).unwrap_err().to_string(),
            "token `acme-root` has no PIN pad, a PIN is needed to log in"
        );
        let free = module
            .tokens()
            .unwrap()
            .into_iter()
            .find(|info| !info.initialised);
        let slot = Slot::try_from(free.unwrap().slot).unwrap();
        other_handle()
            .init_token(slot, &SO_PIN.into(), "half-done")
            .unwrap();
        let token = module.find(&uri("pkcs11:token=half-done")).unwrap();
        assert_eq!(
            token.login(Some(pin(USER_PIN))).unwrap_err().to_string(),
            "token `half-done` has no user PIN yet"
        );
    });
}

#[test]
fn an_initialised_token_is_erased_only_when_told_so() {
    in_own_token_directory("an_initialised_token_is_erased_only_when_told_so", || {
        let module = softhsm();
        let open = open_token(&module, "acme-root");
        generate(&open, "root-ca", &[1]);
        let serial = open.info().serial.clone();
        let initialise = |on_initialised, so_pin| {
            module.initialise(
                &label("acme-spare"),
                Target::Serial(&serial),
                on_initialised,
                &pin(so_pin),
                &pin("new-user-pin"),
            )
        };
        let message = |outcome: Result<_, Error>| outcome.unwrap_err().to_string();
        assert_eq!(
            message(initialise(OnInitialised::Refuse, SO_PIN)),
            format!(
                "token `acme-root` (serial `{serial}`) is already initialised; nothing was erased"
            )
        );
        assert_eq!(
            message(initialise(OnInitialised::Erase, SO_PIN)),
            "token `acme-root` is in use; nothing was initialised"
        );
        drop(open);
        assert_eq!(
            message(initialise(OnInitialised::Erase, "wrong-123456")),
            "token `acme-root` rejected the security officer's PIN; nothing was initialised"
        );
        assert_eq!(
            message(initialise(OnInitialised::Erase, "123")),
            "the security officer PIN must have 4 to 255 bytes in token `acme-spare`; nothing was initialised"
        );
        let info = initialise(OnInitialised::Erase, SO_PIN).unwrap();
        assert_eq!(info.label, "acme-spare");
        assert!(info.initialised && info.user_pin_initialised && info.login_required);
        let token = module.find(&info.uri()).unwrap();
        let open = token.login(Some(pin("new-user-pin"))).unwrap();
        assert!(open.keys().unwrap().is_empty());
    });
}

#[test]
fn a_second_key_of_one_label_or_id_is_refused_when_generated() {
    in_own_token_directory(
        "a_second_key_of_one_label_or_id_is_refused_when_generated",
        || {
            let open = open_token(&softhsm(), "line");
            generate(&open, "line-1", &[1]);
            for (name, id) in [("line-1", 2), ("line-2", 1)] {
                let refused =
                    open.generate_key(&label(name), &[id], Curve::P256, Persistence::Token);
                assert_eq!(
                    refused.unwrap_err().to_string(),
                    "token `line` already has key `line-1` (id `01`); nothing was generated"
                );
            }
            assert_eq!(open.keys().unwrap().len(), 2);
        },
    );
}

#[test]
fn two_keys_of_one_label_are_listed_and_the_certificate_decides() {
    let name = "two_keys_of_one_label_are_listed_and_the_certificate_decides";
    in_own_token_directory(name, || {
        let open = open_token(&softhsm(), "line");
        let first = generate(&open, "line-1", &[1]);
        generate_twin(&open, "line-1", &[2]);
        let query = KeyQuery::labelled("line-1");
        let message = open.key(query.clone(), None, 1).unwrap_err().to_string();
        assert!(
            message.starts_with("token `line` has 2 keys labelled `line-1`: "),
            "{message}"
        );
        for twin in ["`line-1` (id `01`)", "`line-1` (id `02`)"] {
            assert!(message.contains(twin), "{message}");
        }
        let key = open.key(query, Some(&first), 1).unwrap();
        assert_eq!(key.public_key(), &first);
        assert_signs(&key);
    });
}

#[test]
fn a_missing_key_lists_what_was_found() {
    in_own_token_directory("a_missing_key_lists_what_was_found", || {
        let open = open_token(&softhsm(), "line");
        let find = || {
            let query = KeyQuery::from(&uri("pkcs11:object=line-2;id=%AB"));
            open.key(query, None, 1).unwrap_err().to_string()
        };
        assert_eq!(
            find(),
            "no key labelled `line-2` with id `ab` in token `line`; found: nothing"
        );
        generate(&open, "line-1", &[1]);
        assert_eq!(
            find(),
            "no key labelled `line-2` with id `ab` in token `line`; found: `line-1` (id `01`)"
        );
    });
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    in_own_token_directory("a_key_that_is_not_the_certificates_is_refused", || {
        let open = open_token(&softhsm(), "line");
        let other = generate(&open, "other", &[1]);
        let own = generate(&open, "line-1", &[2]);
        let error = open
            .key(KeyQuery::labelled("line-1"), Some(&other), 1)
            .unwrap_err();
        let fingerprint =
            |key: &factory_ca::x509::PublicKey| factory_ca::hex::encode(&key.fingerprint()[..8]);
        assert!(matches!(error, Error::KeyMismatch { .. }));
        assert_eq!(
            error.to_string(),
            format!(
                "no key labelled `line-1` in token `line` is the key of the certificate (P-256, SHA-256 {}…); \
                 found: `line-1` (id `02`) P-256, SHA-256 {}…",
                fingerprint(&other),
                fingerprint(&own)
            )
        );
    });
}

#[test]
fn a_key_without_its_public_half_needs_the_certificate() {
    in_own_token_directory(
        "a_key_without_its_public_half_needs_the_certificate",
        || {
            let open = open_token(&softhsm(), "line");
            let made = generate(&open, "line-1", &[1]);
            let session = other_handle().open_rw_session(slot(&open)).unwrap();
            let public = [Attribute::Class(cryptoki::object::ObjectClass::PUBLIC_KEY)];
            for handle in session.find_objects(&public).unwrap() {
                session.destroy_object(handle).unwrap();
            }
            let query = KeyQuery::labelled("line-1");
            assert_eq!(
                open.key(query.clone(), None, 1).unwrap_err().to_string(),
                "token `line` does not show the public key of `line-1` (id `01`); a certificate must name it"
            );
            assert_signs(&open.key(query, Some(&made), 1).unwrap());
        },
    );
}

#[test]
fn keys_of_other_kinds_are_refused_by_name() {
    in_own_token_directory("keys_of_other_kinds_are_refused_by_name", || {
        let open = open_token(&softhsm(), "line");
        let session = other_handle().open_rw_session(slot(&open)).unwrap();
        let template = [
            Attribute::Token(true),
            Attribute::Id(vec![7]),
            Attribute::Label(b"rsa".into()),
        ];
        let bits = Attribute::ModulusBits(2048.into());
        let public = [&template[..], &[bits]].concat();
        session
            .generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &template)
            .unwrap();
        assert_eq!(
            open.key(KeyQuery::with_id(&[7]), None, 1)
                .unwrap_err()
                .to_string(),
            "key `rsa` in token `line` is RSA-2048, wanted is P-256 or P-384"
        );
    });
}

#[test]
fn digests_of_another_length_are_not_signed() {
    in_own_token_directory("digests_of_another_length_are_not_signed", || {
        let open = open_token(&softhsm(), "line");
        generate(&open, "line-1", &[1]);
        let key = open.key(KeyQuery::labelled("line-1"), None, 1).unwrap();
        for len in [0, 20, 31, 33, 48] {
            assert_eq!(
                key.sign_digest(&vec![7; len]).unwrap_err().to_string(),
                format!("key `line-1` signs digests of 32 bytes, this one has {len}")
            );
        }
        assert!(key.sign_digest(&[7; 32]).is_ok());
    });
}

#[test]
fn four_threads_sign_through_two_sessions() {
    in_own_token_directory("four_threads_sign_through_two_sessions", || {
        let open = open_token(&softhsm(), "line");
        generate(&open, "line-1", &[1]);
        let key = open.key(KeyQuery::labelled("line-1"), None, 2).unwrap();
        assert_eq!(key.lanes(), 2);
        let verified = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_signs(&key);
                        verified.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(verified.into_inner(), 200);
        let info = other_handle().get_token_info(slot(&open)).unwrap();
        // The anchor and two lanes.
        assert!(
            info.session_count().is_none_or(|open| open <= 3),
            "{info:?}"
        );
    });
}

#[test]
fn signing_goes_on_after_the_user_was_logged_out() {
    in_own_token_directory("signing_goes_on_after_the_user_was_logged_out", || {
        let open = open_token(&softhsm(), "line");
        generate(&open, "line-1", &[1]);
        let key = open.key(KeyQuery::labelled("line-1"), None, 2).unwrap();
        assert_signs(&key);
        log_out(&open);
        assert_signs(&key);
        log_out(&open);
        assert_eq!(open.keys().unwrap().len(), 2);
    });
}

#[test]
fn signing_goes_on_while_the_user_is_logged_out_now_and_then() {
    let name = "signing_goes_on_while_the_user_is_logged_out_now_and_then";
    in_own_token_directory(name, || {
        let open = open_token(&softhsm(), "line");
        generate(&open, "line-1", &[1]);
        let key = open.key(KeyQuery::labelled("line-1"), None, 3).unwrap();
        let logged_out = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !logged_out.load(Ordering::Relaxed) {
                        assert_signs(&key);
                    }
                });
            }
            for _ in 0..5 {
                std::thread::sleep(Duration::from_millis(50));
                log_out(&open);
            }
            logged_out.store(true, Ordering::Relaxed);
        });
        let info = other_handle().get_token_info(slot(&open)).unwrap();
        assert!(
            info.session_count().is_none_or(|open| open <= 4),
            "{info:?}"
        );
    });
}

#[test]
fn signing_goes_on_after_all_sessions_were_closed() {
    in_own_token_directory("signing_goes_on_after_all_sessions_were_closed", || {
        let open = open_token(&softhsm(), "line");
        generate(&open, "line-1", &[1]);
        let key = open.key(KeyQuery::labelled("line-1"), None, 2).unwrap();
        for _ in 0..3 {
            assert_signs(&key);
            close_all_sessions();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_signs(&key));
                }
            });
            assert_eq!(open.keys().unwrap().len(), 2);
        }
    });
}

#[test]
fn a_pin_that_was_changed_meanwhile_is_tried_once() {
    in_own_token_directory("a_pin_that_was_changed_meanwhile_is_tried_once", || {
        let open = open_token(&softhsm(), "line");
        generate(&open, "line-1", &[1]);
        let key = open.key(KeyQuery::labelled("line-1"), None, 1).unwrap();
        let session = other_handle().open_rw_session(slot(&open)).unwrap();
        session
            .set_pin(&USER_PIN.into(), &"another-pin".into())
            .unwrap();
        log_out(&open);
        assert!(matches!(key.sign(b"x"), Err(Error::PinRejected { .. })));
        // Had it been tried again, it would have been right this time.
        session
            .login(UserType::User, Some(&"another-pin".into()))
            .unwrap();
        session
            .set_pin(&"another-pin".into(), &USER_PIN.into())
            .unwrap();
        session.logout().unwrap();
        assert!(matches!(key.sign(b"x"), Err(Error::PinRejected { .. })));
    });
}

#[test]
fn a_token_that_is_gone_says_so_and_is_used_again_when_it_is_back() {
    in_own_token_directory(
        "a_token_that_is_gone_says_so_and_is_used_again_when_it_is_back",
        || {
            let open = open_token(&softhsm(), "line");
            generate(&open, "line-1", &[1]);
            let key = open.key(KeyQuery::labelled("line-1"), None, 1).unwrap();
            let configuration = std::env::var("SOFTHSM2_CONF").unwrap();
            let tokens = std::path::Path::new(&configuration).with_file_name("tokens");
            std::fs::rename(&tokens, tokens.with_extension("away")).unwrap();
            std::fs::create_dir(&tokens).unwrap();
            close_all_sessions();
            assert_eq!(
                key.sign(b"x").unwrap_err().to_string(),
                format!(
                    "token `line` (serial `{}`) is gone: module `libsofthsm2.so` no longer shows it",
                    open.info().serial
                )
            );
            // It is back, and looked for when the pause is over: see tests/recovery.rs.
            std::fs::remove_dir_all(&tokens).unwrap();
            std::fs::rename(tokens.with_extension("away"), &tokens).unwrap();
            std::thread::sleep(Duration::from_millis(1100));
            assert_signs(&key);
        },
    );
}

#[test]
fn one_file_is_one_module() {
    in_own_token_directory("one_file_is_one_module", || {
        let module = softhsm();
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link.so");
        std::os::unix::fs::symlink(softhsm_path(), &link).unwrap();
        let same = Module::load(&link).unwrap();
        assert_eq!(same.path(), module.path());
        assert_eq!(same.name(), "libsofthsm2.so");
        let token = new_token(&module, "line");
        assert!(same.tokens().unwrap().contains(&token));
    });
}

#[test]
fn a_module_that_does_not_exist_is_refused() {
    let error = Module::load("/nonexistent/libpkcs11.so").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no PKCS#11 module at `/nonexistent/libpkcs11.so`"
    );
}

#[test]
fn files_that_are_no_module_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("true.so");
    std::fs::copy("/bin/true", &program).unwrap();
    let text = directory.path().join("text.so");
    std::fs::write(&text, "no module").unwrap();
    for path in [program, text, "/lib/x86_64-linux-gnu/libm.so.6".into()] {
        if !path.exists() {
            continue;
        }
        let error = Module::load(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{}` is not a PKCS#11 module", path.display())
        );
        assert!(std::error::Error::source(&error).is_some());
    }
}

fn generate(open: &OpenToken, name: &str, id: &[u8]) -> factory_ca::x509::PublicKey {
    let made = open.generate_key(&label(name), id, Curve::P256, Persistence::Token);
    made.unwrap().public_key
}

/// What another tool may do: a second key of the same label.
fn generate_twin(open: &OpenToken, name: &str, id: &[u8]) {
    let session = other_handle().open_rw_session(slot(open)).unwrap();
    let template = [
        Attribute::Token(true),
        Attribute::Label(name.into()),
        Attribute::Id(id.to_vec()),
    ];
    // The DER of secp256r1's object identifier.
    let curve = Attribute::EcParams(vec![6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    let public = [&template[..], &[curve]].concat();
    session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &template)
        .unwrap();
}

fn assert_signs(key: &Key) {
    let message = b"to be signed";
    let signature = key.sign(message).unwrap();
    let KeyKind::Ec(curve) = key.public_key().kind() else {
        panic!("{:?}", key.public_key());
    };
    let verified = key
        .public_key()
        .verify(curve.signature_algorithm(), message, &signature);
    assert_eq!(verified, Ok(()));
}

/// The same module, as another library in this process would use it.
fn other_handle() -> Pkcs11 {
    Pkcs11::new(softhsm_path()).unwrap()
}

fn slot(open: &OpenToken) -> Slot {
    Slot::try_from(open.info().slot).unwrap()
}

fn log_out(open: &OpenToken) {
    let session = other_handle().open_ro_session(slot(open)).unwrap();
    session.logout().unwrap();
}

/// Ends every session of the process, and the login with them.
fn close_all_sessions() {
    other_handle().finalize().unwrap();
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    other_handle().initialize(arguments).unwrap();
}
