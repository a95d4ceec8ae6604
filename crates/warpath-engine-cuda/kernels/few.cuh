// Small batches: a warp a path. Each lane hashes a unit, a scan gives the sums of every prefix, and all prefixes are probed at once, so
// that a plain path is answered after one round trip to memory, whether it exists or not.
#pragma once
#include "search.cuh"
#include "stage.cuh"

// A path in mapped host memory, every `stride` bytes: 4 bytes of length, 4 of its start directory, then the bytes.
constexpr unsigned SLOT_TEXT = 8;
// Set in an answer's second word, beside the status, once the answer is there.
constexpr unsigned ANSWERED = 0x100;

// A set of byte positions 0 to 127.
struct Positions {
    u64 lo, hi;
};

DEVICE Positions up(const Positions& p, unsigned n) { return {p.lo << n, p.hi << n | p.lo >> (64 - n)}; }
DEVICE Positions both(const Positions& a, const Positions& b) { return {a.lo & b.lo, a.hi & b.hi}; }
DEVICE bool any(const Positions& p) { return (p.lo | p.hi) != 0; }
DEVICE unsigned count(const Positions& p) { return population64(p.lo) + population64(p.hi); }
DEVICE void insert(Positions& p, unsigned at) {
    if (at < 64) p.lo |= 1ull << at;
    else p.hi |= 1ull << (at - 64);
}

// The position of the `n`-th member, counted from 0; there must be one.
DEVICE unsigned select(const Positions& p, unsigned n) {
    unsigned n_lo = population64(p.lo), base = 0;
    u64 word = p.lo;
    if (n >= n_lo) word = p.hi, base = 64, n -= n_lo;
    for (; n > 0; n--) word &= word - 1;
    return base + lowest_bit64(word);
}

// Where the components of a path of `n` bytes end, from the places of its slashes; false when a component is empty.
DEVICE bool ends_of(unsigned n, const Positions& slashes, Positions& ends) {
    ends = slashes;
    ends.lo &= ~1ull;
    insert(ends, n);
    Positions begins = up(slashes, 1);
    if ((slashes.lo & 1) == 0) begins.lo |= 1;
    return !any(both(begins, Positions{slashes.lo | ends.lo, slashes.hi | ends.hi}));
}

// Whether a component of the path is `.` or `..`.
DEVICE bool has_dots(const Text& path, const Positions& ends) {
    unsigned begin = path.byte(0) == '/' ? 1 : 0;
    for (unsigned i = 0, n = count(ends); i < n; i++) {
        unsigned end = select(ends, i), length = end - begin;
        if (length <= 2 && path.byte(begin) == '.' && path.byte(end - 1) == '.') return true;
        begin = end + 1;
    }
    return false;
}

DEVICE u64 shuffle(u64 value, unsigned lane) { return __shfl_sync(FULL_MASK, value, lane); }

// Lane i gets the sum of lanes 0 to i.
DEVICE u64 inclusive_sum(u64 value, unsigned lane) {
    for (unsigned step = 1; step < WARP; step *= 2) {
        u64 below = __shfl_up_sync(FULL_MASK, value, step);
        if (lane >= step) value += below;
    }
    return value;
}

// The longest path that a warp answers together.
constexpr unsigned MAX_FEW = 126;

// Where the components of a path end; false when the path is not plain or has more than MAX_FEW bytes.
DEVICE bool plain_ends_warp(const Text& path, unsigned lane, Positions& ends) {
    unsigned n = path.length;
    if (n == 0 || n > MAX_FEW) return false;
    unsigned slashes[4], nul = 0, hidden = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned at = i * WARP + lane, byte = at < n ? path.byte(at) : 0xFF;
        slashes[i] = __ballot_sync(FULL_MASK, byte == '/');
        nul |= __ballot_sync(FULL_MASK, byte == 0);
        hidden |= __ballot_sync(FULL_MASK, byte == '.' && (at == 0 || path.byte(at - 1) == '/'));
    }
    Positions places = {slashes[0] | (u64)slashes[1] << 32, slashes[2] | (u64)slashes[3] << 32};
    return nul == 0 && ends_of(n, places, ends) && (hidden == 0 || !has_dots(path, ends));
}

