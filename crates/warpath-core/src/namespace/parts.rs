//! The columns of a namespace, for whoever stores them and makes a namespace of them again.

pub use super::children::ChildBlock;
pub use super::hard_links::HardLink;

use super::Namespace;
use super::arena::Arena;
use super::attributes::AttributeColumns;
use super::children::{Children, N_CLASSES};
use super::entries::Entries;
use super::hard_links::HardLinks;
use super::hash::NameHash;
use super::inodes::Inodes;
use crate::column::Column;
use crate::layout::InodeBlock;

/// Words of [`Numbers::to_words`].
pub const N_NUMBERS: usize = 13 + N_CLASSES;

macro_rules! parts {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty,)+) => {
        /// The columns of a namespace. In a file each is a section of its own.
        #[derive(Debug, Clone, Default)]
        pub struct NamespaceParts {
            $($(#[doc = $doc])+ pub $name: Column<$type>,)+
            /// What is counted beside the columns.
            pub numbers: Numbers,
        }

        /// As [`NamespaceParts`], borrowed.
        #[derive(Debug, Clone, Copy)]
        pub struct NamespaceView<'a> {
            $($(#[doc = $doc])+ pub $name: &'a [$type],)+
            /// What is counted beside the columns.
            pub numbers: Numbers,
        }

        impl NamespaceView<'_> {
            /// Copies of the columns. O(bytes).
            pub fn to_parts(&self) -> NamespaceParts {
                NamespaceParts { $($name: self.$name.to_vec().into(),)+ numbers: self.numbers }
            }
        }
    };
}

parts! {
    /// Names: their length in a byte, then they, each from an even offset on.
    names: u8,
    /// By 32 inodes: which are directories and links.
    blocks: InodeBlock,
    /// By 32 inodes, a bit each: a file that is not regular.
    other: u32,
    /// By inode: the directory of its first entry.
    parents: u32,
    /// By inode: half the offset of its first entry's name.
    name_at: u32,
    /// By directory number: where its children lie.
    directories: ChildBlock,
    /// The children's ids, a block of them a directory.
    child_ids: u32,
    /// A byte of the hash of each child's name.
    child_tags: u8,
    /// Further entries of inodes.
    hard_links: HardLink,
    /// By link number: half the offset of its target.
    target_at: u32,
    /// Targets: their length in two bytes, then they, each from an even offset on.
    targets: u8,
    /// By inode: the file system's own number.
    ino: u64,
    /// By inode: bytes.
    size: u64,
    /// By inode: last modification.
    mtime: i64,
    /// By inode: type and permissions.
    mode: u32,
    /// By inode: owner.
    uid: u32,
    /// By inode: group.
    gid: u32,
}

/// What is counted beside the columns of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Seed of the hash of names, by which children are found. Secret.
    pub seed: u64,
    /// Bytes of names that nothing refers to.
    pub names_dead: u64,
    /// Bytes of targets that nothing refers to.
    pub targets_dead: u64,
    /// Inodes in use.
    pub n_inodes: u64,
    /// Hard links in use.
    pub n_hard_links: u64,
    /// Ids that stand for further entries of symbolic links.
    pub n_aliases: u64,
    /// Places of children in no directory's block.
    pub n_idle: u64,
    /// Directories that are partial.
    pub n_partial: u64,
    /// First free inode of directories, links, files.
    pub free_inodes: [u32; 3],
    /// First free place of hard links.
    pub free_hard_link: u32,
    /// First free block of children, by class.
    pub free_blocks: [u32; N_CLASSES],
}

impl Default for Numbers {
    fn default() -> Numbers {
        Namespace::new().view().numbers
    }
}

impl Numbers {
    /// The numbers in a row, each a word.
    pub fn to_words(&self) -> [u64; N_NUMBERS] {
        let Numbers {
            seed,
            names_dead,
            targets_dead,
            n_inodes,
            n_hard_links,
            n_aliases,
            n_idle,
            n_partial,
            ..
        } = *self;
        let mut words = [0; N_NUMBERS];
        let counts =
            [seed, names_dead, targets_dead, n_inodes, n_hard_links, n_aliases, n_idle, n_partial, 0];
        words[..9].copy_from_slice(&counts);
        let ids = self.free_inodes.iter().chain([&self.free_hard_link]).chain(&self.free_blocks);
        words[9..].iter_mut().zip(ids).for_each(|(word, &id)| *word = u64::from(id));
        words
    }

