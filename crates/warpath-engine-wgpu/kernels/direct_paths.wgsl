// Where paths are very many, the first of two dispatches: a thread a path, one probe of its whole key. What that can't
// answer is left with OUTCOME_NONE to walk_paths.wgsl. Apart from the walk, this kernel needs few registers and no barrier.

@compute @workgroup_size(WORKGROUP)
fn direct_paths(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = (group.y * groups.x + group.x) * WORKGROUP + thread;
    if number < batch.query.n_paths {
        outcomes[batch.query.first + number] = direct(path_at(batch.query.first + number));
    }
}
