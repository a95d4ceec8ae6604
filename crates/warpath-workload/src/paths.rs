//! Path sets: what is asked, and what must be answered.

use crate::links::{SUFFIX, linked_prefixes};
use crate::random::Stream;
use rayon::prelude::*;
use thiserror::Error;
use warpath_core::{
    INVALID_INODE, InodeId, LookupError, Namespace, Options, Outcome, Outcomes, PathBatch, reference,
};

/// Paths that are drawn as one piece of work.
const CHUNK_PATHS: usize = 1 << 14;

/// How often another path is drawn when one leads past no linked directory.
const TRIES: usize = 200;

/// The first byte of names that are missing; no workload holds such a name.
pub(crate) const MISSING: u8 = 1;

/// Bytes by which a path grows at most: a link's, and a name behind it that is missing.
pub(crate) const MAX_GROWTH: usize = 1 + 3;

/// Paths that exist in a tree, by number.
pub trait Paths: Sync {
    /// A path to ask for, by a random number.
    fn draw(&self, random: u64) -> usize;

    /// A path of this many components; `None` where there is none.
    fn draw_at_depth(&self, depth: u32, random: u64) -> Option<usize>;

    /// The path that follows in `find` order; the first behind the last.
    fn following(&self, path: usize) -> usize;

    /// Appends the path's bytes: canonical and absolute.
    fn path(&self, path: usize, bytes: &mut Vec<u8>);

    /// What it leads to.
    fn inode(&self, path: usize) -> InodeId;

    /// Whether that is a directory.
    fn is_directory(&self, path: usize) -> bool;
}

/// In which order paths are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Each drawn for itself.
    #[default]
    Random,
    /// From a random one on, as `find` writes them.
    Find,
}

/// What a path set is made of. The default: random paths that all exist.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mix {
    /// In which order.
    pub order: Order,
    /// Share of paths that are missing. Of these half miss the last name, a quarter a name on the way, and a
    /// quarter go on behind a file (ENOTDIR).
    pub missing: f64,
    /// Share of paths that lead through a link of [`add_links`](crate::add_links). In `find` order only those that can.
    pub through_links: f64,
    /// Only paths of this many components, in random order.
    pub depth: Option<u32>,
}

/// The set would hold 4 GiB of text or more, which 32-bit offsets can't tell apart: ask for fewer paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a path set of {bytes} bytes: 32-bit offsets end at 4 GiB, ask for fewer paths")]
pub struct TooManyBytes {
    /// Bytes of all paths together.
    pub bytes: u64,
}

/// Paths in one buffer with 32-bit offsets (Arrow's layout), and the answer that each must get.
#[derive(Debug, Clone)]
pub struct PathSet {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
    expected: Outcomes,
}

impl PathSet {
    /// Draws `n` paths, in parallel. The same arguments give the same set.
    ///
    /// # Errors
    /// [`TooManyBytes`].
    pub fn draw(
        paths: &(impl Paths + ?Sized),
        mix: &Mix,
        n: usize,
        seed: u64,
    ) -> Result<PathSet, TooManyBytes> {
        let numbers = match mix.order {
            Order::Random => None,
            Order::Find => {
                let first = paths.draw(Stream::new(seed, 0).next_u64());
                Some(
                    std::iter::successors(Some(first), |&path| Some(paths.following(path))).take(n).collect(),
                )
            }
        };
        let drawing = Drawing { paths, mix, seed, numbers };
        let chunks: Vec<Vec<u8>>;
        let answers: Vec<Vec<(u32, Outcome)>>;
        (chunks, answers) = (0..n.div_ceil(CHUNK_PATHS))
            .into_par_iter()
            .map(|chunk| drawing.chunk(chunk * CHUNK_PATHS..n.min((chunk + 1) * CHUNK_PATHS)))
            .unzip();
        PathSet::join(&chunks, &answers, n)
    }

    fn join(chunks: &[Vec<u8>], answers: &[Vec<(u32, Outcome)>], n: usize) -> Result<PathSet, TooManyBytes> {
        let n_bytes: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        if n_bytes > u64::from(u32::MAX) {
            return Err(TooManyBytes { bytes: n_bytes });
        }
        let mut offsets = Vec::with_capacity(n + 1);
        let mut expected = Outcomes::with_len(n);
        let mut end = 0;
        offsets.push(end);
        for (i, &(length, outcome)) in answers.iter().flatten().enumerate() {
            end += length;
            offsets.push(end);
            expected.as_mut().set(i, outcome);
        }
        Ok(PathSet { bytes: chunks.concat(), offsets, expected })
    }

    /// Paths that were not drawn: a path a line, with the reference's answers, about a microsecond each, in parallel. Empty lines are
    /// left out.
    ///
    /// # Errors
    /// [`TooManyBytes`].
    pub fn from_lines(lines: &[u8], namespace: &Namespace) -> Result<PathSet, TooManyBytes> {
        let paths: Vec<&[u8]> = lines.split(|&byte| byte == b'\n').filter(|path| !path.is_empty()).collect();
        let answers = paths.iter().map(|path| (path.len() as u32, Ok(INVALID_INODE))).collect();
        let set = PathSet::join(&[paths.concat()], &[answers], paths.len())?;
        Ok(set.answered_by_reference(namespace))
    }

