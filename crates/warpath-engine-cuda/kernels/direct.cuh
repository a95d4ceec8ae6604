// The direct probe of huge batches, a thread a path. A thread reads its path where it lies: neighbours' paths share lines, which the
// first-level cache keeps until the last of them is done, and no warp waits for all of its text.
#pragma once
#include "search.cuh"
#include "stage.cuh"

// Status of a path that is not answered yet, less the number of its longest prefixes that are known to be no entries, the whole path first.
// Statuses that the caller sees are below all of these.
constexpr unsigned STATUS_PENDING = 0xFF;
constexpr unsigned STATUS_FIRST_PENDING = 0x80;

// What the first-level cache is filled by.
constexpr unsigned SECTOR = 32;
// Sectors of a warp's text, and so many of them a lane asks for before it reads: 4 KiB in all, of which average paths take three quarters.
constexpr unsigned SECTORS_A_LANE = 4;

// Asks for the text of a warp's paths, at [begin, end) together, so that it comes in whole lines: the lanes read it at different times.
DEVICE void prefetch_text(const Readable& readable, u64 begin, u64 end, unsigned lane) {
    u64 at = (begin & ~(u64)(SECTOR - 1)) + lane * SECTOR;
    if (!readable.holds(begin & ~(u64)(SECTOR - 1), end)) return;
#pragma unroll
    for (unsigned k = 0; k < SECTORS_A_LANE; k++, at += WARP * SECTOR)
        if (at < end) prefetch(at);
}

// Two units of a path.
struct TwoUnits {
    u64 first, second;
};

// The units of a path, read in aligned pieces. Nothing is read of a piece that holds none of its bytes.
struct Pieces {
    const uint4* at;
    int left;             // bytes of the path and what lies before it, from the piece `at` on
    unsigned shift;       // bits of the word that the path begins in, before it
    bool odd, high;       // whether it begins in the odd word of a half, in the piece's second half
    unsigned word, next;  // of the half that the next unit begins in: the word where it does, and the odd one
    uint4 held;

    METHOD Pieces(u64 begin, unsigned length)
        : at((const uint4*)(begin & ~(u64)(PIECE - 1))), left((int)(begin % PIECE + length)), shift((begin & 3) * 8), odd(begin & 4), high(begin & 8) {
        held = __ldg(at);
        unsigned even = high ? held.z : held.x;
        next = high ? held.w : held.y;
        word = odd ? next : even;
    }

    METHOD TwoUnits two() {
        uint4 behind = held;
        if (left > (int)PIECE) behind = __ldg(at + 1);
        unsigned a = high ? behind.x : held.z, b = high ? behind.y : held.w, c = high ? behind.z : behind.x, d = high ? behind.w : behind.y;
        unsigned w1 = odd ? a : next, w2 = odd ? b : a, w3 = odd ? c : b, w4 = odd ? d : c;
        TwoUnits units = {funnel_right(word, w1, shift) | (u64)funnel_right(w1, w2, shift) << 32,
                          funnel_right(w2, w3, shift) | (u64)funnel_right(w3, w4, shift) << 32};
        word = w4, next = d, held = behind, at++, left -= PIECE;
        return units;
    }
};

// As `sum_text`, of a path that may be read in whole pieces.
DEVICE Sums sum_pieces(const HashKey& key, u64 begin, unsigned length) {
    Sums sums = {0, 0, 0};
    Pieces pieces(begin, length);
    constexpr unsigned UNROLLED = 16;
    int left = (int)length;
    auto add = [&](unsigned u, u64 unit) {
        if (left < (int)UNIT_BYTES) unit = low_bytes(unit, left);
        add_unit_with(sums, key.near->units[u], unit);
        left -= UNIT_BYTES;
    };
#pragma unroll
    for (unsigned u = 0; u < UNROLLED; u += 2) {
        if (left <= 0) break;
        TwoUnits units = pieces.two();
        add(u, units.first);
        if (left <= 0) break;
        add(u + 1, units.second);
    }
#pragma unroll 1
    for (unsigned u = UNROLLED; left > 0; u += 2) {
        TwoUnits units = pieces.two();
        add(u, units.first);
        if (left > 0) add(u + 1, units.second);
    }
    return sums;
}

// The 8 bytes from `at` on, of which the first `n` are asked for; no word is read that holds none of them.
DEVICE u64 unit_at(u64 at, unsigned n) {
    const unsigned* word = (const unsigned*)(at & ~3ull);
    unsigned before = at & 3, a = __ldg(word), b = a, c = a;
    if (before + n > 4) b = __ldg(word + 1);
    if (before + n > 8) c = __ldg(word + 2);
    return funnel_right(a, b, before * 8) | (u64)funnel_right(b, c, before * 8) << 32;
}

