// The key of an entry: NH over its canonical path, then a strongly universal finish. Twin of core's hash.rs.

// The position keys of a unit: two words a lane.
struct UnitKeys {
    lane0: vec2<u32>,
    lane1: vec2<u32>,
    lane2: vec2<u32>,
}

// The position keys of `unit`, which the host has put side by side. Units wrap at 8 KiB, which no path reaches.
fn position(unit: u32) -> UnitKeys {
    let at = 2u * (unit & (KEY_UNITS - 1u));
    let lanes01 = hash_key[at];
    return UnitKeys(lanes01.xy, lanes01.zw, hash_key[at + 1u].xy);
}

// The fingerprint of an entry's canonical path: 94 bits. The two lowest bits of the third word are zero.
struct Key {
    word0: u32,
    word1: u32,
    word2: u32,
}

struct Sums {
    lane0: Wide,
    lane1: Wide,
    lane2: Wide,
}

// A hash underway: everything there is to know of the bytes so far in order to continue.
struct State {
    // Sums over whole units.
    sums: Sums,
    // The bytes of the unit that is not whole yet, zero-padded, first byte lowest.
    tail: vec2<u32>,
    // Bytes so far, those of the tail included.
    length: u32,
}

// The state of the empty string: the root's.
fn state_empty() -> State {
    let none = wide(0u, 0u);
    return State(Sums(none, none, none), vec2<u32>(0u, 0u), 0u);
}

// The state that a directory's record holds.
fn state_of_record(record: DirRecord) -> State {
    return State(
        Sums(
            wide(record.sum0_lo, record.sum0_hi),
            wide(record.sum1_lo, record.sum1_hi),
            wide(record.sum2_lo, record.sum2_hi),
        ),
        vec2<u32>(record.tail_lo, record.tail_hi),
        record.length,
    );
}

// Continues over a slash and the path's bytes `at` to `end`: the state of an entry below the directory of this state.
fn child(state: State, path: Path, at: u32, end: u32) -> State {
    return push(push_slash(state), path, at, end);
}

// Continues over a slash.
fn push_slash(before: State) -> State {
    return push_unit(before, vec2<u32>(0x2fu, 0u), 1u);
}

// Continues over the path's bytes `from_at` to `end`.
fn push(before: State, path: Path, from_at: u32, end: u32) -> State {
    let first = min(end - from_at, UNIT_BYTES - before.length % UNIT_BYTES);
    var state = push_unit(before, load(path, from_at, first), first);
    var at = from_at + first;
    // From here on the pending unit is empty, unless the bytes are at their end.
    let whole = (end - at) / UNIT_BYTES;
    state = push_whole(state, path, at, whole);
    at += whole * UNIT_BYTES;
    return push_unit(state, load(path, at, end - at), end - at);
}

// Continues over `n` whole units from `at` on. The word that a unit ends in is the next one's first: it is read once.
fn push_whole(before: State, path: Path, at: u32, n: u32) -> State {
    var state = before;
    var word = (path.start + at) >> 2u;
    let shift = (path.start + at) & 3u;
    var carried = path_word(word);
    for (var i = 0u; i < n; i++) {
        let words = vec3<u32>(carried, path_word(word + 1u), path_word(word + 2u));
        state.sums = add_unit(state.sums, before.length / UNIT_BYTES + i, unit_of(words, shift));
        carried = words.z;
        word += 2u;
    }
    state.length += n * UNIT_BYTES;
    return state;
}

// Continues over the `n` bytes of a zero-padded unit, no more than the pending one has room for.
fn push_unit(before: State, unit: vec2<u32>, n: u32) -> State {
    var state = before;
    let pending = state.length % UNIT_BYTES;
    state.tail |= shift_bytes(unit, pending);
    state.length += n;
    if pending + n == UNIT_BYTES {
        state.sums = add_unit(state.sums, state.length / UNIT_BYTES - 1u, state.tail);
        state.tail = vec2<u32>(0u, 0u);
    }
    return state;
}

// The key of the bytes so far.
fn finish(state: State) -> Key {
    var sums = state.sums;
    if state.length % UNIT_BYTES != 0u {
        sums = add_unit(sums, state.length / UNIT_BYTES, state.tail);
    }
    return Key(
        finish_lane(0u, sums.lane0),
        finish_lane(1u, sums.lane1),
        finish_lane(2u, sums.lane2) & ~KIND_MASK,
    );
}

// The top half of `lo(sum) * A + hi(sum) * B + C`.
fn finish_lane(lane: u32, sum: Wide) -> u32 {
    let ab = hash_key[2u * KEY_UNITS + 2u * lane];
    let c = hash_key[2u * KEY_UNITS + 2u * lane + 1u];
    let products = wide_add(wide_product(low(sum), ab.x), wide_product(high(sum), ab.z));
    return high(wide_add(products, wide(c.x, c.y))) + low(sum) * ab.y + high(sum) * ab.w;
}

// Adds one unit to the three sums.
fn add_unit(sums: Sums, unit: u32, word: vec2<u32>) -> Sums {
    let keys = position(unit);
    return Sums(
        wide_add(sums.lane0, product(word + keys.lane0)),
        wide_add(sums.lane1, product(word + keys.lane1)),
        wide_add(sums.lane2, product(word + keys.lane2)),
    );
}

fn product(words: vec2<u32>) -> Wide {
    return wide_product(words.x, words.y);
}

// The unit with its bytes moved up by `n`, 0 to 7.
fn shift_bytes(unit: vec2<u32>, n: u32) -> vec2<u32> {
    if n == 0u {
        return unit;
    }
    let shift = 8u * (n & 3u);
    let carried = select(unit.x >> (32u - shift), 0u, shift == 0u);
    let moved = vec2<u32>(unit.x << shift, (unit.y << shift) | carried);
    return select(moved, vec2<u32>(0u, moved.x), n >= 4u);
}
