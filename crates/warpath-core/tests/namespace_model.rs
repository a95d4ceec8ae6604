//! Random operations on a namespace and on a naive model, which must agree on everything that can be asked.

use proptest::prelude::*;
use std::collections::BTreeMap;
use warpath_core::namespace::{Entry, Removed, Renamed};
use warpath_core::{Attributes, FileType, InodeId, Namespace, NamespaceError, ROOT, layout};

/// A map of paths: each directory's entries by (directory, name), each inode's type, target and rest.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    entries: BTreeMap<(InodeId, Vec<u8>), InodeId>,
    inodes: BTreeMap<InodeId, Inode>,
}

#[derive(Clone, Debug, PartialEq)]
struct Inode {
    file_type: FileType,
    target: Option<Vec<u8>>,
    partial: bool,
    attributes: Attributes,
}

impl Inode {
    fn new(file_type: FileType) -> Inode {
        Inode { file_type, target: None, partial: false, attributes: Attributes::default() }
    }
}

type Result<T> = std::result::Result<T, NamespaceError>;

impl Model {
    fn new() -> Model {
        Model { entries: BTreeMap::new(), inodes: BTreeMap::from([(ROOT, Inode::new(FileType::Directory))]) }
    }

    fn is_directory(&self, inode: InodeId) -> bool {
        self.inodes.get(&inode).is_some_and(|i| i.file_type == FileType::Directory)
    }

    fn check(&self, parent: InodeId, name: &[u8]) -> Result<()> {
        if name.is_empty() {
            return Err(NamespaceError::EmptyName);
        }
        if name == b"." || name == b".." {
            return Err(NamespaceError::DotName);
        }
        if name.len() > 255 {
            return Err(NamespaceError::NameTooLong { len: name.len() });
        }
        if name.contains(&b'/') || name.contains(&0) {
            return Err(NamespaceError::ForbiddenByte);
        }
        match self.inodes.get(&parent) {
            None => Err(NamespaceError::NoSuchInode { inode: parent }),
            Some(_) if !self.is_directory(parent) => Err(NamespaceError::NotADirectory { inode: parent }),
            Some(_) => Ok(()),
        }
    }

    fn check_free(&self, parent: InodeId, name: &[u8]) -> Result<()> {
        self.check(parent, name)?;
        match self.entries.get(&(parent, name.to_vec())) {
            Some(&inode) => Err(NamespaceError::NameTaken { inode }),
            None => Ok(()),
        }
    }

    fn n_children(&self, directory: InodeId) -> usize {
        self.entries.keys().filter(|(parent, _)| *parent == directory).count()
    }

    fn n_links(&self, inode: InodeId) -> usize {
        self.entries.values().filter(|&&i| i == inode).count()
    }

    fn is_within(&self, directory: InodeId, ancestor: InodeId) -> bool {
        directory == ancestor
            || self
                .entries
                .iter()
                .any(|((parent, _), &inode)| inode == directory && self.is_within(*parent, ancestor))
    }

    fn take(&mut self, parent: InodeId, name: &[u8]) -> Removed {
        let inode = self.entries.remove(&(parent, name.to_vec())).unwrap();
        let file_type = self.inodes[&inode].file_type;
        let last = self.n_links(inode) == 0;
        if last {
            self.inodes.remove(&inode);
        }
        // The model knows no aliases: they are checked apart.
        Removed { inode, file_type, last, alias: inode }
    }

    fn remove(&mut self, parent: InodeId, name: &[u8]) -> Result<Removed> {
        self.check(parent, name)?;
        let Some(&inode) = self.entries.get(&(parent, name.to_vec())) else {
            return Err(NamespaceError::NoSuchEntry);
        };
        if self.n_children(inode) > 0 {
            return Err(NamespaceError::NotEmpty { inode });
        }
        Ok(self.take(parent, name))
    }

