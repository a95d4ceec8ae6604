//! What has changed between two namespaces of one source: a list of changes that makes the old one the new one.
//!
//! Entries are the same where name, directory and type are; where they are not, an inode number of the file system that both
//! namespaces know tells a rename: of files only if size and time, where they are known, are the same, as numbers are used again. Inodes that
//! stay keep their ids.

use std::collections::HashMap;
use warpath_core::index::Change;
use warpath_core::{Attributes, FileType, InodeId, Namespace, NamespaceError};

/// What changes do, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Entries that are new, hard links included.
    pub added: u64,
    /// Entries that are gone.
    pub removed: u64,
    /// Entries that have another name or directory.
    pub renamed: u64,
    /// Inodes with other attributes, or directories that became partial or whole.
    pub changed: u64,
}

/// The changes that make what lies below directory `old_top` of `old` what lies below `new_top` of `new`, in the
/// order in which [`Index::apply`](warpath_core::Index::apply) carries them out as one version.
///
/// Both namespaces are sound: made in memory, or from a file that was verified ([`Namespace::check`]). Of damaged ones this may not end.
///
/// # Errors
/// When one of the two is no directory, or the namespace would be full. O(entries of both); the old columns are copied
/// where something changes.
pub fn changes(
    old: &Namespace,
    old_top: InodeId,
    new: &Namespace,
    new_top: InodeId,
) -> Result<(Vec<Change>, Counts), NamespaceError> {
    for (namespace, inode) in [(old, old_top), (new, new_top)] {
        if !namespace.is_directory(inode) {
            return Err(NamespaceError::NotADirectory { inode });
        }
    }
    let mut diff = Diff {
        trial: old.clone(),
        new,
        changes: Vec::new(),
        counts: Counts::default(),
        old_of: HashMap::default(),
        is_taken: vec![false; old.inode_bound() as usize],
        by_number: numbers_below(old, old_top),
    };
    diff.pair(old_top, new_top)?;
    let mut pending = vec![(old_top, new_top)];
    let mut paired = Vec::new();
    while let Some((directory, new_directory)) = pending.pop() {
        diff.directory(directory, new_directory, &mut pending)?;
        paired.push((directory, new_directory));
    }
    // What is gone goes last: it may have been renamed away before.
    for (directory, new_directory) in paired {
        for name in names(&diff.trial, directory) {
            if new.child(new_directory, &name).is_none() {
                diff.remove(directory, &name)?;
            }
        }
    }
    Ok((diff.changes, diff.counts))
}

/// The file system's numbers of what lies below a directory and has one entry.
fn numbers_below(namespace: &Namespace, top: InodeId) -> HashMap<u64, InodeId, foldhash::fast::RandomState> {
    let mut numbers = HashMap::default();
    let mut pending = vec![top];
    while let Some(directory) = pending.pop() {
        for entry in namespace.list(directory) {
            let number = namespace.attributes(entry.inode).and_then(|attributes| attributes.ino);
            if let Some(number) = number
                && namespace.entries_of(entry.inode).nth(1).is_none()
            {
                numbers.insert(number, entry.inode);
            }
            if namespace.is_directory(entry.inode) {
                pending.push(entry.inode);
            }
        }
    }
    numbers
}

fn names(namespace: &Namespace, directory: InodeId) -> Vec<Vec<u8>> {
    namespace.list(directory).map(|entry| entry.name.to_vec()).collect()
}

struct Diff<'n> {
    /// The old namespace, with all changes so far: it tells the ids that new inodes will get.
    trial: Namespace,
    new: &'n Namespace,
    changes: Vec<Change>,
    counts: Counts,
    /// For each inode of the new namespace that has been met, the one that stands for it.
    old_of: HashMap<InodeId, InodeId, foldhash::fast::RandomState>,
    /// Old inodes that stand for one of the new namespace.
    is_taken: Vec<bool>,
    by_number: HashMap<u64, InodeId, foldhash::fast::RandomState>,
}

