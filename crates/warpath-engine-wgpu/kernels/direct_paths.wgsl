// Where paths are very many, the first of two dispatches: a thread a path, one probe of its whole key. What that can't
// answer, and paths that are too long to be staged together, are left with OUTCOME_NONE to walk_paths.wgsl. Apart from the
// walk, this kernel needs few registers, so that a device has enough threads on their way to wait for memory.

@compute @workgroup_size(WORKGROUP)
fn direct_paths(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = batch.query.first + (group.y * groups.x + group.x) * WORKGROUP;
    let end = min(first + WORKGROUP, batch.query.first + batch.query.n_paths);
    if first >= end {
        return;
    }
    let stage_first = path_start(first) / 16u;
    let stage_end = (path_start(end) + 15u) / 16u;
    let staged = stage_end - stage_first <= STAGE_QUADS;
    if staged {
        stage_quads(stage_first, stage_end, thread);
    }
    workgroupBarrier();

    let number = first + thread;
    if number < end {
        var outcome = OUTCOME_NONE;
        if staged {
            outcome = direct(path_at(number, staged, stage_first));
        }
        outcomes[number] = outcome;
    }
}
