// Where a key's slot may lie, and the records behind an inode: twin of `warpath-core/src/probe.rs`.
#pragma once
#include "hints.cuh"

// The arrays of one version of an index. Ids in them are not trusted: each lookup is checked against its bound.
struct Tables {
    const Slot* slots;
    const InodeBlock* blocks;
    const DirRecord* dirs;
    const LinkRecord* links;         // what following a link gives, as the plan sees it
    const LinkRecord* plain_links;   // the links' own records
    const unsigned* key;
    Hints hints;
    TableParams params;
};

// A slot in one 16-byte load.
DEVICE Slot load_slot(const Slot* slot) {
    uint4 words = __ldg((const uint4*)slot);
    return Slot{words.x, words.y, words.z, words.w};
}

// As `load_slot`, of a table so large that no cache has a use for its lines.
DEVICE Slot load_slot_once(const Slot* slot) {
#if __CUDA_ARCH__ >= 800
    uint4 v;
    asm("ld.global.nc.L1::no_allocate.L2::cache_hint.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
        : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
        : "l"(slot), "l"(keep_short()));
    return Slot{v.x, v.y, v.z, v.w};
#else
    return load_slot(slot);
#endif
}

DEVICE unsigned home_pair(unsigned key0, unsigned n_pairs) { return multiply_high(key0, n_pairs); }

// The pair that is visited `step`-th.
DEVICE unsigned pair_at(unsigned home, unsigned step, unsigned n_pairs) {
    unsigned line_first = home + (step & ~1u);
    unsigned wrapped = line_first >= n_pairs ? line_first - n_pairs : line_first;
    return wrapped ^ (step & 1);
}

DEVICE bool holds(const Slot& slot, const Key& key) {
    return slot.key0 == key.w0 && slot.key1 == key.w1 && (slot.key2_kind & ~KIND_MASK) == key.w2;
}

DEVICE unsigned probe_limit(const Tables& tables) {
    return tables.params.probe_limit < tables.params.n_pairs ? tables.params.probe_limit : tables.params.n_pairs;
}

// What a pair says of a key: its slot (or an empty one), and whether the next pair of the probe may hold it.
struct Found {
    Slot slot;
    bool more;
};

DEVICE Found in_pair(const Slot& first, const Slot& second, const Key& key) {
    bool in_first = holds(first, key), in_second = holds(second, key);
    Slot slot = in_first ? first : second;
    if (!in_first && !in_second) slot.inode = INVALID_INODE;
    return Found{slot, !in_first && !in_second && second.inode != INVALID_INODE};
}

// The slot of `key`, or an empty one, from the line of step 2 on: a line a time, as memory gives it, and none where no entry of the home
// line lies.
DEVICE Slot probe_lines(const Tables& tables, const Key& key) {
    unsigned n_pairs = tables.params.n_pairs, limit = probe_limit(tables), home = home_pair(key.w0, n_pairs);
    unsigned reach = reach_of(tables.hints, home / 2);
    if (reach != REACH_ANY && limit > 2 + 2 * reach) limit = 2 + 2 * reach;
    for (unsigned step = 2; step < limit; step += 2) {
        const Slot* pair = tables.slots + (u64)pair_at(home, step, n_pairs) * PAIR_SLOTS;
        const Slot* other = tables.slots + (u64)pair_at(home, step + 1, n_pairs) * PAIR_SLOTS;
        Slot a = load_slot(pair), b = load_slot(pair + 1), c = load_slot(other), d = load_slot(other + 1);
        Found found = in_pair(a, b, key);
        if (found.more) found = in_pair(c, d, key);
        if (!found.more) return found.slot;
    }
    return Slot{0, 0, 0, INVALID_INODE};
}

// The slot of `key`, or an empty one, from this step on. Reads as many lines as `probe_limit` pairs lie in at most, whatever the slots hold.
DEVICE Slot probe_from(const Tables& tables, const Key& key, unsigned step) {
    unsigned home = home_pair(key.w0, tables.params.n_pairs);
    for (; step < 2; step++) {
        const Slot* pair = tables.slots + (u64)(home ^ step) * PAIR_SLOTS;
        Found found = in_pair(load_slot(pair), load_slot(pair + 1), key);
        if (!found.more) return found.slot;
    }
    return probe_lines(tables, key);
}

DEVICE Slot probe(const Tables& tables, const Key& key) { return probe_from(tables, key, 0); }

DEVICE bool is_none(const Slot& slot) { return slot.inode == INVALID_INODE; }
DEVICE unsigned kind_of(const Slot& slot) { return slot.key2_kind & KIND_MASK; }

// The record of a directory; null for what is none.
DEVICE const DirRecord* dir_record(const Tables& tables, unsigned inode) {
    if (inode >= tables.params.n_inodes) return nullptr;
    InodeBlock block = tables.blocks[inode / BLOCK_INODES];
    unsigned bit = inode % BLOCK_INODES;
    if ((block.dir_bits >> bit & 1) == 0) return nullptr;
    unsigned number = block.dir_base + population(block.dir_bits & ((1u << bit) - 1));
    return number < tables.params.n_dirs ? tables.dirs + number : nullptr;
}

// The record of a symbolic link in `links`; null for what is no link.
DEVICE const LinkRecord* link_record(const Tables& tables, const LinkRecord* links, unsigned inode) {
    if (inode >= tables.params.n_inodes) return nullptr;
    InodeBlock block = tables.blocks[inode / BLOCK_INODES];
    unsigned bit = inode % BLOCK_INODES;
    if ((block.link_bits >> bit & 1) == 0) return nullptr;
    unsigned number = block.link_base + population(block.link_bits & ((1u << bit) - 1));
    return number < tables.params.n_links ? links + number : nullptr;
}
