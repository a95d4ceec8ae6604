// Where paths are very many, the second of two dispatches: walks the paths that direct_paths.wgsl has left. A workgroup
// looks at tiles of WORKGROUP paths, gathers those of a tile that are left, and walks them with its first threads.

var<workgroup> n_walks: atomic<u32>;
var<workgroup> walks: array<u32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn walk_paths(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let step = groups.x * groups.y * WORKGROUP;
    let paths_end = batch.query.first + batch.query.n_paths;
    for (var first = batch.query.first + (group.y * groups.x + group.x) * WORKGROUP; first < paths_end; first += step) {
        walk_tile(first, min(first + WORKGROUP, paths_end), thread);
        // The next tile's list takes this one's place.
        workgroupBarrier();
    }
}

fn walk_tile(first: u32, end: u32, thread: u32) {
    if thread == 0u {
        atomicStore(&n_walks, 0u);
    }
    workgroupBarrier();
    let number = first + thread;
    if number < end && outcomes[number] == OUTCOME_NONE {
        walks[atomicAdd(&n_walks, 1u)] = number;
    }
    workgroupBarrier();
    let n = atomicLoad(&n_walks);
    for (var i = thread; i < n; i += WORKGROUP) {
        let walked = walks[i];
        outcomes[walked] = walk(path_at(walked));
    }
}
