//! What the host's threads copy: parts of a chunk, so small that all of them have a share in each.
//!
//! No job waits for another: a thread that waited would begin a part of a later chunk meanwhile, chunks would be filled in
//! packs, and the device would have nothing to do until a pack is complete.

use crate::failed;
use crate::upload::copy;
use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use std::ops::Range;
use warpath_core::batch::Paths;
use warpath_core::layout::{self, QueryParams};
use warpath_core::{EngineError, INVALID_INODE, LookupError, OutcomesMut, PathBatch};
use wgpu::{Buffer, BufferViewMut, WriteOnly};

/// The twin of `BatchParams` in bindings.wgsl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct BatchParams {
    pub query: QueryParams,
}

/// Above every inode; the status of the path is in the lowest byte. The twin of OUTCOME_ERROR in bindings.wgsl.
const OUTCOME_ERROR: u32 = 0xFFFF_FF00;
/// The host answers, since the path has more than MAX_PATH bytes. The twin of OUTCOME_HOST in bindings.wgsl.
const OUTCOME_HOST: u32 = 0xFFFF_FFFE;
/// Bytes that a job copies.
const PART_BYTES: usize = 512 << 10;
/// Paths whose offsets a job writes, or whose answers it takes over.
const PART_PATHS: usize = 64 << 10;

/// Paths that go to the device together, and where their answers go.
pub(crate) struct Work<'a> {
    pub paths: PathBatch<'a>,
    pub n_bytes: usize,
    pub out: OutcomesMut<'a>,
}

/// Where in a mapped buffer a chunk's offsets and bytes begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub offsets: u64,
    pub bytes: u64,
}

/// Something to write to a mapped buffer.
pub(crate) enum FillPart<'a> {
    /// The parameters, at its begin.
    Params(BatchParams),
    /// Bytes of paths.
    Bytes { at: u64, bytes: &'a [u8] },
    /// Offsets, less the chunk's first.
    Offsets32 { at: u64, offsets: &'a [u32], first: u32 },
    /// Offsets, less the chunk's first.
    Offsets64 { at: u64, offsets: &'a [u64], first: u64 },
    /// Offsets and bytes of paths that lie anywhere.
    Slices { places: Places, n_bytes: usize, paths: &'a [&'a [u8]] },
    /// Offsets and bytes of paths that lie anywhere.
    Strs { places: Places, n_bytes: usize, paths: &'a [&'a str] },
}

/// What there is to write for a chunk.
pub(crate) fn fill_parts<'a>(
    places: Places,
    query: QueryParams,
    chunk: &PathBatch<'a>,
    n_bytes: usize,
) -> Vec<FillPart<'a>> {
    let mut parts = vec![FillPart::Params(BatchParams { query })];
    let pieces =
        |len: usize, piece: usize| (0..len).step_by(piece).map(move |from| from..len.min(from + piece));
    let offsets_at = |range: &Range<usize>| places.offsets + 4 * range.start as u64;
    let add_bytes = |parts: &mut Vec<FillPart<'a>>, bytes: &'a [u8]| {
        parts.extend(
            pieces(bytes.len(), PART_BYTES)
                .map(|range| FillPart::Bytes { at: places.bytes + range.start as u64, bytes: &bytes[range] }),
        );
    };
    match chunk.paths() {
        Paths::Flat32 { bytes, offsets } => {
            let first = offsets[0];
            add_bytes(&mut parts, &bytes[first as usize..first as usize + n_bytes]);
            parts.extend(pieces(offsets.len(), PART_PATHS).map(|range| {
                let at = offsets_at(&range);
                FillPart::Offsets32 { at, offsets: &offsets[range], first }
            }));
        }
        Paths::Flat64 { bytes, offsets } => {
            let first = offsets[0];
            add_bytes(&mut parts, &bytes[first as usize..first as usize + n_bytes]);
            parts.extend(pieces(offsets.len(), PART_PATHS).map(|range| {
                let at = offsets_at(&range);
                FillPart::Offsets64 { at, offsets: &offsets[range], first }
            }));
        }
        Paths::Slices(paths) => parts.push(FillPart::Slices { places, n_bytes, paths }),
        Paths::Strs(paths) => parts.push(FillPart::Strs { places, n_bytes, paths }),
    }
    parts
}

