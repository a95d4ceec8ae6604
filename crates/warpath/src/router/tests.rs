//! Which engine a batch goes to, over engines that take exactly what the test says, on a clock that it sets on.

use super::Reason;
use super::clock::stopped;
use crate::{Device, FileType, GpuFilesystem, Options, PathBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use warpath_core::{Engine, EngineError, EngineInfo, OutcomesMut, PathBatch, Plan, Tables};
use warpath_engine_cpu::CpuEngine;

/// An engine whose batches take `fixed` and `per_path` for each path.
struct Timed {
    name: &'static str,
    fixed: Duration,
    per_path: Duration,
    per_byte: Duration,
    cpu: CpuEngine,
    n_paths: AtomicU64,
    /// What its batches took in all.
    nanos: AtomicU64,
    fails: AtomicBool,
    extra_micros: AtomicU64,
}

impl Timed {
    fn new(name: &'static str, fixed: Duration, per_path: Duration) -> Arc<Timed> {
        Timed::by_bytes(name, fixed, per_path, Duration::ZERO)
    }

    fn by_bytes(name: &'static str, fixed: Duration, per_path: Duration, per_byte: Duration) -> Arc<Timed> {
        Arc::new(Timed {
            name,
            fixed,
            per_path,
            per_byte,
            cpu: CpuEngine::new(),
            n_paths: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            extra_micros: AtomicU64::new(0),
        })
    }

    fn paths(&self) -> u64 {
        self.n_paths.load(Ordering::SeqCst)
    }

    fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::SeqCst)
    }
}

impl Engine for Timed {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: self.name, device: "takes what it is told".to_owned() }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(EngineError::Failed { engine: self.name, reason: "told so".to_owned() });
        }
        self.n_paths.fetch_add(batch.len() as u64, Ordering::SeqCst);
        let extra = Duration::from_micros(self.extra_micros.load(Ordering::SeqCst));
        let by_size = self.per_path * batch.len() as u32 + self.per_byte * batch.n_bytes() as u32;
        let time = extra + self.fixed + by_size;
        self.nanos.fetch_add(time.as_nanos() as u64, Ordering::SeqCst);
        stopped::advance(time);
        self.cpu.resolve(tables, plan, batch, out)
    }
}

/// A measured file system on these engines.
fn file_system(engines: &[Arc<Timed>]) -> GpuFilesystem {
    stopped::stop();
    let devices = engines.iter().map(|engine| Device::from_engine(Arc::clone(engine) as Arc<_>));
    let fs = GpuFilesystem::new(&Device::combined(devices), 16).unwrap();
    let d = fs.add_file(0, "directory", FileType::Directory).unwrap();
    for i in 0..100 {
        fs.add_file(d, format!("file {i}"), FileType::Regular).unwrap();
    }
    assert_eq!(chosen(&fs, 1).0, Reason::NotMeasured);
    fs.calibrate();
    fs
}

fn paths(n: usize) -> PathBuffer {
    (0..n).map(|i| format!("/directory/file {}", i % 100)).collect()
}

/// Which engines a batch of so many paths would go to.
fn chosen(fs: &GpuFilesystem, n: usize) -> (Reason, Vec<String>) {
    let explanation = fs.explain(&paths(n).as_batch());
    (explanation.reason, explanation.shares.into_iter().map(|share| share.engine).collect())
}

fn fastest(name: &str) -> (Reason, Vec<String>) {
    (Reason::Fastest, vec![name.to_owned()])
}

fn check(fs: &GpuFilesystem, n: usize) {
    let outcomes = fs.resolve(paths(n).as_batch(), &Options::default()).unwrap();
    let expected: Vec<u32> = (0..n as u32).map(|i| i % 100 + 2).collect();
    assert_eq!(outcomes.inodes(), expected);
}

const MICRO: Duration = Duration::from_micros(1);

#[test]
fn each_batch_goes_where_it_is_done_first() {
    let near = Timed::new("near", Duration::ZERO, 4 * MICRO);
    let far = Timed::new("far", 400 * MICRO, MICRO / 10);
    let fs = file_system(&[Arc::clone(&far), Arc::clone(&near)]);
    // They are even at 102.6 paths; small batches go by class, and 64 to 127 are one.
    for (n, engine) in [(1, "near"), (10, "near"), (60, "near"), (128, "far"), (256, "far"), (5000, "far")] {
        assert_eq!(chosen(&fs, n), fastest(engine), "{n} paths");
        let before = [near.paths(), far.paths()];
        check(&fs, n);
        let n_near = if engine == "near" { n as u64 } else { 0 };
        assert_eq!([near.paths() - before[0], far.paths() - before[1]], [n_near, n as u64 - n_near]);
    }
    let explanation = fs.explain(&paths(5000).as_batch());
    let expected = explanation.expected.unwrap();
    assert!(expected.abs_diff(900 * MICRO) < 9 * MICRO, "{expected:?} instead of 900 us");
    let near_alone = explanation.engines.iter().find(|cost| cost.engine == "near").unwrap();
    assert!(near_alone.expected.unwrap().abs_diff(20_000 * MICRO) < 200 * MICRO);
    let text = explanation.to_string();
    assert!(text.contains("go to far: it is done there first") && text.contains("near alone"), "{text}");
}