    fn rename(&mut self, from: InodeId, name: &[u8], to: InodeId, new_name: &[u8]) -> Result<Renamed> {
        // Names are judged before directories.
        self.check(ROOT, name)?;
        self.check(ROOT, new_name)?;
        self.check(from, name)?;
        self.check(to, new_name)?;
        let Some(&inode) = self.entries.get(&(from, name.to_vec())) else {
            return Err(NamespaceError::NoSuchEntry);
        };
        let is_directory = self.is_directory(inode);
        let file_type = self.inodes[&inode].file_type;
        if is_directory && self.is_within(to, inode) {
            return Err(NamespaceError::IntoItself);
        }
        let mut renamed = Renamed { inode, file_type, replaced: None, unchanged: false };
        if let Some(&target) = self.entries.get(&(to, new_name.to_vec())) {
            if target == inode {
                return Ok(Renamed { unchanged: true, ..renamed });
            }
            if self.is_directory(target) && self.is_within(from, target) {
                return Err(NamespaceError::NotEmpty { inode: target });
            }
            if is_directory && !self.is_directory(target) {
                return Err(NamespaceError::NotADirectory { inode: target });
            }
            if !is_directory && self.is_directory(target) {
                return Err(NamespaceError::IsADirectory { inode: target });
            }
            if self.n_children(target) > 0 {
                return Err(NamespaceError::NotEmpty { inode: target });
            }
            renamed.replaced = Some(self.take(to, new_name));
        }
        self.entries.remove(&(from, name.to_vec()));
        self.entries.insert((to, new_name.to_vec()), inode);
        Ok(renamed)
    }
}

/// Asks the namespace everything and compares it with the model.
fn compare(namespace: &Namespace, model: &Model) {
    assert_eq!(namespace.n_entries(), model.entries.len());
    assert_eq!(namespace.n_inodes(), model.inodes.len());
    for ((parent, name), &inode) in &model.entries {
        assert_eq!(namespace.child(*parent, name), Some(inode));
    }
    let sorted = |mut entries: Vec<(InodeId, Vec<u8>, InodeId)>| {
        entries.sort();
        entries
    };
    let own = |entry: Entry<'_>| (entry.parent, entry.name.to_vec(), entry.inode);
    let all: Vec<_> = model.entries.iter().map(|((p, n), &i)| (*p, n.clone(), i)).collect();
    let by_id = (0..namespace.entry_bound() + 2).filter_map(|id| namespace.entry(id)).map(own).collect();
    assert_eq!(sorted(by_id), all);
    for inode in 0..namespace.inode_bound() + 2 {
        let known = model.inodes.get(&inode);
        assert_eq!(namespace.file_type(inode), known.map(|i| i.file_type));
        assert_eq!(namespace.is_directory(inode), model.is_directory(inode));
        assert_eq!(namespace.target(inode), known.and_then(|i| i.target.as_deref()));
        assert_eq!(namespace.is_partial(inode), known.is_some_and(|i| i.partial));
        assert_eq!(namespace.attributes(inode), known.map(|i| i.attributes));
        assert_eq!(namespace.n_children(inode), model.n_children(inode));
        let listed = sorted(namespace.list(inode).map(own).collect());
        assert_eq!(listed, all.iter().filter(|e| e.0 == inode).cloned().collect::<Vec<_>>());
        let leading: Vec<_> = namespace.entries_of(inode).map(own).collect();
        assert_eq!(namespace.entry_of(inode).map(own), leading.first().cloned());
        assert_eq!(sorted(leading), all.iter().filter(|e| e.2 == inode).cloned().collect::<Vec<_>>());
        let parent = namespace.entry_of(inode).map(|e| e.parent);
        assert_eq!(namespace.parent(inode), if inode == ROOT { Some(ROOT) } else { parent });
        match namespace.path_of(inode) {
            None => assert!(known.is_none()),
            Some(path) => {
                let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
                let walked = names.fold(ROOT, |at, name| model.entries[&(at, name.to_vec())]);
                assert_eq!(walked, inode);
                assert!(inode == ROOT && path == b"/" || !path.ends_with(b"/"));
            }
        }
    }
    check_aliases(namespace);
    assert_eq!(namespace.n_partial(), model.inodes.values().filter(|i| i.partial).count());
}

