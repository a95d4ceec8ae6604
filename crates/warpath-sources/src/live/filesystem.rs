//! What can be believed of a file system, so that most entries need no `stat`.

use rustix::fs::{self, FsWord, Statx, StatxFlags};
use std::collections::HashSet;
use std::os::fd::AsFd;
use warpath_core::{Attributes, FileType};

/// What can be believed of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// The inode numbers that come with names are those that `stat` gives.
    pub inode_numbers: bool,
    /// Links lead where their targets say. Those of procfs lead to open files.
    pub link_targets: bool,
}

/// File systems that tell `stat`'s inode numbers with the names (f_type of statfs(2)): ext2 to 4, XFS,
/// Btrfs, tmpfs, F2FS. Others, such as overlayfs over several disks, are asked for every entry.
const EXACT: [FsWord; 5] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0xF2F5_2010];

const PROC: FsWord = 0x9FA0;

impl Trust {
    /// Asks the file system of an open directory.
    pub fn of(directory: impl AsFd) -> Trust {
        match fs::fstatfs(directory) {
            Ok(stat) => {
                Trust { inode_numbers: EXACT.contains(&stat.f_type), link_targets: stat.f_type != PROC }
            }
            Err(_) => Trust { inode_numbers: false, link_targets: true },
        }
    }
}

/// Names of the places where something is mounted.
///
/// A directory that is mounted over is seen when it is opened. A file can be mounted over too (containers
/// do it with `/etc/hosts`), and then the number beside its name is that of the file below.
#[derive(Debug)]
pub struct MountNames(Option<HashSet<Vec<u8>>>);

impl MountNames {
    /// Reads this process's mount table.
    pub fn read() -> MountNames {
        MountNames(std::fs::read("/proc/self/mountinfo").ok().map(|table| names(&table)))
    }

    /// Whether something of this name may be mounted over. Always, when the table can't be read.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }
}

/// The last components of the mount points, field 5 of each line of proc_pid_mountinfo(5).
fn names(table: &[u8]) -> HashSet<Vec<u8>> {
    table
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .filter_map(|path| path.rsplit(|&byte| byte == b'/').next())
        .map(unescape)
        .collect()
}

/// Blanks, tabs, newlines and backslashes are written as `\` and three octal digits.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, tail)) = rest.split_first() {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if first == b'\\' => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

/// What the scan asks `statx` for.
pub const WANTED: StatxFlags = StatxFlags::BASIC_STATS;

/// The device of a `statx` answer, one number.
pub fn device(stat: &Statx) -> u64 {
    u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor)
}

/// The namespace's attributes: the inode number, or `all`.
pub fn attributes(stat: &Statx, all: bool) -> Attributes {
    let ino = Some(stat.stx_ino);
    if !all {
        return Attributes { ino, ..Attributes::default() };
    }
    let nanoseconds = i64::from(stat.stx_mtime.tv_nsec);
    Attributes {
        ino,
        size: Some(stat.stx_size),
        mtime: Some(stat.stx_mtime.tv_sec.saturating_mul(1_000_000_000).saturating_add(nanoseconds)),
        mode: Some(u32::from(stat.stx_mode)),
        uid: Some(stat.stx_uid),
        gid: Some(stat.stx_gid),
    }
}

/// The namespace's type of a file.
pub fn file_type(kind: fs::FileType) -> FileType {
    match kind {
        fs::FileType::RegularFile => FileType::Regular,
        fs::FileType::Directory => FileType::Directory,
        fs::FileType::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_the_kernel_writes_them() {
        let table = b"22 27 0:21 / /proc rw - proc proc rw\n\
                      23 27 0:22 / /mnt/a\\040b\\134 rw - sysfs sysfs rw\n\
                      27 1 254:0 / / rw - ext4 /dev/vda rw\n\n";
        let mut found: Vec<_> = names(table).into_iter().collect();
        found.sort();
        assert_eq!(found, [&b""[..], b"a b\\", b"proc"]);
    }

    #[test]
    fn an_unreadable_table_means_every_name() {
        assert!(MountNames(None).contains(b"x"));
    }
}
