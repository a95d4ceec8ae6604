// Generated from crates/warpath-layout/src/records.rs by `cargo xtask codegen`. Do not edit.
#pragma once

// Version of this layout; raised when any byte of it changes its meaning.
constexpr unsigned LAYOUT_VERSION = 0x1u;
// The root directory's inode.
constexpr unsigned ROOT = 0x0u;
// No inode: an empty slot, or the inode of a path that was not found.
constexpr unsigned INVALID_INODE = 0xffffffffu;
// The longest component, in bytes (NAME_MAX).
constexpr unsigned MAX_NAME = 0xffu;
// The longest path, in bytes (PATH_MAX less its NUL).
constexpr unsigned MAX_PATH = 0xfffu;
// The most symbolic links that one path may follow (the kernel's MAXSYMLINKS).
constexpr unsigned MAX_LINKS = 0x28u;
// A link count that stands for "more than MAX_LINKS", as a loop has.
constexpr unsigned TOO_MANY_LINKS = 0xffu;
// Slot kind: a regular file.
constexpr unsigned KIND_FILE = 0x0u;
// Slot kind: a directory.
constexpr unsigned KIND_DIRECTORY = 0x1u;
// Slot kind: a symbolic link.
constexpr unsigned KIND_SYMLINK = 0x2u;
// Slot kind: anything else (device, socket, pipe).
constexpr unsigned KIND_OTHER = 0x3u;
// The bits of `Slot.key2_kind` that hold the kind; the others belong to the key.
constexpr unsigned KIND_MASK = 0x3u;
// Status: the path names an inode.
constexpr unsigned STATUS_FOUND = 0x0u;
// Status: a component does not exist (ENOENT).
constexpr unsigned STATUS_NOT_FOUND = 0x1u;
// Status: a component that must be a directory is none (ENOTDIR).
constexpr unsigned STATUS_NOT_A_DIRECTORY = 0x2u;
// Status: more than MAX_LINKS links, or a link where links are not allowed (ELOOP).
constexpr unsigned STATUS_TOO_MANY_LINKS = 0x3u;
// Status: a component or the path is too long (ENAMETOOLONG).
constexpr unsigned STATUS_NAME_TOO_LONG = 0x4u;
// Status: the path holds a NUL (EINVAL).
constexpr unsigned STATUS_INVALID = 0x5u;
// Status: the path leaves the start directory, which `beneath` forbids (EXDEV).
constexpr unsigned STATUS_LEAVES_ROOT = 0x6u;
// Status: the path leads into something that the index does not cover.
constexpr unsigned STATUS_NOT_INDEXED = 0x7u;
// DirRecord flag: not every entry of the directory is known, so a missing one is NOT_INDEXED.
constexpr unsigned DIR_PARTIAL = 0x1u;
// TableParams flag: some directory keeps a state that is not its canonical path's (a rename is not re-keyed yet), so a walk reads each directory's record and the direct probe is off.
constexpr unsigned TABLE_STRICT = 0x1u;
// TableParams flag: some directory is partial, so a miss has to ask its directory's record.
constexpr unsigned TABLE_HAS_PARTIAL = 0x2u;
// TableParams flag: some symbolic link has several hard links, so a slot of kind symlink may hold an alias: the inode to answer is `LinkRecord.own`.
constexpr unsigned TABLE_HAS_ALIASES = 0x4u;
// QueryParams flag: a final symbolic link is the answer, not followed (lstat, O_NOFOLLOW).
constexpr unsigned QUERY_NO_FOLLOW = 0x1u;
// QueryParams flag: leaving the start directory is an error (RESOLVE_BENEATH).
constexpr unsigned QUERY_BENEATH = 0x2u;
// QueryParams flag: following any symbolic link is an error (RESOLVE_NO_SYMLINKS).
constexpr unsigned QUERY_NO_SYMLINKS = 0x4u;
// QueryParams flag: skip the direct probe; for tests and benchmarks of the walk.
constexpr unsigned QUERY_WALK_ONLY = 0x8u;
// Lanes of the hash, one a word of the key.
constexpr unsigned LANES = 0x3u;
// Bytes of a unit, the hash's step: two 32-bit words.
constexpr unsigned UNIT_BYTES = 0x8u;
// Units that a lane has position keys for: 8 KiB, a start directory of MAX_PATH bytes, a slash and a path of MAX_PATH.
constexpr unsigned KEY_UNITS = 0x400u;
// Words of a lane's position keys, two a unit. Lane j begins at word `j * KEY_LANE_WORDS`.
constexpr unsigned KEY_LANE_WORDS = 0x800u;
// The word of the key where the finish begins: for each lane A, B, C of 64 bits, low word first.
constexpr unsigned KEY_FINISH = 0x1800u;
// Words of a lane's finish.
constexpr unsigned KEY_FINISH_WORDS = 0x6u;
// Words of the whole key.
constexpr unsigned KEY_WORDS = 0x1812u;
// Slots of a pair: 32 bytes, a sector of a GPU's memory.
constexpr unsigned PAIR_SLOTS = 0x2u;
// Slots of a line: 64 bytes, a cache line.
constexpr unsigned LINE_SLOTS = 0x4u;
// Inodes that a block describes.
constexpr unsigned BLOCK_INODES = 0x20u;