#[test]
fn what_a_byte_costs_is_known() {
    // Paths of the tree have 17 or 18 bytes: 5 us and 4 us.
    let copies = Timed::by_bytes("copies", Duration::ZERO, Duration::ZERO, MICRO * 5 / 18);
    let steady = Timed::new("steady", Duration::ZERO, 4 * MICRO);
    let fs = file_system(&[copies, steady]);
    let chosen = |path: &str| {
        let paths: PathBuffer = (0..1000).map(|_| path).collect();
        fs.explain(&paths.as_batch()).shares[0].engine.clone()
    };
    assert_eq!(chosen("/directory/file 10"), "steady");
    assert_eq!(chosen("/directory"), "copies");
}

#[test]
fn a_choice_can_be_forced() {
    let near = Timed::new("near", Duration::ZERO, MICRO);
    let far = Timed::new("far", 5000 * MICRO, MICRO);
    let fs = file_system(&[Arc::clone(&near), Arc::clone(&far)]);
    for name in ["far", "far:TAKES", "far:"] {
        fs.force_engine(Some(name)).unwrap();
        assert_eq!(chosen(&fs, 1), (Reason::Forced, vec!["far".to_owned()]));
        let before = far.paths();
        check(&fs, 3);
        assert_eq!(far.paths() - before, 3);
    }
    for name in ["nowhere", "far:nowhere", "near:far"] {
        let error = fs.force_engine(Some(name)).unwrap_err();
        assert!(matches!(&error, crate::Error::NoSuchEngine { name: of, .. } if of == name), "{error}");
        assert_eq!(chosen(&fs, 1).0, Reason::Forced, "a refused choice changes nothing");
    }
    fs.force_engine(None).unwrap();
    assert_eq!(chosen(&fs, 1), fastest("near"));
}

#[test]
fn a_large_batch_is_shared_so_that_both_are_done_at_once() {
    let engines =
        [Timed::new("left", Duration::ZERO, 4 * MICRO), Timed::new("right", Duration::ZERO, 3 * MICRO)];
    let fs = file_system(&engines);
    let (reason, names) = chosen(&fs, 40_000);
    assert_eq!((reason, names.len()), (Reason::Split, 2));
    let before = [engines[0].nanos(), engines[1].nanos()];
    check(&fs, 40_000);
    let took = [0, 1].map(|i| engines[i].nanos() - before[i]);
    // 120 ms on the better one alone, 68.6 ms on both.
    assert!(took.iter().all(|nanos| (67_000_000..71_000_000).contains(nanos)), "{took:?}");
    assert_eq!(chosen(&fs, 100), fastest("right"), "a small batch is not shared");

    // What one of the two fails, the other answers.
    engines[0].fails.store(true, Ordering::SeqCst);
    check(&fs, 40_000);
    check(&fs, 40_000);
}

#[test]
fn what_is_no_gain_is_not_shared() {
    let engines =
        [Timed::new("slow", Duration::ZERO, 100 * MICRO), Timed::new("fast", Duration::ZERO, 3 * MICRO)];
    let fs = file_system(&engines);
    assert_eq!(chosen(&fs, 40_000), fastest("fast"), "3 % would be gained, and a thread started");
}

#[test]
fn what_an_engine_takes_is_learnt() {
    let steady = Timed::new("steady", 4000 * MICRO, Duration::ZERO);
    let fickle = Timed::new("fickle", 1000 * MICRO, Duration::ZERO);
    let fs = file_system(&[steady, Arc::clone(&fickle)]);
    assert_eq!(chosen(&fs, 256), fastest("fickle"));
    fickle.extra_micros.store(20_000, Ordering::SeqCst);
    let n_batches = (0..100)
        .find(|_| {
            check(&fs, 256);
            chosen(&fs, 256) == fastest("steady")
        })
        .expect("it is never learnt");
    assert!((3..30).contains(&n_batches), "one outlier is no lesson, but {n_batches} are too many");
    assert_eq!(chosen(&fs, 5000), fastest("fickle"), "batches of another size have not been seen");
    // It is tried again after a while, and comes back once it is as fast as before.
    fickle.extra_micros.store(0, Ordering::SeqCst);
    let comes_back = (0..200_000).any(|_| {
        check(&fs, 256);
        chosen(&fs, 256) == fastest("fickle")
    });
    assert!(comes_back);
}
