//! The embedded default's environment.
//!
//! SoftHSM2 reads where its tokens are from SOFTHSM2_CONF. A process cannot safely change its own environment, so the
//! program starts itself again with the variable set, before any module is loaded.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::clap_args::ca::Ca;
use super::clap_args::crl::Crl;
use super::clap_args::device::Device;
use super::clap_args::tls::Tls;
use super::clap_args::token::Token;
use super::clap_args::{Cli, Command as Noun};
use super::private_tokens::{self, Use};
use crate::authority::embedded::{VARIABLE, configuration, configuration_text};
use crate::config::{Config, ModuleSource};
use crate::error::Error;

/// Makes sure that SoftHSM2 will find the tokens this command uses; may start the program again.
pub fn enter(cli: &Cli) -> Result<(), Error> {
    let pki = &cli.global.pki_dir;
    match &cli.command {
        Noun::Init(init) if init.module.is_none() => start_in(&staging(pki)?),
        Noun::Bench(bench) if bench.token.is_none() => {
            start_in(&staging(&bench_place(&bench.dir))?)
        }
        command => match (token_use(command), configured(pki)) {
            (Some(using), Some(pki)) => enter_pki(&pki, using),
            _ => Ok(()),
        },
    }
}

/// Takes away what was made for this process alone.
pub fn leave() {
    let Some(set) = env::var_os(VARIABLE).map(PathBuf::from) else {
        return;
    };
    let home = set.parent().and_then(Path::parent);
    if let Some(home) = home.filter(|home| is_private(home)) {
        let _ = private_tokens::remove(home);
    }
}

/// The directory an embedded PKI is built in before it gets its name.
pub fn staging(pki: &Path) -> Result<PathBuf, Error> {
    let absolute = std::path::absolute(pki).map_err(|error| unusable(pki, &error))?;
    let name = absolute
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    Ok(absolute.with_file_name(format!(".{name}.init-{}", std::process::id())))
}

/// The place of a bench's scratch directory.
pub fn bench_place(directory: &Path) -> PathBuf {
    directory.join("factory-ca-bench")
}

/// Writes what SoftHSM2 wants to read, if it is not there already.
pub fn write_configuration(home: &Path) -> Result<(), Error> {
    let (path, text) = (configuration(home), configuration_text(home));
    match fs::read_to_string(&path) {
        Ok(found) if found == text => Ok(()),
        _ => fs::write(&path, text).map_err(|error| unusable(&path, &error)),
    }
}

/// Whether a PKI directory has embedded tokens.
pub fn configuration_exists(pki: &Path) -> bool {
    configuration(pki).exists()
}

/// How a command uses tokens, if it does.
fn token_use(command: &Noun) -> Option<Use> {
    match command {
        Noun::Token(Token::Init(_)) | Noun::Ca(Ca::Create(_) | Ca::Request(_)) => {
            Some(Use::MakeKeys)
        }
        Noun::Tls(Tls::Create(create)) => match (&create.token, create.request) {
            (Some(_), _) => Some(Use::MakeKeys),
            (None, false) => Some(Use::Sign),
            (None, true) => None,
        },
        Noun::Token(_)
        | Noun::Crl(Crl::Issue(_))
        | Noun::Ca(Ca::Sign(_) | Ca::Import(_) | Ca::SignCsr(_))
        | Noun::Device(Device::Issue(_))
        | Noun::Batch(_)
        | Noun::Bench(_)
        | Noun::Serve(_) => Some(Use::Sign),
        _ => None,
    }
}

/// An unreadable configuration is reported by the command itself.
fn configured(pki: &Path) -> Option<PathBuf> {
    let config = Config::load(pki).ok()?;
    let embedded = config
        .tokens()
        .any(|token| token.module == ModuleSource::Embedded);
    embedded.then(|| pki.canonicalize().ok()).flatten()
}

fn enter_pki(pki: &Path, using: Use) -> Result<(), Error> {
    write_configuration(pki)?;
    let mine = match using {
        Use::Sign => private_tokens::place(pki),
        _ => pki.to_owned(),
    };
    if was_started_in(&mine) && mine.exists() {
        return Ok(());
    }
    let home = private_tokens::prepare(pki, using).map_err(|error| unusable(pki, &error))?;
    write_configuration(&home)?;
    start_in(&home)
}

/// Whether this process started itself again for a home: the variable alone may have been set by a user.
fn was_started_in(home: &Path) -> bool {
    let set = env::var_os(VARIABLE).is_some_and(|set| set == configuration(home).as_os_str());
    set && env::var(STARTED).is_ok_and(|number| number == std::process::id().to_string())
}

/// A home below `softhsm/run/` with this process's number.
fn is_private(home: &Path) -> bool {
    let run = home
        .parent()
        .is_some_and(|run| run.ends_with("softhsm/run"));
    run && home
        .file_name()
        .is_some_and(|name| *name == *std::process::id().to_string())
}

/// Starts the program again with SoftHSM2 pointed to a directory's tokens, unless it is already.
fn start_in(home: &Path) -> Result<(), Error> {
    let path = configuration(home);
    if was_started_in(home) {
        return Ok(());
    }
    let program =
        env::current_exe().map_err(|error| unusable(Path::new("/proc/self/exe"), &error))?;
    let error = Command::new(program)
        .args(env::args_os().skip(1))
        .env(VARIABLE, &path)
        .env(STARTED, std::process::id().to_string())
        .exec();
    Err(unusable(&path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("`{}` cannot be used: {error}", path.display());
    Error::usage(
        message,
        "the embedded default needs a directory it can write to",
    )
}

/// Holds the number of the process that started itself again; it stays the same across the new start.
const STARTED: &str = "FACTORY_CA_STARTED_AS";
