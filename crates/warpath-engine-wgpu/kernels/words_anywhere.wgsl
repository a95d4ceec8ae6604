// Where a path is in workgroup memory if it has been staged, else in the batch's buffer.

// Word `word` of the bytes.
fn path_word(path: Path, word: u32) -> u32 {
    if path.staged {
        let at = word - 4u * path.stage_first;
        return stage[at >> 2u][at & 3u];
    }
    return bytes[word >> 2u][word & 3u];
}
