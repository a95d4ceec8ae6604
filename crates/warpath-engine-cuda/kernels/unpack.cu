// Paths of which the host sent only what differs from the path before, made whole in device memory: then the other kernels answer them.
//
// Packed paths come in groups of 32. The first of a group is whole; each other one says how many of its first units of 8 bytes equal
// those of the path before. A warp unpacks a group: lane u holds unit u of the path that is being written.
#include "coop.cuh"

constexpr unsigned UNPACK_BLOCK = 256;

// Where a group's text and its units begin.
struct Group {
    unsigned text, unit;
};

// Packed paths; made by `pack.rs`. Paths have at most 255 bytes.
struct Packed {
    const Group* groups;
    const u8* shared;   // for each path: units that it shares with the one before
    const u8* lengths;
    const u64* units;
    unsigned n_paths;
};

DEVICE unsigned sum_below(unsigned value, unsigned lane) {
    unsigned sum = value;
    for (unsigned step = 1; step < WARP; step *= 2) {
        unsigned below = __shfl_up_sync(FULL_MASK, sum, step);
        if (lane >= step) sum += below;
    }
    return sum - value;
}

extern "C" __global__ void __launch_bounds__(UNPACK_BLOCK) unpack(const __grid_constant__ Packed packed, u8* text, unsigned* offsets) {
    unsigned lane = threadIdx.x % WARP, n_groups = (packed.n_paths + WARP - 1) / WARP;
    for (unsigned g = (blockIdx.x * UNPACK_BLOCK + threadIdx.x) / WARP; g < n_groups; g += gridDim.x * (UNPACK_BLOCK / WARP)) {
        unsigned i = g * WARP + lane, n = packed.n_paths - g * WARP;
        bool active = i < packed.n_paths;
        unsigned length = active ? packed.lengths[i] : 0, shared = active ? packed.shared[i] : 0;
        unsigned own = (length + UNIT_BYTES - 1) / UNIT_BYTES - shared;
        Group group = packed.groups[g];
        unsigned text_at = group.text + sum_below(length, lane), unit_at = group.unit + sum_below(own, lane);
        if (active) offsets[i] = text_at;
        if (active && i + 1 == packed.n_paths) offsets[i + 1] = text_at + length, offsets[i + 2] = 0;
        u64 unit = 0;
#pragma unroll 4
        for (unsigned j = 0; j < (n < WARP ? n : WARP); j++) {
            unsigned its_shared = __shfl_sync(FULL_MASK, shared, j), its_length = __shfl_sync(FULL_MASK, length, j);
            unsigned its_text = __shfl_sync(FULL_MASK, text_at, j), its_unit = __shfl_sync(FULL_MASK, unit_at, j);
            if (lane >= its_shared && lane * UNIT_BYTES < its_length) unit = __ldcs(packed.units + its_unit + lane - its_shared);
            u8* to = text + its_text + lane * UNIT_BYTES;
#pragma unroll
            for (unsigned b = 0; b < UNIT_BYTES; b++)
                if (lane * UNIT_BYTES + b < its_length) to[b] = (u8)(unit >> (8 * b));
        }
    }
}
