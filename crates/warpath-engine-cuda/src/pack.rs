//! Neighbouring paths that share prefixes, packed: each sends only the units of 8 bytes in which it differs from the one before.
//! `kernels/unpack.cu` makes them whole again on the device.

use warpath_core::PathBatch;
use warpath_core::batch::Paths;
use warpath_engine_cpu::{AHEAD, prefetch};

/// Paths of a group, whose first is whole; twin of `WARP`.
pub(crate) const GROUP: usize = 32;
const UNIT: usize = 8;
/// The longest path that is packed: one unit for each lane, and its length in a byte.
const LONGEST: usize = 255;
/// Bytes that are copied at once: as many as most paths send.
const PIECE: usize = 32;
/// Samples of a batch when it is asked whether neighbours share prefixes.
const SAMPLES: usize = 64;

/// Where the parts of packed paths begin, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub shared: usize,
    pub lengths: usize,
    pub units: usize,
    pub n_paths: usize,
}

impl Layout {
    fn of(n_paths: usize) -> Layout {
        let shared = n_paths.div_ceil(GROUP) * 8;
        let lengths = shared + n_paths;
        Layout { shared, lengths, units: (lengths + n_paths).next_multiple_of(16), n_paths }
    }

    /// Bytes that packed paths take at most.
    pub fn most_bytes(n_paths: usize, n_bytes: usize) -> usize {
        Layout::of(n_paths).units + n_bytes + n_paths * UNIT
    }
}

/// Packs the paths into `room`. Gives where the parts begin and how many bytes they take; None when a path is too long or the room too small.
pub(crate) fn pack(batch: &PathBatch<'_>, room: &mut [u8]) -> Option<(Layout, usize)> {
    let n = batch.len();
    match batch.paths() {
        Paths::Flat32 { bytes, offsets } => {
            pack_each(n, |i| (&bytes[offsets[i] as usize..], (offsets[i + 1] - offsets[i]) as usize), room)
        }
        Paths::Flat64 { bytes, offsets } => {
            pack_each(n, |i| (&bytes[offsets[i] as usize..], (offsets[i + 1] - offsets[i]) as usize), room)
        }
        _ => pack_each(n, |i| (batch.get(i), batch.get(i).len()), room),
    }
}

/// `path_at` gives what may be read from a path's begin on, which is more than the path where others lie behind it, and its length.
fn pack_each<'a>(
    n_paths: usize,
    path_at: impl Fn(usize) -> (&'a [u8], usize),
    room: &mut [u8],
) -> Option<(Layout, usize)> {
    let layout = Layout::of(n_paths);
    let (head, units) = room.split_at_mut_checked(layout.units)?;
    let (groups, rest) = head.split_at_mut(layout.shared);
    let (shared, lengths) = rest.split_at_mut(n_paths);
    let (mut text, mut end): (usize, usize) = (0, 0);
    for first in (0..n_paths).step_by(GROUP) {
        let group = (end as u64 / UNIT as u64) << 32 | text as u64;
        groups[first / GROUP * 8..][..8].copy_from_slice(&group.to_le_bytes());
        let mut before: &[u8] = &[];
        for i in first..n_paths.min(first + GROUP) {
            let (readable, length) = path_at(i);
            if length > LONGEST {
                return None;
            }
            if let Some(line) = readable.get(AHEAD) {
                prefetch(line);
                prefetch(std::ptr::from_ref(line).wrapping_add(64));
            }
            let path = &readable[..length];
            let same = common_units(before, path);
            shared[i] = same as u8;
            lengths[i] = length as u8;
            let own = length - same * UNIT;
            copy(&readable[same * UNIT..], own, units.get_mut(end..)?)?;
            end += own.next_multiple_of(UNIT);
            text += length;
            before = path;
        }
    }
    Some((layout, layout.units + end.min(units.len())))
}