/// Each entry of a symbolic link has an id of its own, of the class of links; all others go by their inode.
fn check_aliases(namespace: &Namespace) {
    let mut seen = BTreeMap::new();
    let mut n_aliases = 0;
    for id in 0..namespace.entry_bound() {
        let Some(entry) = namespace.entry(id) else { continue };
        assert_eq!(namespace.child_entry(entry.parent, entry.name), Some(entry));
        let is_first = namespace.entry_of(entry.inode) == Some(entry);
        let is_link = namespace.file_type(entry.inode) == Some(FileType::Symlink);
        assert_eq!(entry.alias == entry.inode, is_first || !is_link);
        if is_link {
            assert_eq!(seen.insert(entry.alias, id), None);
            let block = namespace.blocks()[(entry.alias / 32) as usize];
            assert!(block.link_index(entry.alias % 32).is_some());
        }
        if entry.alias != entry.inode {
            n_aliases += 1;
            assert_eq!(namespace.file_type(entry.alias), None);
        }
    }
    assert_eq!(namespace.n_aliases(), n_aliases);
}

/// Record numbers follow from the blocks, count up without gaps, and never change.
fn check_blocks(before: &[layout::InodeBlock], namespace: &Namespace) {
    let blocks = namespace.blocks();
    assert_eq!(blocks.len(), namespace.inode_bound().div_ceil(layout::BLOCK_INODES) as usize);
    let (mut n_directories, mut n_links) = (0, 0);
    for block in blocks {
        assert_eq!((block.dir_base, block.link_base), (n_directories, n_links));
        assert_eq!(block.dir_bits & block.link_bits, 0);
        n_directories += block.dir_bits.count_ones();
        n_links += block.link_bits.count_ones();
    }
    for (old, new) in before.iter().zip(blocks) {
        assert_eq!((old.dir_base, old.link_base), (new.dir_base, new.link_base));
        assert_eq!((old.dir_bits & !new.dir_bits, old.link_bits & !new.link_bits), (0, 0));
    }
    for inode in 0..namespace.inode_bound() {
        let (block, bit) = (blocks[(inode / 32) as usize], inode % 32);
        if let Some(file_type) = namespace.file_type(inode) {
            assert_eq!(block.dir_index(bit).is_some(), file_type == FileType::Directory);
            assert_eq!(block.link_index(bit).is_some(), file_type == FileType::Symlink);
        }
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Add(usize, Vec<u8>, FileType),
    Link(usize, Vec<u8>, Vec<u8>),
    HardLink(usize, Vec<u8>, usize),
    Remove(usize, Vec<u8>),
    RemoveAny(usize),
    Rename(usize, Vec<u8>, usize, Vec<u8>),
    RenameAny(usize, usize, Vec<u8>),
    RenameOver(usize, usize),
    Partial(usize, bool),
    Attributes(usize, u32),
    Shrink,
}

/// Mostly few names, so that they meet; some odd ones.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => "[a-e]".prop_map(String::into_bytes),
        20 => "[a-z]{1,3}".prop_map(String::into_bytes),
        2 => proptest::collection::vec(any::<u8>(), 0..4),
        1 => (250usize..260).prop_map(|n| vec![b'x'; n]),
        1 => prop_oneof![Just(b".".to_vec()), Just(b"..".to_vec()), Just(b"a/b".to_vec()), Just(b"a\0".to_vec())],
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let file_type = prop_oneof![
        3 => Just(FileType::Directory),
        3 => Just(FileType::Regular),
        1 => Just(FileType::Other),
        1 => Just(FileType::Symlink),
    ];
    let at = any::<prop::sample::Index>().prop_map(|i| i.index(1 << 20));
    let target = proptest::collection::vec(any::<u8>(), 0..6);
    prop_oneof![
        8 => (at.clone(), name(), file_type).prop_map(|(d, n, t)| Operation::Add(d, n, t)),
        2 => (at.clone(), name(), target).prop_map(|(d, n, t)| Operation::Link(d, n, t)),
        3 => (at.clone(), name(), at.clone()).prop_map(|(d, n, i)| Operation::HardLink(d, n, i)),
        1 => (at.clone(), name()).prop_map(|(d, n)| Operation::Remove(d, n)),
        5 => at.clone().prop_map(Operation::RemoveAny),
        1 => (at.clone(), name(), at.clone(), name()).prop_map(|(d, n, t, m)| Operation::Rename(d, n, t, m)),
        3 => (at.clone(), at.clone(), name()).prop_map(|(e, t, m)| Operation::RenameAny(e, t, m)),
        3 => (at.clone(), at.clone()).prop_map(|(e, t)| Operation::RenameOver(e, t)),
        1 => (at.clone(), any::<bool>()).prop_map(|(d, p)| Operation::Partial(d, p)),
        1 => (at, any::<u32>()).prop_map(|(i, a)| Operation::Attributes(i, a)),
        1 => Just(Operation::Shrink),
    ]
}

