//! The resolver against the kernel: random trees on disk, many random paths in each, outcome and inode compared.

use crate::check::{Difference, Query, all_modes, outcome_text};
use crate::disk::{DiskTree, scratch};
use crate::generate::{self, Knobs, Paths};
use crate::kernel::{Answer, Inside, Kernel, KernelError};
use crate::shrink::shrink;
use crate::suite::MakeEngine;
use crate::tree::Tree;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use thiserror::Error;
use warpath_core::batch::PathBuffer;
use warpath_core::index::IndexError;
use warpath_core::{Engine, EngineError, Index, Namespace, NamespaceError, Options, Outcome, ResolveError};

/// How much is compared, and what with.
#[derive(Clone, Copy)]
pub struct Config<'e> {
    /// Trees and paths follow from it alone.
    pub seed: u64,
    /// At least so many cases: a path, a start directory, and a mode.
    pub n_cases: u64,
    /// Threads, each with trees of its own.
    pub n_threads: usize,
    /// What is compared with the kernel; the reference resolver if there is none.
    pub engine: Option<&'e MakeEngine<'e>>,
}

/// Cases of one tree, start directory and mode: one batch.
const BATCH: usize = 512;

/// Batches of one tree. A tree costs as much as some hundred cases.
const BATCHES: usize = 12;

/// What was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases compared.
    pub n_cases: u64,
    /// Trees they were on.
    pub n_trees: u64,
    /// Cases by status code, 0 being found.
    pub by_status: [u64; 8],
}

/// Why the comparison ended early.
#[derive(Debug, Error)]
pub enum Failure {
    /// The resolver and the kernel differ.
    #[error("the resolver and the kernel differ (seed {seed}, tree {n_tree})\n{difference}")]
    Differs {
        /// The run's seed.
        seed: u64,
        /// The tree's number in the run.
        n_tree: u64,
        /// The smallest case that shows it.
        difference: Box<Difference>,
    },
    /// The kernel can't be asked.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A tree can't be made on disk.
    #[error("a tree can't be made on disk: {0}")]
    Disk(#[from] std::io::Error),
    /// A tree can't be made on disk.
    #[error("a tree can't be made on disk: {0}")]
    Plant(#[from] Errno),
    /// A tree can't be made in memory.
    #[error("the namespace refuses what a disk takes: {0}")]
    Namespace(#[from] NamespaceError),
    /// An index could not be built.
    #[error(transparent)]
    Build(#[from] IndexError),
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine could not run a batch.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A thread ended before its work did.
    #[error("a thread panicked")]
    Panicked,
}

/// Compares resolver and kernel on random cases.
///
/// # Errors
/// [`Failure`], at the first difference.
pub fn run(config: &Config<'_>) -> Result<Report, Failure> {
    let scratch = scratch()?;
    let base = std::fs::File::open(scratch.path())?;
    let shared = Shared {
        config,
        base: base.as_fd(),
        next_tree: AtomicU64::new(0),
        n_done: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        report: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..config.n_threads.max(1)).map(|_| scope.spawn(|| shared.work())).collect();
        // Every thread is waited for, then the first failure told.
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        results.into_iter().try_for_each(|result| result.unwrap_or(Err(Failure::Panicked)))
    })?;
    Ok(shared.report.into_inner().unwrap_or_default())
}

struct Shared<'a> {
    config: &'a Config<'a>,
    base: BorrowedFd<'a>,
    next_tree: AtomicU64,
    n_done: AtomicU64,
    failed: AtomicBool,
    report: Mutex<Report>,
}

impl Shared<'_> {
    fn work(&self) -> Result<(), Failure> {
        let result = self.compare_trees();
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn compare_trees(&self) -> Result<(), Failure> {
        let mut kernel = Kernel::new()?;
        let engine = self.config.engine.map(|make| make()).transpose()?;
        let mut report = Report::default();
        while self.n_done.load(Ordering::Relaxed) < self.config.n_cases
            && !self.failed.load(Ordering::Relaxed)
        {
            let n_tree = self.next_tree.fetch_add(1, Ordering::Relaxed);
            let before = report.n_cases;
            self.compare_tree(n_tree, &mut kernel, engine.as_deref(), &mut report)?;
            self.n_done.fetch_add(report.n_cases - before, Ordering::Relaxed);
        }
        if let Ok(mut total) = self.report.lock() {
            total.add(&report);
        }
        Ok(())
    }

    fn compare_tree(
        &self,
        n_tree: u64,
        kernel: &mut Kernel,
        engine: Option<&dyn Engine>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let seed = tree_seed(self.config.seed, n_tree);
        let tree = generate::tree(seed, Knobs { partial: false, large: true });
        let name = format!("tree-{n_tree}");
        let found = {
            let world = World::new(&tree, self.base, &name, engine)?;
            let inside = kernel.enter(&world.disk)?;
            world.compare(&inside, seed, report)?
        };
        report.n_trees += 1;
        match found {
            None => Ok(()),
            Some(query) => {
                let difference = Box::new(self.smallest(tree, query, kernel, engine)?);
                Err(Failure::Differs { seed: self.config.seed, n_tree, difference })
            }
        }
    }

    /// The smallest case that shows the difference.
    fn smallest(
        &self,
        tree: Tree,
        query: Query,
        kernel: &mut Kernel,
        engine: Option<&dyn Engine>,
    ) -> Result<Difference, Failure> {
        let name = format!("shrunk-{:?}", std::thread::current().id());
        let (tree, query) = shrink(tree, query, &mut |tree, query| {
            self.answers(tree, query, &name, kernel, engine).is_ok_and(|answers| !answers.agree)
        });
        let answers = self.answers(&tree, &query, &name, kernel, engine)?;
        let who = engine.map_or("reference".to_owned(), |engine| engine.info().name.to_owned());
        Ok(Difference { tree, query, right: ("kernel", answers.kernel), wrong: (who, answers.resolver) })
    }

    fn answers(
        &self,
        tree: &Tree,
        query: &Query,
        name: &str,
        kernel: &mut Kernel,
        engine: Option<&dyn Engine>,
    ) -> Result<Answers, Failure> {
        let world = World::new(tree, self.base, name, engine)?;
        let inside = kernel.enter(&world.disk)?;
        let answer = inside.resolve(query.start, &query.path, &query.options)?;
        let outcome = world.outcomes(query.start, &query.options, &[&query.path].into_iter().collect())?[0];
        let planted = tree.plant()?;
        let kernel = match answer {
            Err(error) => error.name().to_owned(),
            Ok(ino) => match world.disk.inos().iter().position(|&known| known == ino) {
                Some(node) => outcome_text(Ok(planted.inodes[node]), &planted),
                None => format!("an inode that is not in the tree, {ino}"),
            },
        };
        Ok(Answers {
            agree: world.agrees(answer, outcome),
            kernel,
            resolver: outcome_text(outcome, &planted),
        })
    }
}

struct Answers {
    agree: bool,
    kernel: String,
    resolver: String,
}

impl Report {
    fn add(&mut self, other: &Report) {
        self.n_cases += other.n_cases;
        self.n_trees += other.n_trees;
        for (total, n) in self.by_status.iter_mut().zip(other.by_status) {
            *total += n;
        }
    }
}

/// Seeds of a run's trees lie far apart, whatever the runs' own seeds.
fn tree_seed(seed: u64, n_tree: u64) -> u64 {
    (seed ^ 0x5851_F42D_4C95_7F2D)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(n_tree.wrapping_mul(0xD134_2543_DE82_EF95))
}

/// One tree, on disk and in memory.
struct World<'t> {
    tree: &'t Tree,
    disk: DiskTree,
    resolver: Resolver<'t>,
    inodes: Vec<warpath_core::InodeId>,
    /// The file system's inode number of each inode.
    inos: Vec<u64>,
}

