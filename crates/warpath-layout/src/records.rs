//! The records and constants, declared once in 32-bit words.

use bytemuck::{Pod, Zeroable};

/// A field of a record: its name, how many words it takes, and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Name, the same in Rust, WGSL and CUDA.
    pub name: &'static str,
    /// Offset in words from the start of the record.
    pub offset: usize,
    /// What it holds, in one line.
    pub doc: &'static str,
}

/// A record: a struct of `u32` words.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// Name, the same in Rust, WGSL and CUDA.
    pub name: &'static str,
    /// What it is, in one line.
    pub doc: &'static str,
    /// Fields in order, one word each.
    pub fields: &'static [Field],
}

/// A named constant of the layout.
#[derive(Debug, Clone, Copy)]
pub struct Constant {
    /// Name, the same in Rust, WGSL and CUDA.
    pub name: &'static str,
    /// Value.
    pub value: u32,
    /// What it means, in one line.
    pub doc: &'static str,
}

macro_rules! records {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $fdoc:literal])+ $field:ident,)+ })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
            #[repr(C)]
            pub struct $name { $($(#[doc = $fdoc])+ pub $field: u32,)+ }
        )+
        /// Every record, in the order of the generated declarations.
        pub const RECORDS: &[Record] = &[$(Record {
            name: stringify!($name),
            doc: concat!($($doc),+),
            fields: &[$(Field {
                name: stringify!($field),
                offset: std::mem::offset_of!($name, $field) / 4,
                doc: concat!($($fdoc),+),
            }),+],
        }),+];
    };
}

macro_rules! constants {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: u32 = $value;)+
        /// Every constant, in the order of the generated declarations.
        pub const CONSTANTS: &[Constant] =
            &[$(Constant { name: stringify!($name), value: $value, doc: concat!($($doc),+) }),+];
    };
}

constants! {
    /// Version of this layout; raised when any byte of it changes its meaning.
    LAYOUT_VERSION = 1;
    /// The root directory's inode.
    ROOT = 0;
    /// No inode: an empty slot, or the inode of a path that was not found.
    INVALID_INODE = 0xFFFF_FFFF;
    /// The longest component, in bytes (NAME_MAX).
    MAX_NAME = 255;
    /// The longest path, in bytes (PATH_MAX less its NUL).
    MAX_PATH = 4095;
    /// The most symbolic links that one path may follow (the kernel's MAXSYMLINKS).
    MAX_LINKS = 40;
    /// A link count that stands for "more than MAX_LINKS", as a loop has.
    TOO_MANY_LINKS = 255;

    /// Slot kind: a regular file.
    KIND_FILE = 0;
    /// Slot kind: a directory.
    KIND_DIRECTORY = 1;
    /// Slot kind: a symbolic link.
    KIND_SYMLINK = 2;
    /// Slot kind: anything else (device, socket, pipe).
    KIND_OTHER = 3;
    /// The bits of `Slot.key2_kind` that hold the kind; the others belong to the key.
    KIND_MASK = 3;

    /// Status: the path names an inode.
    STATUS_FOUND = 0;
    /// Status: a component does not exist (ENOENT).
    STATUS_NOT_FOUND = 1;
    /// Status: a component that must be a directory is none (ENOTDIR).
    STATUS_NOT_A_DIRECTORY = 2;
    /// Status: more than MAX_LINKS links, or a link where links are not allowed (ELOOP).
    STATUS_TOO_MANY_LINKS = 3;
    /// Status: a component or the path is too long (ENAMETOOLONG).
    STATUS_NAME_TOO_LONG = 4;
    /// Status: the path holds a NUL (EINVAL).
    STATUS_INVALID = 5;
    /// Status: the path leaves the start directory, which `beneath` forbids (EXDEV).
    STATUS_LEAVES_ROOT = 6;
    /// Status: the path leads into something that the index does not cover.
    STATUS_NOT_INDEXED = 7;

    /// DirRecord flag: not every entry of the directory is known, so a missing one is NOT_INDEXED.
    DIR_PARTIAL = 1;

    /// TableParams flag: some directory keeps a state that is not its canonical path's (a rename is not
    /// re-keyed yet), so a walk reads each directory's record and the direct probe is off.
    TABLE_STRICT = 1;
    /// TableParams flag: some directory is partial, so a miss has to ask its directory's record.
    TABLE_HAS_PARTIAL = 2;
    /// TableParams flag: some symbolic link has several hard links, so a slot of kind symlink may hold an alias:
    /// the inode to answer is `LinkRecord.own`.
    TABLE_HAS_ALIASES = 4;

    /// QueryParams flag: a final symbolic link is the answer, not followed (lstat, O_NOFOLLOW).
    QUERY_NO_FOLLOW = 1;
    /// QueryParams flag: leaving the start directory is an error (RESOLVE_BENEATH).
    QUERY_BENEATH = 2;
    /// QueryParams flag: following any symbolic link is an error (RESOLVE_NO_SYMLINKS).
    QUERY_NO_SYMLINKS = 4;
    /// QueryParams flag: skip the direct probe; for tests and benchmarks of the walk.
    QUERY_WALK_ONLY = 8;

    /// Lanes of the hash, one a word of the key.
    LANES = 3;
    /// Bytes of a unit, the hash's step: two 32-bit words.
    UNIT_BYTES = 8;
    /// Units that a lane has position keys for: 8 KiB, a start directory of MAX_PATH bytes, a slash and a path of MAX_PATH.
    KEY_UNITS = 1024;
    /// Words of a lane's position keys, two a unit. Lane j begins at word `j * KEY_LANE_WORDS`.
    KEY_LANE_WORDS = 2048;
    /// The word of the key where the finish begins: for each lane A, B, C of 64 bits, low word first.
    KEY_FINISH = 6144;
    /// Words of a lane's finish.
    KEY_FINISH_WORDS = 6;
    /// Words of the whole key.
    KEY_WORDS = 6162;

    /// Slots of a pair: 32 bytes, a sector of a GPU's memory.
    PAIR_SLOTS = 2;
    /// Slots of a line: 64 bytes, a cache line.
    LINE_SLOTS = 4;
    /// Inodes that a block describes.
    BLOCK_INODES = 32;
}

