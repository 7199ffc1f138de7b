//! `token`: list, initialise, show.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::clap_args::Global;
use super::clap_args::token::{Token, TokenInit};
use super::edge::{Terminal, confirm};
use super::report::{Report, row, table};
use crate::authority::{Pki, pki};
use crate::config::TokenConfig;
use crate::error::Error;
use crate::hex;
use crate::token::{KeyObject, Label, Module, OnInitialised, Pin, PinSource, Target, TokenInfo};

pub fn run(global: &Global, command: Token) -> Result<Report, Error> {
    match command {
        Token::List {
            module: Some(module),
        } => list(&[Module::load(module)?]),
        Token::List { module: None } => list(&configured_modules(&super::open(global)?)?),
        Token::Init(arguments) => init(global, &arguments),
        Token::Show { name } => show(global, &name),
    }
}

fn configured_modules(pki: &Pki) -> Result<Vec<Module>, Error> {
    let mut paths = BTreeSet::new();
    for token in pki.config().tokens() {
        paths.insert(pki::module_path(&token.module)?);
    }
    let modules = paths.into_iter().map(|path| Ok(Module::load(path)?));
    modules.collect()
}

fn list(modules: &[Module]) -> Result<Report, Error> {
    let mut rows = vec![row([
        "LABEL",
        "SERIAL",
        "MANUFACTURER",
        "MODEL",
        "STATE",
        "MODULE",
    ])];
    let mut list = Vec::new();
    for module in modules {
        for info in module.tokens()? {
            let name = module.name();
            rows.push(row([
                &info.label,
                &info.serial,
                &info.manufacturer,
                &info.model,
                state(&info),
                &name,
            ]));
            list.push(describe(&info, module));
        }
    }
    Ok(Report::new(table(&rows), json!({ "tokens": list })))
}

fn init(global: &Global, arguments: &TokenInit) -> Result<Report, Error> {
    let pki = super::open(global)?;
    let token = pki.config().token(&arguments.name)?;
    let module = pki.module(token)?;
    let label = Label::new(token.uri.token().unwrap_or_default())?;
    if let (false, Ok(found)) = (arguments.erase, pki.find(token)) {
        let info = found.info();
        let (token, serial) = (info.label.clone(), info.serial.clone());
        return Err(crate::token::Error::TokenInitialised { token, serial }.into());
    }
    let on_initialised = match arguments.erase {
        true => {
            let question = format!("every key in token `{label}` will be lost for ever.");
            confirm(&question, label.as_str(), arguments.confirm.as_deref())?;
            OnInitialised::Erase
        }
        false => OnInitialised::Refuse,
    };
    let target = arguments
        .serial
        .as_deref()
        .or(token.uri.serial())
        .map_or(Target::Free, Target::Serial);
    let so_pin = so_pin(arguments, token)?;
    let user_pin = pin(&token.pin, &token.name)?;
    let info = module.initialise(&label, target, on_initialised, &so_pin, &user_pin)?;
    let note = format!(
        "token `{}` is initialised, serial {}",
        info.label, info.serial
    );
    let uri = info.uri();
    Ok(Report::done(note, describe(&info, &module))
        .note(format!("its full URI, to tell it from any other: {uri}"))
        .note(next(&pki)))
}

/// What is left to do: tokens that are not there yet, then the CAs.
fn next(pki: &Pki) -> String {
    match pki.config().tokens().find(|token| pki.find(token).is_err()) {
        Some(token) => format!("next: factory-ca token init {}", token.name),
        None => "next: factory-ca ca create root".to_owned(),
    }
}

fn so_pin(arguments: &TokenInit, token: &TokenConfig) -> Result<Pin, Error> {
    let source = match (&arguments.so_pin_file, arguments.so_pin_fd) {
        (Some(path), _) => PinSource::File(path.clone()),
        (None, Some(fd)) => PinSource::Fd(fd),
        (None, None) => PinSource::Prompt,
    };
    pin(&source, &format!("{} (security officer)", token.name))
}

fn pin(source: &PinSource, name: &str) -> Result<Pin, Error> {
    let read = source
        .read(name, &Terminal)
        .map_err(crate::token::Error::from)?;
    read.ok_or_else(|| {
        Error::usage(
            "a token cannot be initialised through its PIN pad with this tool",
            "initialise it with the vendor's tool, then use it here with `pin: protected-path`",
        )
    })
}

fn show(global: &Global, name: &str) -> Result<Report, Error> {
    let pki = super::open(global)?;
    let config = pki.config().token(name)?;
    let module = pki.module(config)?;
    let token = pki.login(config, &Terminal)?;
    let keys = token.keys()?;
    let info = token.info();
    let mut text = format!(
        "token {}\n  serial        {}\n  manufacturer  {}\n  model         {}\n  module        {}\n  keys          {}\n",
        info.label,
        info.serial,
        info.manufacturer,
        info.model,
        module.path().display(),
        keys.len()
    );
    for key in &keys {
        let class = format!("{} key", key.class);
        let kind = key
            .kind
            .map(|kind| kind.to_string())
            .unwrap_or_else(|| "unknown kind".to_owned());
        let id = hex::encode(&key.id);
        text.push_str(&format!(
            "  {class:11}  `{}` id {id}, {kind}: {}\n",
            key.label, key.attributes
        ));
    }
    let mut json = describe(info, &module);
    json["keys"] = keys.iter().map(describe_key).collect();
    Ok(Report::new(text, json))
}

fn state(info: &TokenInfo) -> &'static str {
    match info {
        TokenInfo {
            initialised: false, ..
        } => "uninitialised",
        TokenInfo {
            pin_locked: true, ..
        } => "PIN locked",
        TokenInfo {
            pin_final_try: true,
            ..
        } => "one PIN try left",
        TokenInfo {
            user_pin_initialised: false,
            ..
        } => "no user PIN",
        _ => "ready",
    }
}

fn describe(info: &TokenInfo, module: &Module) -> Value {
    json!({
        "label": info.label, "serial": info.serial, "manufacturer": info.manufacturer, "model": info.model,
        "state": state(info), "module": module.path(),
    })
}

fn describe_key(key: &KeyObject) -> Value {
    json!({
        "label": key.label, "id": hex::encode(&key.id), "class": key.class.to_string(),
        "kind": key.kind.map(|kind| kind.to_string()), "attributes": key.attributes,
    })
}