// Takes the last name of an absolute path, and the slash before it, off its length and its sums: what is left is the directory's. False where
// there is none, the name is none of a plain path, or a NUL comes before the slash: keys are padded with NULs. Then both are anything.
DEVICE bool take_last_name(const HashKey& key, u64 begin, unsigned& length, Sums& sums) {
    unsigned slash = 0, nul = 0;
    for (unsigned u = (length - 1) / UNIT_BYTES;; u--) {
        unsigned at = u * UNIT_BYTES, n = length - at < UNIT_BYTES ? length - at : UNIT_BYTES;
        u64 unit = low_bytes(unit_at(begin + at, n), n);
        UnitKeys keys = key.at(u);
        Sums taken = {0, 0, 0};
        add_unit_with(taken, keys, unit);
        sums.s0 -= taken.s0, sums.s1 -= taken.s1, sums.s2 -= taken.s2;
        unsigned w0 = (unsigned)unit, w1 = (unsigned)(unit >> 32);
        u64 slashes = equal_bytes(w0, 0x2F2F2F2Fu) | (u64)equal_bytes(w1, 0x2F2F2F2Fu) << 32;
        u64 nuls = low_bytes(equal_bytes(w0, 0) | (u64)equal_bytes(w1, 0) << 32, n);
        if (slashes != 0) {
            unsigned high = 63 - count_leading_zeros64(slashes);  // the highest bit of the last slash's byte
            slash = at + high / 8;
            nul |= nuls >> high != 0;
            if (slash != at) add_unit_with(sums, keys, low_bytes(unit, high / 8));
            break;
        }
        nul |= nuls != 0;
        if (u == 0) return false;
    }
    unsigned n = length - slash - 1;
    bool dots = n <= 2 && (unit_at(begin + length - 1, 1) & 0xFF) == '.' && (unit_at(begin + slash + 1, 1) & 0xFF) == '.';
    length = slash;
    return nul == 0 && n != 0 && n <= MAX_NAME && !dots && slash != 0 && (unit_at(begin + slash - 1, 1) & 0xFF) != 0;
}

// What a missing name gives in the place of this entry, to be walked where it is a link.
DEVICE Outcome behind(const Tables& tables, const Slot& place) {
    if (kind_of(place) == KIND_DIRECTORY) return missing(tables, place.inode);
    return failed(kind_of(place) == KIND_SYMLINK ? STATUS_PENDING - 1 : STATUS_NOT_A_DIRECTORY);
}

// What a path's key was made from, to go on to its directory's.
struct DirectPath {
    u64 begin;
    unsigned length;
    Sums sums;  // of an absolute path
    bool absolute;
};

// The key of a whole path, as `direct_key` makes it; false where the direct probe may not answer it, and where the path may not be read in whole
// pieces, as the first and the last ones of some batches.
DEVICE bool direct_key_at(const Tables& tables, const HashKey& key, const QueryParams& query, const Readable& readable, u64 begin, u64 end,
                          DirectPath& path, Key& out) {
    u64 n = end - begin;
    if (walks_all(tables, query) || n == 0 || n >= NEAR_UNITS * UNIT_BYTES || !is_near((unsigned)n)) return false;
    if (!readable.holds(begin & ~(u64)(PIECE - 1), (end + PIECE - 1) & ~(u64)(PIECE - 1))) return false;
    path.begin = begin, path.length = (unsigned)n, path.absolute = (unit_at(begin, 1) & 0xFF) == '/';
    if ((unit_at(end - 1, 1) & 0xFF) == 0) return false;
    if (path.absolute) {
        path.sums = sum_pieces(key, begin, path.length);
        out = finish_sums(key, path.sums);
        return (query.flags & QUERY_BENEATH) == 0;
    }
    // The first unit of a relative path begins before it.
    if (!readable.holds(begin - 2 * PIECE, end + PIECE)) return false;
    u64 words = (begin & ~(u64)(PIECE - 1)) - PIECE;
    return direct_key(tables, key, query, Text{(const unsigned*)words, (unsigned)(begin - words), path.length}, out);
}

// Answers a path by one probe of its whole key, or by one more of its directory's key where that says what a missing name gives; else it is
// pending. The lanes of a warp come together behind each probe: hence no way out but the end.
DEVICE Outcome direct_or_parent(const Tables& tables, const HashKey& key, const QueryParams& query, const Readable& readable, u64 begin, u64 end) {
    Outcome out = failed(STATUS_PENDING);
    DirectPath path = {};
    Key whole = {};
    Slot slot = {0, 0, 0, INVALID_INODE};
    bool keyed = direct_key_at(tables, key, query, readable, begin, end, path, whole);
    if (keyed) slot = probe(tables, whole);
    bool missed = keyed && is_none(slot);
    if (!is_none(slot)) out = final_entry(tables, query.flags, slot, 0);
    if (missed) {
        out.status = STATUS_PENDING - 1;
        if (path.absolute && take_last_name(key, path.begin, path.length, path.sums)) {
            slot = probe(tables, finish_sums(key, path.sums));
            if (is_none(slot)) out.status = STATUS_PENDING - 2;
            else out = behind(tables, slot);
        }
    }
    return out;
}