    /// The numbers of such words.
    pub fn from_words(words: &[u64; N_NUMBERS]) -> Numbers {
        let id = |i: usize| words[9 + i] as u32;
        Numbers {
            seed: words[0],
            names_dead: words[1],
            targets_dead: words[2],
            n_inodes: words[3],
            n_hard_links: words[4],
            n_aliases: words[5],
            n_idle: words[6],
            n_partial: words[7],
            free_inodes: std::array::from_fn(id),
            free_hard_link: id(3),
            free_blocks: std::array::from_fn(|i| id(4 + i)),
        }
    }
}

impl Namespace {
    /// The columns, borrowed. O(1).
    pub fn view(&self) -> NamespaceView<'_> {
        let Namespace {
            entries: Entries { hash, names, inodes, hard_links },
            children,
            target_at,
            targets,
            attributes,
        } = self;
        NamespaceView {
            names: &names.bytes,
            blocks: &inodes.blocks,
            other: &inodes.other,
            parents: &inodes.parent,
            name_at: &inodes.name_at,
            directories: &children.directories,
            child_ids: &children.ids,
            child_tags: &children.tags,
            hard_links: hard_links.links(),
            target_at,
            targets: &targets.bytes,
            ino: &attributes.ino,
            size: &attributes.size,
            mtime: &attributes.mtime,
            mode: &attributes.mode,
            uid: &attributes.uid,
            gid: &attributes.gid,
            numbers: Numbers {
                seed: hash.seed(),
                names_dead: names.dead as u64,
                targets_dead: targets.dead as u64,
                n_inodes: inodes.n_used as u64,
                n_hard_links: hard_links.n_used() as u64,
                n_aliases: hard_links.n_aliases() as u64,
                n_idle: children.n_idle as u64,
                n_partial: children.n_partial as u64,
                free_inodes: inodes.free,
                free_hard_link: hard_links.free(),
                free_blocks: children.free,
            },
        }
    }

    /// The namespace of these columns. O(1).
    ///
    /// `None` when the columns' lengths contradict each other. Nothing else is checked: what they hold may be
    /// wrong, and then so are the answers, but reading them ends and stays in bounds. Before such a namespace is
    /// *changed*, [`Namespace::check`] must have found it sound: changing an unsound one may panic.
    pub fn from_parts(parts: NamespaceParts) -> Option<Namespace> {
        let NamespaceParts { numbers, .. } = parts;
        let bound = parts.parents.len();
        let last = parts.blocks.last().copied().unwrap_or_default();
        let n_directories = last.dir_base.checked_add(last.dir_bits.count_ones())?;
        let n_links = last.link_base.checked_add(last.link_bits.count_ones())?;
        let fits = bound > 0
            && bound <= 1 << 31
            && parts.name_at.len() == bound
            && parts.blocks.len() == bound.div_ceil(32)
            && parts.other.len() == parts.blocks.len()
            && parts.directories.len() == n_directories as usize
            && parts.target_at.len() <= n_links as usize
            && parts.child_ids.len() == parts.child_tags.len()
            && parts.child_ids.len() <= u32::MAX as usize
            && parts.hard_links.len() <= 1 << 31
            && (1..=bound as u64).contains(&numbers.n_inodes)
            && numbers.n_hard_links <= parts.hard_links.len() as u64
            && numbers.n_aliases <= numbers.n_hard_links
            && numbers.n_partial <= u64::from(n_directories)
            && numbers.n_idle <= parts.child_ids.len() as u64
            && numbers.names_dead <= parts.names.len() as u64
            && numbers.targets_dead <= parts.targets.len() as u64;
        if !fits {
            return None;
        }
        let namespace = Namespace {
            entries: Entries {
                hash: NameHash::with_seed(numbers.seed),
                names: Arena { bytes: parts.names, dead: numbers.names_dead as usize },
                inodes: Inodes {
                    blocks: parts.blocks,
                    other: parts.other,
                    parent: parts.parents,
                    name_at: parts.name_at,
                    free: numbers.free_inodes,
                    n_used: numbers.n_inodes as usize,
                    n_directories,
                    n_links,
                },
                hard_links: HardLinks::from_parts(
                    parts.hard_links,
                    numbers.free_hard_link,
                    numbers.n_hard_links as usize,
                    numbers.n_aliases as usize,
                ),
            },
            children: Children {
                directories: parts.directories,
                ids: parts.child_ids,
                tags: parts.child_tags,
                free: numbers.free_blocks,
                n_idle: numbers.n_idle as usize,
                n_partial: numbers.n_partial as usize,
            },
            target_at: parts.target_at,
            targets: Arena { bytes: parts.targets, dead: numbers.targets_dead as usize },
            attributes: AttributeColumns {
                ino: parts.ino,
                size: parts.size,
                mtime: parts.mtime,
                mode: parts.mode,
                uid: parts.uid,
                gid: parts.gid,
            },
        };
        namespace.is_directory(crate::ROOT).then_some(namespace)
    }
}
