// Generated from crates/warpath-layout/src/records.rs by `cargo xtask codegen`. Do not edit.

// Version of this layout; raised when any byte of it changes its meaning.
const LAYOUT_VERSION: u32 = 0x1u;
// The root directory's inode.
const ROOT: u32 = 0x0u;
// No inode: an empty slot, or the inode of a path that was not found.
const INVALID_INODE: u32 = 0xffffffffu;
// The longest component, in bytes (NAME_MAX).
const MAX_NAME: u32 = 0xffu;
// The longest path, in bytes (PATH_MAX less its NUL).
const MAX_PATH: u32 = 0xfffu;
// The most symbolic links that one path may follow (the kernel's MAXSYMLINKS).
const MAX_LINKS: u32 = 0x28u;
// A link count that stands for "more than MAX_LINKS", as a loop has.
const TOO_MANY_LINKS: u32 = 0xffu;
// Slot kind: a regular file.
const KIND_FILE: u32 = 0x0u;
// Slot kind: a directory.
const KIND_DIRECTORY: u32 = 0x1u;
// Slot kind: a symbolic link.
const KIND_SYMLINK: u32 = 0x2u;
// Slot kind: anything else (device, socket, pipe).
const KIND_OTHER: u32 = 0x3u;
// The bits of `Slot.key2_kind` that hold the kind; the others belong to the key.
const KIND_MASK: u32 = 0x3u;
// Status: the path names an inode.
const STATUS_FOUND: u32 = 0x0u;
// Status: a component does not exist (ENOENT).
const STATUS_NOT_FOUND: u32 = 0x1u;
// Status: a component that must be a directory is none (ENOTDIR).
const STATUS_NOT_A_DIRECTORY: u32 = 0x2u;
// Status: more than MAX_LINKS links, or a link where links are not allowed (ELOOP).
const STATUS_TOO_MANY_LINKS: u32 = 0x3u;
// Status: a component or the path is too long (ENAMETOOLONG).
const STATUS_NAME_TOO_LONG: u32 = 0x4u;
// Status: the path holds a NUL (EINVAL).
const STATUS_INVALID: u32 = 0x5u;
// Status: the path leaves the start directory, which `beneath` forbids (EXDEV).
const STATUS_LEAVES_ROOT: u32 = 0x6u;
// Status: the path leads into something that the index does not cover.
const STATUS_NOT_INDEXED: u32 = 0x7u;
// DirRecord flag: not every entry of the directory is known, so a missing one is NOT_INDEXED.
const DIR_PARTIAL: u32 = 0x1u;
// TableParams flag: some directory keeps a state that is not its canonical path's (a rename is not re-keyed yet), so a walk reads each directory's record and the direct probe is off.
const TABLE_STRICT: u32 = 0x1u;
// TableParams flag: some directory is partial, so a miss has to ask its directory's record.
const TABLE_HAS_PARTIAL: u32 = 0x2u;
// TableParams flag: some symbolic link has several hard links, so a slot of kind symlink may hold an alias: the inode to answer is `LinkRecord.own`.
const TABLE_HAS_ALIASES: u32 = 0x4u;
// QueryParams flag: a final symbolic link is the answer, not followed (lstat, O_NOFOLLOW).
const QUERY_NO_FOLLOW: u32 = 0x1u;
// QueryParams flag: leaving the start directory is an error (RESOLVE_BENEATH).
const QUERY_BENEATH: u32 = 0x2u;
// QueryParams flag: following any symbolic link is an error (RESOLVE_NO_SYMLINKS).
const QUERY_NO_SYMLINKS: u32 = 0x4u;
// QueryParams flag: skip the direct probe; for tests and benchmarks of the walk.
const QUERY_WALK_ONLY: u32 = 0x8u;
// Lanes of the hash, one a word of the key.
const LANES: u32 = 0x3u;
// Bytes of a unit, the hash's step: two 32-bit words.
const UNIT_BYTES: u32 = 0x8u;
// Units that a lane has position keys for: 8 KiB, a start directory of MAX_PATH bytes, a slash and a path of MAX_PATH.
const KEY_UNITS: u32 = 0x400u;
// Words of a lane's position keys, two a unit. Lane j begins at word `j * KEY_LANE_WORDS`.
const KEY_LANE_WORDS: u32 = 0x800u;
// The word of the key where the finish begins: for each lane A, B, C of 64 bits, low word first.
const KEY_FINISH: u32 = 0x1800u;
// Words of a lane's finish.
const KEY_FINISH_WORDS: u32 = 0x6u;
// Words of the whole key.
const KEY_WORDS: u32 = 0x1812u;
// Slots of a pair: 32 bytes, a sector of a GPU's memory.
const PAIR_SLOTS: u32 = 0x2u;
// Slots of a line: 64 bytes, a cache line.
const LINE_SLOTS: u32 = 0x4u;
// Inodes that a block describes.
const BLOCK_INODES: u32 = 0x20u;

