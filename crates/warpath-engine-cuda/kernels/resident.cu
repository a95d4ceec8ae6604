// The resident kernel: it stays, polls a ring of requests in mapped host memory, and answers them as `resolve_few` does.
//
// A request is a small batch. Its header is one word of 8 bytes, which the host writes last; its number tells a new one from the last
// that had the place. One thread, the leader, polls the host's memory and passes the header on to the other blocks through device
// memory: polls of many blocks for one word of the host's memory are answered one after the other, about a microsecond each.
//
// The kernel ends when it is told to (a request that says so), or when the leader has seen no request for a while. As the leader alone
// decides that, all blocks end before the same request, and the host has it answered by the next kernel.
#include "few.cuh"

// Twins of the constants in `ring.rs`.
constexpr unsigned RESIDENT_BLOCK = 256;
constexpr unsigned RESIDENT_WARPS = RESIDENT_BLOCK / WARP;
constexpr unsigned HEADER_BYTES = 64;
// Polls between two looks at the clock, and between two heartbeats.
constexpr unsigned POLLS_A_LOOK = 16;
constexpr unsigned POLLS_A_BEAT = 256;

// Where the ring lies: mapped host memory, but for what is passed on.
struct Ring {
    const u8* headers;         // one every HEADER_BYTES
    const u8* slots;
    uint2* answers;
    u64* closed;               // the host learns here that a kernel has ended by itself: its generation, and the first request not answered
    volatile unsigned* heartbeat;
    u64* passed_on;            // device memory: the headers once more
    u64 idle_ns;
    unsigned slot_bytes;       // of a place's slots
    unsigned n_answers;        // of a place
    unsigned n_places;         // a power of two
    unsigned first;            // number of the first request
    unsigned generation;
    unsigned room;             // shared memory of a warp
};

// Set in the second word of a header behind the last request that a kernel answers.
constexpr unsigned STOP = 1u << 23;

// The second word of a header.
struct Request {
    unsigned word;

    METHOD unsigned n_paths() const { return (word & 0x3FF) + 1; }
    METHOD unsigned stride() const { return (word >> 10 & 0x1FF) * PIECE; }
    METHOD unsigned flags() const { return word >> 19 & 0xF; }
    METHOD bool is_stop() const { return (word & STOP) != 0; }
    METHOD unsigned first_block() const { return word >> 24; }
};

extern __shared__ __align__(16) u8 shared_bytes[];

DEVICE u64 nanoseconds() {
    u64 t;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(t));
    return t;
}

DEVICE u64 load_of_host(const u64* from) {
    u64 v;
    asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(v) : "l"(from) : "memory");
    return v;
}

DEVICE u64 load_of_leader(const u64* from) {
    u64 v;
    asm volatile("ld.acquire.gpu.global.u64 %0, [%1];" : "=l"(v) : "l"(from) : "memory");
    return v;
}

DEVICE void pass_on(u64* to, u64 header) { asm volatile("st.release.gpu.global.u64 [%0], %1;" ::"l"(to), "l"(header) : "memory"); }

// How far a header is ahead of request `number`: 0 for its own.
DEVICE int ahead_of(u64 header, unsigned number) { return (int)((unsigned)header - (number + 1)); }

// The leader's wait for request `number`: its header, or one that says stop when none has come for a while.
DEVICE u64 await_host(const Ring& ring, unsigned number, unsigned& beats) {
    unsigned place = number & (ring.n_places - 1);
    const u64* from = (const u64*)(ring.headers + (u64)place * HEADER_BYTES);
    u64 since = nanoseconds(), header;
    for (unsigned polls = 1; ahead_of(header = load_of_host(from), number) != 0; polls++) {
        if (polls % POLLS_A_BEAT == 0) *ring.heartbeat = ++beats;
        if (polls % POLLS_A_LOOK != 0 || nanoseconds() - since < ring.idle_ns) continue;
        header = (u64)STOP << 32 | (number + 1);
        *(volatile u64*)ring.closed = (u64)ring.generation << 32 | number;
        break;
    }
    pass_on(ring.passed_on + place, header);
    return header;
}

// The other blocks' wait. The header may be one of a later request: then the place has been used again, so all of request `number` was
// answered, none of it by this block.
DEVICE u64 await_leader(const Ring& ring, unsigned number) {
    u64 header;
    while (ahead_of(header = load_of_leader(ring.passed_on + (number & (ring.n_places - 1))), number) < 0) {}
    return header;
}

extern "C" __global__ void __launch_bounds__(RESIDENT_BLOCK, 2)
    resident(const __grid_constant__ Tables tables, const __grid_constant__ NearKeys near, const __grid_constant__ Ring ring) {
    __shared__ u64 headers[2];
    HashKey key = {&near, tables.key};
    unsigned lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    u8* room = shared_bytes + warp * ring.room;
    UnitKeys first_keys = key.at(lane);
    unsigned beats = 0;
    for (unsigned number = ring.first;; number++) {
        // Two shared words in turn, so that one barrier is enough: a word is written again only after the barrier of the other.
        u64* shared_header = headers + (number & 1);
        if (threadIdx.x == 0) *shared_header = blockIdx.x == 0 ? await_host(ring, number, beats) : await_leader(ring, number);
        __syncthreads();
        u64 header = *shared_header;
        if (ahead_of(header, number) != 0) continue;
        Request request = {(unsigned)(header >> 32)};
        if (request.is_stop()) return;
        u64 place = number & (ring.n_places - 1);
        uint2* answers = ring.answers + place * ring.n_answers;
        const u8* slots = ring.slots + place * ring.slot_bytes;
        unsigned n_paths = request.n_paths(), turn = (blockIdx.x + gridDim.x - request.first_block() % gridDim.x) % gridDim.x;
        for (unsigned i = turn + warp * gridDim.x; i < n_paths; i += RESIDENT_WARPS * gridDim.x) {
            Outcome out = answer_slot(tables, key, first_keys, request.flags(), slots + i * request.stride(), request.stride(), room, lane);
            if (lane == 0) write_answer(answers + i, out);
            __syncwarp();
        }
    }
}
