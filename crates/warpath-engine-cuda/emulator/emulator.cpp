// Runs the kernels on the CPU, a fiber a thread, so that they can be tested without a GPU: `src/emulated.rs`.
// Blocks follow one another; the lanes of a warp meet at its collectives, the threads of a block at __syncthreads.
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __shared__
#define SHARED static

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct Index {
    unsigned x;
};

constexpr unsigned LANES_OF_WARP = 32;

// Threads that wait for one another; values of two meetings, as a lane may be one ahead.
struct Meeting {
    unsigned n = 0, arrived = 0, generation = 0;
    unsigned long long values[2][LANES_OF_WARP] = {};
};

struct Fiber {
    ucontext_t context;
    Index thread;
    bool done = false;
    std::unique_ptr<char[]> stack;
};

static std::vector<Fiber> fibers;
static std::vector<Meeting> warps;
static Meeting block_meeting;
static unsigned current;
static ucontext_t scheduler;
static Index block_index, grid_size;

#define threadIdx (fibers[current].thread)
#define blockIdx block_index
#define gridDim grid_size

static void next_fiber() {
    unsigned from = current;
    for (unsigned i = 1; i <= fibers.size(); i++) {
        unsigned next = (from + i) % fibers.size();
        if (fibers[next].done) continue;
        current = next;
        if (next != from) swapcontext(&fibers[from].context, &fibers[next].context);
        return;
    }
}

static unsigned long long* meet(Meeting& meeting, unsigned place, unsigned long long value) {
    unsigned generation = meeting.generation;
    meeting.values[generation & 1][place] = value;
    if (++meeting.arrived == meeting.n) {
        meeting.arrived = 0;
        meeting.generation++;
    }
    while (meeting.generation == generation) next_fiber();
    return meeting.values[generation & 1];
}

static unsigned long long* meet_warp(unsigned long long value) { return meet(warps[current / LANES_OF_WARP], current % LANES_OF_WARP, value); }

static void __syncthreads() { meet(block_meeting, 0, 0); }
static void __syncwarp() { meet_warp(0); }

static void only_full(unsigned mask) {
    if (mask != 0xFFFFFFFFu) abort();
}
template <typename T>
T __shfl_sync(unsigned mask, T value, unsigned lane) {
    only_full(mask);
    unsigned long long word = 0;
    memcpy(&word, &value, sizeof value);
    word = meet_warp(word)[lane % LANES_OF_WARP];
    memcpy(&value, &word, sizeof value);
    return value;
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned step) {
    unsigned lane = current % LANES_OF_WARP;
    return __shfl_sync(mask, value, lane >= step ? lane - step : lane);
}
static unsigned __ballot_sync(unsigned mask, bool vote) {
    only_full(mask);
    unsigned long long* votes = meet_warp(vote);
    unsigned all = 0;
    for (unsigned lane = 0; lane < LANES_OF_WARP; lane++) all |= (unsigned)(votes[lane] != 0) << lane;
    return all;
}
static bool __any_sync(unsigned mask, bool vote) { return __ballot_sync(mask, vote) != 0; }
static bool __all_sync(unsigned mask, bool vote) { return __ballot_sync(mask, vote) == 0xFFFFFFFFu; }

static int __ffs(unsigned x) { return __builtin_ffs((int)x); }
static int __ffsll(unsigned long long x) { return __builtin_ffsll((long long)x); }
static int __popc(unsigned x) { return __builtin_popcount(x); }
static int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static int __clz(unsigned x) { return x == 0 ? 32 : __builtin_clz(x); }
static int __clzll(unsigned long long x) { return x == 0 ? 64 : __builtin_clzll(x); }
static unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned shift) {
    return (unsigned)(((unsigned long long)hi << 32 | lo) >> (shift & 31));
}
template <typename T>
T __ldg(const T* from) { return *from; }
template <typename T>
T __ldcs(const T* from) { return *from; }
template <typename T>
void __stcs(T* to, T value) { *to = value; }
static unsigned atomicOr(unsigned* at, unsigned bits) {
    unsigned old = *at;
    *at |= bits;
    return old;
}

