//! A disk that fills up under a ledger: `tests/modules/fulldisk.c`, loaded before all other libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library, built for one test, and its switch. The disk is empty so far.
pub struct FullDisk {
    library: PathBuf,
    switch: PathBuf,
}

impl FullDisk {
    pub fn build(directory: &Path) -> FullDisk {
        let (library, switch) = (directory.join("fulldisk.so"), directory.join("full"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/fulldisk.c");
        let output = Command::new("cc")
            .args(["-std=gnu11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"])
            .arg(format!("-DSWITCH=\"{}\"", switch.display()))
            .arg("-o")
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .expect("a C compiler is needed to test: install gcc");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        FullDisk { library, switch }
    }

    /// The command writes to this disk.
    pub fn under<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", &self.library)
    }

    /// From now on nothing more can be written.
    pub fn fill(&self) {
        fs::write(&self.switch, "").unwrap();
    }

    /// There is room again.
    pub fn free(&self) {
        fs::remove_file(&self.switch).unwrap();
    }
}
