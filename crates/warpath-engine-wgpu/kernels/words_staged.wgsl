// Where every path is in workgroup memory.

// Word `word` of the bytes.
fn path_word(path: Path, word: u32) -> u32 {
    let at = word - 4u * path.stage_first;
    return stage[at >> 2u][at & 3u];
}
