//! What errors of the engine, and of what it stands on, mean for their user.

use std::io::ErrorKind;

use super::{Exit, Explanation, of};
use crate::authority;
use crate::config::ConfigError;
use crate::ledger::{self, Conflict};
use crate::output::file::OutputError;
use crate::token::{self, PinError, TriesLeft};

/// What an error of the engine means for its user.
pub fn explain(error: &authority::Error) -> Explanation {
    use authority::Error::*;
    match error {
        AuthorityNotValid { .. } => of("authority-not-valid", Exit::Usage)
            .hint("check this machine's clock; if it is right the CA has to be renewed"),
        Certificate { .. } => of("certificate", Exit::Usage),
        CertificateLost(_) => of("ledger-certificate-lost", Exit::Stop).hint("run `factory-ca ledger check`"),
        Chain { .. } => of("chain", Exit::Usage).hint("run `factory-ca ca list` to see what the configuration names"),
        Config(error) => explain_config(error),
        Conflict(conflict) => explain_conflict(conflict),
        CrlTooLate { .. } => of("crl-too-late", Exit::Usage).hint("sign fewer lists ahead, or renew the CA first"),
        CrlUnfit(_) => of("crl-unfit", Exit::Stop).hint("this is a defect of factory-ca or of the ledger: run `factory-ca ledger check`"),
        Csr(_) => of(error.rule().unwrap_or("csr-malformed"), Exit::Refused),
        ForDevices(_) => of("profile-unsuitable", Exit::Usage)
            .hint("devices get their certificates with `factory-ca device issue`; roots are made with `factory-ca ca create`"),
        File(_, error) => of("file", exit_of(error.kind())),
        Ledger(error) => explain_ledger(error),
        Lint(_) => of("lint", Exit::Stop).hint("this is a defect of factory-ca or of the profile: report it"),
        NameUnfit => of("name-unfit", Exit::Usage).hint("name hosts as DNS does: letters, digits, `-` and dots"),
        NoEntropy => of("no-entropy", Exit::Stop),
        NoSoftHsm => of("softhsm-missing", Exit::Usage)
            .hint("install it with `apt-get install softhsm2`, or name another module with `--module PATH`"),
        NotCreated { authority, key, .. } => of("authority-not-created", Exit::Usage).hint(match key {
            authority::KeyIs::Here => format!("run `factory-ca ca create {authority}`"),
            authority::KeyIs::Elsewhere => "its key is elsewhere: it comes with the first `factory-ca ca import FILE`".to_owned(),
        }),
        NotIssued { .. } => of("not-issued", Exit::Usage).hint("name another authority with `--authority NAME`"),
        NotReleased => of("not-released", Exit::Unavailable).hint("run the same command again"),
        Note(_) => of("exchange-file", Exit::Usage)
            .hint("nothing was done; have the file written again where it came from, and compare both sides"),
        Output(error) => explain_output(error),
        Profile { .. } => of("profile", Exit::Usage).hint("run `factory-ca profile check FILE` until it is sound"),
        RootImported(_) => of("root-imported", Exit::Usage).hint("give the authority an `issuer:` in factory-ca.yaml"),
        Refused(refusal) => of(refusal.rule, Exit::Refused)
            .hint("run `factory-ca profile list` and `factory-ca profile show NAME` to see what is accepted"),
        SignatureWrong { .. } => {
            of("signature-wrong", Exit::Stop).hint("the token or its module is broken: do not use it")
        }
        Template(_) => of("template", Exit::Stop),
        Token(error) => explain_token(error),
        UnknownProfile { .. } => of("unknown-profile", Exit::Usage).hint("run `factory-ca profile list`"),
        Withheld(_) => of("withheld", Exit::Usage),
        Unrecorded { .. } => of("unrecorded", Exit::Stop)
            .hint("stop issuing on this station, then run `factory-ca ledger check`"),
    }
}

fn explain_config(error: &ConfigError) -> Explanation {
    match error {
        ConfigError::Missing(_) => of("no-pki-directory", Exit::Usage).hint(
            "make one with `factory-ca init --factory NAME`, or name another with `--pki-dir DIR`",
        ),
        ConfigError::KeyElsewhere(name) => of("key-elsewhere", Exit::Usage).hint(format!(
            "run this where the token of `{name}` is; what it signs comes here with `ca request`, `ca sign` and `ca import`"
        )),
        ConfigError::Unknown { .. } => {
            of("unknown-name", Exit::Usage).hint("names are those of factory-ca.yaml")
        }
        ConfigError::Read(..) => of("file", Exit::Usage),
        _ => of("configuration", Exit::Usage),
    }
}

fn explain_conflict(conflict: &Conflict) -> Explanation {
    let allow = |device: &str| {
        format!("to replace it, run `factory-ca device allow-reissue {device}` and try again")
    };
    match conflict {
        Conflict::Busy { .. } => of("device-busy", Exit::Unavailable).hint("try again in a moment"),
        Conflict::DeviceLive { entry } | Conflict::DeviceRevoked { entry } => {
            of(conflict.rule(), Exit::Refused).hint(allow(entry.device.as_deref().unwrap_or_default()))
        }
        Conflict::KeyOfOtherDevice { .. } => of(conflict.rule(), Exit::Refused)
            .hint("two devices with one key are most likely a cloned image: make a new key on this device"),
        Conflict::RegistrarClosed { .. }
        | Conflict::RegistrarExhausted { .. }
        | Conflict::RegistrarExpired { .. } => of(conflict.rule(), Exit::Refused)
            .hint("run `factory-ca registrar list`; for a new token run `factory-ca registrar create NAME`"),
        _ => of(conflict.rule(), Exit::Refused).hint("make a new key on this device"),
    }
}

