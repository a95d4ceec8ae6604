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

// A lane's list of where components end. The lists of a warp are interleaved, so that lanes that read the same element meet no bank twice.
struct Ends {
    u8* first;

    METHOD u8& operator[](unsigned i) const { return first[i * WARP]; }
};

// Lists where the components of a path end and returns their number; 0 when the path is not plain.
DEVICE unsigned list_ends(const Text& path, const Ends& ends) {
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

// Where the search stands: `state` and `at` behind component number `component`, a directory or link if the hints are right, surely a
// directory if `sure`.
struct Stand {
    State state;
    unsigned at, component;
    bool sure;
};

// Stands behind `component` in directory `base`; false if that is none. The text goes on with a slash, but where a relative path begins.
DEVICE bool stand_at(const Tables& tables, const HashKey& key, unsigned base, unsigned at, unsigned component, bool slash, Stand& stand) {
    stand = Stand{empty_state(), at, component, true};
    if (!state_of(tables, base, stand.state)) return false;
    if (!slash) push_slash(stand.state, key);
    return true;
}

// Goes on to the last component before `below` that the hints take for a passage, if there is one. What exists is a prefix: after
// the last candidate, where most paths end that miss their last name, the range is halved.
DEVICE void go_on(const Tables& tables, const HashKey& key, const Text& path, const Ends& ends, unsigned below, Stand& stand) {
    unsigned candidate = below - 1;
    while (candidate > stand.component) {
        State next = stand.state;
        unsigned end = ends[candidate - 1];
        push_near(next, key, path, stand.at, end);
        if (may_pass(tables.hints, finish_near(key, next))) {
            stand = Stand{next, end, candidate, false};
        } else {
            below = candidate;
        }
        candidate = (stand.component + below) / 2;
    }
}

// Answers the lanes' plain paths: those with `todo`, which is cleared where the path is answered. The whole warp takes part. `ends`
// is the lane's room for MAX_COMPONENTS. `n_missing`: so many of the longest prefixes, the whole path first, are known to be no entry.
DEVICE void search(const Tables& tables, const HashKey& key, const QueryParams& query, const Text& path, const Ends& ends, unsigned n_missing,
                   unsigned lane, bool& todo, Outcome& out) {
    // The search begins behind component `begin`, in directory `base`.
    unsigned n = 0, begin = 0, base = ROOT;
    Stand stand = {empty_state(), 0, 0, true};
    if (todo && (tables.params.flags & TABLE_STRICT) == 0) n = list_ends(path, ends);
    if (n == 0 || path.byte(0) == '/') {
        if (query.flags & QUERY_BENEATH) n = 0;
    } else {
        base = query.start;
        if (!stand_at(tables, key, base, 0, 0, false, stand)) n = 0;
    }
    bool active = n != 0 && is_near(stand.state.length, path.length), anew = true;
    // Components from `misses` on are known to lead nowhere; `directory` is the last that is sure.
    unsigned misses = n + 1 > n_missing ? n + 1 - n_missing : 1, directory = base, links = 0;
    while (__any_sync(FULL_MASK, active)) {
        if (active && anew) go_on(tables, key, path, ends, misses < n ? misses : n, stand), anew = false;
        if (active && stand.sure && stand.component + 1 >= misses) {
            out = missing(tables, directory);
            active = todo = false;
        }
        Slot slot = {0, 0, 0, INVALID_INODE};
        unsigned target = stand.component, end = stand.at;
        State next = stand.state;
        if (active) {
            // The component behind the passage where that decides, else the passage itself.
            if (target + 1 < misses && (target + 1 == n || stand.sure)) {
                end = ends[target++];
                push_near(next, key, path, stand.at, end);
            }
            slot = probe(tables, finish_near(key, next));
        }
        if (!active) continue;
        unsigned kind = kind_of(slot);
        if (is_none(slot)) {
            misses = target;
            // The hints were wrong: below.
            if (target == stand.component) anew = true;
        } else if (target == n) {
            out = final_entry(tables, query.flags, slot, links);
            active = todo = false;
        } else if (kind == KIND_DIRECTORY) {
            stand = Stand{next, end, target, true}, directory = slot.inode;
        } else {
            active = todo = false;
            out = failed(STATUS_NOT_A_DIRECTORY);
            if (kind != KIND_SYMLINK) continue;
            unsigned target_kind = KIND_FILE;
            Outcome followed = follow(tables, query.flags, slot.inode, links, target_kind);
            if (followed.status != STATUS_FOUND) out = followed;
            if (followed.status != STATUS_FOUND || target_kind != KIND_DIRECTORY) continue;
            // The rest of the path begins anew in the link's target, if its string stays near; else the walk answers all of it.
            base = followed.inode, begin = target, misses = n + 1;
            todo = active = anew = true;
        }
        if (!anew) continue;
        directory = base;
        unsigned at = begin == 0 ? 0 : ends[begin - 1];
        if (!stand_at(tables, key, base, at, begin, path.byte(at) == '/', stand)) {
            out = failed(STATUS_NOT_A_DIRECTORY);
            active = todo = false;
        }
        if (!is_near(stand.state.length, path.length - at)) active = false;
    }
}