    /// The same paths with the reference's answers, for trees in which not every directory is known: what is missing there is
    /// NotIndexed. In parallel, about a microsecond a path.
    pub fn answered_by_reference(mut self, namespace: &Namespace) -> PathSet {
        // Once: it looks at every offset.
        let batch = self.batch();
        let answers: Vec<Outcome> = (0..self.len())
            .into_par_iter()
            .map(|i| reference::resolve(namespace, batch.get(i), &Options::default()))
            .collect();
        for (i, &answer) in answers.iter().enumerate() {
            self.expected.as_mut().set(i, answer);
        }
        self
    }

    /// The paths.
    pub fn batch(&self) -> PathBatch<'_> {
        match PathBatch::new(&self.bytes, &self.offsets) {
            Ok(batch) => batch,
            Err(_) => PathBatch::from_slices(&[]),
        }
    }

    /// The text of all paths, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each path begins, and where the last one ends.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The answers that the paths must get.
    pub fn expected(&self) -> &Outcomes {
        &self.expected
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.expected.len()
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Mean length of a path in bytes.
    pub fn mean_length(&self) -> f64 {
        self.bytes.len() as f64 / self.len().max(1) as f64
    }

    /// Mean number of components of a path.
    pub fn mean_components(&self) -> f64 {
        memchr::memchr_iter(b'/', &self.bytes).count() as f64 / self.len().max(1) as f64
    }
}

struct Drawing<'a, P: ?Sized> {
    paths: &'a P,
    mix: &'a Mix,
    seed: u64,
    numbers: Option<Vec<usize>>,
}

impl<P: Paths + ?Sized> Drawing<'_, P> {
    fn chunk(&self, range: std::ops::Range<usize>) -> (Vec<u8>, Vec<(u32, Outcome)>) {
        let mut bytes = Vec::with_capacity(range.len() * 96);
        let answers = range
            .map(|i| {
                let begin = bytes.len();
                let outcome = self.push(i, &mut bytes);
                ((bytes.len() - begin) as u32, outcome)
            })
            .collect();
        (bytes, answers)
    }

    /// Appends path `i` of the set; its answer.
    fn push(&self, i: usize, bytes: &mut Vec<u8>) -> Outcome {
        let mut random = Stream::new(self.seed, i as u64 + 1);
        let begin = bytes.len();
        let mut number = self.draw(i, &mut random);
        self.paths.path(number, bytes);
        if random.hits(self.mix.through_links) {
            let tries = if self.numbers.is_some() { 0 } else { TRIES };
            for _ in 0..tries {
                if linked_prefixes(&bytes[begin..]).next().is_some() {
                    break;
                }
                bytes.truncate(begin);
                number = self.draw(i, &mut random);
                self.paths.path(number, bytes);
            }
            lead_through_link(begin, bytes, &mut random);
        }
        if random.hits(self.mix.missing) {
            return self.miss(number, begin, bytes, &mut random);
        }
        Ok(self.paths.inode(number))
    }

    fn draw(&self, i: usize, random: &mut Stream) -> usize {
        match (&self.numbers, self.mix.depth) {
            (Some(numbers), _) => numbers[i],
            (None, Some(depth)) => {
                let word = random.next_u64();
                self.paths.draw_at_depth(depth, word).unwrap_or_else(|| self.paths.draw(word))
            }
            (None, None) => self.paths.draw(random.next_u64()),
        }
    }

    /// Makes the path at the end of `bytes` a missing one; why it is.
    fn miss(&self, number: usize, begin: usize, bytes: &mut Vec<u8>, random: &mut Stream) -> Outcome {
        let kind = random.below(4);
        if kind == 3 {
            bytes.extend_from_slice(&[b'/', MISSING, b'x']);
            let is_directory = self.paths.is_directory(number);
            return Err(if is_directory { LookupError::NotFound } else { LookupError::NotADirectory });
        }
        let slashes: Vec<usize> = memchr::memchr_iter(b'/', &bytes[begin..]).collect();
        let n_before = slashes.len().saturating_sub(1);
        let component = if kind == 2 && n_before > 0 { random.below(n_before) } else { n_before };
        let name = slashes.get(component).map_or(begin, |slash| begin + slash + 1);
        match bytes.get_mut(name) {
            Some(first) => *first = MISSING,
            None => bytes.push(MISSING),
        }
        Err(LookupError::NotFound)
    }
}

/// Puts the link beside a directory in the directory's place, where one on the way has a link.
fn lead_through_link(begin: usize, bytes: &mut Vec<u8>, random: &mut Stream) {
    let ends: Vec<usize> = linked_prefixes(&bytes[begin..]).collect();
    if !ends.is_empty() {
        bytes.insert(begin + ends[random.below(ends.len())], SUFFIX);
    }
}