fn explain_ledger(error: &ledger::Error) -> Explanation {
    use ledger::Error::*;
    match error {
        ClockBehind { .. } => of("clock-behind", Exit::Usage).hint("set this machine's clock"),
        CertificateMismatch { .. }
        | CrlNotReserved { .. }
        | CommitUnknown { .. }
        | NotReserved { .. }
        | SerialRepeated { .. }
        | Stopped => of("ledger-integrity", Exit::Stop)
            .hint("stop issuing on this station, then run `factory-ca ledger check`"),
        DeviceUnknown { .. } => {
            of("device-unknown", Exit::Usage).hint("run `factory-ca device list`")
        }
        NotIssued { .. } => of("certificate-not-issued", Exit::Usage)
            .hint("run `factory-ca device list` to see the states"),
        ReasonUnsuitable { .. } => of("reason-unsuitable", Exit::Usage),
        RegistrarExists { .. } => of("registrar-exists", Exit::Usage).hint("choose another name"),
        RegistrarUnknown { .. } => {
            of("registrar-unknown", Exit::Usage).hint("run `factory-ca registrar list`")
        }
        Exists { .. } => of("exists", Exit::Usage).hint("name another file"),
        Locked { .. } => of("ledger-locked", Exit::Unavailable).hint("try again in a moment"),
        Missing { .. } => of("ledger-missing", Exit::Usage)
            .hint("restore it from a backup; without it the CA no longer knows what it issued"),
        NetworkFileSystem { .. } | NotALedger { .. } | SchemaNewer { .. } => {
            of("ledger-unusable", Exit::Usage)
        }
        _ => of("ledger-unavailable", Exit::Unavailable)
            .hint("check space and permissions, then try again"),
    }
}

/// What an output error means for its user.
pub fn explain_output(error: &OutputError) -> Explanation {
    match error {
        OutputError::Busy(_) => of("output-busy", Exit::Unavailable)
            .hint("wait for the other batch, or name another directory"),
        OutputError::Exists(_) | OutputError::Taken(_) => of("output-exists", Exit::Usage)
            .hint("move it away or name another; nothing is ever overwritten"),
        OutputError::Write(_, error) => of("output", exit_of(error.kind()))
            .hint("put that right, then run the same command again"),
    }
}

fn explain_token(error: &token::Error) -> Explanation {
    use token::Error::*;
    let usage = |code| of(code, Exit::Usage);
    match error {
        KeyAmbiguous { .. } => usage("key-ambiguous").hint("keys are told apart by the certificate; remove the one that is not it"),
        KeyExists { .. } => usage("key-exists")
            .hint("if a creation was interrupted here, run `factory-ca ca create NAME --existing-key` to certify this key"),
        KeyExposed { .. } => of("key-exposed", Exit::Stop).hint("do not use this key: the token would give it away"),
        KeyMismatch { .. } => usage("key-mismatch").hint("run `factory-ca token show NAME` and compare with the certificate"),
        KeyNotFound { .. } => usage("key-not-found").hint("run `factory-ca token show NAME`"),
        LabelTaken { .. } => usage("label-taken").hint("give the token's URI another label, or the `serial=` of the token that is meant; run `factory-ca token list`"),
        ModuleNotFound { .. } | NotAModule { .. } => usage("module").hint("name the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`"),
        NoFreeToken { .. } => usage("token-not-found").hint("run `factory-ca token list`"),
        TokenNotFound { .. } => of("token-not-found", Exit::Unavailable)
            .hint("check that the token is connected, then run `factory-ca token list`"),
        Pin(PinError::Mode { path, .. }) => usage("pin-file-mode").hint(format!("run `chmod 600 {}`", path.display())),
        Pin(_) => usage("pin").hint("name another place with `--pin-file TOKEN=PATH`, `--pin-fd TOKEN=N` or `pin:` in factory-ca.yaml"),
        PinLocked { .. } => usage("pin-locked").hint("only the security officer can unlock it"),
        PinRejected { left, .. } => usage("pin-rejected").hint(match left {
            TriesLeft::FinalTry => "one try is left; another wrong PIN locks the token and only the security officer can unlock it",
            TriesLeft::Low => "check where the PIN comes from before trying again: few tries are left before the token locks",
            TriesLeft::Locked => "the token is locked now; only the security officer can unlock it",
            TriesLeft::Unknown => "check where the PIN comes from before trying again: too many wrong PINs lock most tokens",
        }),
        SoPinRejected { .. } => usage("so-pin-rejected")
            .hint("check where the PIN comes from before trying again: too many wrong ones make a token unusable for ever"),
        TokenAmbiguous { .. } => usage("token-ambiguous").hint("run `factory-ca token list` to see their serial numbers"),
        TokenInitialised { .. } => usage("token-initialised").hint("to erase it and all its keys, add `--erase --confirm LABEL`"),
        ModuleFailed { .. } | TokenInUse { .. } | TokenLost { .. } | TokenUnavailable { .. } => of("token-unavailable", Exit::Unavailable)
            .hint("check that the token is connected, then try again"),
        SignatureLength { .. } => of("signature-wrong", Exit::Stop).hint("the token or its module is broken: do not use it"),
        _ => usage("token"),
    }
}

/// What a failed file operation means: some things have to be put right first, others pass.
fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists => Exit::Usage,
        _ => Exit::Unavailable,
    }
}
