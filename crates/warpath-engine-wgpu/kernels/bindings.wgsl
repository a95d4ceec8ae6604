// What every kernel reads and writes. The index's arrays lie in windows, one binding each, since a device bounds the
// size of a binding; their declarations and the functions slot_at, block_at, dir_at, link_at and key_pair are made by
// shader.rs.

// What the tables are: TableParams, and the length of the blocks.
struct IndexParams {
    @align(16) table: TableParams,
    @align(16) n_blocks: u32,
}

// What the batch is.
struct BatchParams {
    @align(16) query: QueryParams,
}

@group(0) @binding(0) var<uniform> index: IndexParams;

@group(1) @binding(0) var<uniform> batch: BatchParams;
// Where each path begins in the bytes, and behind the last one where it ends.
@group(1) @binding(1) var<storage, read> offsets: array<u32>;
// The paths' bytes, one after the other, four a word.
@group(1) @binding(2) var<storage, read> bytes: array<u32>;
// An outcome a path: its inode, or OUTCOME_ERROR with a STATUS_ in the lowest byte, or OUTCOME_HOST.
@group(1) @binding(3) var<storage, read_write> outcomes: array<u32>;

// Above every inode; the status of the path is in the lowest byte.
const OUTCOME_ERROR: u32 = 0xffffff00u;
// No outcome yet: what the direct probe can't answer.
const OUTCOME_NONE: u32 = 0xffffffffu;
// The host answers: the path has more than MAX_PATH bytes, and only a NUL among them makes a difference.
const OUTCOME_HOST: u32 = 0xfffffffeu;

fn table_flag(flag: u32) -> bool {
    return (index.table.flags & flag) != 0u;
}

fn query_flag(flag: u32) -> bool {
    return (batch.query.flags & flag) != 0u;
}

fn failed(status: u32) -> u32 {
    return OUTCOME_ERROR | status;
}
