//! Modules (the vendor's `.so`) and the tokens they show.
//!
//! Loading runs the module's code in this process: its file must be as well protected as this program's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as BindingError, RvError};

use super::cause::{Cause, Reason};
use super::gate::{Gate, Inside};
use super::{Error, OpenToken, Pin, TokenInfo, TokenUri, lock, lock_within};

/// A loaded and initialised PKCS#11 module.
///
/// Cheap to clone. There is one per file and process. It is finalised only to be initialised again, when nothing less
/// brings a token back and no call is inside; that ends the sessions of its other tokens, too, which are opened again when
/// they are needed. Objects that lived in a session are gone then. A module that another library in this process
/// initialised is never finalised.
#[derive(Clone, Debug)]
pub struct Module(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    path: PathBuf,
    gate: Arc<Gate>,
    /// When it was finalised and initialised last. Held meanwhile, so that one thread does it and the others wait.
    restarted: Mutex<Option<Instant>>,
    /// Tokens that rejected a PIN in this process, by label and serial.
    rejected: Mutex<BTreeSet<(String, String)>>,
}

/// What came of the wish to initialise a module again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// It was, by this thread or another.
    Done,
    /// It was not: too short a time ago it was done already, or somebody else needs the module.
    Withheld,
}

/// An initialised token.
#[derive(Clone, Debug)]
pub struct Token {
    pub(super) module: Module,
    pub(super) info: TokenInfo,
}

impl Module {
    /// Loads and initialises the module in a file; the same file again gives the same module.
    ///
    /// `path` is taken as a path, nothing is searched for. The module may use the operating system's locks
    /// (CKF_OS_LOCKING_OK), so that many threads can sign.
    pub fn load(path: impl AsRef<Path>) -> Result<Module, Error> {
        let path = path.as_ref();
        let file = path
            .canonicalize()
            .map_err(|source| Error::ModuleNotFound {
                path: path.to_owned(),
                source,
            })?;
        let mut loaded = lock(&LOADED);
        if let Some(module) = loaded.get(&file) {
            return Ok(module.clone());
        }
        let pkcs11 = Pkcs11::new(&file).map_err(|source| Error::NotAModule {
            path: path.to_owned(),
            source: source.into(),
        })?;
        let name = name(path);
        let module = Module(Arc::new(Loaded {
            path: path.to_owned(),
            gate: Gate::open(pkcs11).map_err(failed(name, "initialising it"))?,
            restarted: Mutex::default(),
            rejected: Mutex::default(),
        }));
        loaded.insert(file, module.clone());
        Ok(module)
    }

    /// The path it was first loaded from.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its file name, for people.
    pub fn name(&self) -> String {
        name(&self.0.path)
    }

    /// All tokens by label; those that are not initialised yet, too, at the end.
    ///
    /// The order of slots is left to the module and changes: SoftHSM2 goes by random file names.
    /// A token that cannot be read is left out, so that one broken device does not hide the others; only if none can be
    /// read it is an error.
    pub fn tokens(&self) -> Result<Vec<TokenInfo>, Error> {
        self.tokens_from(&self.enter("listing the slots")?)
    }

    /// The one initialised token that fits the URI.
    pub fn find(&self, uri: &TokenUri) -> Result<Token, Error> {
        let info = self.find_from(&self.enter("listing the slots")?, uri)?;
        Ok(Token {
            module: self.clone(),
            info,
        })
    }

    pub(super) fn tokens_from(&self, inside: &Inside<'_>) -> Result<Vec<TokenInfo>, Error> {
        let slots = inside.pkcs11().get_slots_with_token();
        let slots = slots.map_err(self.failed("listing the slots"))?;
        let mut tokens = Vec::with_capacity(slots.len());
        let mut failure = None;
        for slot in slots {
            match inside.pkcs11().get_token_info(slot) {
                Ok(info) => tokens.push(TokenInfo::new(&info, slot)),
                // Pulled out between the two calls.
                Err(BindingError::Pkcs11(RvError::TokenNotPresent, _)) => {}
                Err(cause) => failure = Some(cause),
            }
        }
        match failure {
            Some(cause) if tokens.is_empty() => Err(self.failed("reading the tokens")(cause)),
            _ => {
                tokens.sort_by_cached_key(|info: &TokenInfo| {
                    (!info.initialised, info.label.clone(), info.serial.clone())
                });
                Ok(tokens)
            }
        }
    }

