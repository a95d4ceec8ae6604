// Path bytes through shared memory, in 16-byte pieces: a warp copies them for its lanes, coalesced.
#pragma once
#include "coop.cuh"

constexpr unsigned PIECE = 16;
// Bytes that may be read before and behind a staged path.
constexpr unsigned MARGIN = 16;
// Bytes of a window: the longest path, wherever it begins within a piece.
constexpr unsigned WINDOW = 4112;
constexpr unsigned WINDOW_STRIDE = MARGIN + WINDOW + MARGIN;
static_assert(WINDOW >= MAX_PATH + PIECE && WINDOW % PIECE == 0, "the longest path must fit");

// The bytes that may be read: those of the batch's paths and nothing beside them.
struct Readable {
    u64 begin, end;

    METHOD bool holds(u64 from, u64 to) const { return from >= begin && to <= end; }
};

// Copies the piece at `from`, a multiple of 16, to shared memory; it may be under way until `arrive`.
DEVICE void copy_piece(u8* to, u64 from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from),
                 "l"(keep_short())
                 : "memory");
#else
    *(uint4*)to = __ldcs((const uint4*)from);
#endif
}

// As `copy_piece`, without reading what is not readable.
DEVICE void copy_piece_at_edge(u8* to, u64 from, const Readable& readable) {
    if (readable.holds(from, from + PIECE)) return copy_piece(to, from);
#pragma unroll 1
    for (unsigned i = 0; i < PIECE; i++)
        if (readable.holds(from + i, from + i + 1)) to[i] = *(const u8*)(from + i);
}

// Waits until the warp's copies are in place.
DEVICE void arrive() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
    __syncwarp();
}

// Starts to copy [from, to) of global memory, `from` a multiple of 16, to shared memory, with the whole warp.
DEVICE void copy_pieces(u8* shared, u64 from, u64 to, const Readable& readable, unsigned lane) {
    unsigned n_bytes = (unsigned)(to - from);
    if (readable.holds(from, to + PIECE - 1)) {
        for (unsigned at = lane * PIECE; at < n_bytes; at += WARP * PIECE) copy_piece(shared + at, from + at);
    } else {
#pragma unroll 1
        for (unsigned at = lane * PIECE; at < n_bytes; at += WARP * PIECE) copy_piece_at_edge(shared + at, from + at, readable);
    }
}

// Copies [from, to) of global memory, `from` a multiple of 16, to `window`.
DEVICE void stage_window(u8* window, u64 from, u64 to, const Readable& readable, unsigned lane) {
    copy_pieces(window, from, to, readable, lane);
    arrive();
}

// Room for a lane's own path of up to 126 bytes, wherever it begins within a piece, with margins.
constexpr unsigned SHORT_PATH = 126;
// 11 pieces: neighbouring lanes' words lie in different banks.
constexpr unsigned CELL = 176;
static_assert(CELL >= MARGIN + SHORT_PATH + 2 * PIECE - 2, "the path must fit, wherever it begins");
constexpr unsigned CELL_LANES = 8;  // lanes that copy a path

// Copies each lane's path of `length` bytes, if any, to its own cell; `cells` has 32 of them and a margin.
DEVICE void stage_cells(u8* cells, u64 begin, unsigned length, const Readable& readable, unsigned lane) {
    bool inside = __all_sync(FULL_MASK, length == 0 || readable.holds(begin - PIECE, begin + length + PIECE));
    for (unsigned i = 0; i < CELL_LANES; i++) {
        unsigned owner = i * (WARP / CELL_LANES) + lane / CELL_LANES;
        u64 first = __shfl_sync(FULL_MASK, begin, owner), last = first + __shfl_sync(FULL_MASK, length, owner);
        u64 from = (first & ~(u64)(PIECE - 1)) + lane % CELL_LANES * PIECE;
        u8* to = cells + owner * CELL + MARGIN + lane % CELL_LANES * PIECE;
        for (; from < last; from += CELL_LANES * PIECE, to += CELL_LANES * PIECE) {
            if (inside) copy_piece(to, from);
            else copy_piece_at_edge(to, from, readable);
        }
    }
    arrive();
}

// The status of a path that is longer than any path may be. The whole warp reads it.
DEVICE unsigned status_of_too_long(u64 begin, u64 end, unsigned lane) {
    bool nul = false;
    for (u64 at = begin + lane; at < end; at += WARP) nul |= *(const u8*)at == 0;
    return __any_sync(FULL_MASK, nul) ? STATUS_INVALID : STATUS_NAME_TOO_LONG;
}