// An entry of the hash table. Empty when `inode` is INVALID_INODE; the first slot of a pair fills first.
struct alignas(16) Slot {
    // Key word of lane 0; also says where the slot belongs.
    unsigned key0;
    // Key word of lane 1.
    unsigned key1;
    // Upper 30 bits: key word of lane 2; lower 2 bits: kind.
    unsigned key2_kind;
    // The inode that the entry leads to.
    unsigned inode;
};
static_assert(sizeof(Slot) == 16, "Slot has another size in Rust");
static_assert(__builtin_offsetof(Slot, key0) == 0, "Slot.key0 lies elsewhere in Rust");
static_assert(__builtin_offsetof(Slot, key1) == 4, "Slot.key1 lies elsewhere in Rust");
static_assert(__builtin_offsetof(Slot, key2_kind) == 8, "Slot.key2_kind lies elsewhere in Rust");
static_assert(__builtin_offsetof(Slot, inode) == 12, "Slot.inode lies elsewhere in Rust");

// 32 inodes: which of them are directories or links. The record of inode i, bit b = i % 32 of its block, is number `base + popcount(bits & ((1 << b) - 1))`.
struct alignas(16) InodeBlock {
    // Number of the first directory record of this block.
    unsigned dir_base;
    // Bit b: inode b of the block is a directory.
    unsigned dir_bits;
    // Number of the first link record of this block.
    unsigned link_base;
    // Bit b: inode b of the block is a symbolic link.
    unsigned link_bits;
};
static_assert(sizeof(InodeBlock) == 16, "InodeBlock has another size in Rust");
static_assert(__builtin_offsetof(InodeBlock, dir_base) == 0, "InodeBlock.dir_base lies elsewhere in Rust");
static_assert(__builtin_offsetof(InodeBlock, dir_bits) == 4, "InodeBlock.dir_bits lies elsewhere in Rust");
static_assert(__builtin_offsetof(InodeBlock, link_base) == 8, "InodeBlock.link_base lies elsewhere in Rust");
static_assert(__builtin_offsetof(InodeBlock, link_bits) == 12, "InodeBlock.link_bits lies elsewhere in Rust");

// A directory: the hash state at the end of its origin, from which the keys of its entries continue.
struct alignas(16) DirRecord {
    // Sum of lane 0 over whole units, low word.
    unsigned sum0_lo;
    // Sum of lane 0, high word.
    unsigned sum0_hi;
    // Sum of lane 1, low word.
    unsigned sum1_lo;
    // Sum of lane 1, high word.
    unsigned sum1_hi;
    // Sum of lane 2, low word.
    unsigned sum2_lo;
    // Sum of lane 2, high word.
    unsigned sum2_hi;
    // The pending bytes 0 to 3 of the unit that is not whole yet, zero-padded.
    unsigned tail_lo;
    // The pending bytes 4 to 7.
    unsigned tail_hi;
    // Bytes hashed so far, the pending ones included.
    unsigned length;
    // Inode of the parent directory; the root's is itself.
    unsigned parent;
    // DIR_ flags.
    unsigned flags;
    // The directory's own inode.
    unsigned inode;
};
static_assert(sizeof(DirRecord) == 48, "DirRecord has another size in Rust");
static_assert(__builtin_offsetof(DirRecord, sum0_lo) == 0, "DirRecord.sum0_lo lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, sum0_hi) == 4, "DirRecord.sum0_hi lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, sum1_lo) == 8, "DirRecord.sum1_lo lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, sum1_hi) == 12, "DirRecord.sum1_hi lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, sum2_lo) == 16, "DirRecord.sum2_lo lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, sum2_hi) == 20, "DirRecord.sum2_hi lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, tail_lo) == 24, "DirRecord.tail_lo lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, tail_hi) == 28, "DirRecord.tail_hi lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, length) == 32, "DirRecord.length lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, parent) == 36, "DirRecord.parent lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, flags) == 40, "DirRecord.flags lies elsewhere in Rust");
static_assert(__builtin_offsetof(DirRecord, inode) == 44, "DirRecord.inode lies elsewhere in Rust");

