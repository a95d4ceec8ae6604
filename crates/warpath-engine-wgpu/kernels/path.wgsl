// A path's bytes, read where they lie: neighbours' paths share cache lines, so memory is read once. Copying them to workgroup
// memory first costs a barrier and room that the cache needs: 8.9 instead of 18.7 G paths/s on an H100 (docs/notes/wgpu.md).

struct Path {
    // Where the path begins in `bytes`.
    start: u32,
    length: u32,
}

fn path_at(number: u32) -> Path {
    let start = offsets[number];
    return Path(start, offsets[number + 1u] - start);
}

// Word `word` of the bytes.
fn path_word(word: u32) -> u32 {
    return bytes[word];
}

fn path_byte(path: Path, at: u32) -> u32 {
    let byte = path.start + at;
    return (path_word(byte >> 2u) >> (8u * (byte & 3u))) & 0xffu;
}

// `n` bytes of the path from `at`, 0 to 8, as a zero-padded unit, first byte lowest.
fn load(path: Path, at: u32, n: u32) -> vec2<u32> {
    let byte = path.start + at;
    let word = byte >> 2u;
    let words = vec3<u32>(path_word(word), path_word(word + 1u), path_word(word + 2u));
    return unit_of(words, byte & 3u) & first_bytes(n);
}

// The 8 bytes from byte `at` of three words, `at` 0 to 3.
fn unit_of(words: vec3<u32>, at: u32) -> vec2<u32> {
    return vec2<u32>(funnel(words.x, words.y, 8u * at), funnel(words.y, words.z, 8u * at));
}

// A unit whose first `n` bytes are set, 0 to 8.
fn first_bytes(n: u32) -> vec2<u32> {
    return vec2<u32>(first_bytes_of_word(min(n, 4u)), first_bytes_of_word(max(n, 4u) - 4u));
}

fn first_bytes_of_word(n: u32) -> u32 {
    return select((1u << (8u * (n & 3u))) - 1u, 0xffffffffu, n == 4u);
}

// Marks (bit 7) the bytes of a word that are zero. What is above the first such byte may be marked wrongly.
fn zero_bytes(word: u32) -> u32 {
    return (word - 0x01010101u) & ~word & 0x80808080u;
}

// Where `byte` is found first from `at` on; the path's length where it isn't.
fn find_byte(path: Path, from_at: u32, byte: u32) -> u32 {
    let pattern = byte * 0x01010101u;
    for (var at = from_at; at < path.length; at += 8u) {
        let unit = load(path, at, 8u);
        let marks = vec2<u32>(zero_bytes(unit.x ^ pattern), zero_bytes(unit.y ^ pattern));
        if marks.x != 0u {
            return min(at + (firstTrailingBit(marks.x) >> 3u), path.length);
        }
        if marks.y != 0u {
            return min(at + 4u + (firstTrailingBit(marks.y) >> 3u), path.length);
        }
    }
    return path.length;
}
