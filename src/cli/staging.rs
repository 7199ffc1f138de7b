//! A directory in the making: built beside its place, removed if anything fails.

use std::fs;
use std::path::{Path, PathBuf};

use super::embedded;
use crate::error::Error;
use crate::output::file::{self, OutputError};

/// A directory under a temporary name; it vanishes with this value unless it is finished.
pub struct Staging(PathBuf);

impl Staging {
    /// Makes the directory that will be called `place`, readable by its owner only.
    pub fn begin(place: &Path) -> Result<Staging, Error> {
        let path = embedded::staging(place)?;
        let parent = file::parent(&path);
        fs::create_dir_all(parent).map_err(OutputError::at(parent))?;
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(OutputError::at(&path))?;
        Ok(Staging(path))
    }

    /// Where it is now.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the directory its name. A crash before this leaves a hidden directory that nothing refers to.
    pub fn finish(mut self, place: &Path) -> Result<(), Error> {
        let at = || OutputError::at(place);
        let path = std::mem::take(&mut self.0);
        fs::rename(&path, place).map_err(at())?;
        let absolute = place.canonicalize().map_err(at())?;
        if embedded::configuration_exists(&absolute) {
            embedded::write_configuration(&absolute)?;
        }
        Ok(file::sync_directory(file::parent(&absolute))?)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
