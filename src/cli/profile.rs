//! `profile`: list, show, check.

use std::path::Path;

use serde_json::json;

use super::clap_args::{Global, Profile as Command};
use super::report::{Report, row, table};
use crate::authority::{self, Pki};
use crate::config;
use crate::error::Error;
use crate::profile::{Kind, Profile, SHIPPED};

pub fn run(global: &Global, command: Command) -> Result<Report, Error> {
    match command {
        Command::List => list(global),
        Command::Show { name } => show(global, &name),
        Command::Check { file } => check(&file),
    }
}

/// The PKI directory, if there is one: shipped profiles can be looked at without.
fn pki(global: &Global) -> Result<Option<Pki>, Error> {
    match global.pki_dir.join(config::FILE).exists() {
        true => super::open(global).map(Some),
        false => Ok(None),
    }
}

fn list(global: &Global) -> Result<Report, Error> {
    let pki = pki(global)?;
    let names = match &pki {
        Some(pki) => pki.profiles(),
        None => SHIPPED
            .iter()
            .map(|(name, _)| ((*name).to_owned(), false))
            .collect(),
    };
    let mut rows = vec![row(["NAME", "KIND", "KEYS", "VALID FOR", "FROM"])];
    let mut list = Vec::new();
    for (name, overridden) in names {
        let profile = match &pki {
            Some(pki) => pki.profile(&name)?,
            None => shipped(&name)?,
        };
        let kind = match profile.kind() {
            Kind::Root => "root",
            Kind::Ca => "ca",
            Kind::Leaf => "leaf",
        };
        let from = if overridden {
            "PKI directory"
        } else {
            "shipped"
        };
        rows.push(row([
            &name,
            kind,
            &profile.keys_wanted(),
            &profile.period().to_string(),
            from,
        ]));
        list.push(json!({
            "name": name, "kind": kind, "keys": profile.keys_wanted(), "period": profile.period().to_string(),
            "from": from, "namespace": profile.namespace(),
        }));
    }
    Ok(Report::new(table(&rows), json!({ "profiles": list })))
}

fn show(global: &Global, name: &str) -> Result<Report, Error> {
    let path = global.pki_dir.join("profiles").join(format!("{name}.yaml"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) => {
            shipped(name)?;
            let known = SHIPPED.iter().find(|(known, _)| *known == name);
            known
                .map(|(_, text)| (*text).to_owned())
                .unwrap_or_default()
        }
    };
    let json = json!({ "name": name, "yaml": text });
    Ok(Report::new(text, json))
}

fn check(file: &Path) -> Result<Report, Error> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| authority::Error::File(file.to_owned(), error))?;
    let name = file.display().to_string();
    let profile =
        Profile::from_yaml(&text).map_err(|problem| authority::Error::Profile { name, problem })?;
    let json = json!({ "name": profile.name(), "sound": true });
    let note = format!(
        "profile `{}` in `{}` is sound",
        profile.name(),
        file.display()
    );
    Ok(Report::done(note, json))
}

fn shipped(name: &str) -> Result<Profile, Error> {
    let found: Vec<String> = SHIPPED
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let unknown = || authority::Error::UnknownProfile {
        name: name.to_owned(),
        found: found.join(", "),
    };
    let profile = Profile::shipped(name).ok_or_else(unknown)?;
    Ok(profile.map_err(|problem| authority::Error::Profile {
        name: name.to_owned(),
        problem,
    })?)
}
