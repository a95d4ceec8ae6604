// Where paths are many: a thread a path. Paths that the direct probe can't answer are gathered and walked by the
// workgroup's first threads, so that a few of them don't hold up all the others of their subgroups.

var<workgroup> n_walks: atomic<u32>;
var<workgroup> walks: array<u32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn resolve_many(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = batch.query.first + (group.y * groups.x + group.x) * WORKGROUP;
    let end = min(first + WORKGROUP, batch.query.first + batch.query.n_paths);
    if first >= end {
        return;
    }
    if thread == 0u {
        atomicStore(&n_walks, 0u);
    }
    workgroupBarrier();

    let number = first + thread;
    if number < end {
        let outcome = direct(path_at(number));
        outcomes[number] = outcome;
        if outcome == OUTCOME_NONE {
            walks[atomicAdd(&n_walks, 1u)] = number;
        }
    }
    workgroupBarrier();

    let n = atomicLoad(&n_walks);
    for (var i = thread; i < n; i += WORKGROUP) {
        let walked = walks[i];
        outcomes[walked] = walk(path_at(walked));
    }
}