#include "../kernels/resolve.cu"
#include "../kernels/unpack.cu"

alignas(16) u8 shared_bytes[1 << 18];

static void (*body)(void**);
static void** arguments;

static void run_fiber() {
    body(arguments);
    fibers[current].done = true;
    for (unsigned i = 1; i < fibers.size(); i++) {
        unsigned next = (current + i) % fibers.size();
        if (fibers[next].done) continue;
        current = next;
        setcontext(&fibers[next].context);
    }
    setcontext(&scheduler);
}

template <typename T>
const T& get(void** args, unsigned i) { return *(const T*)args[i]; }

#define PATHS(NAME, OFFSET)                                                                                                       \
    [](void** a) {                                                                                                                \
        NAME(get<Tables>(a, 0), get<NearKeys>(a, 1), get<QueryParams>(a, 2), get<const u8*>(a, 3), get<const OFFSET*>(a, 4),      \
             get<unsigned*>(a, 5), get<u8*>(a, 6), get<unsigned*>(a, 7));                                                         \
    }

static const struct {
    const char* name;
    void (*body)(void**);
} KERNELS[] = {
    {"direct_paths32", PATHS(direct_paths32, unsigned)},
    {"direct_paths64", PATHS(direct_paths64, u64)},
    {"walk_paths32", PATHS(walk_paths32, unsigned)},
    {"walk_paths64", PATHS(walk_paths64, u64)},
    {"resolve_few",
     [](void** a) {
         resolve_few(get<Tables>(a, 0), get<NearKeys>(a, 1), get<QueryParams>(a, 2), get<const u8*>(a, 3), get<unsigned>(a, 4), get<uint2*>(a, 5));
     }},
    {"resolve_keys",
     [](void** a) {
         resolve_keys(get<Tables>(a, 0), get<QueryParams>(a, 1), get<const unsigned*>(a, 2), get<unsigned*>(a, 3), get<u8*>(a, 4));
     }},
    {"unpack", [](void** a) { unpack(get<Packed>(a, 0), get<u8*>(a, 1), get<unsigned*>(a, 2)); }},
    {"note_slots", [](void** a) { note_slots(get<Tables>(a, 0), get<u64>(a, 1), get<u64>(a, 2)); }},
};

// Runs a kernel; the arguments are pointers to its parameters. Not for several threads at once.
extern "C" int emulate(const char* name, unsigned n_blocks, unsigned block, void** args) {
    constexpr size_t STACK = 1 << 17;
    body = nullptr;
    for (const auto& kernel : KERNELS)
        if (strcmp(kernel.name, name) == 0) body = kernel.body;
    if (body == nullptr || block % LANES_OF_WARP != 0) return 1;
    arguments = args;
    grid_size.x = n_blocks;
    if (fibers.size() != block) {
        fibers = std::vector<Fiber>(block);
        for (auto& fiber : fibers) fiber.stack = std::make_unique<char[]>(STACK);
    }
    for (block_index.x = 0; block_index.x < n_blocks; block_index.x++) {
        warps.assign(block / LANES_OF_WARP, Meeting());
        for (auto& warp : warps) warp.n = LANES_OF_WARP;
        block_meeting = Meeting();
        block_meeting.n = block;
        // What no kernel wrote is no zero.
        memset(shared_bytes, 0xA5, sizeof shared_bytes);
        for (unsigned i = 0; i < block; i++) {
            Fiber& fiber = fibers[i];
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack.get();
            fiber.context.uc_stack.ss_size = STACK;
            fiber.context.uc_link = nullptr;
            fiber.thread.x = i;
            fiber.done = false;
            makecontext(&fiber.context, run_fiber, 0);
        }
        current = 0;
        swapcontext(&scheduler, &fibers[0].context);
    }
    return 0;
}
