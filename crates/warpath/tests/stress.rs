//! A million requests at once with everything that can go wrong: cancellation, deadlines, overload, panics, lost devices, changes of
//! settings, writers beside readers, shutdown. Nothing may be lost, nothing answered twice, and every answer must come from one
//! version of the tree, whole.
//!
//! The seed is printed; `WARPATH_SEED` sets it, `WARPATH_OPERATIONS` how many requests are made.

#![allow(clippy::print_stdout)]

mod common;

use common::{Mood, Random, TestEngine};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use warpath::{
    BatchLookupBuilder, BatchPathLookup, Change, Device, Error, FileType, GpuFilesystem, LookupError,
    Options, Outcomes, Request, Settings, WhenFull,
};

const N_THREADS: u64 = 8;

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The tree: `/x/a` and `/y` hold one directory `token` between them, which a writer moves from one to the other and back, together
/// with a file `mark` that is always on the other side. In every version exactly one of `/x/a/token/f` and `/y/token/f` exists, and
/// exactly one of `/x/a/mark` and `/y/mark`, on the other side.
struct Tree {
    fs: GpuFilesystem,
    left: u32,
    right: u32,
    file: u32,
}

const QUESTIONS: [&str; 5] = ["/x/a/token/f", "/y/token/f", "/x/a/mark", "/y/mark", "/always"];

impl Tree {
    fn new(device: &Device) -> Tree {
        let fs = GpuFilesystem::new(device, 1024).unwrap();
        let x = fs.add_file(0, "x", FileType::Directory).unwrap();
        let left = fs.add_file(x, "a", FileType::Directory).unwrap();
        let right = fs.add_file(0, "y", FileType::Directory).unwrap();
        let token = fs.add_file(left, "token", FileType::Directory).unwrap();
        let file = fs.add_file(token, "f", FileType::Regular).unwrap();
        // Enough below the directory for its moves to be re-keyed in the background, in pieces.
        for i in 0..3000 {
            fs.add_file(token, format!("{i}"), FileType::Regular).unwrap();
        }
        fs.add_file(right, "mark", FileType::Regular).unwrap();
        fs.add_file(0, "always", FileType::Regular).unwrap();
        Tree { fs, left, right, file }
    }

    /// Swaps the token and the mark, as one version.
    fn swap(&self, is_left: bool) {
        let (from, to) = if is_left { (self.left, self.right) } else { (self.right, self.left) };
        let rename =
            |from, to, name: &[u8]| Change::Rename { from, name: name.to_vec(), to, new_name: name.to_vec() };
        self.fs.apply(&[rename(from, to, b"token"), rename(to, from, b"mark")]).unwrap();
    }

    /// Panics unless the answers to the questions come from one version.
    fn check(&self, outcomes: &Outcomes) {
        let found: Vec<bool> = outcomes.iter().map(|outcome| outcome.is_ok()).collect();
        let is_whole =
            matches!(found[..], [true, false, false, true, true] | [false, true, true, false, true]);
        assert!(is_whole, "answers of two versions in one batch: {found:?}");
        for outcome in outcomes.iter().take(2) {
            assert!(matches!(outcome, Err(LookupError::NotFound)) || outcome == Ok(self.file), "{outcome:?}");
        }
    }
}

/// How requests ended, as their callers saw it.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    timed_out: AtomicU64,
    dropped: AtomicU64,
}

