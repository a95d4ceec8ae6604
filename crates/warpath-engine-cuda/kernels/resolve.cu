// The kernels. Each is a thin loop over the stages of `direct.cuh`, `walk.cuh` and `search.cuh`.
//
// Huge batches take two: `direct_paths` answers what one probe can, and by one more what is missing in a directory or behind a file; it
// marks the rest PENDING, and `walk_paths` answers that. In both a thread has a path. Apart, each needs only the registers of its own stage, and a walk runs in full warps.
#include "coop.cuh"
#include "direct.cuh"
#include "few.cuh"

constexpr unsigned BLOCK = 256;
// Threads of a block of the direct kernel, and blocks that a multiprocessor is to hold; they bound the registers. More warps than these 40 ask
// for more lines at a time than the first-level cache holds.
constexpr unsigned DIRECT_BLOCK = 64;
constexpr unsigned DIRECT_BLOCKS = 20;
constexpr unsigned WALK_BLOCKS = 3;

extern __shared__ __align__(16) u8 shared_bytes[];

// A batch in device memory: path i is bytes[offsets[i]..offsets[i + 1]].
template <typename Offset>
struct Paths {
    const u8* bytes;
    const Offset* offsets;

    METHOD u64 begin(unsigned i) const { return (u64)bytes + __ldg(offsets + i); }
    METHOD Readable readable(unsigned n_paths) const { return Readable{begin(0), begin(n_paths)}; }
};

// One round over a warp's paths, each lane having one at [begin, end) while `todo`: stages as many as fit into the window, from
// the first that is left, and gives each of them its text. A path that is too long for any window is answered and done.
DEVICE bool stage_round(u8* window, u64 begin, u64 end, bool& todo, unsigned left, const Readable& readable, unsigned lane,
                        Text& text, Outcome& out) {
    unsigned leader = __ffs(left) - 1;
    u64 from = __shfl_sync(FULL_MASK, begin, leader) & ~(u64)(PIECE - 1);
    bool fits = todo && begin >= from && end <= from + WINDOW;
    unsigned fitting = __ballot_sync(FULL_MASK, fits);
    if ((fitting >> leader & 1) == 0) {
        u64 leader_begin = __shfl_sync(FULL_MASK, begin, leader), leader_end = __shfl_sync(FULL_MASK, end, leader);
        unsigned status = status_of_too_long(leader_begin, leader_end, lane);
        if (lane == leader) out = failed(status), todo = false;
        return false;
    }
    u64 to = __shfl_sync(FULL_MASK, end, 31 - __clz(fitting));
    stage_window(window + MARGIN, from, to, readable, lane);
    text = Text{(const unsigned*)window, MARGIN + (unsigned)(begin - from), (unsigned)(end - begin)};
    return fits;
}

// A thread for each path; blocks of neighbours.
template <typename Offset>
DEVICE void direct_paths(const Tables& tables, const NearKeys& near, const QueryParams& query, const Paths<Offset>& paths,
                         unsigned* inodes, u8* statuses, unsigned* any_pending) {
    HashKey key = {&near, tables.key};
    unsigned i = blockIdx.x * DIRECT_BLOCK + threadIdx.x;
    if (i >= query.n_paths) return;
    Readable readable = paths.readable(query.n_paths);
    u64 begin = paths.begin(i), end = paths.begin(i + 1);
    unsigned first = i / WARP * WARP, n_together = query.n_paths - first < WARP ? query.n_paths - first : WARP;
    prefetch_text(readable, paths.begin(first), paths.begin(first + n_together), threadIdx.x % WARP);
    Outcome out = direct_or_parent(tables, key, query, readable, begin, end);
    __stcs(inodes + i, out.inode), __stcs(statuses + i, (u8)out.status);
    if (out.status >= STATUS_FIRST_PENDING && any_pending != nullptr) *any_pending = 1;
}

constexpr unsigned QUEUE = 2 * WARP;
// Statuses that a warp looks through for pending ones: eight a lane, and so many times that at once, so that a batch without any is scanned at
// the speed of the memory.
constexpr unsigned SCAN = 8 * WARP;
constexpr unsigned SCANS_AT_ONCE = 24;
constexpr unsigned CELLS_BYTES = WARP * CELL + MARGIN;
constexpr unsigned WALK_BYTES = CELLS_BYTES > WINDOW_STRIDE ? CELLS_BYTES : WINDOW_STRIDE;
constexpr unsigned ENDS_AT = WALK_BYTES + QUEUE * 4;
constexpr unsigned WALK_STRIDE = ENDS_AT + WARP * MAX_COMPONENTS;
static_assert(WALK_STRIDE == 6928, "the host's twin is in `kernels.rs`");