records! {
    /// An entry of the hash table. Empty when `inode` is INVALID_INODE; the first slot of a pair fills first.
    Slot {
        /// Key word of lane 0; also says where the slot belongs.
        key0,
        /// Key word of lane 1.
        key1,
        /// Upper 30 bits: key word of lane 2; lower 2 bits: kind.
        key2_kind,
        /// The inode that the entry leads to.
        inode,
    }

    /// 32 inodes: which of them are directories or links. The record of inode i, bit b = i % 32 of its block,
    /// is number `base + popcount(bits & ((1 << b) - 1))`.
    InodeBlock {
        /// Number of the first directory record of this block.
        dir_base,
        /// Bit b: inode b of the block is a directory.
        dir_bits,
        /// Number of the first link record of this block.
        link_base,
        /// Bit b: inode b of the block is a symbolic link.
        link_bits,
    }

    /// A directory: the hash state at the end of its origin, from which the keys of its entries continue.
    DirRecord {
        /// Sum of lane 0 over whole units, low word.
        sum0_lo,
        /// Sum of lane 0, high word.
        sum0_hi,
        /// Sum of lane 1, low word.
        sum1_lo,
        /// Sum of lane 1, high word.
        sum1_hi,
        /// Sum of lane 2, low word.
        sum2_lo,
        /// Sum of lane 2, high word.
        sum2_hi,
        /// The pending bytes 0 to 3 of the unit that is not whole yet, zero-padded.
        tail_lo,
        /// The pending bytes 4 to 7.
        tail_hi,
        /// Bytes hashed so far, the pending ones included.
        length,
        /// Inode of the parent directory; the root's is itself.
        parent,
        /// DIR_ flags.
        flags,
        /// The directory's own inode.
        inode,
    }

    /// A symbolic link at one entry, resolved: the outcome of following it there.
    LinkRecord {
        /// The inode that it leads to in the end, or INVALID_INODE.
        inode,
        /// Bits 0-7: status; bits 8-15: kind of the inode; bits 16-23: links followed, itself included, or TOO_MANY_LINKS.
        outcome,
        /// The link's own inode, the answer where it is not followed. A further hard link of a symbolic link has
        /// an id of its own in its slot (an alias), since a relative target depends on the directory.
        own,
        /// The directory that holds the entry.
        parent,
    }

    /// What an engine must know of the arrays.
    TableParams {
        /// Pairs of the slot array; even, at least 2.
        n_pairs,
        /// The most pairs that any entry's probe visits.
        probe_limit,
        /// Inodes that the blocks describe, used or not.
        n_inodes,
        /// Directory records.
        n_dirs,
        /// Link records.
        n_links,
        /// TABLE_ flags.
        flags,
    }

    /// What an engine must know of a dispatch.
    QueryParams {
        /// Paths of the batch.
        n_paths,
        /// Inode of the start directory, where relative paths begin.
        start,
        /// QUERY_ flags.
        flags,
        /// Number of the batch's first path, where a batch is dispatched in parts.
        first,
    }
}

