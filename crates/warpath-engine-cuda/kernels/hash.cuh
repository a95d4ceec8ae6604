// The key of an entry: twin of `warpath-core/src/hash.rs`, which defines it.
#pragma once
#include "device.cuh"
#include "layout.cuh"

typedef unsigned long long u64;
typedef unsigned char u8;

// Units whose position keys are at hand in every kernel: strings of up to 512 bytes.
constexpr unsigned NEAR_UNITS = 64;
constexpr unsigned UNIT_MASK = KEY_UNITS - 1;

// Position keys of one unit: two words a lane.
struct alignas(16) UnitKeys {
    unsigned k[2 * LANES];
    unsigned unused[2];
};

// A, B and C of one lane.
struct alignas(8) Finish {
    u64 a, b, c;
};

// The part of the hash key that most paths need. It comes as a kernel's parameter, so that it lies in constant memory; where lanes
// read different units, a block keeps a copy in shared memory.
struct alignas(16) NearKeys {
    UnitKeys units[NEAR_UNITS];
    Finish finish[LANES];
    u64 unused;
};
static_assert(sizeof(NearKeys) == 2128, "the host makes it in `kernels.rs`");

// The secret words of the hash: the near ones, and the whole array for longer strings.
struct HashKey {
    const NearKeys* near;
    const unsigned* words;

    // Position keys of any unit, two words a load: the words begin at a multiple of 8.
    METHOD UnitKeys at(unsigned unit) const {
        UnitKeys keys = {};
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint2 pair = __ldg((const uint2*)(words + lane * KEY_LANE_WORDS) + (unit & UNIT_MASK));
            keys.k[2 * lane] = pair.x, keys.k[2 * lane + 1] = pair.y;
        }
        return keys;
    }
};

// The fingerprint of an entry's canonical path; the two lowest bits of the third word are zero.
struct Key {
    unsigned w0, w1, w2;
};

// Sums of the three lanes.
struct Sums {
    u64 s0, s1, s2;
};

// A hash underway, as in a directory's record.
struct State {
    Sums sums;
    u64 tail;         // bytes of the unit that is not whole yet, zero-padded, first byte lowest
    unsigned length;  // bytes so far, those of the tail included
};

DEVICE State empty_state() { return State{}; }

DEVICE State state_of_record(const DirRecord& r) {
    State state;
    state.sums.s0 = r.sum0_lo | (u64)r.sum0_hi << 32;
    state.sums.s1 = r.sum1_lo | (u64)r.sum1_hi << 32;
    state.sums.s2 = r.sum2_lo | (u64)r.sum2_hi << 32;
    state.tail = r.tail_lo | (u64)r.tail_hi << 32;
    state.length = r.length;
    return state;
}

// Adds one unit to the three sums.
DEVICE void add_unit_with(Sums& sums, const UnitKeys& keys, u64 bytes) {
    unsigned w0 = (unsigned)bytes, w1 = (unsigned)(bytes >> 32);
    sums.s0 += (u64)(w0 + keys.k[0]) * (w1 + keys.k[1]);
    sums.s1 += (u64)(w0 + keys.k[2]) * (w1 + keys.k[3]);
    sums.s2 += (u64)(w0 + keys.k[4]) * (w1 + keys.k[5]);
}

DEVICE void add_unit(Sums& sums, const HashKey& key, unsigned unit, u64 bytes) {
    add_unit_with(sums, key.at(unit), bytes);
}

DEVICE unsigned finish_lane(const Finish& f, u64 sum) {
    u64 mixed = (u64)(unsigned)sum * f.a + (sum >> 32) * f.b + f.c;
    return (unsigned)(mixed >> 32);
}

DEVICE Key finish_sums(const HashKey& key, const Sums& sums) {
    const Finish* f = key.near->finish;
    return Key{finish_lane(f[0], sums.s0), finish_lane(f[1], sums.s1), finish_lane(f[2], sums.s2) & ~KIND_MASK};
}

// The key of the bytes so far.
DEVICE Key finish_state(const HashKey& key, const State& state) {
    Sums sums = state.sums;
    if (state.length % UNIT_BYTES != 0) add_unit(sums, key, state.length / UNIT_BYTES, state.tail);
    return finish_sums(key, sums);
}

// `n` low bytes of a unit, n <= 8.
DEVICE u64 low_bytes(u64 unit, unsigned n) { return n >= 8 ? unit : unit & ~(~0ull << (8 * n)); }

// A path's bytes. They lie in memory that may be read as aligned words from 8 bytes before the begin to 12 bytes behind the end.
struct Text {
    const unsigned* words;
    unsigned begin;   // byte offset of the path within the words
    unsigned length;

