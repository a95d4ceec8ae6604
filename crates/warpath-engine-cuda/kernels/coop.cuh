// The probe with the whole warp: neighbouring lanes read the slots of one key in a single request.
#pragma once
#include "probe.cuh"

constexpr unsigned WARP = 32;
constexpr unsigned FULL_MASK = 0xFFFFFFFFu;

// Tables of more pairs, 64 MiB, are larger than the second-level caches of today.
constexpr unsigned SMALL_PAIRS = 1u << 21;

// A lane's key and what the warp has found of it.
struct Sought {
    Key key;
    unsigned home;
    bool keyed;
};

// The slots at the key's home, and whether they are full and without it; `LANES_A_KEY` lanes read a key's home pair (2) or line (4).
template <unsigned LANES_A_KEY>
DEVICE Found probe_homes(const Tables& tables, const Sought& sought, unsigned lane) {
    constexpr unsigned GROUPS = WARP / LANES_A_KEY;  // keys that are probed at a time
    constexpr unsigned ROUNDS = WARP / GROUPS;
    Slot slots[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned home = __shfl_sync(FULL_MASK, sought.home, round * GROUPS + lane / LANES_A_KEY);
        if (LANES_A_KEY == PAIR_SLOTS) slots[round] = load_slot(tables.slots + (u64)home * PAIR_SLOTS + lane % PAIR_SLOTS);
        else slots[round] = load_slot_once(tables.slots + (u64)(home / 2) * LINE_SLOTS + lane % LINE_SLOTS);
    }
    Found found = {{0, 0, 0, INVALID_INODE}, false};
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned owner = round * GROUPS + lane / LANES_A_KEY;
        Key wanted = {__shfl_sync(FULL_MASK, sought.key.w0, owner), __shfl_sync(FULL_MASK, sought.key.w1, owner),
                      __shfl_sync(FULL_MASK, sought.key.w2, owner)};
        unsigned matching = __ballot_sync(FULL_MASK, holds(slots[round], wanted));
        unsigned empty = __ballot_sync(FULL_MASK, is_none(slots[round]));
        // What concerns the owner: the home pair's two bits, then the other pair's.
        unsigned first = lane % GROUPS * LANES_A_KEY, half = LANES_A_KEY == LINE_SLOTS ? (sought.home & 1) * 2 : 0;
        unsigned in_home = matching >> (first + half) & 3, hit = half + (in_home >> 1 & ~in_home & 1);
        bool here = in_home != 0, more = (empty >> (first + half + 1) & 1) == 0;
        if (LANES_A_KEY == LINE_SLOTS) {
            unsigned in_other = matching >> (first + (half ^ 2)) & 3;
            if (!here) hit = (half ^ 2) + (in_other >> 1 & ~in_other & 1);
            here |= more && in_other != 0;
            more = more && (empty >> (first + (half ^ 2) + 1) & 1) == 0;
        }
        unsigned inode = __shfl_sync(FULL_MASK, slots[round].inode, first + hit);
        unsigned kind = __shfl_sync(FULL_MASK, slots[round].key2_kind, first + hit);
        if (lane / GROUPS == round && sought.keyed) {
            if (here) found.slot.inode = inode, found.slot.key2_kind = kind;
            found.more = !here && more;
        }
    }
    return found;
}

// The slot of each lane's key, or an empty one; lanes without a key (`keyed` false) take part and get an empty one. Lines of a large
// table come from memory whole; of a small one only the pair that mostly has the key is asked for.
DEVICE Slot probe_warp(const Tables& tables, const Key& key, bool keyed, unsigned lane) {
    Sought sought = {key, keyed ? home_pair(key.w0, tables.params.n_pairs) : 0, keyed};
    if (tables.params.n_pairs > SMALL_PAIRS) {
        Found found = probe_homes<LINE_SLOTS>(tables, sought, lane);
        return found.more ? probe_lines(tables, key) : found.slot;
    }
    Found found = probe_homes<PAIR_SLOTS>(tables, sought, lane);
    return found.more ? probe_from(tables, key, 1) : found.slot;
}
