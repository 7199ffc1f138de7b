//! Modules (the vendor's `.so`) and the tokens they show.
//!
//! Loading runs the module's code in this process: its file must be as well protected as this program's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as BindingError, RvError};

use super::{Error, OpenToken, Pin, TokenInfo, TokenUri, lock};

/// A loaded and initialised PKCS#11 module.
///
/// Cheap to clone. There is one per file and process, and it is never finalised: `C_Finalize` would end the sessions of
/// every other user in this process, and crashes when one of them is signing.
#[derive(Clone, Debug)]
pub struct Module(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    path: PathBuf,
    pkcs11: Pkcs11,
    /// Tokens that rejected a PIN in this process, by label and serial.
    rejected: Mutex<BTreeSet<(String, String)>>,
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
        let module = Module(Arc::new(Loaded {
            path: path.to_owned(),
            pkcs11,
            rejected: Mutex::default(),
        }));
        module.initialise_module()?;
        loaded.insert(file, module.clone());
        Ok(module)
    }

    /// The path it was first loaded from.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its file name, for people.
    pub fn name(&self) -> String {
        let name = self.0.path.file_name().unwrap_or(self.0.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// All tokens by label; those that are not initialised yet, too, at the end.
    ///
    /// The order of slots is left to the module and changes: SoftHSM2 goes by random file names.
    /// A token that cannot be read is left out, so that one broken device does not hide the others; only if none can be
    /// read it is an error.
    pub fn tokens(&self) -> Result<Vec<TokenInfo>, Error> {
        let slots = self.pkcs11().get_slots_with_token();
        let slots = slots.map_err(self.failed("listing the slots"))?;
        let mut tokens = Vec::with_capacity(slots.len());
        let mut failure = None;
        for slot in slots {
            match self.pkcs11().get_token_info(slot) {
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

    /// The one initialised token that fits the URI.
    pub fn find(&self, uri: &TokenUri) -> Result<Token, Error> {
        let mut tokens = self.tokens()?;
        tokens.retain(|info| info.initialised);
        let (mut fit, others): (Vec<_>, Vec<_>) =
            tokens.into_iter().partition(|info| info.fits(uri));
        match (fit.pop(), fit.is_empty()) {
            (Some(info), true) => Ok(Token {
                module: self.clone(),
                info,
            }),
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

    pub(super) fn pkcs11(&self) -> &Pkcs11 {
        &self.0.pkcs11
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl FnOnce(BindingError) -> Error {
        let module = self.name();
        move |source| Error::ModuleFailed {
            module,
            doing,
            source: source.into(),
        }
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

    fn initialise_module(&self) -> Result<(), Error> {
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match self.pkcs11().initialize(arguments) {
            // Another library in this process was first; its sessions and ours share the module.
            Err(BindingError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            outcome => outcome.map_err(self.failed("initialising it")),
        }
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

/// Modules by their canonical path, for as long as the process lives.
static LOADED: Mutex<BTreeMap<PathBuf, Module>> = Mutex::new(BTreeMap::new());
