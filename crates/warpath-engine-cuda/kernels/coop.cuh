// The probe with the whole warp: four lanes read the line of one key in a single request, eight keys at a time.
#pragma once
#include "probe.cuh"

constexpr unsigned WARP = 32;
constexpr unsigned FULL_MASK = 0xFFFFFFFFu;

// The slot of each lane's key, or an empty one; lanes without a key (`keyed` false) take part and get an empty one.
DEVICE Slot probe_warp(const Tables& tables, const Key& key, bool keyed, unsigned lane) {
    constexpr unsigned GROUPS = WARP / LINE_SLOTS;  // keys that are probed at a time
    constexpr unsigned ROUNDS = WARP / GROUPS;
    unsigned home = keyed ? home_pair(key.w0, tables.params.n_pairs) : 0;
    Slot slots[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned line = __shfl_sync(FULL_MASK, home, round * GROUPS + lane / LINE_SLOTS) / 2;
        slots[round] = load_slot(tables.slots + (u64)line * LINE_SLOTS + lane % LINE_SLOTS);
    }
    Slot found = {0, 0, 0, INVALID_INODE};
    bool more = false;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned owner = round * GROUPS + lane / LINE_SLOTS;
        Key wanted = {__shfl_sync(FULL_MASK, key.w0, owner), __shfl_sync(FULL_MASK, key.w1, owner), __shfl_sync(FULL_MASK, key.w2, owner)};
        unsigned matching = __ballot_sync(FULL_MASK, holds(slots[round], wanted));
        unsigned empty = __ballot_sync(FULL_MASK, is_none(slots[round]));
        // What concerns the owner: the home pair's two bits first, then the other pair's.
        unsigned first = lane % GROUPS * LINE_SLOTS, half = (home & 1) * 2;
        unsigned in_home = matching >> (first + half) & 3, in_other = matching >> (first + (half ^ 2)) & 3;
        bool home_full = (empty >> (first + half + 1) & 1) == 0, other_full = (empty >> (first + (half ^ 2) + 1) & 1) == 0;
        unsigned hit = in_home != 0 ? half + (in_home >> 1 & ~in_home & 1) : (half ^ 2) + (in_other >> 1 & ~in_other & 1);
        unsigned inode = __shfl_sync(FULL_MASK, slots[round].inode, first + hit);
        unsigned kind = __shfl_sync(FULL_MASK, slots[round].key2_kind, first + hit);
        if (lane / GROUPS == round && keyed) {
            if (in_home != 0 || (home_full && in_other != 0)) found.inode = inode, found.key2_kind = kind;
            else more = home_full && other_full;
        }
    }
    if (more) found = probe_lines(tables, key);
    return found;
}