/// Copies `n` bytes: by a whole piece where both sides have room for it, and then perhaps some more. None when there is no room.
#[inline(always)]
fn copy(from: &[u8], n: usize, to: &mut [u8]) -> Option<()> {
    match (from.first_chunk::<PIECE>(), to.first_chunk_mut::<PIECE>()) {
        (Some(from), Some(to)) if n <= PIECE => *to = *from,
        _ => to.get_mut(..n)?.copy_from_slice(&from[..n]),
    }
    Some(())
}

/// Whole units at the begin of both.
#[inline(always)]
fn common_units(a: &[u8], b: &[u8]) -> usize {
    let (a, b) = (a.as_chunks::<UNIT>().0, b.as_chunks::<UNIT>().0);
    a.iter().zip(b).take_while(|(a, b)| u64::from_le_bytes(**a) == u64::from_le_bytes(**b)).count()
}

/// Whether neighbours share so much that packing sends less than half of their text.
pub(crate) fn pays(batch: &PathBatch<'_>) -> bool {
    let step = (batch.len() / SAMPLES).max(2);
    let (mut all, mut same) = (0, 0);
    for i in (1..batch.len()).step_by(step) {
        let (before, path) = (batch.get(i - 1), batch.get(i));
        all += path.len();
        same += common_units(before, path) * UNIT;
    }
    2 * same > all
}

#[cfg(test)]
mod tests {
    use super::*;
    use warpath_core::batch::PathBuffer;

    /// What the kernel does.
    fn unpack(room: &[u8], layout: Layout) -> Vec<Vec<u8>> {
        let mut paths: Vec<Vec<u8>> = Vec::new();
        let mut unit = 0;
        let mut text = 0;
        for i in 0..layout.n_paths {
            let (shared, length) = (room[layout.shared + i] as usize, room[layout.lengths + i] as usize);
            if i % GROUP == 0 {
                let group = u64::from_le_bytes(room[i / GROUP * 8..][..8].try_into().unwrap());
                assert_eq!((group as u32 as usize, (group >> 32) as usize), (text, unit));
                assert_eq!(shared, 0);
            }
            let mut path = if shared == 0 { Vec::new() } else { paths[i - 1][..shared * UNIT].to_vec() };
            path.extend_from_slice(&room[layout.units + unit * UNIT..][..length - shared * UNIT]);
            unit += length.div_ceil(UNIT) - shared;
            text += length;
            paths.push(path);
        }
        paths
    }

    #[test]
    fn packed_paths_are_the_same_again() {
        for n in [0, 1, 31, 32, 33, 200] {
            let paths: PathBuffer = (0..n)
                .map(|i| match i % 7 {
                    0 => String::new(),
                    1 => format!("/{}", "y".repeat(i)),
                    2 => "/a/directory/that/is/shared/12345678".into(),
                    _ => format!("/a/directory/that/is/shared/{}/file-{i}", i / 20),
                })
                .collect();
            let batch = paths.as_batch();
            let mut room = vec![0xEE; Layout::most_bytes(n, batch.n_bytes())];
            let (layout, n_bytes) = pack(&batch, &mut room).unwrap();
            assert!(n_bytes <= room.len());
            assert_eq!(unpack(&room, layout), batch.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        }
    }

    #[test]
    fn long_paths_and_small_rooms_are_refused() {
        let paths: PathBuffer = ["x".repeat(256)].iter().collect();
        assert_eq!(pack(&paths.as_batch(), &mut [0; 1000]), None);
        let paths: PathBuffer = ["x".repeat(255)].iter().collect();
        assert_eq!(pack(&paths.as_batch(), &mut [0; 200]), None);
    }

    #[test]
    fn sorted_paths_pay_and_random_ones_do_not() {
        let sorted: PathBuffer =
            (0..1000).map(|i| format!("/usr/share/documentation/{:03}", i / 3)).collect();
        assert!(pays(&sorted.as_batch()));
        let random: PathBuffer =
            (0..1000u64).map(|i| format!("/{}/x", i.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
        assert!(!pays(&random.as_batch()));
        assert!(!pays(&PathBuffer::new().as_batch()));
    }
}
