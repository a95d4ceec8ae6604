//! Trees as data: written in cases, made up by the generator, planted in memory or on disk, and shrunk.

use crate::text::{escape, unescape};
use std::collections::HashMap;
use std::fmt;
use warpath_core::{FileType, InodeId, Namespace, NamespaceError};

/// The root directory's node.
pub const ROOT_NODE: usize = 0;

/// A tree of names, in an order in which it can be made: a node's parent comes before it.
///
/// As text, entries stand apart by white space, names are escaped as in [`crate::text`], and missing parents are made:
///
/// | text | entry |
/// |---|---|
/// | `a/b/` | directory |
/// | `a/b/?` | directory of which not every entry is known |
/// | `a/f` | file |
/// | `a/l->../f` | symbolic link; with nothing behind the arrow its target is not known |
/// | `a/h=a/f` | hard link |
/// | `a/p\|`, `a/s@`, `a/c%`, `a/b#` | pipe, socket, character device, block device |
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: Vec<Node>,
    children: Vec<Vec<usize>>,
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The directory that holds it; the root's is itself.
    pub parent: usize,
    /// Its name; the root's is empty.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: NodeKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A directory.
    Directory {
        /// Not every entry is known: what is missing may exist.
        partial: bool,
    },
    /// A regular file.
    File,
    /// Neither file, directory nor link.
    Special(Special),
    /// A symbolic link and its target; an empty one is not known.
    Symlink(Vec<u8>),
    /// Another name of the node, which is no directory.
    HardLink(usize),
}

/// What is neither file, directory nor link. All are [`FileType::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Special {
    Pipe,
    Socket,
    Characters,
    Blocks,
}

/// The letter that ends a special entry's text.
const SPECIAL_MARKS: [(char, Special); 4] =
    [('|', Special::Pipe), ('@', Special::Socket), ('%', Special::Characters), ('#', Special::Blocks)];

/// Bytes that [`Tree`]'s text gives a meaning of its own.
const MARKS: &[u8] = b"/|@%#?=>";

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

impl Tree {
    /// The root alone.
    pub fn new() -> Tree {
        let root = Node { parent: ROOT_NODE, name: Vec::new(), kind: NodeKind::Directory { partial: false } };
        Tree { nodes: vec![root], children: vec![Vec::new()] }
    }

    /// The nodes, parents before their children; the root is the first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The entries of a directory, in the order in which they were added.
    pub fn children(&self, directory: usize) -> &[usize] {
        &self.children[directory]
    }

    /// Whether the node is a directory.
    pub fn is_directory(&self, node: usize) -> bool {
        matches!(self.nodes[node].kind, NodeKind::Directory { .. })
    }

