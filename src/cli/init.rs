//! `init`: a PKI directory, whole or not at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use super::clap_args::{Global, Init};
use super::edge::{Terminal, agreed, entropy};
use super::embedded;
use super::report::Report;
use super::staging::Staging;
use crate::authority::ca::{ExistingKey, Wish};
use crate::authority::{self, Pki, pki};
use crate::config::{self, ModuleSource};
use crate::error::Error;
use crate::hex;
use crate::ledger::Ledger;
use crate::output::file::{self, Access, OutputError};
use crate::timestamp::Timestamp;
use crate::token::{Label, MAX_LABEL, Module, OnInitialised, Pin, Target, TokenUri};
use crate::x509::{Certificate, Curve};

pub fn run(global: &Global, arguments: Init) -> Result<Report, Error> {
    let pki = &global.pki_dir;
    if pki.exists() {
        let message = format!("`{}` exists; it was left as it is", pki.display());
        return Err(Error::usage(
            message,
            "name another directory with `--pki-dir DIR`",
        ));
    }
    if !config::is_factory_name(&arguments.factory) {
        let message = format!(
            "`--factory` is `{}`, wanted is {}",
            arguments.factory.escape_debug(),
            config::FACTORY_NAME
        );
        return Err(Error::usage(
            message,
            "it becomes the OU of every certificate",
        ));
    }
    let staging = Staging::begin(pki)?;
    let report = match &arguments.module {
        None => with_softhsm(&staging, &arguments)?,
        Some(module) => with_module(&staging, &arguments, module)?,
    };
    staging.finish(pki)?;
    Ok(report(pki))
}

type Finished = Box<dyn FnOnce(&Path) -> Report>;

/// Tokens, root and a first device CA, all in the PKI directory.
fn with_softhsm(staging: &Staging, arguments: &Init) -> Result<Finished, Error> {
    let home = staging.path();
    let part = Part::of(arguments);
    let library = pki::module_path(&ModuleSource::Embedded)?;
    make_directory(&home.join("softhsm/tokens"))?;
    let softhsm = home.join("softhsm");
    fs::set_permissions(&softhsm, Permissions::from_mode(0o700))
        .map_err(OutputError::at(&softhsm))?;
    embedded::write_configuration(home)?;
    let module = Module::load(library)?;
    let mut tokens = Vec::new();
    for name in part.tokens() {
        let label = token_label(&arguments.factory, name)?;
        let (user, so) = (new_pin(home, name)?, new_pin(home, &format!("{name}-so"))?);
        let info = module.initialise(&label, Target::Free, OnInitialised::Refuse, &so, &user)?;
        let uri = TokenUri::for_token(&info.label, &info.serial, &info.manufacturer, &info.model);
        tokens.push(PlacedToken {
            name,
            uri: uri.to_string(),
            pin: format!("{{file: softhsm/{name}.pin}}"),
        });
    }
    write_config(home, arguments, "embedded", &tokens)?;
    let made = create_cas(home, arguments)?;
    let common_name = device_ca_name(arguments).to_owned();
    let factory = arguments.factory.clone();
    Ok(Box::new(move |pki| {
        let conf = authority::embedded::configuration(
            &pki.canonicalize().unwrap_or_else(|_| pki.to_owned()),
        );
        let describe = |name: &str| {
            made.iter()
                .find(|ca| ca.name == name)
                .map(|ca| describe(&ca.certificate))
        };
        let json = json!({
            "pki_dir": pki, "factory": factory, "softhsm2_conf": conf,
            "root": describe("root"), "device_ca": describe("line-1"),
        });
        let mut report = Report::done(
            format!("`{}` is the PKI of factory `{factory}`", pki.display()),
            json,
        );
        for Made {
            kind, certificate, ..
        } in &made
        {
            report = report.note(format!(
                "  {kind:9}  {} until {}",
                certificate.subject(),
                certificate.not_after().date()
            ));
        }
        report = report.note("its keys are in SoftHSM2 tokens inside the directory: this is for evaluation, not for production");
        if part != Part::OfflineRoot {
            report = report.note(fio_warning(&common_name));
        }
        report
            .note(format!(
                "pkcs11-tool sees the tokens after: export {}={}",
                authority::embedded::VARIABLE,
                conf.display()
            ))
            .note(part.next())
    }))
}

