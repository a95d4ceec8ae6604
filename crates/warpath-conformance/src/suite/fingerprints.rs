//! Tables in which the wrong slots lie where an engine looks: keys that differ in one bit, entries far from home.
//!
//! Honest tables hold such slots once in 2^60 paths. An engine that compares fewer bits than it should, or ends its probe too
//! early, would pass every other part.

use super::Failure;
use super::session::{Indexed, Session};
use crate::check::all_modes;
use crate::tree::{ROOT_NODE, Tree};
use warpath_core::hash::{HashKey, Key, State};
use warpath_core::index::TableParts;
use warpath_core::layout::{KIND_DIRECTORY, KIND_FILE, PAIR_SLOTS, Slot};
use warpath_core::probe::{holds, home_pair, pair_at};
use warpath_core::{Index, PathBatch};

/// Bits of a key's words, without those that hold the kind.
const KEY_BITS: [(usize, std::ops::Range<u32>); 3] = [(0, 0..32), (1, 0..32), (2, 2..32)];

/// Steps from home at which entries are put.
const STEPS: std::ops::Range<u32> = 1..12;

const FILES: usize = 600;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let files: String = (0..FILES).map(|n| format!("f{n} a/b/g{n} ")).collect();
    let tree = Tree::parse(&files).map_err(Failure::Suite)?;
    let planted = tree.plant()?;
    let index = Index::build(planted.namespace)?;
    let mut forger = Forger { parts: index.tables().to_parts(), paths: Vec::new() };
    forger.near_misses();
    forger.far_from_home();
    let Forger { parts, paths } = forger;
    let index = Index::from_parts(index.into_namespace(), parts)
        .ok_or_else(|| Failure::Suite("forged tables are refused".to_owned()))?;
    let indexed = Indexed { tree: &tree, index, inodes: planted.inodes };
    let slices: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    for options in all_modes() {
        session.compare(&indexed, ROOT_NODE, &options, &PathBatch::from_slices(&slices))?;
    }
    Ok(())
}

/// Puts slots where they mislead.
struct Forger {
    parts: TableParts,
    /// Paths that may be misled.
    paths: Vec<Vec<u8>>,
}

impl Forger {
    fn key(&self, path: &[u8]) -> Option<Key> {
        let key = HashKey::new(&self.parts.key)?;
        let mut state = State::EMPTY;
        state.push(key, path);
        Some(state.finish(key))
    }

    fn n_pairs(&self) -> u32 {
        (self.parts.slots.len() / PAIR_SLOTS as usize) as u32
    }

    /// The first empty slot of a pair.
    fn room(&self, pair: u32) -> Option<usize> {
        let first = pair as usize * PAIR_SLOTS as usize;
        (first..first + PAIR_SLOTS as usize).find(|&slot| self.parts.slots[slot].is_empty())
    }

    fn put(&mut self, at: usize, slot: Slot) {
        self.parts.n_entries += usize::from(self.parts.slots[at].is_empty());
        self.parts.slots[at] = slot;
    }

    /// For each bit of a key, a path that does not exist and a slot in its home that differs in that bit alone.
    fn near_misses(&mut self) {
        for (word, bits) in KEY_BITS {
            for bit in bits {
                for kind in [KIND_FILE, KIND_DIRECTORY] {
                    for parent in ["", "/a", "/a/b"] {
                        self.near_miss(parent, word, bit, kind);
                    }
                }
            }
        }
    }

    fn near_miss(&mut self, parent: &str, word: usize, bit: u32, kind: u32) {
        let n_pairs = self.n_pairs();
        // A name whose home has room; the table is at most three quarters full.
        for attempt in 0..200 {
            let path = format!("{parent}/none-{word}-{bit}-{kind}-{attempt}").into_bytes();
            let Some(key) = self.key(&path) else { return };
            let Some(at) = self.room(home_pair(key.words[0], n_pairs)) else { continue };
            let mut words = key.words;
            words[word] ^= 1 << bit;
            self.put(at, Slot { key0: words[0], key1: words[1], key2_kind: words[2] | kind, inode: 1 });
            self.paths.push([path.as_slice(), b"/x"].concat());
            self.paths.push(path);
            return;
        }
    }

    /// Entries moved away from home, over full pairs and round the end of the table.
    fn far_from_home(&mut self) {
        let n_pairs = self.n_pairs();
        let mut steps = STEPS.cycle();
        for n in 0..FILES {
            let path = format!("/f{n}").into_bytes();
            let Some(key) = self.key(&path) else { return };
            let home = home_pair(key.words[0], n_pairs);
            // A few anywhere, and all that lie where a probe goes round the end.
            if n % 50 == 0 || home + 8 >= n_pairs {
                self.move_away(&key, home, steps.next().unwrap_or(1).min(n_pairs - 1));
            }
            self.paths.push(path);
        }
    }

    fn move_away(&mut self, key: &Key, home: u32, step: u32) {
        let n_pairs = self.n_pairs();
        let Some(from) = (0..self.parts.slots.len()).find(|&slot| holds(&self.parts.slots[slot], key)) else {
            return;
        };
        let target = pair_at(home, step, n_pairs);
        let Some(to) = self.room(target) else { return };
        let filler = Slot { key0: !key.words[0], key1: !key.words[1], key2_kind: KIND_FILE, inode: 1 };
        let slot = self.parts.slots[from];
        self.put(to, slot);
        self.put(from, filler);
        for step in 0..step {
            while let Some(at) = self.room(pair_at(home, step, n_pairs)) {
                self.put(at, filler);
            }
        }
        self.parts.probe_limit = self.parts.probe_limit.max(step + 1);
    }
}