    /// The directories, the root first.
    pub fn directories(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|&node| self.is_directory(node))
    }

    /// Adds an entry and returns its node; `None` when its name is taken or no name, its parent no directory, its
    /// target too long, or what it is a hard link of a directory.
    pub fn add(&mut self, parent: usize, name: &[u8], kind: NodeKind) -> Option<usize> {
        let no_name = name.is_empty() || name.len() > 255 || name == b"." || name == b"..";
        if no_name || name.contains(&b'/') || name.contains(&0) {
            return None;
        }
        if parent >= self.nodes.len() || !self.is_directory(parent) || self.child(parent, name).is_some() {
            return None;
        }
        match &kind {
            NodeKind::HardLink(of) if *of >= self.nodes.len() || self.is_directory(*of) => return None,
            NodeKind::Symlink(target) if target.len() > 4095 || target.contains(&0) => return None,
            _ => {}
        }
        self.nodes.push(Node { parent, name: name.to_vec(), kind });
        self.children.push(Vec::new());
        let node = self.nodes.len() - 1;
        self.children[parent].push(node);
        Some(node)
    }

    /// Gives a link another target. Nothing happens to what is no link.
    pub fn set_target(&mut self, node: usize, new_target: &[u8]) {
        if let NodeKind::Symlink(target) = &mut self.nodes[node].kind {
            *target = new_target.to_vec();
        }
    }

    /// Makes a directory one of which not every entry is known. Nothing happens to what is none.
    pub fn set_partial(&mut self, node: usize) {
        if let NodeKind::Directory { partial } = &mut self.nodes[node].kind {
            *partial = true;
        }
    }

    /// The entry of this name.
    pub fn child(&self, parent: usize, name: &[u8]) -> Option<usize> {
        self.children[parent].iter().copied().find(|&node| self.nodes[node].name == name)
    }

    /// The node at the end of a plain path: names alone, nothing followed. `/` is the root.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        let mut names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        names.try_fold(ROOT_NODE, |node, name| self.child(node, name))
    }

    /// The names that lead to the node, with a slash before each; empty for the root.
    pub fn path_of(&self, node: usize) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = node;
        while at != ROOT_NODE {
            names.push(&self.nodes[at].name);
            at = self.nodes[at].parent;
        }
        names.iter().rev().flat_map(|name| [b"/", name.as_slice()].concat()).collect()
    }

    /// The node that a hard link is another name of, or the node itself.
    pub fn original(&self, node: usize) -> usize {
        match self.nodes[node].kind {
            NodeKind::HardLink(of) => self.original(of),
            _ => node,
        }
    }

    /// Whether something is not known of the tree, so that no disk can hold it.
    pub fn is_partial(&self) -> bool {
        self.nodes.iter().any(|node| match &node.kind {
            NodeKind::Directory { partial } => *partial,
            NodeKind::Symlink(target) => target.is_empty(),
            _ => false,
        })
    }

    /// The tree without the nodes that `keep` refuses, what is below them, and hard links of them.
    pub fn filtered(&self, keep: impl Fn(usize) -> bool) -> Tree {
        self.rebuilt(keep, |id| self.nodes[id].parent)
    }

    /// The tree without the nodes that `keep` refuses, each node in the directory that `parent` says.
    fn rebuilt(&self, keep: impl Fn(usize) -> bool, parent: impl Fn(usize) -> usize) -> Tree {
        let mut tree = Tree::new();
        tree.nodes[ROOT_NODE].kind = self.nodes[ROOT_NODE].kind.clone();
        let mut moved: Vec<Option<usize>> = vec![Some(ROOT_NODE)];
        for (id, node) in self.nodes.iter().enumerate().skip(1) {
            let kind = match &node.kind {
                NodeKind::HardLink(of) => moved[*of].map(NodeKind::HardLink),
                kind => Some(kind.clone()),
            };
            let at = match (keep(id), moved[parent(id)], kind) {
                (true, Some(parent), Some(kind)) => tree.add(parent, &node.name, kind),
                _ => None,
            };
            moved.push(at);
        }
        tree
    }

    /// The tree without one directory, its entries being its parent's where their names are free.
    pub fn lifted(&self, directory: usize) -> Tree {
        let above = self.nodes[directory].parent;
        self.rebuilt(
            |id| id != directory,
            |id| if self.nodes[id].parent == directory { above } else { self.nodes[id].parent },
        )
    }

    /// The tree with other names, and other targets.
    pub fn renamed(&self, name: impl Fn(&[u8]) -> Vec<u8>, target: impl Fn(&[u8]) -> Vec<u8>) -> Tree {
        let mut tree = self.clone();
        for node in &mut tree.nodes[1..] {
            node.name = name(&node.name);
            if let NodeKind::Symlink(old) = &mut node.kind {
                *old = target(old);
            }
        }
        tree
    }

    /// The tree with one node made something else.
    pub fn with_kind(&self, node: usize, kind: NodeKind) -> Tree {
        let mut tree = self.clone();
        tree.nodes[node].kind = kind;
        tree
    }

    /// The tree that a namespace holds, and the inode of each node.
    pub fn of(namespace: &Namespace) -> (Tree, Vec<InodeId>) {
        let mut tree = Tree::new();
        let mut inodes = vec![warpath_core::ROOT];
        let mut node_of: HashMap<InodeId, usize> = HashMap::new();
        let mut at = 0;
        while at < tree.nodes.len() {
            let directory = inodes[at];
            if namespace.is_partial(directory) {
                tree.set_partial(at);
            }
            let mut entries: Vec<_> = namespace.list(directory).collect();
            entries.sort_unstable_by_key(|entry| entry.name);
            for entry in entries {
                let kind = match (node_of.get(&entry.inode), namespace.file_type(entry.inode)) {
                    (Some(&of), _) => NodeKind::HardLink(of),
                    (None, Some(FileType::Directory)) => NodeKind::Directory { partial: false },
                    (None, Some(FileType::Symlink)) => {
                        NodeKind::Symlink(namespace.target(entry.inode).unwrap_or_default().to_vec())
                    }
                    (None, Some(FileType::Regular)) => NodeKind::File,
                    (None, Some(FileType::Other)) => NodeKind::Special(Special::Pipe),
                    (None, None) => continue,
                };
                if let Some(node) = tree.add(at, entry.name, kind) {
                    inodes.push(entry.inode);
                    node_of.entry(entry.inode).or_insert(node);
                }
            }
            at += 1;
        }
        (tree, inodes)
    }

    /// The tree in memory.
    ///
    /// # Errors
    /// What the namespace refuses, which is a defect of one of the two.
    pub fn plant(&self) -> Result<Planted, NamespaceError> {
        let mut namespace = Namespace::with_capacity(self.nodes.len());
        let mut inodes: Vec<InodeId> = vec![warpath_core::ROOT];
        for node in &self.nodes[1..] {
            let parent = inodes[node.parent];
            let inode = match &node.kind {
                NodeKind::Directory { .. } => namespace.add_directory(parent, &node.name)?,
                NodeKind::File => namespace.add_file(parent, &node.name, FileType::Regular)?,
                NodeKind::Special(_) => namespace.add_file(parent, &node.name, FileType::Other)?,
                NodeKind::Symlink(target) if target.is_empty() => {
                    namespace.add_file(parent, &node.name, FileType::Symlink)?
                }
                NodeKind::Symlink(target) => namespace.add_symlink(parent, &node.name, target)?,
                NodeKind::HardLink(of) => {
                    namespace.add_hard_link(parent, &node.name, inodes[*of])?;
                    namespace.child(parent, &node.name).unwrap_or(inodes[*of])
                }
            };
            inodes.push(inode);
        }
        for (node, &inode) in self.nodes.iter().zip(&inodes) {
            if node.kind == (NodeKind::Directory { partial: true }) {
                namespace.set_partial(inode, true)?;
            }
        }
        Ok(Planted { namespace, inodes })
    }

    /// Reads a tree's text.
    ///
    /// # Errors
    /// What is wrong with which entry.
    pub fn parse(text: &str) -> Result<Tree, String> {
        let mut tree = Tree::new();
        for entry in text.split_whitespace() {
            tree.parse_entry(entry).map_err(|why| format!("entry `{entry}`: {why}"))?;
        }
        Ok(tree)
    }

    fn parse_entry(&mut self, entry: &str) -> Result<(), String> {
        if let Some((path, target)) = entry.split_once("->") {
            return self.add_at(path, NodeKind::Symlink(unescape(target)?));
        }
        if let Some((path, of)) = entry.split_once('=') {
            let of = self.find(&unescape(of)?).ok_or("there is no such entry to link")?;
            return self.add_at(path, NodeKind::HardLink(of));
        }
        for (mark, special) in SPECIAL_MARKS {
            if let Some(path) = entry.strip_suffix(mark) {
                return self.add_at(path, NodeKind::Special(special));
            }
        }
        if let Some(path) = entry.strip_suffix('?') {
            let node = self.directory_at(&unescape(path)?)?;
            self.nodes[node].kind = NodeKind::Directory { partial: true };
            return Ok(());
        }
        match entry.strip_suffix('/') {
            Some(path) => self.directory_at(&unescape(path)?).map(|_| ()),
            None => self.add_at(entry, NodeKind::File),
        }
    }

    fn add_at(&mut self, path: &str, kind: NodeKind) -> Result<(), String> {
        let path = unescape(path)?;
        let (above, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path.as_slice()),
        };
        let parent = self.directory_at(above)?;
        self.add(parent, name, kind).map(|_| ()).ok_or_else(|| "it can't be added".to_owned())
    }

    fn directory_at(&mut self, path: &[u8]) -> Result<usize, String> {
        let mut at = ROOT_NODE;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            at = match self.child(at, name) {
                Some(node) => node,
                None => self
                    .add(at, name, NodeKind::Directory { partial: false })
                    .ok_or("a directory on the way can't be added")?,
            };
        }
        if self.is_directory(at) { Ok(at) } else { Err("that is no directory".to_owned()) }
    }
}