/// A configuration that names the tokens and CAs to be made with the factory's own module.
fn with_module(staging: &Staging, arguments: &Init, module: &Path) -> Result<Finished, Error> {
    Module::load(module)?;
    let module = fs::canonicalize(module).map_err(OutputError::at(module))?;
    let part = Part::of(arguments);
    let mut tokens = Vec::new();
    for name in part.tokens() {
        let label = token_label(&arguments.factory, name)?;
        tokens.push(PlacedToken {
            name,
            uri: TokenUri::for_token(label.as_str(), "", "", "").to_string(),
            pin: "prompt".to_owned(),
        });
    }
    let path = module.display().to_string();
    write_config(staging.path(), arguments, &path, &tokens)?;
    let factory = arguments.factory.clone();
    let common_name = device_ca_name(arguments).to_owned();
    Ok(Box::new(move |pki| {
        let json = json!({ "pki_dir": pki, "factory": factory, "module": module });
        let mut report = Report::done(
            format!(
                "`{}` is the PKI directory of factory `{factory}`; it has no keys yet",
                pki.display()
            ),
            json,
        )
        .note(format!(
            "next: review `{}`, then",
            pki.join(config::FILE).display()
        ));
        for step in part.steps() {
            report = report.note(format!("  factory-ca {step}"));
        }
        match part {
            Part::OfflineRoot => report,
            _ => report.note(fio_warning(&common_name)),
        }
    }))
}

/// A CA that `init` made.
struct Made {
    name: &'static str,
    kind: &'static str,
    certificate: Certificate,
}

fn create_cas(home: &Path, arguments: &Init) -> Result<Vec<Made>, Error> {
    let pki = Pki::open(home)?;
    let now = Timestamp::now();
    let writer = pki.ledger()?.writer("init", now)?;
    let mut made = Vec::new();
    for (name, kind) in Part::of(arguments).authorities() {
        let wish = Wish {
            common_name: (*name != "root").then(|| device_ca_name(arguments).to_owned()),
            curve: Curve::P256,
            existing_key: ExistingKey::Refuse,
            review: &agreed,
        };
        let authority = pki.config().authority(name)?;
        let created = pki.create_ca(authority, &wish, &writer, &Terminal, entropy, now)?;
        let certificate = created.certificate;
        made.push(Made {
            name,
            kind,
            certificate,
        });
    }
    writer.finish(now)?;
    Ok(made)
}

/// Which part of the PKI a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    OfflineRoot,
    Online,
    Whole,
}

impl Part {
    fn of(arguments: &Init) -> Part {
        match (arguments.offline_root, arguments.online) {
            (true, _) => Part::OfflineRoot,
            (_, true) => Part::Online,
            _ => Part::Whole,
        }
    }