    pub(super) fn find_from(
        &self,
        inside: &Inside<'_>,
        uri: &TokenUri,
    ) -> Result<TokenInfo, Error> {
        let mut tokens = self.tokens_from(inside)?;
        tokens.retain(|info| info.initialised);
        let (mut fit, others): (Vec<_>, Vec<_>) =
            tokens.into_iter().partition(|info| info.fits(uri));
        match (fit.pop(), fit.is_empty()) {
            (Some(info), true) => Ok(info),
            (Some(last), false) => Err(Error::TokenAmbiguous {
                module: self.name(),
                wanted: uri.wanted(),
                found: fit.iter().chain([&last]).map(TokenInfo::name).collect(),
            }),
            (None, _) => Err(Error::TokenNotFound {
                module: self.name(),
                wanted: uri.wanted(),
                found: others
                    .iter()
                    .map(|info| format!("`{}`", info.label))
                    .collect(),
            }),
        }
    }

    /// Finalises the module and initialises it again, unless that happened since epoch `seen`.
    ///
    /// Not more often than once a second, however many threads and tokens wish it.
    pub(super) fn restart(&self, seen: u64) -> Result<Restart, Cause> {
        let restarted = lock_within(&self.0.restarted, RESTART_PATIENCE);
        let mut restarted = restarted.ok_or(Reason::Restarting)?;
        if self.gate().epoch() != seen {
            return Ok(Restart::Done);
        }
        let soon = restarted.is_some_and(|last| last.elapsed() < RESTART_PAUSE);
        if soon || self.gate().is_shared() {
            return Ok(Restart::Withheld);
        }
        let outcome = self.gate().reopen();
        *restarted = Some(Instant::now());
        outcome.map(|()| Restart::Done)
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.0.gate
    }

    pub(super) fn enter(&self, doing: &'static str) -> Result<Inside<'_>, Error> {
        self.gate().enter().map_err(self.failed(doing))
    }

    pub(super) fn failed<C: Into<Cause>>(&self, doing: &'static str) -> impl FnOnce(C) -> Error {
        failed(self.name(), doing)
    }

    pub(super) fn has_rejected(&self, token: &TokenInfo) -> bool {
        lock(&self.0.rejected).contains(&token.identity())
    }

    pub(super) fn remember_rejection(&self, token: &TokenInfo) {
        lock(&self.0.rejected).insert(token.identity());
    }

    /// After a token was erased, its PIN is a new one.
    pub(super) fn forget_rejection(&self, token: &TokenInfo) {
        lock(&self.0.rejected).remove(&token.identity());
    }
}

impl Token {
    /// What the token said about itself when it was found.
    pub fn info(&self) -> &TokenInfo {
        &self.info
    }

    /// Its label.
    pub fn label(&self) -> &str {
        &self.info.label
    }

    /// Logs in as the token's user; without a PIN the token's own PIN pad asks for it.
    ///
    /// A PIN that was rejected is never tried again: every later login to this token in this process is refused at once
    /// with [`Error::PinRejected`]. If this process is logged in already, the token does not look at the PIN, so
    /// success is no proof of it.
    pub fn login(self, pin: Option<Pin>) -> Result<OpenToken, Error> {
        OpenToken::login(self, pin)
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn failed<C: Into<Cause>>(module: String, doing: &'static str) -> impl FnOnce(C) -> Error {
    move |source| Error::ModuleFailed {
        module,
        doing,
        source: source.into(),
    }
}

/// The least time between two restarts.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// How long a caller waits for the thread that restarts the module.
const RESTART_PATIENCE: Duration = Duration::from_secs(5);

/// Modules by their canonical path, for as long as the process lives.
static LOADED: Mutex<BTreeMap<PathBuf, Module>> = Mutex::new(BTreeMap::new());
