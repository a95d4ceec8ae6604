// What the device keeps beside the tables, so that what is missing costs about one line: made from the slots by `note_slots` whenever
// these are copied, never stored. A bit too many costs a probe; a bit too few can't be, as no bit is taken back.
#pragma once
#include "hash.cuh"

struct Hints {
    // Two bits a line: how many lines behind it entries lie that belong into it; 3 stands for any number.
    const unsigned* reach;
    // Keys of directories and links, what a path may go on behind: a Bloom filter of one word a key.
    const unsigned* passages;
    u64 n_passage_words;  // 1 at least
};

constexpr unsigned REACH_BITS = 2;
constexpr unsigned REACH_LINES = 32 / REACH_BITS;  // lines of a word
constexpr unsigned REACH_ANY = (1 << REACH_BITS) - 1;

// Loads a word of the hints, which all warps ask for and no cache should give up for a batch's text.
DEVICE unsigned load_hint(const unsigned* word) {
#if __CUDA_ARCH__ >= 800
    unsigned value;
    asm("ld.global.nc.L2::cache_hint.u32 %0, [%1], %2;" : "=r"(value) : "l"(word), "l"(keep_long()));
    return value;
#else
    return __ldg(word);
#endif
}

// The bits of a key within its word of the filter.
DEVICE unsigned passage_bits(const Key& key) {
    return 1u << (key.w2 >> 2 & 31) | 1u << (key.w2 >> 7 & 31) | 1u << (key.w2 >> 12 & 31);
}

DEVICE unsigned passage_word(const Hints& hints, const Key& key) { return multiply_high(key.w1, (unsigned)hints.n_passage_words); }

// Whether a path may go on behind the entry with this key; false is certain.
DEVICE bool may_pass(const Hints& hints, const Key& key) {
    unsigned bits = passage_bits(key);
    return (load_hint(hints.passages + passage_word(hints, key)) & bits) == bits;
}

// How many lines behind this one its entries may lie in.
DEVICE unsigned reach_of(const Hints& hints, unsigned line) {
    return load_hint(hints.reach + line / REACH_LINES) >> (line % REACH_LINES * REACH_BITS) & REACH_ANY;
}
