//! A module that has a bad day: `tests/modules/badday.c`, which forwards to SoftHSM2 and fails, hangs or is slow as told.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A module built for one test. Orders take effect at once, in every process that loaded it.
pub struct BadDay {
    /// The module's file.
    pub module: PathBuf,
    control: File,
}

/// A function of PKCS#11, by its place in the function list.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    Initialize = 0,
    Finalize = 1,
    GetSlotList = 4,
    GetTokenInfo = 6,
    OpenSession = 12,
    GetSessionInfo = 15,
    Login = 18,
    GetAttributeValue = 24,
    FindObjectsInit = 26,
    SignInit = 42,
    Sign = 43,
}

impl BadDay {
    /// Compiles the module into a directory; it has a good day so far.
    pub fn build(directory: &Path) -> BadDay {
        let (module, control) = (directory.join("badday.so"), directory.join("badday"));
        std::fs::write(&control, vec![0; 8 * (HEADER + ORDERS * FUNCTIONS)]).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/badday.c");
        let text = |name: &str, path: &Path| format!("-D{name}=\"{}\"", path.display());
        let output = Command::new("cc")
            .args(["-std=gnu11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"])
            .arg(text("FORWARD", &super::softhsm_path()))
            .arg(text("CONTROL", &control))
            .arg("-o")
            .args([&module, &source])
            .arg("-ldl")
            .output()
            .expect("a C compiler is needed to test: install gcc");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        BadDay::at(&module)
    }

    /// The module at that path, built before; for the processes a test starts.
    pub fn at(module: &Path) -> BadDay {
        let control = module.with_extension("");
        BadDay {
            module: module.to_owned(),
            control: OpenOptions::new()
                .read(true)
                .write(true)
                .open(control)
                .unwrap(),
        }
    }

    /// From now on so many calls return that code and do nothing; see [`FOR_EVER`].
    pub fn fail(&self, function: Function, code: u64, calls: u64) {
        self.write(function, CODE, code);
        self.write(function, FAILURES, calls);
    }

    /// From now on so many calls are carried out, and return that code all the same.
    pub fn spoil(&self, function: Function, code: u64, calls: u64) {
        self.write(function, CODE, code);
        self.write(function, SPOILED, calls);
    }

    /// From now on so many calls take that long.
    pub fn slow(&self, function: Function, time: Duration, calls: u64) {
        self.write(function, MICROS, time.as_micros().try_into().unwrap());
        self.write(function, SLOW, calls);
    }

    /// The function works again.
    pub fn well(&self, function: Function) {
        for order in [SLOW, FAILURES, SPOILED] {
            self.write(function, order, 0);
        }
    }

    /// How often it was called so far.
    pub fn calls(&self, function: Function) -> u64 {
        self.read(HEADER + ORDERS * function as usize)
    }

    /// How many signatures were begun so far: a caller of C_Sign may ask first how long one is, which is a call, too.
    pub fn signatures(&self) -> u64 {
        self.read(2)
    }

    /// The module's user never did what crashes modules.
    pub fn assert_was_used_well(&self) {
        let found = (self.read(0), self.read(1));
        assert_eq!(
            found,
            (0, 0),
            "finalised with calls inside; sessions used after C_Finalize"
        );
    }

    fn write(&self, function: Function, field: usize, value: u64) {
        let place = 8 * (HEADER + ORDERS * function as usize + field);
        self.control
            .write_all_at(&value.to_ne_bytes(), place as u64)
            .unwrap();
    }

    fn read(&self, number: usize) -> u64 {
        let mut bytes = [0; 8];
        self.control
            .read_exact_at(&mut bytes, 8 * number as u64)
            .unwrap();
        u64::from_ne_bytes(bytes)
    }
}

/// A number of calls that does not end.
pub const FOR_EVER: u64 = u64::MAX;

pub const CKR_GENERAL_ERROR: u64 = 0x05;
pub const CKR_FUNCTION_FAILED: u64 = 0x06;
pub const CKR_DEVICE_ERROR: u64 = 0x30;
pub const CKR_DEVICE_REMOVED: u64 = 0x32;
pub const CKR_OBJECT_HANDLE_INVALID: u64 = 0x82;
pub const CKR_OPERATION_ACTIVE: u64 = 0x90;
pub const CKR_PIN_INCORRECT: u64 = 0xa0;
pub const CKR_SESSION_CLOSED: u64 = 0xb0;
pub const CKR_SESSION_COUNT: u64 = 0xb1;
pub const CKR_SESSION_HANDLE_INVALID: u64 = 0xb3;
pub const CKR_USER_NOT_LOGGED_IN: u64 = 0x101;

// `struct control`: three counters, then six numbers for each function.
const HEADER: usize = 3;
const ORDERS: usize = 6;
const FUNCTIONS: usize = 68;
const SLOW: usize = 1;
const MICROS: usize = 2;
const FAILURES: usize = 3;
const SPOILED: usize = 4;
const CODE: usize = 5;