// The key of the string that ends at text position `end`, for each lane its own; `state` and `at` are the whole warp's.
// `unit_keys` are those of the lane's unit.
DEVICE Key prefix_key_warp(const HashKey& key, const UnitKeys& unit_keys, const State& state, const Text& path, unsigned at,
                           unsigned end, unsigned lane) {
    unsigned pending = state.length % UNIT_BYTES, n_bytes = pending + path.length - at, begin = lane * UNIT_BYTES;
    u64 unit = 0;
    if (begin < n_bytes) {
        unit = lane == 0 ? state.tail | path.unit(at) << (8 * pending) : path.unit(at + begin - pending);
        unit = low_bytes(unit, n_bytes - begin);
    }
    Sums sums = {0, 0, 0};
    add_unit_with(sums, unit_keys, unit);
    sums = Sums{inclusive_sum(sums.s0, lane), inclusive_sum(sums.s1, lane), inclusive_sum(sums.s2, lane)};
    unsigned length = pending + end - at, whole = length / UNIT_BYTES, rest = length % UNIT_BYTES;
    unsigned below = whole == 0 ? 0 : whole - 1;
    Sums prefix = {shuffle(sums.s0, below), shuffle(sums.s1, below), shuffle(sums.s2, below)};
    if (whole == 0) prefix = Sums{0, 0, 0};
    prefix.s0 += state.sums.s0, prefix.s1 += state.sums.s1, prefix.s2 += state.sums.s2;
    u64 last = shuffle(unit, whole);
    UnitKeys last_keys = {};
    for (unsigned i = 0; i < 2 * LANES; i++) last_keys.k[i] = __shfl_sync(FULL_MASK, unit_keys.k[i], whole);
    if (rest != 0) add_unit_with(prefix, last_keys, low_bytes(last, rest));
    return finish_sums(key, prefix);
}

// As `search`, with the whole warp. `first_keys` are those of unit `lane`.
DEVICE bool search_warp(const Tables& tables, const HashKey& key, const UnitKeys& first_keys, const QueryParams& query,
                        const Text& path, unsigned lane, Outcome& out) {
    Positions ends;
    if ((tables.params.flags & TABLE_STRICT) || !plain_ends_warp(path, lane, ends)) return false;
    State state = empty_state();
    unsigned directory = ROOT;
    if (path.byte(0) != '/') {
        directory = query.start;
        if (!state_of(tables, directory, state)) return false;
        push_slash(state, key);
    } else if (query.flags & QUERY_BENEATH) {
        return false;
    }
    unsigned n = count(ends), exists = 0, at = 0, links = 0;
    if (n > WARP) return false;
    for (;;) {
        if (!is_near(state.length, path.length - at)) return false;
        unsigned mine = exists + lane;
        unsigned end = select(ends, mine < n ? mine : n - 1);
        unsigned first_unit = state.length / UNIT_BYTES;
        UnitKeys unit_keys = first_unit == 0 ? first_keys : key.at(first_unit + lane);
        Slot slot = probe(tables, prefix_key_warp(key, unit_keys, state, path, at, end, lane));
        unsigned present = __ballot_sync(FULL_MASK, mine < n && !is_none(slot));
        unsigned more = __ffs(~present) - 1;
        if (present == FULL_MASK) more = WARP;
        Slot last = {0, 0, KIND_DIRECTORY, directory};
        if (more > 0) {
            last.key2_kind = __shfl_sync(FULL_MASK, slot.key2_kind, more - 1);
            last.inode = __shfl_sync(FULL_MASK, slot.inode, more - 1);
            at = __shfl_sync(FULL_MASK, end, more - 1);
        }
        exists += more;
        if (exists == n) {
            out = final_entry(tables, query.flags, last, links);
            return true;
        }
        if (kind_of(last) == KIND_DIRECTORY) {
            out = missing(tables, last.inode);
            return true;
        }
        out = failed(STATUS_NOT_A_DIRECTORY);
        if (kind_of(last) != KIND_SYMLINK) return true;
        unsigned target_kind = KIND_FILE;
        Outcome target = follow(tables, query.flags, last.inode, links, target_kind);
        if (target.status != STATUS_FOUND) out = target;
        if (target.status != STATUS_FOUND || target_kind != KIND_DIRECTORY) return true;
        directory = target.inode;
        if (!state_of(tables, directory, state)) return true;
    }
}

// 16 bytes that the host may have changed since they were last read.
DEVICE uint4 load_uncached(const uint4* from) {
    uint4 v;
#ifdef __CUDA_ARCH__
    asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from) : "memory");
#else
    v = *from;
#endif
    return v;
}

// Answers the path in a slot, with the whole warp; only lane 0 has the answer. `room` is the warp's shared memory: the slot's `stride`
// bytes between margins. `first_keys` are those of unit `lane`.
DEVICE Outcome answer_slot(const Tables& tables, const HashKey& key, const UnitKeys& first_keys, unsigned flags, const u8* slot,
                           unsigned stride, u8* room, unsigned lane) {
    u8* staged = room + MARGIN;
    for (unsigned at = lane * PIECE; at < stride; at += WARP * PIECE) *(uint4*)(staged + at) = load_uncached((const uint4*)(slot + at));
    __syncwarp();
    unsigned length = *(const unsigned*)staged, longest = stride - SLOT_TEXT;
    QueryParams query = {1, *(const unsigned*)(staged + 4), flags, 0};
    Text text = {(const unsigned*)room, MARGIN + SLOT_TEXT, length < longest ? length : longest};
    Outcome out;
    if (search_warp(tables, key, first_keys, query, text, lane, out)) return out;
    if (lane == 0 && !direct(tables, key, query, text, out)) out = walk(tables, key, query, text);
    return out;
}

// Writes an answer to mapped host memory, in one store.
DEVICE void write_answer(uint2* answer, const Outcome& out) { *(volatile u64*)answer = out.inode | (u64)(out.status | ANSWERED) << 32; }
