//! `factory-ca`: see [`factory_ca::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    factory_ca::cli::run()
}