/// A tree in memory, and where its nodes are.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The tree.
    pub namespace: Namespace,
    /// The inode of each node.
    pub inodes: Vec<InodeId>,
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |path: &[u8]| -> String {
            let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
            names.map(|name| escape(name, MARKS)).collect::<Vec<_>>().join("/")
        };
        let mut between = "";
        for (id, node) in self.nodes.iter().enumerate() {
            let path = text(&self.path_of(id));
            let entry = match &node.kind {
                NodeKind::Directory { partial: true } => format!("{path}/?"),
                NodeKind::Directory { .. } if id == ROOT_NODE => continue,
                NodeKind::Directory { .. } => format!("{path}/"),
                NodeKind::File => path,
                NodeKind::Symlink(target) => format!("{path}->{}", escape(target, b"")),
                NodeKind::HardLink(of) => format!("{path}={}", text(&self.path_of(*of))),
                NodeKind::Special(special) => {
                    let mark = SPECIAL_MARKS.iter().find(|(_, marked)| marked == special);
                    format!("{path}{}", mark.map_or('|', |(mark, _)| *mark))
                }
            };
            write!(f, "{between}{entry}")?;
            between = " ";
        }
        Ok(())
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = r"a/b/ a/? f a/l->../f a/none-> a/h=f a/p| a/s@ a/c% a/d# \x00ff/x\x3d {n*255}/";
        assert!(Tree::parse(text).is_err(), "NUL is no name");
        let text = r"a/b/ a/? f a/l->../f a/none-> a/h=f a/p| a/s@ a/c% a/d# \xff/x\x3d\x0a {n*255}/";
        let tree = Tree::parse(text).unwrap();
        assert_eq!(Tree::parse(&tree.to_string()).unwrap().to_string(), tree.to_string());
        assert!(tree.is_partial());
        assert_eq!(tree.original(tree.find(b"/a/h").unwrap()), tree.find(b"f").unwrap());
        assert_eq!(tree.path_of(tree.find(b"a/l").unwrap()), b"/a/l");
    }

    #[test]
    fn what_is_kept_keeps_its_place() {
        let tree = Tree::parse("a/b/c a/h=a/b/c d").unwrap();
        let c = tree.find(b"a/b/c").unwrap();
        assert_eq!(tree.filtered(|node| node != c).to_string(), "a/ a/b/ d");
        assert_eq!(tree.filtered(|_| true), tree);
    }

    #[test]
    fn a_namespace_gives_its_tree_back() {
        let tree = Tree::parse("a/ b/ f a/l->../f a/none-> a/p| b/? b/h=a/l b/x/").unwrap();
        let planted = tree.plant().unwrap();
        let (again, inodes) = Tree::of(&planted.namespace);
        for (id, node) in again.nodes().iter().enumerate() {
            let before = tree.find(&again.path_of(id)).unwrap();
            assert_eq!(inodes[id], planted.inodes[before]);
            let same =
                std::mem::discriminant(&tree.nodes()[before].kind) == std::mem::discriminant(&node.kind);
            assert!(same, "{node:?}");
        }
        assert_eq!(again.nodes().len(), tree.nodes().len());
        assert!(again.to_string().contains("b/?"));
    }

    #[test]
    fn refuses_what_no_disk_could_hold() {
        for text in ["a a", "a/b a", "a a/b", "l=nothing", "d/ l=d", "a//->b", "l->{x*4096}", "{x*256}"] {
            assert!(Tree::parse(text).is_err(), "{text}");
        }
    }
}
