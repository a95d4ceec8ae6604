// The walk of plain paths by halving: what exists of a canonical path is a prefix of it.
//
// A path is plain when it has at most 254 bytes, at most 32 components, and none that is empty, `.` or `..`. Its components' ends are
// listed once, the key of any prefix is hashed from the nearest known one, and log2(components) probes find the longest
// prefix that exists. The lanes of a warp, a path each, stay together: a probe is the warp's.
#pragma once
#include "coop.cuh"
#include "walk.cuh"

constexpr unsigned MAX_PLAIN = 254;
constexpr unsigned MAX_COMPONENTS = 32;

// 0x80 in each byte of `word` that equals the byte repeated in `pattern`.
DEVICE unsigned equal_bytes(unsigned word, unsigned pattern) {
    unsigned x = word ^ pattern, t = (x & 0x7F7F7F7Fu) + 0x7F7F7F7Fu;
    return ~(t | x | 0x7F7F7F7Fu);
}

// The four flags of `equal_bytes` as bits 0 to 3.
DEVICE unsigned four_bits(unsigned flags) { return (flags * 0x00204081u) >> 28; }

// Whether some byte of the word is zero.
DEVICE unsigned zero_bytes(unsigned word) { return (word - 0x01010101u) & ~word & 0x80808080u; }

// Lists where the components of a path end and returns their number; 0 when the path is not plain.
DEVICE unsigned list_ends(const Text& path, u8* ends) {
    if (path.length == 0 || path.length > MAX_PLAIN) return 0;
    unsigned begin = path.byte(0) == '/' ? 1 : 0, n = 0, nul = 0;
    unsigned shift = (path.begin & 3) * 8;
    const unsigned* word = path.words + (path.begin >> 2);
    unsigned a = word[0];
    for (unsigned at = 0; at < path.length; at += WARP) {
        unsigned slashes = 0;
        for (unsigned i = 0; i < WARP / 4; i++) {
            if (at + 4 * i >= path.length) break;
            unsigned b = *++word, text = funnel_right(a, b, shift), left = path.length - at - 4 * i;
            a = b;
            if (left < 4) text |= ~0u << (8 * left);
            slashes |= four_bits(equal_bytes(text, 0x2F2F2F2Fu)) << (4 * i);
            nul |= zero_bytes(text);
        }
        // The end of the path counts as a slash.
        if (path.length - at < WARP) slashes |= 1u << (path.length - at);
        if (at == 0) slashes &= ~begin;
        for (; slashes != 0; slashes &= slashes - 1) {
            unsigned end = at + __ffs(slashes) - 1, length = end - begin;
            bool dots = length <= 2 && path.byte(begin) == '.' && path.byte(end - 1) == '.';
            if (length == 0 || dots || n == MAX_COMPONENTS) return 0;
            ends[n++] = (u8)end;
            begin = end + 1;
        }
    }
    if (path.length % WARP == 0) {
        unsigned length = path.length - begin;
        bool dots = length <= 2 && path.byte(begin) == '.' && path.byte(path.length - 1) == '.';
        if (path.length <= begin || dots || n == MAX_COMPONENTS) return 0;
        ends[n++] = (u8)path.length;
    }
    return nul == 0 ? n : 0;
}

// Answers the lanes' plain paths: those with `todo`, which is cleared where the path is answered. The whole warp takes part. `ends`
// is the lane's room for MAX_COMPONENTS. `direct_missed`: whole paths are known not to be an entry's key.
DEVICE void search(const Tables& tables, const HashKey& key, const QueryParams& query, const Text& path, u8* ends, bool direct_missed,
                   unsigned lane, bool& todo, Outcome& out) {
    unsigned n = 0, directory = ROOT;
    State state = empty_state();
    if (todo && (tables.params.flags & TABLE_STRICT) == 0) n = list_ends(path, ends);
    if (n != 0) {
        if (path.byte(0) == '/') {
            if (query.flags & QUERY_BENEATH) n = 0;
        } else {
            directory = query.start;
            if (!state_of(tables, directory, state)) n = 0;
            push_slash(state, key);
        }
    }
    bool active = n != 0 && is_near(state.length + path.length);
    // `exists` components lead to `last` and `state`, `misses` components are known to lead nowhere.
    unsigned exists = 0, misses = direct_missed ? n : n + 1, at = 0, links = 0;
    unsigned middle = direct_missed && n > 1 ? n - 1 : misses / 2;
    unsigned last_inode = directory, last_kind = KIND_DIRECTORY;
    while (__any_sync(FULL_MASK, active)) {
        bool probing = active && misses - exists > 1;
        Key wanted = {};
        State next = state;
        unsigned end = 0;
        if (probing) {
            end = ends[middle - 1];
            push_near(next, key, path, at, end);
            wanted = finish_near(key, next);
        }
        Slot slot = {0, 0, 0, INVALID_INODE};
        if (probing) slot = probe(tables, wanted);
        if (probing) {
            if (is_none(slot)) {
                misses = middle;
            } else {
                exists = middle, at = end, state = next, last_inode = slot.inode, last_kind = kind_of(slot);
                if (last_kind != KIND_DIRECTORY) misses = exists + 1;
            }
            middle = (exists + misses) / 2;
        }
        if (!active || misses - exists > 1) continue;
        // The longest prefix is known.
        active = todo = false;
        if (exists == n) {
            out = final_entry(tables, query.flags, Slot{0, 0, last_kind, last_inode}, links);
        } else if (last_kind == KIND_DIRECTORY) {
            out = missing(tables, last_inode);
        } else if (last_kind == KIND_SYMLINK) {
            unsigned target_kind = KIND_FILE;
            out = follow(tables, query.flags, last_inode, links, target_kind);
            if (out.status != STATUS_FOUND) continue;
            last_inode = out.inode, last_kind = KIND_DIRECTORY;
            out = failed(STATUS_NOT_A_DIRECTORY);
            if (target_kind != KIND_DIRECTORY || !state_of(tables, last_inode, state)) continue;
            // The rest of the path begins anew in the target, if its string stays near; else the walk answers all of it.
            todo = true, active = is_near(state.length + path.length - at);
            misses = n + 1, middle = (exists + misses) / 2;
        } else {
            out = failed(STATUS_NOT_A_DIRECTORY);
        }
    }
}