impl Seen {
    fn note(&self, tree: &Tree, result: Result<Outcomes, Error>) {
        let counter = match result {
            Ok(outcomes) => {
                tree.check(&outcomes);
                &self.answered
            }
            Err(Error::Rejected { .. }) => &self.rejected,
            Err(Error::TimedOut) => &self.timed_out,
            Err(Error::Engine(_) | Error::Closed) => &self.failed,
            Err(other) => panic!("no request can end so: {other}"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future once, without a runtime.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn ask(batcher: &BatchPathLookup, tree: &Tree, seen: &Seen, random: &mut Random) {
    let mut request = Request::new(QUESTIONS);
    if random.below(4) == 0 {
        request = request.options(Options::default().walk_only());
    }
    match random.below(16) {
        0 => request = request.timeout(Duration::from_micros(random.below(200))),
        1 => request = request.deadline(Instant::now()),
        _ => {}
    }
    match random.below(8) {
        0..4 => seen.note(tree, batcher.resolve(request)),
        4 | 5 => seen.note(tree, batcher.resolve_async(request).wait()),
        6 => {
            let mut future = batcher.resolve_async(request);
            if let Poll::Ready(result) = poll_once(&mut future) {
                return seen.note(tree, result);
            }
            drop(future);
            seen.dropped.fetch_add(1, Ordering::Relaxed);
        }
        _ => {
            let mut futures: Vec<_> =
                (0..8).map(|_| batcher.resolve_async(Request::new(QUESTIONS))).collect();
            for _ in 0..random.below(8) {
                let chosen = random.below(futures.len() as u64) as usize;
                drop(futures.swap_remove(chosen));
                seen.dropped.fetch_add(1, Ordering::Relaxed);
            }
            futures.into_iter().for_each(|future| seen.note(tree, future.wait()));
        }
    }
}

fn trouble(engine: &TestEngine, batcher: &BatchPathLookup, random: &mut Random) {
    let mood = match random.below(20) {
        0 => Mood::Panics,
        1 => Mood::Fails,
        2 => Mood::IsLost,
        _ => Mood::Answers,
    };
    engine.set(mood);
    if random.below(10) == 0 {
        let settings = Settings {
            max_batch_size: 1 + random.below(300) as usize,
            timeout: Duration::from_micros([0, 0, 0, 50, 500][random.below(5) as usize]),
            preferred_sizes: vec![],
            max_in_flight: 1 + random.below(4) as usize,
            queue_capacity: if random.below(4) == 0 { 1 + random.below(60) as usize } else { 100_000 },
            when_full: if random.below(8) == 0 { WhenFull::Reject } else { WhenFull::Wait },
            ..Settings::default()
        };
        batcher.set_settings(settings).unwrap();
    }
}

fn stress(name: &str, device: impl Fn(Arc<TestEngine>) -> Device) {
    let seed = from_env("WARPATH_SEED", 0x5EED);
    let n_operations = from_env("WARPATH_OPERATIONS", 1_000_000);
    println!("{name}: seed {seed}, {n_operations} requests");
    // Panics are part of the test; their messages would be thousands.
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<&str>() != Some(&"told so") {
            println!("{info}");
        }
    }));
    let engine = TestEngine::new();
    let tree = Tree::new(&device(Arc::clone(&engine)));
    let batcher = BatchLookupBuilder::new(&tree.fs).max_in_flight(2).build().unwrap();
    let seen = Seen::default();
    let asking = AtomicU64::new(N_THREADS);
    let n_swaps = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..N_THREADS {
            let (batcher, tree, seen, asking) = (batcher.clone(), &tree, &seen, &asking);
            scope.spawn(move || {
                let mut random = Random(seed ^ (thread << 32));
                while batcher.stats().requests < n_operations {
                    for _ in 0..64 {
                        ask(&batcher, tree, seen, &mut random);
                    }
                }
                asking.fetch_sub(1, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            let mut is_left = true;
            while asking.load(Ordering::SeqCst) > 0 {
                tree.swap(is_left);
                is_left = !is_left;
                n_swaps.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        scope.spawn(|| {
            let mut random = Random(seed);
            while asking.load(Ordering::SeqCst) > 0 {
                trouble(&engine, &batcher, &mut random);
                std::thread::sleep(Duration::from_micros(500));
            }
            engine.set(Mood::Answers);
        });
    });
    batcher.shutdown();

    let stats = batcher.stats();
    println!("{stats:?}, {} swaps", n_swaps.into_inner());
    let ends = [stats.answered, stats.failed, stats.rejected, stats.timed_out, stats.cancelled];
    assert_eq!(stats.requests, ends.iter().sum::<u64>(), "a request was lost, or ended twice");
    assert!(stats.requests >= n_operations);
    // A dropped future may have been answered, rejected or failed before it was dropped; all others are as their callers saw them.
    let seen_ends = [
        (seen.answered.into_inner(), stats.answered),
        (seen.failed.into_inner(), stats.failed),
        (seen.rejected.into_inner(), stats.rejected),
        (seen.timed_out.into_inner(), stats.timed_out),
    ];
    let dropped = seen.dropped.into_inner();
    let mut unseen = 0;
    for (seen, counted) in seen_ends {
        assert!(seen <= counted, "{seen_ends:?}");
        unseen += counted - seen;
    }
    assert_eq!(unseen + stats.cancelled, dropped, "{seen_ends:?}, {dropped} dropped");
    assert!(stats.cancelled > 0 && stats.rejected > 0 && stats.timed_out > 0 && stats.duplicate_paths > 0);
}

#[test]
fn a_million_requests_over_an_engine_that_fails_with_the_cpu_behind_it() {
    stress("with fallback", |engine| Device::from_engine(engine));
}

#[test]
fn a_million_requests_over_an_engine_that_fails_alone() {
    stress("without fallback", |engine| Device::from_engine(engine).without_fallback());
}

#[test]
fn lookups_beside_changes_see_one_version_each() {
    let tree = Tree::new(&Device::cpu());
    let stop = AtomicBool::new(false);
    let n_checks = from_env("WARPATH_OPERATIONS", 100_000) / 4;
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (tree, stop) = (&tree, &stop);
            scope.spawn(move || {
                let paths: Vec<&[u8]> = QUESTIONS.iter().map(|path| path.as_bytes()).collect();
                for i in 0..n_checks {
                    let mut options = Options::default();
                    // `beneath` takes the way that reads the namespace.
                    let questions: Vec<&[u8]> = if (i + thread) % 8 == 0 {
                        options = options.beneath();
                        paths.iter().map(|path| &path[1..]).collect()
                    } else {
                        paths.clone()
                    };
                    let batch = warpath::PathBatch::from_slices(&questions);
                    tree.check(&tree.fs.resolve(batch, &options).unwrap());
                }
                stop.store(true, Ordering::SeqCst);
            });
        }
        let mut is_left = true;
        while !stop.load(Ordering::SeqCst) {
            tree.swap(is_left);
            is_left = !is_left;
        }
    });
    assert!(tree.fs.version() > 10);
}