impl FillPart<'_> {
    /// Writes the part to the mapped buffer.
    pub(crate) fn write(&self, host: &Buffer) -> Result<(), EngineError> {
        match *self {
            FillPart::Params(params) => {
                let bytes = bytemuck::bytes_of(&params);
                view(host, 0, bytes.len())?.slice(..).copy_from_slice(bytes);
            }
            FillPart::Bytes { at, bytes } => {
                view(host, at, bytes.len())?.slice(..bytes.len()).copy_from_slice(bytes);
            }
            FillPart::Offsets32 { at, offsets, first } => {
                let mut view = view(host, at, 4 * offsets.len())?;
                write_words(view.slice(..), offsets, |offset| offset - first);
            }
            FillPart::Offsets64 { at, offsets, first } => {
                let mut view = view(host, at, 4 * offsets.len())?;
                write_words(view.slice(..), offsets, |offset| (offset - first) as u32);
            }
            FillPart::Slices { places, n_bytes, paths } => gather(host, places, n_bytes, paths)?,
            FillPart::Strs { places, n_bytes, paths } => gather(host, places, n_bytes, paths)?,
        }
        Ok(())
    }
}

/// `len` mapped bytes and what is missing to a multiple of 4, which a view must be.
fn view(host: &Buffer, at: u64, len: usize) -> Result<BufferViewMut, EngineError> {
    let end = at + (len as u64).next_multiple_of(4);
    host.get_mapped_range_mut(at..end).map_err(|error| failed(error.to_string()))
}

/// Words made of `values`, written through a small buffer: mapped memory is fast for whole lines only.
fn write_words<T: Copy>(target: WriteOnly<'_, [u8]>, values: &[T], word: impl Fn(T) -> u32) {
    const WORDS: usize = 1024;
    let write = |mut target: WriteOnly<'_, [u8]>, values: &[T]| {
        let mut words = [0u32; WORDS];
        for (to, from) in words.iter_mut().zip(values) {
            *to = word(*from);
        }
        target.copy_from_slice(bytemuck::cast_slice(&words[..values.len()]));
    };
    let (whole, rest) = target.into_chunks::<{ 4 * WORDS }>();
    let (whole_values, tail) = values.split_at(values.len() / WORDS * WORDS);
    for (part, values) in whole.into_iter().zip(whole_values.chunks_exact(WORDS)) {
        write(part.into(), values);
    }
    write(rest, tail);
}

/// Paths that lie anywhere, one behind the other, and their offsets.
fn gather<P: AsRef<[u8]> + Sync>(
    host: &Buffer,
    places: Places,
    n_bytes: usize,
    paths: &[P],
) -> Result<(), EngineError> {
    const PATHS: usize = 4096;
    let mut ends = Vec::with_capacity(paths.len() + 1);
    ends.push(0u32);
    let mut joined = vec![0u8; n_bytes];
    let mut parts = Vec::with_capacity(paths.len() / PATHS + 1);
    let mut rest = joined.as_mut_slice();
    let mut end = 0;
    for paths in paths.chunks(PATHS) {
        let from = end;
        for path in paths {
            end += path.as_ref().len();
            ends.push(end as u32);
        }
        let part;
        (part, rest) = rest.split_at_mut(end - from);
        parts.push((part, paths));
    }
    parts.into_par_iter().for_each(|(mut part, paths)| {
        for path in paths {
            let (to, behind) = part.split_at_mut(path.as_ref().len());
            to.copy_from_slice(path.as_ref());
            part = behind;
        }
    });
    copy(view(host, places.offsets, 4 * ends.len())?.slice(..), bytemuck::cast_slice(&ends));
    if n_bytes > 0 {
        copy(view(host, places.bytes, n_bytes)?.slice(..n_bytes), &joined);
    }
    Ok(())
}

