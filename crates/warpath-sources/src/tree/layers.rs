//! Layers of a container image, applied one over the other: what the upper ones hide or take away.

use super::Tree;
use super::spelling::{respell, trim};
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};
use warpath_core::{InodeId, NamespaceError, Options, ROOT, reference};

/// The layer that last touched each inode; nothing is kept while there is but one.
#[derive(Debug, Default)]
pub(super) struct Layers {
    current: u32,
    of: Vec<u32>,
    /// Names, by their directory, that this layer gives to inodes of lower ones.
    links: HashMap<InodeId, HashSet<Vec<u8>>, RandomState>,
}

impl Layers {
    pub fn begin(&mut self) {
        self.current += 1;
        self.links.clear();
    }

    pub fn touch(&mut self, inode: InodeId) {
        if self.current > 0 {
            let inode = inode as usize;
            if self.of.len() <= inode {
                self.of.resize(inode + 1, 0);
            }
            self.of[inode] = self.current;
        }
    }

    /// Remembers that this layer makes the name a hard link to the inode, whose other names stay of their layers.
    pub fn link(&mut self, parent: InodeId, name: &[u8], inode: InodeId) {
        if self.is_lower_inode(inode) {
            self.links.entry(parent).or_default().insert(name.to_vec());
        }
    }

    /// Whether the entry belongs to a lower layer.
    pub fn is_lower(&self, parent: InodeId, name: &[u8], inode: InodeId) -> bool {
        self.is_lower_inode(inode) && !self.links.get(&parent).is_some_and(|names| names.contains(name))
    }

    fn is_lower_inode(&self, inode: InodeId) -> bool {
        self.of.get(inode as usize).copied().unwrap_or(0) < self.current
    }
}

impl Tree<'_> {
    /// Begins a layer: what is there already belongs to lower ones.
    ///
    /// # Errors
    /// Only when the namespace is full.
    pub fn begin_layer(&mut self) -> Result<(), NamespaceError> {
        self.place_late_links()?;
        self.stack.clear();
        self.directory.clear();
        self.layers.begin();
        Ok(())
    }

    /// Removes what lower layers hold at `path`; what this layer holds there stays.
    ///
    /// # Errors
    /// Only when the namespace is full.
    pub fn white_out(&mut self, path: &[u8]) -> Result<(), NamespaceError> {
        self.summary.records += 1;
        let Some((parent, name, inode)) = self.lower_entry(path) else { return Ok(()) };
        if self.layers.is_lower(parent, &name, inode) {
            self.remove_subtree(parent, &name, inode)?;
            self.summary.whited_out += 1;
            return Ok(());
        }
        self.white_out_below(inode)
    }

    /// Removes everything that lower layers hold in the directory at `path`.
    ///
    /// # Errors
    /// Only when the namespace is full.
    pub fn white_out_children(&mut self, path: &[u8]) -> Result<(), NamespaceError> {
        self.summary.records += 1;
        let inode = match trim(path).0 {
            b"" | b"." => ROOT,
            path => match self.lower_entry(path) {
                Some((_, _, inode)) => inode,
                None => return Ok(()),
            },
        };
        self.white_out_below(inode)
    }

    fn lower_entry(&mut self, path: &[u8]) -> Option<(InodeId, Vec<u8>, InodeId)> {
        let mut canonical = Vec::new();
        respell(trim(path).0, &mut self.summary, &mut canonical);
        self.summary.respelled -= 1;
        let (folder, name) = match memchr::memrchr(b'/', &canonical) {
            Some(slash) => (&canonical[..slash], &canonical[slash + 1..]),
            None => (&b"/"[..], &canonical[..]),
        };
        let parent = reference::resolve(&self.namespace, folder, &Options::default()).ok()?;
        let inode = self.namespace.child(parent, name)?;
        Some((parent, name.to_vec(), inode))
    }

    /// Removes what lower layers hold below a directory; what this layer put there stays.
    fn white_out_below(&mut self, directory: InodeId) -> Result<(), NamespaceError> {
        let mut pending = vec![directory];
        while let Some(directory) = pending.pop() {
            let entries: Vec<(Vec<u8>, InodeId)> =
                self.namespace.list(directory).map(|entry| (entry.name.to_vec(), entry.inode)).collect();
            for (name, inode) in entries {
                if self.layers.is_lower(directory, &name, inode) {
                    self.remove_subtree(directory, &name, inode)?;
                    self.summary.whited_out += 1;
                } else if self.namespace.is_directory(inode) {
                    pending.push(inode);
                }
            }
        }
        Ok(())
    }

    /// Removes an entry and all below it.
    pub(super) fn remove_subtree(
        &mut self,
        parent: InodeId,
        name: &[u8],
        inode: InodeId,
    ) -> Result<(), NamespaceError> {
        self.stack.clear();
        self.directory.clear();
        crate::subtree::remove(&mut self.namespace, parent, name, inode)
    }
}
