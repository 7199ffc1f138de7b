//! Private copies of the embedded default's tokens.
//!
//! SoftHSM2 writes a token's file anew at every login, in place. A process killed in that moment leaves a file that no
//! longer is a token, for itself and for every other process. So commands that only use keys work on a copy of their
//! own, and those that make keys or tokens have the original to themselves; if they are killed, the next command puts
//! the damaged file right from a saved copy. The copies are as secret as the original: mode 0700, below `softhsm/`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::authority::embedded::directory;

/// How a command uses the embedded tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It signs with keys that are there.
    Sign,
    /// It makes keys or tokens.
    MakeKeys,
}

/// Prepares the tokens of a PKI directory for this process; returns the directory that stands for the PKI directory
/// in SoftHSM2's configuration. What is locked stays locked until the process ends, also when it starts itself again.
pub fn prepare(pki: &Path, using: Use) -> io::Result<PathBuf> {
    let lock = open_lock(&directory(pki).join("lock"))?;
    lock.lock()?;
    put_right(pki)?;
    match using {
        Use::Sign => copy(pki),
        _ => {
            keep_open(lock)?;
            Ok(pki.to_owned())
        }
    }
}

/// The place of this process's copy.
pub fn place(pki: &Path) -> PathBuf {
    directory(pki)
        .join("run")
        .join(std::process::id().to_string())
}

/// Copies the tokens for this process and sweeps out copies whose processes are gone.
fn copy(pki: &Path) -> io::Result<PathBuf> {
    let place = place(pki);
    let run = directory(pki).join("run");
    fs::create_dir_all(&run)?;
    sweep(&run)?;
    let new = run.join(format!(".{}", std::process::id()));
    remove(&new)?;
    fs::create_dir(&new)?;
    let lock = open_lock(&new.join("lock"))?;
    lock.lock()?;
    copy_tree(
        &directory(pki).join("tokens"),
        &directory(&new).join("tokens"),
    )?;
    fs::rename(&new, &place)?;
    keep_open(lock)?;
    Ok(place)
}

/// A copy whose lock is free belongs to a process that is gone.
fn sweep(run: &Path) -> io::Result<()> {
    for found in fs::read_dir(run)?.flatten() {
        let lock = found.path().join("lock");
        let hidden = found.file_name().to_string_lossy().starts_with('.');
        let abandoned = !hidden && File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            remove(&found.path())?;
        }
    }
    Ok(())
}

/// Restores a token's file that a killed process left empty or cut short; saves those that are new or were changed.
fn put_right(pki: &Path) -> io::Result<()> {
    let saved = directory(pki).join("saved");
    fs::create_dir_all(&saved)?;
    let tokens = directory(pki).join("tokens");
    let Ok(listing) = fs::read_dir(&tokens) else {
        return Ok(());
    };
    for token in listing.flatten() {
        let file = token.path().join("token.object");
        let copy = saved.join(token.file_name());
        let (found, kept) = (
            fs::read(&file).unwrap_or_default(),
            fs::read(&copy).unwrap_or_default(),
        );
        let cut_short = found.len() < kept.len() && kept.starts_with(&found);
        match cut_short {
            true => replace(&copy, &file)?,
            false if found != kept => replace(&file, &copy)?,
            false => {}
        }
    }
    Ok(())
}

/// Copies a file into place in one step.
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = to.with_extension("partial");
    fs::copy(from, &temporary)?;
    File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, to)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for found in fs::read_dir(from)? {
        let found = found?;
        let target = to.join(found.file_name());
        match found.file_type()?.is_dir() {
            true => copy_tree(&found.path(), &target)?,
            false => fs::copy(found.path(), target).map(|_| ())?,
        }
    }
    Ok(())
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

/// Lets a lock outlive this function and the program's new start.
fn keep_open(lock: File) -> io::Result<()> {
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
    std::mem::forget(lock);
    Ok(())
}

/// Removes a directory that may not be there.
pub fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pki_with_token() -> tempfile::TempDir {
        let pki = tempfile::tempdir().unwrap();
        let token = pki.path().join("softhsm/tokens/a");
        fs::create_dir_all(&token).unwrap();
        fs::write(token.join("token.object"), b"whole").unwrap();
        pki
    }

    #[test]
    fn a_token_file_cut_short_is_restored_and_a_changed_flag_is_not() {
        let pki = pki_with_token();
        let file = pki.path().join("softhsm/tokens/a/token.object");
        put_right(pki.path()).unwrap();
        for damaged in [b"".as_slice(), b"who"] {
            fs::write(&file, damaged).unwrap();
            put_right(pki.path()).unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"whole");
        }
        fs::write(&file, b"WHOLE").unwrap();
        put_right(pki.path()).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"WHOLE");
    }

    #[test]
    fn copies_of_processes_that_are_gone_are_swept_out() {
        let pki = pki_with_token();
        let run = pki.path().join("softhsm/run");
        fs::create_dir_all(run.join("1")).unwrap();
        fs::write(run.join("1/lock"), b"").unwrap();
        let place = prepare(pki.path(), Use::Sign).unwrap();
        assert!(!run.join("1").exists());
        assert_eq!(
            fs::read(place.join("softhsm/tokens/a/token.object")).unwrap(),
            b"whole"
        );
        sweep(&run).unwrap();
        assert!(place.exists(), "a copy in use was swept out");
    }
}