    fn tokens(self) -> &'static [&'static str] {
        match self {
            Part::OfflineRoot => &["root"],
            Part::Online => &["line"],
            Part::Whole => &["root", "line"],
        }
    }

    /// What can be made at once, and what it is called.
    fn authorities(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Part::OfflineRoot => &[("root", "root")],
            Part::Online => &[],
            Part::Whole => &[("root", "root"), ("line-1", "device CA")],
        }
    }

    /// What has to be done with the factory's own module.
    fn steps(self) -> &'static [&'static str] {
        match self {
            Part::OfflineRoot => &["token init root", "ca create root"],
            Part::Online => &["token init line", "ca request line-1 -o line-1.request"],
            Part::Whole => &[
                "token init root",
                "token init line",
                "ca create root",
                "ca create line-1",
            ],
        }
    }

    fn next(self) -> &'static str {
        match self {
            Part::OfflineRoot => "next: factory-ca ca sign FILE.request -o FILE.answer",
            Part::Online => "next: factory-ca ca request line-1 -o line-1.request",
            Part::Whole => {
                "next: factory-ca device issue FILE.csr -o client.pem, or factory-ca batch issue DIRECTORY --out devices"
            }
        }
    }

    /// The part of the template that is for it: a line may begin with the parts it belongs to.
    fn choose(self, template: &str) -> String {
        let line = |line: &str| match line.split_once('|') {
            Some(("offline-root,whole", text)) => (self != Part::Online).then(|| text.to_owned()),
            Some(("online,whole", text)) => (self != Part::OfflineRoot).then(|| text.to_owned()),
            Some(("online", text)) => (self == Part::Online).then(|| text.to_owned()),
            _ => Some(line.to_owned()),
        };
        template
            .lines()
            .filter_map(line)
            .map(|line| line + "\n")
            .collect()
    }
}

/// A token as the configuration names it.
struct PlacedToken {
    name: &'static str,
    uri: String,
    pin: String,
}

fn write_config(
    home: &Path,
    arguments: &Init,
    module: &str,
    tokens: &[PlacedToken],
) -> Result<(), Error> {
    make_directory(&home.join("certs"))?;
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = Part::of(arguments)
        .choose(include_str!("factory-ca.yaml.in"))
        .replace("@FACTORY@", &quote(&arguments.factory))
        .replace("@COMMON-NAME@", &quote(device_ca_name(arguments)))
        .replace("@MODULE@", &quote(module));
    for token in tokens {
        let name = token.name.to_uppercase();
        text = text
            .replace(&format!("@{name}-URI@"), &quote(&token.uri))
            .replace(&format!("@{name}-PIN@"), &token.pin);
    }
    file::create(&home.join(config::FILE), text.as_bytes(), Access::Public)?;
    let config = config::Config::load(home)?;
    Ledger::create(config.ledger(), config.factory(), Timestamp::now())?;
    Ok(())
}

/// A random PIN in a file of its own, readable by its owner only. Losing it costs the keys of an evaluation.
fn new_pin(home: &Path, name: &str) -> Result<Pin, Error> {
    let mut random = Zeroizing::new([0u8; 12]);
    if !entropy(random.as_mut()) {
        return Err(authority::Error::NoEntropy.into());
    }
    let text = Zeroizing::new(hex::encode(random.as_ref()));
    file::create(
        &home.join(format!("softhsm/{name}.pin")),
        text.as_bytes(),
        Access::Secret,
    )?;
    Ok(Pin::new(text, name).map_err(crate::token::Error::from)?)
}

/// The factory's name and the token's, as much of the first as fits: a factory name may be longer than a label.
fn token_label(factory: &str, name: &str) -> Result<Label, Error> {
    let mut end = factory.len().min(MAX_LABEL - 1 - name.len());
    while !factory.is_char_boundary(end) {
        end -= 1;
    }
    Ok(Label::new(&format!("{}-{name}", factory[..end].trim()))?)
}

fn device_ca_name(arguments: &Init) -> &str {
    arguments.device_ca_name.as_deref().unwrap_or("line-1")
}

fn fio_warning(common_name: &str) -> String {
    match common_name.starts_with("fio-") {
        true => format!(
            "the device CA's name `{common_name}` has the form the Foundries backend accepts"
        ),
        false => format!(
            "the Foundries backend accepts only device CAs named `fio-<user id>`; this one is `{common_name}`"
        ),
    }
}

fn describe(certificate: &Certificate) -> serde_json::Value {
    super::ca::describe(certificate)
}

fn make_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(OutputError::at(path))?;
    Ok(())
}