impl Diff<'_> {
    /// Makes the entries of a directory those of the new one; what the new one lacks stays for now.
    fn directory(
        &mut self,
        directory: InodeId,
        new_directory: InodeId,
        pending: &mut Vec<(InodeId, InodeId)>,
    ) -> Result<(), NamespaceError> {
        let new = self.new;
        for entry in new.list(new_directory) {
            let inode = self.entry(directory, entry.name, entry.inode)?;
            if new.is_directory(entry.inode) {
                pending.push((inode, entry.inode));
            }
        }
        Ok(())
    }

    /// Makes `name` in `directory` lead to what stands for `wanted`, and returns that.
    fn entry(&mut self, directory: InodeId, name: &[u8], wanted: InodeId) -> Result<InodeId, NamespaceError> {
        let there = self.trial.child(directory, name);
        if let Some(&known) = self.old_of.get(&wanted) {
            if there != Some(known) {
                if there.is_some() {
                    self.remove(directory, name)?;
                }
                self.trial.add_hard_link(directory, name, known)?;
                self.counts.added += 1;
                self.changes.push(Change::HardLink { parent: directory, name: name.to_vec(), inode: known });
            }
            return Ok(known);
        }
        if let Some(there) = there {
            if !self.is_taken(there) && self.is_like(there, wanted) {
                self.pair(there, wanted)?;
                return Ok(there);
            }
            self.remove(directory, name)?;
        }
        let inode = match self.moved(directory, name, wanted)? {
            Some(inode) => inode,
            None => self.add(directory, name, wanted)?,
        };
        self.pair(inode, wanted)?;
        Ok(inode)
    }

    /// Whether an old inode can stand for a new one: the same type, and of links the same target.
    fn is_like(&self, old: InodeId, wanted: InodeId) -> bool {
        self.trial.file_type(old) == self.new.file_type(wanted)
            && self.trial.target(old) == self.new.target(wanted)
    }

    /// Whether nothing says that a number of the file system was used again: of files, size and time stay.
    fn is_same_content(&self, old: InodeId, wanted: InodeId) -> bool {
        let (Some(old), Some(new)) = (self.trial.attributes(old), self.new.attributes(wanted)) else {
            return false;
        };
        old.ino == new.ino
            && (self.new.is_directory(wanted) || (old.size, old.mtime) == (new.size, new.mtime))
    }

    fn is_taken(&self, inode: InodeId) -> bool {
        self.is_taken.get(inode as usize).copied().unwrap_or(true)
    }

    /// Lets an inode stand for one of the new namespace, and gives it what that has.
    fn pair(&mut self, inode: InodeId, wanted: InodeId) -> Result<(), NamespaceError> {
        self.old_of.insert(wanted, inode);
        if self.is_taken.len() <= inode as usize {
            self.is_taken.resize(inode as usize + 1, true);
        }
        self.is_taken[inode as usize] = true;
        let attributes = self.new.attributes(wanted).unwrap_or_default();
        let partial = self.new.is_partial(wanted);
        let other_attributes = self.trial.attributes(inode) != Some(attributes);
        let other_partial = self.trial.is_partial(inode) != partial;
        if other_attributes {
            self.trial.set_attributes(inode, attributes)?;
            self.changes.push(Change::Attributes { inode, attributes });
        }
        if other_partial {
            self.trial.set_partial(inode, partial)?;
            self.changes.push(Change::Partial { directory: inode, partial });
        }
        self.counts.changed += u64::from(other_attributes || other_partial);
        Ok(())
    }

    /// Moves what the file system's number says to be the same, if there is such.
    fn moved(
        &mut self,
        directory: InodeId,
        name: &[u8],
        wanted: InodeId,
    ) -> Result<Option<InodeId>, NamespaceError> {
        let number = self.new.attributes(wanted).and_then(|attributes| attributes.ino);
        let Some(&inode) = number.and_then(|number| self.by_number.get(&number)) else { return Ok(None) };
        let is_it = !self.is_taken(inode)
            && self.is_like(inode, wanted)
            && self.is_same_content(inode, wanted)
            && self.new.entries_of(wanted).nth(1).is_none();
        let Some(entry) = self.trial.entry_of(inode).filter(|_| is_it) else { return Ok(None) };
        let (from, old_name) = (entry.parent, entry.name.to_vec());
        if self.trial.rename(from, &old_name, directory, name).is_err() {
            return Ok(None);
        }
        self.counts.renamed += 1;
        let (to, new_name) = (directory, name.to_vec());
        self.changes.push(Change::Rename { from, name: old_name, to, new_name });
        Ok(Some(inode))
    }

    fn add(&mut self, directory: InodeId, name: &[u8], wanted: InodeId) -> Result<InodeId, NamespaceError> {
        let file_type = self.new.file_type(wanted).unwrap_or(FileType::Regular);
        let target = self.new.target(wanted).map(<[u8]>::to_vec);
        let attributes: Attributes = self.new.attributes(wanted).unwrap_or_default();
        let inode = match &target {
            Some(target) => self.trial.add_symlink(directory, name, target)?,
            None => self.trial.add_file(directory, name, file_type)?,
        };
        self.trial.set_attributes(inode, attributes)?;
        self.counts.added += 1;
        let (parent, name) = (directory, name.to_vec());
        self.changes.push(Change::Add { parent, name, file_type, target, attributes });
        Ok(inode)
    }

    /// Removes an entry and all below it.
    fn remove(&mut self, parent: InodeId, name: &[u8]) -> Result<(), NamespaceError> {
        let Some(inode) = self.trial.child(parent, name) else { return Ok(()) };
        // Parents come before what lies in them, so that the way back meets empty directories only.
        let mut found = vec![(parent, name.to_vec(), inode)];
        let mut next = 0;
        while let Some(&(_, _, directory)) = found.get(next) {
            next += 1;
            found.extend(
                self.trial.list(directory).map(|entry| (directory, entry.name.to_vec(), entry.inode)),
            );
        }
        for (parent, name, inode) in found.into_iter().rev() {
            if self.trial.remove(parent, &name)?.last
                && let Some(taken) = self.is_taken.get_mut(inode as usize)
            {
                // Its id may be used again, for an inode that stands for another.
                *taken = true;
            }
            self.counts.removed += 1;
            self.changes.push(Change::Remove { parent, name });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::paths;
    use proptest::prelude::*;
    use warpath_core::{Index, ROOT};

    /// A tree of few names, made and changed by random steps; every inode has a number of its own.
    #[derive(Debug, Clone)]
    enum Step {
        Add(usize, usize, usize),
        HardLink(usize, usize, usize),
        Remove(usize, usize),
        Rename(usize, usize, usize, usize),
        Touch(usize),
    }

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    fn step() -> impl Strategy<Value = Step> {
        let (dir, name) = (0..6usize, 0..NAMES.len());
        prop_oneof![
            5 => (dir.clone(), name.clone(), 0..5usize).prop_map(|(d, n, k)| Step::Add(d, n, k)),
            1 => (dir.clone(), name.clone(), 0..30usize).prop_map(|(d, n, i)| Step::HardLink(d, n, i)),
            1 => (dir.clone(), name.clone()).prop_map(|(d, n)| Step::Remove(d, n)),
            2 => (dir.clone(), name.clone(), dir, name).prop_map(|(d, n, e, m)| Step::Rename(d, n, e, m)),
            1 => (0..30usize).prop_map(Step::Touch),
        ]
    }

    fn take(tree: &mut Namespace, steps: &[Step], first_number: u64) {
        for (number, step) in (first_number..).zip(steps) {
            let dirs: Vec<InodeId> = (0..tree.inode_bound()).filter(|&i| tree.is_directory(i)).collect();
            let dir = |i: usize| dirs[i % dirs.len()];
            match *step {
                Step::Add(d, n, kind) => {
                    let added = match kind {
                        0 | 1 => tree.add_directory(dir(d), NAMES[n]),
                        2 => tree.add_symlink(dir(d), NAMES[n], NAMES[(n + d) % 4]),
                        _ => tree.add_file(dir(d), NAMES[n], FileType::Regular),
                    };
                    if let Ok(inode) = added {
                        tree.set_attributes(inode, Attributes { ino: Some(number), ..Attributes::default() })
                            .unwrap();
                    }
                }
                Step::HardLink(d, n, i) => {
                    let _ = tree.add_hard_link(dir(d), NAMES[n], i as u32 % tree.inode_bound());
                }
                Step::Remove(d, n) => drop(tree.remove(dir(d), NAMES[n])),
                Step::Rename(d, n, e, m) => drop(tree.rename(dir(d), NAMES[n], dir(e), NAMES[m])),
                Step::Touch(i) => {
                    let inode = i as u32 % tree.inode_bound();
                    if let Some(attributes) = tree.attributes(inode) {
                        tree.set_attributes(inode, Attributes { size: Some(number), ..attributes }).unwrap();
                        let _ = tree.set_partial(inode, number % 2 == 0);
                    }
                }
            }
        }
    }

    type Content = (Vec<u8>, Attributes, bool, Vec<Vec<u8>>, String);

    /// All that two trees must share to be the same: paths, attributes, and which paths are one inode.
    fn content(tree: &Namespace) -> Vec<Content> {
        let path = |entry: warpath_core::namespace::Entry<'_>| {
            [&tree.path_of(entry.parent).unwrap()[..], b"/", entry.name].concat()
        };
        let mut content: Vec<Content> = (0..tree.entry_bound())
            .filter_map(|id| tree.entry(id))
            .map(|entry| {
                let mut links: Vec<Vec<u8>> = tree.entries_of(entry.inode).map(path).collect();
                links.sort();
                let kind = format!("{:?} {:?}", tree.file_type(entry.inode), tree.target(entry.inode));
                let attributes = tree.attributes(entry.inode).unwrap();
                (path(entry), attributes, tree.is_partial(entry.inode), links, kind)
            })
            .collect();
        content.sort_by(|a, b| a.0.cmp(&b.0));
        content
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn changes_make_the_old_tree_the_new_one(
            before in prop::collection::vec(step(), 0..40), between in prop::collection::vec(step(), 0..20),
            again in prop::collection::vec(step(), 0..30), from_scratch in any::<bool>(),
        ) {
            let mut old = Namespace::new();
            take(&mut old, &before, 1);
            // Either the same tree changed, or another one whose numbers mean other things.
            let mut new = if from_scratch { Namespace::new() } else { old.clone() };
            take(&mut new, &between, if from_scratch { 1 } else { 1000 });
            if from_scratch { take(&mut new, &again, 500); }
            let (changes, counts) = changes(&old, ROOT, &new, ROOT).unwrap();
            let mut index = Index::build(old).unwrap();
            index.apply(&changes).unwrap();
            prop_assert_eq!(content(index.namespace()), content(&new));
            prop_assert_eq!(index.namespace().is_partial(ROOT), new.is_partial(ROOT));
            while index.rekey(usize::MAX) {}
            prop_assert_eq!(index.check(), Ok(()));
            // And nothing is left to do.
            let (rest, none) = super::changes(index.namespace(), ROOT, &new, ROOT).unwrap();
            prop_assert!(rest.is_empty() && none == Counts::default(), "{:?} after {:?}", rest, counts);
        }
    }

    #[test]
    fn renames_are_told_by_numbers_and_ids_stay() {
        let numbered = |tree: &mut Namespace, inode: InodeId, ino: u64| {
            tree.set_attributes(inode, Attributes { ino: Some(ino), ..Attributes::default() }).unwrap();
        };
        let mut old = Namespace::new();
        let dir = old.add_directory(ROOT, "dir").unwrap();
        let file = old.add_file(dir, "file", FileType::Regular).unwrap();
        let gone = old.add_file(dir, "gone", FileType::Regular).unwrap();
        for (inode, ino) in [(dir, 10), (file, 11), (gone, 12)] {
            numbered(&mut old, inode, ino);
        }
        let mut new = Namespace::new();
        let other = new.add_directory(ROOT, "other").unwrap();
        let renamed = new.add_file(other, "renamed", FileType::Regular).unwrap();
        let fresh = new.add_file(ROOT, "fresh", FileType::Regular).unwrap();
        for (inode, ino) in [(other, 10), (renamed, 11), (fresh, 13)] {
            numbered(&mut new, inode, ino);
        }
        let (list, counts) = changes(&old, ROOT, &new, ROOT).unwrap();
        assert_eq!(counts, Counts { added: 1, removed: 1, renamed: 2, changed: 0 });
        let mut index = Index::build(old).unwrap();
        index.apply(&list).unwrap();
        assert_eq!(paths(index.namespace()), ["/fresh", "/other/", "/other/renamed"]);
        assert_eq!(index.namespace().child(dir, b"renamed"), Some(file));
        // Only a part.
        let (list, _) = changes(index.namespace(), dir, &Namespace::new(), ROOT).unwrap();
        index.apply(&list).unwrap();
        assert_eq!(paths(index.namespace()), ["/fresh", "/other/"]);
    }
}