// Walks the paths in the warp's queue, the last `n` of them, a lane each.
template <typename Offset>
DEVICE void walk_queued(const Tables& tables, const HashKey& key, const QueryParams& query, const Paths<Offset>& paths,
                        u8* bytes, unsigned i, bool active, bool all, unsigned lane,
                        unsigned* inodes, u8* statuses) {
    u64 begin = active ? paths.begin(i) : 0, end = active ? paths.begin(i + 1) : 0;
    Readable readable = paths.readable(query.n_paths);
    // First the lanes' short paths, each in its cell; then the others, as many at a time as fit into the window.
    bool brief = active && end - begin <= SHORT_PATH, todo = active && !brief, staged = brief;
    Outcome out = failed(STATUS_NOT_FOUND);
    Ends ends = {bytes + ENDS_AT + lane};
    stage_cells(bytes, begin, brief ? (unsigned)(end - begin) : 0, readable, lane);
    Text text = {(const unsigned*)bytes, lane * CELL + MARGIN + (unsigned)(begin % PIECE), (unsigned)(end - begin)};
#pragma unroll 1
    for (;;) {
        bool unanswered = staged;
        unsigned n_missing = 0;
        if (staged && !all) n_missing = STATUS_PENDING - statuses[i];
        search(tables, key, query, text, ends, n_missing, lane, unanswered, out);
        if (unanswered) out = walk(tables, key, query, text);
        if (staged) todo = false;
        __syncwarp();
        unsigned left = __ballot_sync(FULL_MASK, todo);
        if (left == 0) break;
        staged = stage_round(bytes, begin, end, todo, left, readable, lane, text, out);
    }
    if (active) inodes[i] = out.inode, statuses[i] = (u8)out.status;
}

// Which of SCANS_AT_ONCE scans hold pending paths, or may: a bit each, the first for scan number `scan`, the next for one `step` further.
DEVICE unsigned busy_scans(const u8* statuses, unsigned n_paths, u64 scan, unsigned step, bool all, unsigned lane) {
    unsigned busy = 0;
    bool aligned = (u64)statuses % 8 == 0;
#pragma unroll
    for (unsigned k = 0; k < SCANS_AT_ONCE; k++) {
        u64 first = (scan + (u64)k * step) * SCAN, eight = ~0ull;
        if (first >= n_paths) continue;
        if (!all && aligned && first + SCAN <= n_paths) eight = *(const u64*)(statuses + first + 8 * lane);
        // Only pending statuses have the highest bit.
        if (__any_sync(FULL_MASK, (eight & 0x8080808080808080ull) != 0)) busy |= 1u << k;
    }
    return busy;
}

template <typename Offset>
DEVICE void walk_paths(const Tables& tables, const NearKeys& near_keys, const QueryParams& query, const Paths<Offset>& paths, bool all, unsigned* inodes, u8* statuses,
                       const unsigned* any_pending) {
    if (!all && any_pending != nullptr && *any_pending == 0) return;
    SHARED NearKeys near;
    for (unsigned i = threadIdx.x; i < sizeof(NearKeys) / 4; i += BLOCK) ((unsigned*)&near)[i] = ((const unsigned*)&near_keys)[i];
    __syncthreads();
    HashKey key = {&near, tables.key};
    unsigned lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    u8* bytes = shared_bytes + warp * WALK_STRIDE;
    unsigned* queue = (unsigned*)(bytes + WALK_BYTES);
    unsigned n_queued = 0;
    // Scans of SCAN neighbours; the warps take turns.
    unsigned n_warps = gridDim.x * (BLOCK / WARP);
    for (u64 scan = blockIdx.x * (BLOCK / WARP) + warp; scan * SCAN < query.n_paths; scan += (u64)n_warps * SCANS_AT_ONCE) {
        for (unsigned busy = busy_scans(statuses, query.n_paths, scan, n_warps, all, lane); busy != 0; busy &= busy - 1) {
            u64 first = (scan + (u64)(__ffs(busy) - 1) * n_warps) * SCAN;
            bool pending[SCAN / WARP];
            for (unsigned k = 0; k < SCAN / WARP; k++) {
                u64 i = first + k * WARP + lane;
                pending[k] = i < query.n_paths && (all || statuses[i] >= STATUS_FIRST_PENDING);
            }
            for (unsigned k = 0; k < SCAN / WARP; k++) {
                unsigned lanes = __ballot_sync(FULL_MASK, pending[k]);
                if (pending[k]) queue[n_queued + __popc(lanes & ((1u << lane) - 1))] = (unsigned)(first + k * WARP + lane);
                n_queued += __popc(lanes);
                __syncwarp();
                if (n_queued < WARP) continue;
                n_queued -= WARP;
                walk_queued(tables, key, query, paths, bytes, queue[n_queued + lane], true, all, lane, inodes, statuses);
            }
        }
    }
    if (n_queued > 0)
        walk_queued(tables, key, query, paths, bytes, lane < n_queued ? queue[lane] : 0, lane < n_queued, all, lane, inodes, statuses);
}

