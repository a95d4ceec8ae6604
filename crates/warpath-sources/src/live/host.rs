//! The way to a directory, recorded in the namespace as the kernel would walk it.

use super::filesystem::{WANTED, attributes};
use super::{ScanError, host_path};
use rustix::fs::{self, AtFlags, CWD, FileType, Statx};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use warpath_core::{InodeId, Namespace, NamespaceError, ROOT};

/// Links in one path, as in the kernel.
const MAX_LINKS: u32 = 40;

/// Walks to a directory of the host and returns its inode, adding what the namespace lacks on the way:
/// directories, which stay partial, and links, of which all attributes are recorded, or the inode number alone.
pub fn enter(
    namespace: &mut Namespace,
    directory: &Path,
    every_attribute: bool,
) -> Result<InodeId, ScanError> {
    let fail = |error: std::io::Error| ScanError::Directory { path: directory.to_owned(), error };
    if directory.as_os_str().is_empty() {
        return Err(fail(Errno::NOENT.into()));
    }
    let mut way = Way { namespace, every_attribute, at: ROOT, path: PathBuf::from("/") };
    way.begin().map_err(fail)?;
    let full = std::path::absolute(directory).map_err(fail)?;
    way.follow(full.as_os_str().as_encoded_bytes(), &mut 0).map_err(fail)?;
    Ok(way.at)
}

/// Where the walk has got to.
struct Way<'a> {
    namespace: &'a mut Namespace,
    every_attribute: bool,
    at: InodeId,
    /// The canonical path of `at` on the host.
    path: PathBuf,
}

impl Way<'_> {
    /// Makes the root the host's, if it is still as it was made.
    fn begin(&mut self) -> std::io::Result<()> {
        let known = self.namespace.attributes(ROOT).is_some_and(|attributes| attributes.ino.is_some());
        if !known {
            self.set_directory(ROOT, &lstat(&self.path)?).map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    fn follow(&mut self, path: &[u8], n_links: &mut u32) -> std::io::Result<()> {
        if path.first() == Some(&b'/') {
            self.at = ROOT;
            self.path = PathBuf::from("/");
        }
        for component in path.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => {
                    self.at = self.namespace.parent(self.at).unwrap_or(ROOT);
                    self.path.pop();
                }
                name => self.descend(name, n_links)?,
            }
        }
        Ok(())
    }

    fn descend(&mut self, name: &[u8], n_links: &mut u32) -> std::io::Result<()> {
        let path = self.path.join(host_path(name.to_vec()));
        let stat = lstat(&path)?;
        match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Directory => {
                self.at = self.directory(name, &stat).map_err(std::io::Error::other)?;
                self.path = path;
                Ok(())
            }
            FileType::Symlink => {
                *n_links += 1;
                if *n_links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = fs::readlink(&path, Vec::new())?.into_bytes();
                self.link(name, &target, &stat).map_err(std::io::Error::other)?;
                self.follow(&target, n_links)
            }
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    fn directory(&mut self, name: &[u8], stat: &Statx) -> Result<InodeId, NamespaceError> {
        if let Some(inode) = self.namespace.child(self.at, name) {
            return match self.namespace.is_directory(inode) {
                true => Ok(inode),
                false => Err(NamespaceError::NotADirectory { inode }),
            };
        }
        let inode = self.namespace.add_directory(self.at, name)?;
        self.set_directory(inode, stat)?;
        Ok(inode)
    }

    fn set_directory(&mut self, inode: InodeId, stat: &Statx) -> Result<(), NamespaceError> {
        self.namespace.set_attributes(inode, attributes(stat, self.every_attribute))?;
        self.namespace.set_partial(inode, true)
    }

    fn link(&mut self, name: &[u8], target: &[u8], stat: &Statx) -> Result<(), NamespaceError> {
        if self.namespace.child(self.at, name).is_none() {
            let inode = self.namespace.add_symlink(self.at, name, target)?;
            self.namespace.set_attributes(inode, attributes(stat, self.every_attribute))?;
        }
        Ok(())
    }
}

fn lstat(path: &Path) -> std::io::Result<Statx> {
    Ok(fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, WANTED)?)
}