enum Resolver<'e> {
    Reference(Box<Namespace>),
    Engine(Box<Index>, &'e dyn Engine),
}

impl<'t> World<'t> {
    fn new(
        tree: &'t Tree,
        base: BorrowedFd<'_>,
        name: &str,
        engine: Option<&'t dyn Engine>,
    ) -> Result<World<'t>, Failure> {
        let disk = DiskTree::plant(tree, base, name)?;
        let planted = tree.plant()?;
        let mut inos = vec![0; planted.namespace.inode_bound() as usize];
        for (&inode, &ino) in planted.inodes.iter().zip(disk.inos()) {
            inos[inode as usize] = ino;
        }
        let resolver = match engine {
            None => Resolver::Reference(Box::new(planted.namespace)),
            Some(engine) => Resolver::Engine(Box::new(Index::build(planted.namespace)?), engine),
        };
        Ok(World { tree, disk, resolver, inodes: planted.inodes, inos })
    }

    /// The first query on which resolver and kernel differ.
    fn compare(&self, inside: &Inside<'_>, seed: u64, report: &mut Report) -> Result<Option<Query>, Failure> {
        let mut paths = Paths::new(self.tree, !seed);
        let modes: Vec<Options> = all_modes().collect();
        let mut path = Vec::new();
        let mut batch = PathBuffer::new();
        for round in 0..BATCHES {
            let start = paths.start();
            batch.clear();
            for _ in 0..BATCH / 2 {
                paths.next(start, &mut path);
                batch.push(&path);
            }
            // Followed and not followed, the other modes in turn; every other round is the plain one.
            let mode = if round % 2 == 0 {
                Options::default()
            } else {
                modes[(seed as usize).wrapping_add(round) % 16]
            };
            for follow in [true, false] {
                let options = Options { follow, ..mode };
                let outcomes = self.outcomes(start, &options, &batch)?;
                for (path, &outcome) in batch.as_batch().iter().zip(&outcomes) {
                    let answer = inside.resolve(start, path, &options)?;
                    if !self.agrees(answer, outcome) {
                        return Ok(Some(Query { path: path.to_vec(), start, options }));
                    }
                    report.by_status[usize::from(warpath_core::outcome::status_code(outcome)) & 7] += 1;
                }
                report.n_cases += outcomes.len() as u64;
            }
        }
        Ok(None)
    }

    fn outcomes(&self, start: usize, options: &Options, paths: &PathBuffer) -> Result<Vec<Outcome>, Failure> {
        let options = options.start(self.inodes[start]);
        match &self.resolver {
            Resolver::Reference(namespace) => {
                let resolve = |path| warpath_core::reference::resolve(namespace, path, &options);
                Ok(paths.as_batch().iter().map(resolve).collect())
            }
            Resolver::Engine(index, engine) => {
                Ok(index.resolve(*engine, &paths.as_batch(), &options)?.iter().collect())
            }
        }
    }

    fn agrees(&self, answer: Answer, outcome: Outcome) -> bool {
        match (answer, outcome) {
            (Ok(ino), Ok(inode)) => self.inos.get(inode as usize) == Some(&ino),
            (Err(errno), Err(error)) => errno == error,
            _ => false,
        }
    }
}