#define PATHS_KERNEL(NAME, OFFSET, THREADS, BLOCKS_PER_SM, ...)                                                                                       \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS_PER_SM)                                                                              \
        NAME(const __grid_constant__ Tables tables, const __grid_constant__ NearKeys near,                                                            \
             const __grid_constant__ QueryParams query, const u8* bytes, const OFFSET* offsets, unsigned* inodes, u8* statuses, unsigned* any_pending) {\
        __VA_ARGS__;                                                                                                                                  \
    }

PATHS_KERNEL(direct_paths32, unsigned, DIRECT_BLOCK, DIRECT_BLOCKS, direct_paths(tables, near, query, Paths<unsigned>{bytes, offsets}, inodes, statuses, any_pending))
PATHS_KERNEL(direct_paths64, u64, DIRECT_BLOCK, DIRECT_BLOCKS, direct_paths(tables, near, query, Paths<u64>{bytes, offsets}, inodes, statuses, any_pending))
PATHS_KERNEL(walk_paths32, unsigned, BLOCK, WALK_BLOCKS,
             walk_paths(tables, near, query, Paths<unsigned>{bytes, offsets}, walks_all(tables, query), inodes, statuses, any_pending))
PATHS_KERNEL(walk_paths64, u64, BLOCK, WALK_BLOCKS, walk_paths(tables, near, query, Paths<u64>{bytes, offsets}, walks_all(tables, query), inodes, statuses, any_pending))

// Small batches, one launch each: a warp (a block of 32 threads) a path; slots and answers in mapped host memory.
extern "C" __global__ void __launch_bounds__(WARP)
    resolve_few(const __grid_constant__ Tables tables, const __grid_constant__ NearKeys near, const __grid_constant__ QueryParams query,
                const u8* slots, unsigned stride, uint2* answers) {
    HashKey key = {&near, tables.key};
    unsigned lane = threadIdx.x;
    Outcome out = answer_slot(tables, key, key.at(lane), query.flags, slots + (u64)blockIdx.x * stride, stride, shared_bytes, lane);
    if (lane == 0) write_answer(answers + blockIdx.x, out);
}

// Keys that the host has hashed, three words each: what is not found, and what is no key, stays PENDING.
extern "C" __global__ void __launch_bounds__(BLOCK)
    resolve_keys(const __grid_constant__ Tables tables, const __grid_constant__ QueryParams query, const unsigned* keys, unsigned* inodes,
                 u8* statuses) {
    unsigned lane = threadIdx.x % WARP;
    for (unsigned i = blockIdx.x * BLOCK + threadIdx.x; i - lane < query.n_paths; i += gridDim.x * BLOCK) {
        bool active = i < query.n_paths;
        Key key = {};
        if (active) key = Key{__ldcs(keys + 3ull * i), __ldcs(keys + 3ull * i + 1), __ldcs(keys + 3ull * i + 2)};
        Slot slot = probe_warp(tables, key, active && (key.w2 & KIND_MASK) == 0, lane);
        Outcome out = failed(STATUS_PENDING);
        if (!is_none(slot)) out = final_entry(tables, query.flags, slot, 0);
        if (active) inodes[i] = out.inode, statuses[i] = (u8)out.status;
    }
}

// Notes the slots from `first` on in the hints.
extern "C" __global__ void __launch_bounds__(BLOCK)
    note_slots(const __grid_constant__ Tables tables, u64 first, u64 n) {
    unsigned* reach = (unsigned*)tables.hints.reach;
    unsigned* passages = (unsigned*)tables.hints.passages;
    unsigned n_pairs = tables.params.n_pairs;
    for (u64 i = blockIdx.x * (u64)BLOCK + threadIdx.x; i < n; i += (u64)gridDim.x * BLOCK) {
        Slot slot = load_slot(tables.slots + first + i);
        if (is_none(slot)) continue;
        unsigned home = home_pair(slot.key0, n_pairs) / 2, line = (unsigned)((first + i) / LINE_SLOTS);
        unsigned distance = line >= home ? line - home : line + n_pairs / 2 - home;
        if (distance > REACH_ANY) distance = REACH_ANY;
        if (distance != 0) atomicOr(reach + home / REACH_LINES, distance << (home % REACH_LINES * REACH_BITS));
        if (kind_of(slot) != KIND_DIRECTORY && kind_of(slot) != KIND_SYMLINK) continue;
        Key key = {slot.key0, slot.key1, slot.key2_kind & ~KIND_MASK};
        atomicOr(passages + passage_word(tables.hints, key), passage_bits(key));
    }
}
