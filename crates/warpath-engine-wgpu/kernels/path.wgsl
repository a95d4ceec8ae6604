// A path's bytes. `path_word`, which reads a word of them, is in words_anywhere.wgsl or words_staged.wgsl.

struct Path {
    // Where the path begins in `bytes`.
    start: u32,
    length: u32,
    // Whether its words are in `stage`.
    staged: bool,
    // The quad of `bytes` that is the first of `stage`.
    stage_first: u32,
}

// Quads of `bytes` that a workgroup has copied, so that memory is read once and in order.
var<workgroup> stage: array<vec4<u32>, STAGE_QUADS>;

fn path_at(number: u32, staged: bool, stage_first: u32) -> Path {
    let start = path_start(number);
    return Path(start, path_start(number + 1u) - start, staged, stage_first);
}

// Where a path begins in `bytes`: where the one before it ends.
fn path_start(number: u32) -> u32 {
    return offsets[number] - batch.offset_base;
}

// Copies the quads `from_quad` to `end` into `stage`, four a thread at a time, so that four reads are on their way together.
fn stage_quads(from_quad: u32, end: u32, thread: u32) {
    for (var quad = from_quad + thread; quad < end; quad += 4u * WORKGROUP) {
        // A thread that is past the end reads the last quad once more, which costs no memory access of its own.
        let quad0 = bytes[quad];
        let quad1 = bytes[min(quad + WORKGROUP, end - 1u)];
        let quad2 = bytes[min(quad + 2u * WORKGROUP, end - 1u)];
        let quad3 = bytes[min(quad + 3u * WORKGROUP, end - 1u)];
        stage_quad(quad - from_quad, end - from_quad, quad0);
        stage_quad(quad + WORKGROUP - from_quad, end - from_quad, quad1);
        stage_quad(quad + 2u * WORKGROUP - from_quad, end - from_quad, quad2);
        stage_quad(quad + 3u * WORKGROUP - from_quad, end - from_quad, quad3);
    }
}

fn stage_quad(at: u32, end: u32, quad: vec4<u32>) {
    if at < end {
        stage[at] = quad;
    }
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
