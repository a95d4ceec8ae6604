// Where a key's slot may lie. Twin of core's probe.rs.

const NO_SLOT: Slot = Slot(0u, 0u, 0u, INVALID_INODE);

// The pair where a key with this first word belongs.
fn home_pair(key0: u32, n_pairs: u32) -> u32 {
    return high(wide_product(key0, n_pairs));
}

// The pair that is visited `step`-th, of an even number of pairs. `step` must not exceed `n_pairs`.
fn pair_at(home: u32, step: u32, n_pairs: u32) -> u32 {
    let line_first = home + (step & ~1u);
    let wrapped = select(line_first, line_first - n_pairs, line_first >= n_pairs);
    return wrapped ^ (step & 1u);
}

// Whether the slot holds this key.
fn holds(slot: Slot, key: Key) -> bool {
    return slot.key0 == key.word0 && slot.key1 == key.word1 && (slot.key2_kind & ~KIND_MASK) == key.word2;
}

fn is_empty(slot: Slot) -> bool {
    return slot.inode == INVALID_INODE;
}

// The slot of `key`; an empty one if there is none. Reads at most `probe_limit` pairs, whatever the slots hold.
fn probe(key: Key) -> Slot {
    let n_pairs = index.table.n_pairs;
    let home = home_pair(key.word0, n_pairs);
    let n_steps = min(index.table.probe_limit, n_pairs);
    for (var step = 0u; step < n_steps; step++) {
        let first = pair_at(home, step, n_pairs) * PAIR_SLOTS;
        let slot0 = slot_at(first);
        let slot1 = slot_at(first + 1u);
        if holds(slot0, key) {
            return slot0;
        }
        if holds(slot1, key) {
            return slot1;
        }
        if is_empty(slot1) {
            return NO_SLOT;
        }
    }
    return NO_SLOT;
}
