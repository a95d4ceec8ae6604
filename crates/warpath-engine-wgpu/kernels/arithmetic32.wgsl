// 64-bit arithmetic out of 32-bit words, for devices without 64-bit integers.

alias Wide = vec2<u32>;

fn wide(lo: u32, hi: u32) -> Wide {
    return vec2<u32>(lo, hi);
}

fn low(value: Wide) -> u32 {
    return value.x;
}

fn high(value: Wide) -> u32 {
    return value.y;
}

// Sum, mod 2^64.
fn wide_add(a: Wide, b: Wide) -> Wide {
    let lo = a.x + b.x;
    return vec2<u32>(lo, a.y + b.y + u32(lo < a.x));
}

// The word that begins `shift` bits up in `lo` and `hi`, 0 to 31.
fn funnel(lo: u32, hi: u32, shift: u32) -> u32 {
    // In two steps, since a word can't be shifted by 32.
    return (lo >> shift) | ((hi << 1u) << (31u - shift));
}

// The whole product of two words.
fn wide_product(a: u32, b: u32) -> Wide {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    // Neither middle sum overflows: (2^16 - 1)^2 + 2^16 - 1 < 2^32.
    let middle = a1 * b0 + ((a0 * b0) >> 16u);
    let other = a0 * b1 + (middle & 0xffffu);
    return vec2<u32>(a * b, a1 * b1 + (middle >> 16u) + (other >> 16u));
}