    // The 8 bytes from position `at`, first byte lowest; those behind the end are anything.
    METHOD u64 unit(unsigned at) const {
        unsigned byte = begin + at, i = byte >> 2, shift = (byte & 3) * 8;
        unsigned a = words[i], b = words[i + 1], c = words[i + 2];
        return funnel_right(a, b, shift) | (u64)funnel_right(b, c, shift) << 32;
    }

    METHOD unsigned byte(unsigned at) const { return ((const u8*)words)[begin + at]; }
};

// Whether a string of `length` bytes, and `more` behind them, has its position keys in shared memory, the unit behind it included. A
// damaged record's length may be anything: the sum must not wrap.
DEVICE bool is_near(unsigned length, unsigned more = 0) { return (u64)length + more < (NEAR_UNITS - 1) * UNIT_BYTES; }

// The units of a text from one position on, read as aligned words.
struct Units {
    const unsigned* word;
    unsigned shift, a;

    METHOD Units(const Text& text, unsigned byte) : word(text.words + (byte >> 2)), shift((byte & 3) * 8), a(*word) {}

    METHOD u64 next() {
        unsigned b = word[1], c = word[2];
        u64 unit = funnel_right(a, b, shift) | (u64)funnel_right(b, c, shift) << 32;
        word += 2, a = c;
        return unit;
    }
};

// Continues over bytes `from` to `end` of the text; the string must stay near.
DEVICE void push_near(State& state, const HashKey& key, const Text& text, unsigned from, unsigned end) {
    unsigned pending = state.length % UNIT_BYTES;
    const UnitKeys* keys = key.near->units + state.length / UNIT_BYTES;
    unsigned n_bytes = pending + end - from;
    state.length += end - from;
    // The first unit is read from where it would begin in the text; its pending bytes come from the tail.
    Units units(text, text.begin + from - pending);
    u64 unit = (units.next() & ~0ull << (8 * pending)) | state.tail;
    for (; n_bytes >= UNIT_BYTES; n_bytes -= UNIT_BYTES) {
        add_unit_with(state.sums, *keys++, unit);
        unit = units.next();
    }
    state.tail = low_bytes(unit, n_bytes);
}

// Sums over the whole text as a string of its own, the padded unit included. The lanes of a warp use the same unit's keys
// at the same time, with its number known to the compiler, so that they are operands and no loads.
DEVICE Sums sum_text(const HashKey& key, const Text& text) {
    Sums sums = {0, 0, 0};
    Units units(text, text.begin);
    constexpr unsigned UNROLLED = 16;
    int left = (int)text.length;
#pragma unroll
    for (unsigned u = 0; u < UNROLLED; u++) {
        if (left <= 0) break;
        u64 unit = units.next();
        if (left < (int)UNIT_BYTES) unit = low_bytes(unit, left);
        add_unit_with(sums, key.near->units[u], unit);
        left -= UNIT_BYTES;
    }
#pragma unroll 1
    for (unsigned u = UNROLLED; left > 0; u++, left -= UNIT_BYTES) {
        u64 unit = units.next();
        if (left < (int)UNIT_BYTES) unit = low_bytes(unit, left);
        add_unit_with(sums, key.near->units[u], unit);
    }
    return sums;
}

// The key of the bytes so far; the string must be near. A unit of nothing but padding counts as no unit.
DEVICE Key finish_near(const HashKey& key, const State& state) {
    Sums sums = state.sums;
    if (state.length % UNIT_BYTES != 0) add_unit_with(sums, key.near->units[state.length / UNIT_BYTES], state.tail);
    return finish_sums(key, sums);
}

// Continues over a slash.
DEVICE void push_slash(State& state, const HashKey& key) {
    unsigned pending = state.length % UNIT_BYTES;
    state.tail |= (u64)'/' << (8 * pending);
    state.length += 1;
    if (pending == 7) {
        add_unit(state.sums, key, state.length / UNIT_BYTES - 1, state.tail);
        state.tail = 0;
    }
}

// Continues over bytes `from` to `end` of the text.
DEVICE void push_text(State& state, const HashKey& key, const Text& text, unsigned from, unsigned end) {
    unsigned pending = state.length % UNIT_BYTES, unit = state.length / UNIT_BYTES;
    state.length += end - from;
    if (pending != 0) {
        unsigned room = UNIT_BYTES - pending, n = end - from < room ? end - from : room;
        if (n != 0) state.tail |= low_bytes(text.unit(from), n) << (8 * pending);
        if (n < room) return;
        add_unit(state.sums, key, unit++, state.tail);
        from += room;
    }
    for (; end - from >= UNIT_BYTES; from += UNIT_BYTES) add_unit(state.sums, key, unit++, text.unit(from));
    state.tail = end == from ? 0 : low_bytes(text.unit(from), end - from);
}
