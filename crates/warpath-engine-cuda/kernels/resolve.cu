// The kernels. Each is a thin loop over the stages of `walk.cuh` and `search.cuh`.
//
// Huge batches take two: `direct_paths` answers what one probe can, and by one more what is missing in a directory or behind a file; it
// marks the rest PENDING, and `walk_paths` answers that. In both a thread has a path. Apart, each needs only the registers of its own stage, and a walk runs in full warps.
#include "coop.cuh"
#include "few.cuh"
#include "search.cuh"
#include "stage.cuh"

// Status of a path that is not answered yet, and of one of which the path of its last name's directory is known to be no entry as well.
constexpr unsigned STATUS_PENDING = 0xFF;
constexpr unsigned STATUS_PENDING_ABOVE = 0xFE;
constexpr unsigned BLOCK = 256;
// Blocks that a multiprocessor is to hold; they bound the registers.
#ifndef DIRECT_BLOCKS
#define DIRECT_BLOCKS 3
#endif
#ifndef WALK_BLOCKS
#define WALK_BLOCKS 3
#endif

extern __shared__ __align__(16) u8 shared_bytes[];

// A batch in device memory: path i is bytes[offsets[i]..offsets[i + 1]].
template <typename Offset>
struct Paths {
    const u8* bytes;
    const Offset* offsets;