/// What was removed, with the alias that the model would say; the entry had the alias that was told.
fn without_alias(removed: Removed, entry: Option<InodeId>) -> Removed {
    assert_eq!(entry, Some(removed.alias));
    Removed { alias: removed.inode, ..removed }
}

fn alias_of(namespace: &Namespace, parent: InodeId, name: &[u8]) -> Option<InodeId> {
    namespace.child_entry(parent, name).map(|entry| entry.alias)
}

fn remove(namespace: &mut Namespace, parent: InodeId, name: &[u8]) -> Result<Removed> {
    let alias = alias_of(namespace, parent, name);
    namespace.remove(parent, name).map(|removed| without_alias(removed, alias))
}

fn rename(namespace: &mut Namespace, from: InodeId, name: &[u8], to: InodeId, new: &[u8]) -> Result<Renamed> {
    let (alias, replaced) = (alias_of(namespace, from, name), alias_of(namespace, to, new));
    let mut renamed = namespace.rename(from, name, to, new)?;
    renamed.replaced = renamed.replaced.map(|removed| without_alias(removed, replaced));
    if !renamed.unchanged {
        assert_eq!(alias_of(namespace, to, new), alias);
    }
    Ok(renamed)
}

/// One operation on both. Inodes and entries are named by their rank, one rank past the end is unknown.
fn step(namespace: &mut Namespace, model: &mut Model, operation: &Operation) {
    let ids: Vec<InodeId> = model.inodes.keys().copied().collect();
    let inode = |i: &usize| ids.get(i % (ids.len() + 1)).copied().unwrap_or(namespace.inode_bound());
    let directories: Vec<InodeId> = ids.iter().copied().filter(|&i| model.is_directory(i)).collect();
    // Nine in ten times a directory.
    let directory =
        |i: &usize| if i.is_multiple_of(10) { inode(i) } else { directories[i / 10 % directories.len()] };
    let entries: Vec<(InodeId, Vec<u8>)> = model.entries.keys().cloned().collect();
    let entry =
        |i: &usize| entries.get(i % entries.len().max(1)).cloned().unwrap_or((ROOT, b"none".to_vec()));
    match operation {
        Operation::Add(parent, name, file_type) => {
            let parent = directory(parent);
            let expected = model.check_free(parent, name);
            let added = namespace.add_file(parent, name, *file_type);
            assert_eq!(added.map(|_| ()), expected);
            if let Ok(inode) = added {
                assert!(model.inodes.insert(inode, Inode::new(*file_type)).is_none());
                model.entries.insert((parent, name.clone()), inode);
            }
        }
        Operation::Link(parent, name, target) => {
            let parent = directory(parent);
            let bad = target.is_empty() || target.contains(&0);
            let expected =
                model.check_free(parent, name).and(if bad { Err(NamespaceError::BadTarget) } else { Ok(()) });
            let added = namespace.add_symlink(parent, name, target);
            assert_eq!(added.map(|_| ()), expected);
            if let Ok(inode) = added {
                let link = Inode { target: Some(target.clone()), ..Inode::new(FileType::Symlink) };
                assert!(model.inodes.insert(inode, link).is_none());
                model.entries.insert((parent, name.clone()), inode);
            }
        }
        Operation::HardLink(parent, name, of) => {
            let (parent, of) = (directory(parent), inode(of));
            let expected = model.check_free(parent, name).and(match model.inodes.get(&of) {
                None => Err(NamespaceError::NoSuchInode { inode: of }),
                Some(_) if model.is_directory(of) => Err(NamespaceError::IsADirectory { inode: of }),
                Some(_) => Ok(()),
            });
            assert_eq!(namespace.add_hard_link(parent, name, of), expected);
            if expected.is_ok() {
                model.entries.insert((parent, name.clone()), of);
            }
        }
        Operation::Remove(parent, name) => {
            let parent = directory(parent);
            assert_eq!(remove(namespace, parent, name), model.remove(parent, name));
        }
        Operation::RemoveAny(i) => {
            let (parent, name) = entry(i);
            assert_eq!(remove(namespace, parent, &name), model.remove(parent, &name));
        }
        Operation::Rename(from, name, to, new_name) => {
            let (from, to) = (directory(from), directory(to));
            assert_eq!(rename(namespace, from, name, to, new_name), model.rename(from, name, to, new_name));
        }
        Operation::RenameAny(i, to, new_name) => {
            let ((from, name), to) = (entry(i), directory(to));
            assert_eq!(rename(namespace, from, &name, to, new_name), model.rename(from, &name, to, new_name));
        }
        Operation::RenameOver(i, over) => {
            let ((from, name), (to, new_name)) = (entry(i), entry(over));
            assert_eq!(
                rename(namespace, from, &name, to, &new_name),
                model.rename(from, &name, to, &new_name)
            );
        }
        Operation::Partial(i, partial) => {
            let inode = inode(i);
            let expected = model.check(inode, b"x");
            assert_eq!(namespace.set_partial(inode, *partial), expected);
            if expected.is_ok() {
                model.inodes.get_mut(&inode).unwrap().partial = *partial;
            }
        }
        Operation::Attributes(i, value) => {
            let inode = inode(i);
            let attributes =
                Attributes { ino: Some(u64::from(*value)), uid: Some(value % 2), ..Attributes::default() };
            let result = namespace.set_attributes(inode, attributes);
            match model.inodes.get_mut(&inode) {
                None => assert_eq!(result, Err(NamespaceError::NoSuchInode { inode })),
                Some(known) => known.attributes = attributes,
            }
        }
        Operation::Shrink => namespace.shrink_to_fit(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_agree_with_the_model(operations in proptest::collection::vec(operation(), 0..120)) {
        let (mut namespace, mut model) = (Namespace::new(), Model::new());
        for operation in &operations {
            let blocks = namespace.blocks().to_vec();
            step(&mut namespace, &mut model, operation);
            compare(&namespace, &model);
            check_blocks(&blocks, &namespace);
        }
    }

    /// Directories of hundreds of entries, so that blocks change their kind both ways.
    #[test]
    fn growing_and_shrinking_agrees_with_the_model(
        phases in proptest::collection::vec((any::<bool>(), 0usize..400, 0usize..3), 1..8)
    ) {
        let (mut namespace, mut model) = (Namespace::new(), Model::new());
        let mut next = 0u32;
        for directory in ["p", "q"] {
            step(&mut namespace, &mut model, &Operation::Add(1, directory.into(), FileType::Directory));
        }
        let parents: Vec<InodeId> = model.inodes.keys().copied().collect();
        for (grow, n, parent) in phases {
            let parent = parents[parent];
            for i in 0..n {
                if grow {
                    next += 1;
                    let name = format!("{next:x}").into_bytes();
                    let added = namespace.add_file(parent, &name, FileType::Regular).unwrap();
                    assert!(model.inodes.insert(added, Inode::new(FileType::Regular)).is_none());
                    model.entries.insert((parent, name), added);
                } else {
                    let files = model.entries.iter().filter(|(e, i)| e.0 == parent && !model.is_directory(**i));
                    let entries: Vec<_> = files.map(|(e, _)| e.clone()).collect();
                    let Some((_, name)) = entries.get(i * 7919 % entries.len().max(1)) else { break };
                    if i % 5 == 0 {
                        let to = parents[i % 3];
                        let new_name = [name.as_slice(), b"+"].concat();
                        let result = rename(&mut namespace, parent, name, to, &new_name);
                        assert_eq!(result, model.rename(parent, name, to, &new_name));
                    } else {
                        assert_eq!(remove(&mut namespace, parent, name), model.remove(parent, name));
                    }
                }
            }
            compare(&namespace, &model);
        }
    }
}
