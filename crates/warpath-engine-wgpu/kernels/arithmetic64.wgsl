// 64-bit arithmetic, for devices that have it (naga's u64).

alias Wide = u64;

fn wide(lo: u32, hi: u32) -> Wide {
    return (u64(hi) << 32u) | u64(lo);
}

fn low(value: Wide) -> u32 {
    return u32(value);
}

fn high(value: Wide) -> u32 {
    return u32(value >> 32u);
}

// Sum, mod 2^64.
fn wide_add(a: Wide, b: Wide) -> Wide {
    return a + b;
}

// The word that begins `shift` bits up in `lo` and `hi`, 0 to 31.
fn funnel(lo: u32, hi: u32, shift: u32) -> u32 {
    return low(wide(lo, hi) >> shift);
}

// The whole product of two words.
fn wide_product(a: u32, b: u32) -> Wide {
    return u64(a) * u64(b);
}