/// Answers to take over from a mapped buffer, and where they go.
pub(crate) struct TakePart<'a> {
    /// Number of the first one in the buffer.
    from: usize,
    paths: PathBatch<'a>,
    out: OutcomesMut<'a>,
}

/// What there is to take over of a chunk's answers.
pub(crate) fn take_parts<'a>(paths: &PathBatch<'a>, out: OutcomesMut<'a>) -> Vec<TakePart<'a>> {
    let mut parts = Vec::new();
    let (mut from, mut left) = (0, out);
    while !left.is_empty() {
        let n = left.len().min(PART_PATHS);
        let (out, rest) = left.split_at(n);
        parts.push(TakePart { from, paths: paths.slice(from..from + n), out });
        (from, left) = (from + n, rest);
    }
    parts
}

impl TakePart<'_> {
    /// Copies the answers to the caller's columns.
    pub(crate) fn take(self, answers: &Buffer) -> Result<(), EngineError> {
        let TakePart { from, paths, mut out } = self;
        let bytes = 4 * from as u64..4 * (from + out.len()) as u64;
        let view = answers.get_mapped_range(bytes).map_err(|error| failed(error.to_string()))?;
        let words: &[u32] = bytemuck::try_cast_slice(&view).map_err(|error| failed(error.to_string()))?;
        if decode(words, out.inodes, out.statuses) {
            for (i, _) in words.iter().enumerate().filter(|(_, word)| **word == OUTCOME_HOST) {
                out.set(i, Err(left_to_host(paths.get(i))));
            }
        }
        Ok(())
    }
}

/// Splits outcomes into columns; whether any is left to the host.
fn decode(words: &[u32], inodes: &mut [u32], statuses: &mut [u8]) -> bool {
    let mut any_host = false;
    for ((&word, inode), status) in words.iter().zip(inodes).zip(statuses) {
        let failed = word >= OUTCOME_ERROR;
        *inode = if failed { INVALID_INODE } else { word };
        *status = if failed { word as u8 } else { 0 };
        any_host |= word == OUTCOME_HOST;
    }
    any_host
}

/// The outcome of a path of more than MAX_PATH bytes, which depends on nothing else. The kernel leaves no other to the host, but an inode
/// of damaged tables may look as if it did: then nothing is found.
pub(crate) fn left_to_host(path: &[u8]) -> LookupError {
    match path.contains(&0) {
        _ if path.len() <= layout::MAX_PATH as usize => LookupError::NotFound,
        true => LookupError::Invalid,
        false => LookupError::NameTooLong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_path_is_left_to_the_host_by_damaged_tables_alone() {
        let long = [b'x'; 1 + layout::MAX_PATH as usize];
        assert_eq!(left_to_host(&long), LookupError::NameTooLong);
        assert_eq!(left_to_host(&[&long[..], b"\0"].concat()), LookupError::Invalid);
        assert_eq!(left_to_host(b"usr\0"), LookupError::NotFound);
    }

    #[test]
    fn outcomes_are_inodes_or_statuses() {
        let (mut inodes, mut statuses) = ([0; 3], [9; 3]);
        assert!(!decode(&[7, OUTCOME_ERROR | 4, 0], &mut inodes, &mut statuses));
        assert_eq!((inodes, statuses), ([7, INVALID_INODE, 0], [0, 4, 0]));
        assert!(decode(&[OUTCOME_HOST], &mut inodes, &mut statuses));
        for outcome in [OUTCOME_ERROR, OUTCOME_HOST] {
            assert!(include_str!("../kernels/bindings.wgsl").contains(&format!("{outcome:#x}u;")));
        }
    }
}