impl Slot {
    /// A slot that holds nothing.
    pub const EMPTY: Slot = Slot { key0: 0, key1: 0, key2_kind: 0, inode: INVALID_INODE };

    /// Whether the slot holds nothing.
    pub fn is_empty(&self) -> bool {
        self.inode == INVALID_INODE
    }

    /// The KIND_ of the entry.
    pub fn kind(&self) -> u32 {
        self.key2_kind & KIND_MASK
    }
}

impl InodeBlock {
    /// Number of the directory record of inode `base + bit`, when that inode is a directory.
    pub fn dir_index(&self, bit: u32) -> Option<u32> {
        rank(self.dir_base, self.dir_bits, bit)
    }

    /// Number of the link record of inode `base + bit`, when that inode is a symbolic link.
    pub fn link_index(&self, bit: u32) -> Option<u32> {
        rank(self.link_base, self.link_bits, bit)
    }
}

fn rank(base: u32, bits: u32, bit: u32) -> Option<u32> {
    (bits >> bit & 1 == 1).then(|| base.wrapping_add((bits & ((1 << bit) - 1)).count_ones()))
}

impl LinkRecord {
    /// Packs the `outcome` word; `links` above MAX_LINKS is kept as TOO_MANY_LINKS.
    pub fn pack(status: u32, kind: u32, links: u32) -> u32 {
        let links = if links > MAX_LINKS { TOO_MANY_LINKS } else { links };
        status | kind << 8 | links << 16
    }

    /// The STATUS_ of following the link.
    pub fn status(&self) -> u32 {
        self.outcome & 0xFF
    }

    /// The KIND_ of the inode that the link leads to.
    pub fn kind(&self) -> u32 {
        self.outcome >> 8 & 0xFF
    }

    /// Links followed on the way, this one included.
    pub fn links(&self) -> u32 {
        self.outcome >> 16 & 0xFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_as_large_as_drawn() {
        assert_eq!(size_of::<Slot>(), 16);
        assert_eq!(size_of::<InodeBlock>(), 16);
        assert_eq!(size_of::<DirRecord>(), 48);
        assert_eq!(size_of::<LinkRecord>(), 16);
        assert_eq!(KEY_FINISH, LANES * KEY_LANE_WORDS);
        assert_eq!(KEY_WORDS, KEY_FINISH + LANES * KEY_FINISH_WORDS);
        assert_eq!(KEY_LANE_WORDS, 2 * KEY_UNITS);
        const { assert!(2 * MAX_PATH < KEY_UNITS * UNIT_BYTES) };
    }

    #[test]
    fn rank_counts_the_set_bits_below() {
        let block = InodeBlock { dir_base: 7, dir_bits: 0b1010_0001, link_base: 0, link_bits: 1 << 31 };
        assert_eq!(block.dir_index(0), Some(7));
        assert_eq!(block.dir_index(1), None);
        assert_eq!(block.dir_index(5), Some(8));
        assert_eq!(block.dir_index(7), Some(9));
        assert_eq!(block.link_index(31), Some(0));
    }
}
