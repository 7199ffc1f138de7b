//! Where a ledger may live: on a local file system.
//!
//! SQLite's write-ahead log shares memory between processes, and a writer proves that it is alive with a file lock.
//! Both are unreliable between two hosts, where they would allow two certificates for one device.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Error;

/// Refuses a directory on a network file system.
pub(super) fn require_local(directory: &Path) -> Result<(), Error> {
    let unreadable = |error: std::io::Error| Error::Unreadable {
        path: directory.to_owned(),
        source: Box::new(error),
    };
    let statistics = rustix::fs::statfs(directory).map_err(|errno| unreadable(errno.into()))?;
    // The field's width and sign differ between platforms; the numbers have 32 bits.
    let magic = statistics.f_type as u32;
    let kind = match magic {
        FUSE => fuse_kind(directory).map_err(unreadable)?,
        _ => network_kind(magic).map(str::to_owned),
    };
    match kind {
        Some(kind) => Err(Error::NetworkFileSystem {
            path: directory.to_owned(),
            kind,
        }),
        None => Ok(()),
    }
}

fn network_kind(magic: u32) -> Option<&'static str> {
    NETWORK
        .iter()
        .find(|(number, _)| *number == magic)
        .map(|(_, name)| *name)
}

/// FUSE says in the mount table what it carries; all but the known local ones count as network.
fn fuse_kind(directory: &Path) -> std::io::Result<Option<String>> {
    let device = fs::metadata(directory)?.dev();
    let device = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let kind = mount_type(&mounts, &device).unwrap_or("fuse");
    Ok((!LOCAL_FUSE.contains(&kind)).then(|| kind.to_owned()))
}

/// proc(5): the third field is the device, the first after a lone hyphen the type.
fn mount_type<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    mounts
        .lines()
        .filter(|line| line.split(' ').nth(2) == Some(device))
        .find_map(|line| line.split_once(" - ")?.1.split(' ').next())
}

/// statfs(2) magic numbers.
const NETWORK: [(u32, &str); 10] = [
    (0x0000_517b, "SMB"),
    (0x0000_564c, "NCP"),
    (0x0000_6969, "NFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0xfe53_4d42, "SMB2"),
    (0xff53_4d42, "CIFS"),
];

const FUSE: u32 = 0x6573_5546;

/// A disk, a rootless container's layers, and the encrypting ones.
const LOCAL_FUSE: [&str; 5] = [
    "fuseblk",
    "fuse.fuse-overlayfs",
    "fuse.gocryptfs",
    "fuse.encfs",
    "fuse.ntfs-3g",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        assert_eq!(network_kind(0x6969), Some("NFS"));
        assert_eq!(network_kind(0xff53_4d42), Some("CIFS"));
        assert_eq!(network_kind(0xef53), None);
    }

    #[test]
    fn the_mount_table_tells_sshfs_from_a_container_layer() {
        let mounts = "36 35 0:50 / /line rw,nosuid - fuse.sshfs host:/line rw\n\
                      37 35 0:51 / /pki rw shared:1 - fuse.fuse-overlayfs fuse-overlayfs rw\n";
        assert_eq!(mount_type(mounts, "0:50"), Some("fuse.sshfs"));
        assert_eq!(mount_type(mounts, "0:51"), Some("fuse.fuse-overlayfs"));
        assert_eq!(mount_type(mounts, "0:52"), None);
    }

    #[test]
    fn a_temporary_directory_is_local() {
        assert!(require_local(tempfile::tempdir().unwrap().path()).is_ok());
    }
}
