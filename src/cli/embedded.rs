//! The embedded default's environment.
//!
//! SoftHSM2 reads where its tokens are from SOFTHSM2_CONF. A process cannot safely change its own environment, so the
//! program starts itself again with the variable set, before any module is loaded.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::clap_args::{Cli, Command as Noun};
use crate::authority::embedded::{VARIABLE, configuration, configuration_text};
use crate::config::{Config, ModuleSource};
use crate::error::Error;

/// Makes sure that SoftHSM2 will find the tokens of the PKI directory in use; may start the program again.
pub fn enter(cli: &Cli) -> Result<(), Error> {
    match home(cli)? {
        Some(home) => enter_home(&home),
        None => Ok(()),
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

/// The PKI directory whose embedded tokens this command may use.
fn home(cli: &Cli) -> Result<Option<PathBuf>, Error> {
    match &cli.command {
        Noun::Init(init) if init.module.is_none() => staging(&cli.global.pki_dir).map(Some),
        Noun::Bench(bench) if bench.token.is_none() => staging(&bench_place(&bench.dir)).map(Some),
        Noun::Init(_) | Noun::Completions { .. } | Noun::Man { .. } => Ok(None),
        _ => Ok(configured(&cli.global.pki_dir)),
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

fn enter_home(home: &Path) -> Result<(), Error> {
    let path = configuration(home);
    if home.exists() {
        write_configuration(home)?;
    }
    if env::var_os(VARIABLE).is_some_and(|set| set == path.as_os_str()) {
        return Ok(());
    }
    let program =
        env::current_exe().map_err(|error| unusable(Path::new("/proc/self/exe"), &error))?;
    let error = Command::new(program)
        .args(env::args_os().skip(1))
        .env(VARIABLE, &path)
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
