//! x
use super::clap_args::{Bench, Global};
use super::report::Report;
use crate::error::Error;
pub fn run(_global: &Global, _arguments: Bench) -> Result<Report, Error> {
    Err(Error::usage("x", "y"))
}