// A symbolic link at one entry, resolved: the outcome of following it there.
struct alignas(16) LinkRecord {
    // The inode that it leads to in the end, or INVALID_INODE.
    unsigned inode;
    // Bits 0-7: status; bits 8-15: kind of the inode; bits 16-23: links followed, itself included, or TOO_MANY_LINKS.
    unsigned outcome;
    // The link's own inode, the answer where it is not followed. A further hard link of a symbolic link has an id of its own in its slot (an alias), since a relative target depends on the directory.
    unsigned own;
    // The directory that holds the entry.
    unsigned parent;
};
static_assert(sizeof(LinkRecord) == 16, "LinkRecord has another size in Rust");
static_assert(__builtin_offsetof(LinkRecord, inode) == 0, "LinkRecord.inode lies elsewhere in Rust");
static_assert(__builtin_offsetof(LinkRecord, outcome) == 4, "LinkRecord.outcome lies elsewhere in Rust");
static_assert(__builtin_offsetof(LinkRecord, own) == 8, "LinkRecord.own lies elsewhere in Rust");
static_assert(__builtin_offsetof(LinkRecord, parent) == 12, "LinkRecord.parent lies elsewhere in Rust");

// What an engine must know of the arrays.
struct alignas(8) TableParams {
    // Pairs of the slot array; even, at least 2.
    unsigned n_pairs;
    // The most pairs that any entry's probe visits.
    unsigned probe_limit;
    // Inodes that the blocks describe, used or not.
    unsigned n_inodes;
    // Directory records.
    unsigned n_dirs;
    // Link records.
    unsigned n_links;
    // TABLE_ flags.
    unsigned flags;
};
static_assert(sizeof(TableParams) == 24, "TableParams has another size in Rust");
static_assert(__builtin_offsetof(TableParams, n_pairs) == 0, "TableParams.n_pairs lies elsewhere in Rust");
static_assert(__builtin_offsetof(TableParams, probe_limit) == 4, "TableParams.probe_limit lies elsewhere in Rust");
static_assert(__builtin_offsetof(TableParams, n_inodes) == 8, "TableParams.n_inodes lies elsewhere in Rust");
static_assert(__builtin_offsetof(TableParams, n_dirs) == 12, "TableParams.n_dirs lies elsewhere in Rust");
static_assert(__builtin_offsetof(TableParams, n_links) == 16, "TableParams.n_links lies elsewhere in Rust");
static_assert(__builtin_offsetof(TableParams, flags) == 20, "TableParams.flags lies elsewhere in Rust");

// What an engine must know of a dispatch.
struct alignas(16) QueryParams {
    // Paths of the batch.
    unsigned n_paths;
    // Inode of the start directory, where relative paths begin.
    unsigned start;
    // QUERY_ flags.
    unsigned flags;
    // Number of the batch's first path, where a batch is dispatched in parts.
    unsigned first;
};
static_assert(sizeof(QueryParams) == 16, "QueryParams has another size in Rust");
static_assert(__builtin_offsetof(QueryParams, n_paths) == 0, "QueryParams.n_paths lies elsewhere in Rust");
static_assert(__builtin_offsetof(QueryParams, start) == 4, "QueryParams.start lies elsewhere in Rust");
static_assert(__builtin_offsetof(QueryParams, flags) == 8, "QueryParams.flags lies elsewhere in Rust");
static_assert(__builtin_offsetof(QueryParams, first) == 12, "QueryParams.first lies elsewhere in Rust");