// An entry of the hash table. Empty when `inode` is INVALID_INODE; the first slot of a pair fills first.
struct Slot {
    // Key word of lane 0; also says where the slot belongs.
    key0: u32,
    // Key word of lane 1.
    key1: u32,
    // Upper 30 bits: key word of lane 2; lower 2 bits: kind.
    key2_kind: u32,
    // The inode that the entry leads to.
    inode: u32,
}

// 32 inodes: which of them are directories or links. The record of inode i, bit b = i % 32 of its block, is number `base + popcount(bits & ((1 << b) - 1))`.
struct InodeBlock {
    // Number of the first directory record of this block.
    dir_base: u32,
    // Bit b: inode b of the block is a directory.
    dir_bits: u32,
    // Number of the first link record of this block.
    link_base: u32,
    // Bit b: inode b of the block is a symbolic link.
    link_bits: u32,
}

// A directory: the hash state at the end of its origin, from which the keys of its entries continue.
struct DirRecord {
    // Sum of lane 0 over whole units, low word.
    sum0_lo: u32,
    // Sum of lane 0, high word.
    sum0_hi: u32,
    // Sum of lane 1, low word.
    sum1_lo: u32,
    // Sum of lane 1, high word.
    sum1_hi: u32,
    // Sum of lane 2, low word.
    sum2_lo: u32,
    // Sum of lane 2, high word.
    sum2_hi: u32,
    // The pending bytes 0 to 3 of the unit that is not whole yet, zero-padded.
    tail_lo: u32,
    // The pending bytes 4 to 7.
    tail_hi: u32,
    // Bytes hashed so far, the pending ones included.
    length: u32,
    // Inode of the parent directory; the root's is itself.
    parent: u32,
    // DIR_ flags.
    flags: u32,
    // The directory's own inode.
    inode: u32,
}

// A symbolic link at one entry, resolved: the outcome of following it there.
struct LinkRecord {
    // The inode that it leads to in the end, or INVALID_INODE.
    inode: u32,
    // Bits 0-7: status; bits 8-15: kind of the inode; bits 16-23: links followed, itself included, or TOO_MANY_LINKS.
    outcome: u32,
    // The link's own inode, the answer where it is not followed. A further hard link of a symbolic link has an id of its own in its slot (an alias), since a relative target depends on the directory.
    own: u32,
    // The directory that holds the entry.
    parent: u32,
}

// What an engine must know of the arrays.
struct TableParams {
    // Pairs of the slot array; even, at least 2.
    n_pairs: u32,
    // The most pairs that any entry's probe visits.
    probe_limit: u32,
    // Inodes that the blocks describe, used or not.
    n_inodes: u32,
    // Directory records.
    n_dirs: u32,
    // Link records.
    n_links: u32,
    // TABLE_ flags.
    flags: u32,
}

// What an engine must know of a dispatch.
struct QueryParams {
    // Paths of the batch.
    n_paths: u32,
    // Inode of the start directory, where relative paths begin.
    start: u32,
    // QUERY_ flags.
    flags: u32,
    // Number of the batch's first path, where a batch is dispatched in parts.
    first: u32,
}
