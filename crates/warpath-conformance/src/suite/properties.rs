//! Random trees and paths by proptest, which shrinks towards fewer and simpler entries in its own way.

use super::Failure;
use super::session::{Indexed, Session};
use crate::check::all_modes;
use crate::tree::{NodeKind, Special, Tree};
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, RngAlgorithm, TestError, TestRng, TestRunner};
use std::cell::RefCell;
use warpath_core::{Options, PathBatch};

const N_CASES: u32 = 200;

/// An entry to be: which of the directories so far it goes into, its name, what it is.
type Seedling = (u8, Vec<u8>, NodeKind);

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&session.config.seed.to_le_bytes());
    let config = ProptestConfig { cases: N_CASES, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let strategy = (
        prop::collection::vec(seedling(), 0..24),
        prop::collection::vec(path(), 1..40),
        0..16usize,
        any::<u8>(),
    );
    // What the last failing run, the smallest, was told.
    let failure = RefCell::new(None);
    let result = runner.run(&strategy, |(seedlings, paths, mode, start)| {
        let modes: Vec<Options> = all_modes().collect();
        compare(session, &seedlings, &paths, &modes[mode], start).map_err(|why| {
            *failure.borrow_mut() = Some(why);
            TestCaseError::fail("a wrong answer")
        })
    });
    match (result, failure.into_inner()) {
        (Ok(()), _) => Ok(()),
        (Err(TestError::Fail(..)), Some(failure)) => Err(failure),
        (Err(error), _) => Err(Failure::Suite(format!("proptest: {error}"))),
    }
}

fn compare(
    session: &Session<'_>,
    seedlings: &[Seedling],
    paths: &[Vec<u8>],
    options: &Options,
    start: u8,
) -> Result<(), Failure> {
    let mut tree = Tree::new();
    for (parent, name, kind) in seedlings {
        let directories: Vec<usize> = tree.directories().collect();
        let parent = directories[usize::from(*parent) % directories.len()];
        let kind = match kind {
            NodeKind::HardLink(of) => NodeKind::HardLink(of % tree.nodes().len()),
            kind => kind.clone(),
        };
        // A name that is taken is one entry less.
        tree.add(parent, name, kind);
    }
    let directories: Vec<usize> = tree.directories().collect();
    let start = directories[usize::from(start) % directories.len()];
    let indexed = Indexed::new(&tree)?;
    let slices: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    session.compare(&indexed, start, options, &PathBatch::from_slices(&slices))
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec(), b"ab".to_vec()]),
        1 => prop::sample::select(vec![b"...".to_vec(), b"\xff".to_vec(), vec![b'n'; 255], b"eightbyt".to_vec()]),
    ]
}

fn component() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        10 => name(),
        3 => Just(b"..".to_vec()),
        1 => Just(b".".to_vec()),
        1 => Just(Vec::new()),
        1 => prop::sample::select(vec![vec![b'n'; 256], b"\0".to_vec(), b"a.".to_vec(), b"missing".to_vec()]),
    ]
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::collection::vec(component(), 0..8);
    (names, any::<bool>(), any::<bool>()).prop_map(|(names, absolute, slash)| {
        let mut path = names.join(&b'/');
        if absolute {
            path.insert(0, b'/');
        }
        if slash {
            path.push(b'/');
        }
        path
    })
}

fn target() -> impl Strategy<Value = Vec<u8>> {
    path().prop_filter("a target has bytes, and no NUL", |path| !path.is_empty() && !path.contains(&0))
}

fn seedling() -> impl Strategy<Value = Seedling> {
    let kind = prop_oneof![
        1 => Just(NodeKind::Directory { partial: true }),
        7 => Just(NodeKind::Directory { partial: false }),
        5 => target().prop_map(NodeKind::Symlink),
        3 => Just(NodeKind::File),
        1 => (0..24usize).prop_map(NodeKind::HardLink),
        1 => Just(NodeKind::Special(Special::Pipe)),
    ];
    (any::<u8>(), name(), kind)
}
