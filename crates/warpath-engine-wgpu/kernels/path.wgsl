// A path's bytes, in workgroup memory where they have been staged, else in the batch's buffer.

struct Path {
    // Where the path begins in `bytes`.
    start: u32,
    length: u32,
    // Whether its words are in `stage`.
    staged: bool,
    // The word of `bytes` that is the first of `stage`.
    stage_first: u32,
}

var<workgroup> stage: array<u32, STAGE_WORDS>;

fn path_at(number: u32, staged: bool, stage_first: u32) -> Path {
    let start = offsets[number] - batch.offset_base;
    return Path(start, offsets[number + 1u] - batch.offset_base - start, staged, stage_first);
}

// Word `word` of the bytes.
fn path_word(path: Path, word: u32) -> u32 {
    if path.staged {
        return stage[word - path.stage_first];
    }
    return bytes[word];
}

fn path_byte(path: Path, at: u32) -> u32 {
    let byte = path.start + at;
    return (path_word(path, byte >> 2u) >> (8u * (byte & 3u))) & 0xffu;
}

// `n` bytes of the path from `at`, 0 to 8, as a zero-padded unit, first byte lowest.
fn load(path: Path, at: u32, n: u32) -> vec2<u32> {
    let byte = path.start + at;
    let word = byte >> 2u;
    let words = vec3<u32>(path_word(path, word), path_word(path, word + 1u), path_word(path, word + 2u));
    return unit_of(words, byte & 3u) & first_bytes(n);
}

// The 8 bytes from byte `at` of three words, `at` 0 to 3.
fn unit_of(words: vec3<u32>, at: u32) -> vec2<u32> {
    let shift = 8u * at;
    // In two steps, since a word can't be shifted by 32.
    return (words.xy >> vec2<u32>(shift)) | ((words.yz << vec2<u32>(1u)) << vec2<u32>(31u - shift));
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