    // Where a path begins, for who reads its offset once.
    METHOD Offset offset(unsigned i) const { return load_short(offsets + i); }
    METHOD u64 begin(unsigned i) const { return (u64)bytes + offsets[i]; }
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

// A warp's room for the bytes of two tiles: one at the low end, the next at the high end, so that the next tile is copied while
// this one is answered. Two tiles of average paths fit; where they don't, tiles follow one another.
constexpr unsigned DIRECT_STRIDE = 6656;
static_assert(DIRECT_STRIDE >= WINDOW_STRIDE && DIRECT_STRIDE % PIECE == 0, "a window must fit");

// 32 neighbouring paths, a lane each, whose bytes are under way to the warp's room.
struct Tile {
    unsigned begin, length;  // the lane's path in the room
    unsigned n_bytes;        // of the whole tile; 0 where there was no room for it
};

// Starts to copy the tile of paths at [begin, end) to the low or the high end of the room, beside a tile of `taken` bytes.
DEVICE Tile start_tile(u8* room, u64 begin, u64 end, bool active, bool low, unsigned taken, const Readable& readable, unsigned lane) {
    Tile tile = {0, (unsigned)(end - begin), 0};
    unsigned lanes = __ballot_sync(FULL_MASK, active);
    if (lanes != 0) {
        u64 from = __shfl_sync(FULL_MASK, begin, 0) & ~(u64)(PIECE - 1), to = __shfl_sync(FULL_MASK, end, 31 - __clz(lanes));
        u64 n_bytes = (to - from + PIECE - 1) & ~(u64)(PIECE - 1);
        if (n_bytes + taken + 3 * MARGIN <= DIRECT_STRIDE) {
            tile.n_bytes = (unsigned)n_bytes;
            unsigned at = low ? MARGIN : DIRECT_STRIDE - MARGIN - tile.n_bytes;
            tile.begin = at + (unsigned)(begin - from);
            copy_pieces(room + at, from, to, readable, lane);
        }
    }
    commit_copies();
    return tile;
}

// The length of the path of the directory that a path's last name is in; 0 where there is none, or the name is none of a plain path.
DEVICE unsigned parent_length(const Text& path) {
    unsigned slash = path.length, nul = 0;
    // From the last unit to the first; what lies before the path is masked.
    for (unsigned end = path.length;;) {
        u64 unit = path.unit(end - UNIT_BYTES);
        unsigned w0 = (unsigned)unit, w1 = (unsigned)(unit >> 32);
        u64 slashes = equal_bytes(w0, 0x2F2F2F2Fu) | (u64)equal_bytes(w1, 0x2F2F2F2Fu) << 32;
        u64 nuls = equal_bytes(w0, 0) | (u64)equal_bytes(w1, 0) << 32;
        if (end < UNIT_BYTES) {
            u64 before = ~(~0ull << (8 * (UNIT_BYTES - end)));
            slashes &= ~before, nuls &= ~before;
        }
        if (slashes != 0) {
            unsigned high = 63 - count_leading_zeros64(slashes);  // the highest bit of the last slash's byte
            slash = end - UNIT_BYTES + high / 8;
            nul |= nuls >> high != 0;
            break;
        }
        nul |= nuls != 0;
        if (end <= UNIT_BYTES) return 0;
        end -= UNIT_BYTES;
    }
    unsigned n = path.length - slash - 1;
    bool dots = n <= 2 && path.byte(path.length - 1) == '.' && path.byte(slash + 1) == '.';
    return nul == 0 && n != 0 && n <= MAX_NAME && !dots ? slash : 0;
}

// What a missing name gives in the place of this entry, to be walked where it is a link.
DEVICE Outcome behind(const Tables& tables, const Slot& place) {
    if (kind_of(place) == KIND_DIRECTORY) return missing(tables, place.inode);
    return failed(kind_of(place) == KIND_SYMLINK ? STATUS_PENDING : STATUS_NOT_A_DIRECTORY);
}

template <typename Offset>
DEVICE void direct_paths(const Tables& tables, const NearKeys& near, const QueryParams& query, const Paths<Offset>& paths,
                         unsigned* inodes, u8* statuses, unsigned* any_pending) {
    HashKey key = {&near, tables.key};
    unsigned lane = threadIdx.x % WARP, n_paths = query.n_paths, step = gridDim.x * BLOCK;
    u8* room = shared_bytes + threadIdx.x / WARP * DIRECT_STRIDE;
    unsigned i = blockIdx.x * BLOCK + threadIdx.x;
    bool waiting = false, low = true;
    Offset begin = 0, end = 0;  // of the tile that is to be copied next
    if (i < n_paths) begin = paths.offset(i), end = paths.offset(i + 1);
    u64 base = (u64)paths.bytes;
    Offset all_begin = paths.offsets[0], all_end = paths.offsets[n_paths];
    Tile tile = start_tile(room, base + begin, base + end, i < n_paths, low, 0, Readable{base + all_begin, base + all_end}, lane);
    if (i + step < n_paths) begin = paths.offset(i + step), end = paths.offset(i + step + 1);
    for (; i - lane < n_paths; i += step) {
        bool active = i < n_paths, more = i + step < n_paths, keyed = false, staged = tile.n_bytes != 0;
        Outcome out = failed(STATUS_PENDING);
        Key whole = {};
        Tile next;
        low = !low;
        if (staged) {
            next = start_tile(room, base + begin, base + end, more, low, tile.n_bytes, Readable{base + all_begin, base + all_end}, lane);
            arrive_but_last();
        } else {
            // Long paths, as many at a time as fit.
            bool todo = active;
            for (unsigned left; (left = __ballot_sync(FULL_MASK, todo)) != 0;) {
                Text text;
                if (stage_round(room, active ? paths.begin(i) : 0, active ? paths.begin(i + 1) : 0, todo, left,
                                Readable{base + all_begin, base + all_end}, lane, text, out)) {
                    keyed = direct_key(tables, key, query, text, whole);
                    todo = false;
                }
                __syncwarp();
            }
            next = start_tile(room, base + begin, base + end, more, low, 0, Readable{base + all_begin, base + all_end}, lane);
        }
        if (i + 2 * step < n_paths) begin = paths.offset(i + 2 * step), end = paths.offset(i + 2 * step + 1);
        Text text = {(const unsigned*)room, tile.begin, active ? tile.length : 0};
        // The whole paths, then the directories of those that are no entries.
#pragma unroll 1
        for (bool first = true;; first = false) {
            if (staged) keyed = direct_key(tables, key, query, text, whole);
            __syncwarp();
            Slot slot = probe_warp(tables, whole, keyed, lane);
            bool missed = is_none(slot);
            if (!missed) out = first ? final_entry(tables, query.flags, slot, 0) : behind(tables, slot);
            else if (!first && keyed) out.status = STATUS_PENDING_ABOVE;
            if (!first || !staged || !__any_sync(FULL_MASK, keyed && missed)) break;
            text.length = keyed && missed ? parent_length(text) : 0;
        }
        if (active) __stcs(inodes + i, out.inode), __stcs(statuses + i, (u8)out.status);
        waiting |= active && out.status >= STATUS_PENDING_ABOVE;
        tile = next;
    }
    if (__any_sync(FULL_MASK, waiting) && lane == 0 && any_pending != nullptr) *any_pending = 1;
}

constexpr unsigned QUEUE = 2 * WARP;
// Statuses that a warp reads at once in search of pending ones.
constexpr unsigned SCAN = 8 * WARP;
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
        if (staged && !all) n_missing = statuses[i] == STATUS_PENDING_ABOVE ? 2 : 1;
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
    for (u64 first = ((u64)blockIdx.x * (BLOCK / WARP) + warp) * SCAN; first < query.n_paths; first += (u64)gridDim.x * (BLOCK / WARP) * SCAN) {
        bool pending[SCAN / WARP];
        for (unsigned k = 0; k < SCAN / WARP; k++) {
            u64 i = first + k * WARP + lane;
            pending[k] = i < query.n_paths && (all || statuses[i] >= STATUS_PENDING_ABOVE);
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
    if (n_queued > 0)
        walk_queued(tables, key, query, paths, bytes, lane < n_queued ? queue[lane] : 0, lane < n_queued, all, lane, inodes, statuses);
}

#define PATHS_KERNEL(NAME, OFFSET, BLOCKS_PER_SM, ...)                                                                        \
    extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS_PER_SM)                                                       \
        NAME(const __grid_constant__ Tables tables, const __grid_constant__ NearKeys near,                                   \
             const __grid_constant__ QueryParams query, const u8* bytes, const OFFSET* offsets, unsigned* inodes, u8* statuses, unsigned* any_pending) {  \
        __VA_ARGS__;                                                                                                         \
    }

PATHS_KERNEL(direct_paths32, unsigned, DIRECT_BLOCKS, direct_paths(tables, near, query, Paths<unsigned>{bytes, offsets}, inodes, statuses, any_pending))
PATHS_KERNEL(direct_paths64, u64, DIRECT_BLOCKS, direct_paths(tables, near, query, Paths<u64>{bytes, offsets}, inodes, statuses, any_pending))
PATHS_KERNEL(walk_paths32, unsigned, WALK_BLOCKS,
             walk_paths(tables, near, query, Paths<unsigned>{bytes, offsets}, walks_all(tables, query), inodes, statuses, any_pending))
PATHS_KERNEL(walk_paths64, u64, WALK_BLOCKS, walk_paths(tables, near, query, Paths<u64>{bytes, offsets}, walks_all(tables, query), inodes, statuses, any_pending))

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
