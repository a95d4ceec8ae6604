// Where paths are few: a workgroup a path, for the shortest delay. Its threads hash a unit each, add their sums up in
// workgroup memory, and look into the first slots of the probe all at once. What that can't answer, one thread walks.

var<workgroup> partial: array<Sums, WORKGROUP>;
var<workgroup> path_key: Key;
// The first step at which the probe ends; WORKGROUP where it goes on.
var<workgroup> end_step: atomic<u32>;

@compute @workgroup_size(WORKGROUP)
fn resolve_few(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = batch.query.first + group.y * groups.x + group.x;
    if number >= batch.query.first + batch.query.n_paths {
        return;
    }
    let path = path_at(number);
    let together = may_be_direct(path);
    var start = DirState(false, state_empty());
    if together {
        start = start_state(path);
        partial[thread] = sums_of_units(start.state, path, thread);
    }
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if thread < half {
            partial[thread] = add_sums(partial[thread], partial[thread + half]);
        }
        workgroupBarrier();
    }
    if thread == 0u {
        path_key = finish(State(add_sums(start.state.sums, partial[0]), vec2<u32>(0u, 0u), 0u));
        atomicStore(&end_step, WORKGROUP);
    }
    workgroupBarrier();

    let slot = probe_step(path_key, thread);
    workgroupBarrier();

    // The first step at which the probe ends says what it found, and its thread answers. Where no thread's does, or there
    // was nothing to probe for, the first thread walks.
    let end = atomicLoad(&end_step);
    let probed = together && start.exists && end < WORKGROUP;
    if thread == select(0u, end, probed) {
        if probed && !is_empty(slot) {
            outcomes[number] = final_entry(slot, 0u);
        } else {
            outcomes[number] = walk(path);
        }
    }
}

// The sums over every WORKGROUP-th unit, from unit `thread` on, of the start state's pending bytes and the path.
fn sums_of_units(start: State, path: Path, thread: u32) -> Sums {
    let pending = start.length % UNIT_BYTES;
    let length = pending + path.length;
    let none = wide(0u, 0u);
    var sums = Sums(none, none, none);
    for (var unit = thread; unit * UNIT_BYTES < length; unit += WORKGROUP) {
        var word = vec2<u32>(0u, 0u);
        if unit == 0u {
            word = start.tail | shift_bytes(load(path, 0u, min(path.length, UNIT_BYTES - pending)), pending);
        } else {
            let at = unit * UNIT_BYTES - pending;
            word = load(path, at, min(path.length - at, UNIT_BYTES));
        }
        sums = add_unit(sums, start.length / UNIT_BYTES + unit, word);
    }
    return sums;
}

fn add_sums(a: Sums, b: Sums) -> Sums {
    return Sums(wide_add(a.lane0, b.lane0), wide_add(a.lane1, b.lane1), wide_add(a.lane2, b.lane2));
}

// The slot of the pair that the probe visits `step`-th, if it holds the key, else an empty one. Notes whether the probe
// ends there.
fn probe_step(key: Key, step: u32) -> Slot {
    let n_pairs = index.table.n_pairs;
    if step >= min(index.table.probe_limit, n_pairs) {
        atomicMin(&end_step, step);
        return NO_SLOT;
    }
    let first = pair_at(home_pair(key.word0, n_pairs), step, n_pairs) * PAIR_SLOTS;
    let slot0 = slot_at(first);
    let slot1 = slot_at(first + 1u);
    if holds(slot0, key) {
        atomicMin(&end_step, step);
        return slot0;
    }
    if holds(slot1, key) {
        atomicMin(&end_step, step);
        return slot1;
    }
    if is_empty(slot1) {
        atomicMin(&end_step, step);
    }
    return NO_SLOT;
}
