// What a path names, by one probe. Twin of `direct` in core's resolve.rs; what is not here is in walk.wgsl.

// Answers a path by one probe of its whole key, or says OUTCOME_NONE.
//
// A hit means that the path's bytes are an entry's canonical path (up to the collision bound), with one exception that
// is checked for: a NUL at the end looks like the padding.
fn direct(path: Path) -> u32 {
    if !may_be_direct(path) {
        return OUTCOME_NONE;
    }
    let start = start_state(path);
    if !start.exists {
        return OUTCOME_NONE;
    }
    let slot = probe(finish(push(start.state, path, 0u, path.length)));
    if is_empty(slot) {
        return OUTCOME_NONE;
    }
    return final_entry(slot, 0u);
}

// Whether a hit of the direct probe would be the answer.
fn may_be_direct(path: Path) -> bool {
    if table_flag(TABLE_STRICT) || query_flag(QUERY_WALK_ONLY) || path.length > MAX_PATH || path.length == 0u {
        return false;
    }
    if path_byte(path, path.length - 1u) == 0u {
        return false;
    }
    return !(query_flag(QUERY_BENEATH) && path_byte(path, 0u) == SLASH);
}

// The state that the path's bytes continue: the root's, or the start directory's and a slash.
fn start_state(path: Path) -> DirState {
    if path_byte(path, 0u) == SLASH {
        return DirState(true, state_empty());
    }
    var start = state_of(batch.query.start);
    start.state = push_slash(start.state);
    return start;
}
