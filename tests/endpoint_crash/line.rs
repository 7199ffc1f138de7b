//! A factory's line: its PKI directory, a slow token where one is wanted, a backend where one is wanted.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::support::badday::{BadDay, FOR_EVER, Function};
use crate::support::factory::Factory;
use crate::support::softhsm_path;

pub struct Line {
    pub factory: Factory,
    pub backend: Option<Arc<Backend>>,
    slow: Option<BadDay>,
}

impl Line {
    /// A line on the embedded tokens, of which every process has a copy.
    pub fn embedded(backend: Option<Arc<Backend>>) -> Line {
        let factory = Factory::demo();
        configure(&factory, backend.as_deref());
        Line {
            factory,
            backend,
            slow: None,
        }
    }

    /// A line on a module that is as slow as it is told and counts its signatures; for one process at a time.
    ///
    /// SoftHSM2 writes the token's file at every login, and a process killed there leaves it damaged: before each
    /// start the tokens are made again as they were.
    pub fn slow(backend: Option<Arc<Backend>>) -> Line {
        let factory = Factory::with_module("p256");
        configure(&factory, backend.as_deref());
        let slow = BadDay::build(factory.home());
        let module = softhsm_path().canonicalize().unwrap();
        factory.configure(module.to_str().unwrap(), slow.module.to_str().unwrap());
        copy(&factory.path("tokens"), &factory.path("tokens.whole"));
        Line {
            factory,
            backend,
            slow: Some(slow),
        }
    }

    /// The slow module.
    pub fn module(&self) -> &BadDay {
        self.slow.as_ref().unwrap()
    }

    /// From now on every signature takes twice that long: its caller first asks how long it is.
    pub fn sign_slowly(&self, time: Duration) {
        self.module().slow(Function::Sign, time, FOR_EVER);
    }

    /// From now on no call takes longer than it must.
    pub fn sign_fast(&self) {
        self.module().well(Function::Sign);
    }

    /// How often the token was asked for a signature.
    pub fn signatures(&self) -> u64 {
        self.module().signatures()
    }

    pub fn has_slow_token(&self) -> bool {
        self.slow.is_some()
    }

    /// The endpoint's command.
    pub fn serve(&self, port: u16) -> Command {
        let address = format!("127.0.0.1:{port}");
        let mut command = self.factory.command(&["serve", "--listen", &address]);
        if self.slow.is_some() {
            command.args(["--pin-file", "line=line.pin"]);
            let _ = fs::remove_dir_all(self.factory.path("tokens"));
            copy(
                &self.factory.path("tokens.whole"),
                &self.factory.path("tokens"),
            );
        }
        command
    }
}

/// Where the gateway is and, if there is a backend, where that is.
fn configure(factory: &Factory, backend: Option<&Backend>) {
    let mut text = factory.read("pki/factory-ca.yaml");
    text.push_str("\ngateway: {url: \"https://gateway.example:8443\"}\n");
    if let Some(backend) = backend {
        factory.write_secret("pki/api.token", "token-of-the-api\n");
        text.push_str(&format!(
            "foundries: {{api: \"{}\", token: {{file: api.token}}, register-devices: true}}\n",
            backend.url()
        ));
    }
    fs::write(factory.path("pki/factory-ca.yaml"), text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for found in fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        let target = to.join(found.file_name());
        match found.file_type().unwrap().is_dir() {
            true => copy(&found.path(), &target),
            false => drop(fs::copy(found.path(), target).unwrap()),
        }
    }
}
