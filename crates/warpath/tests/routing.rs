//! Which engine a batch goes to, over engines that take a known time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use warpath::core::{Plan, Tables};
use warpath::{
    Device, Engine, EngineError, EngineInfo, Error, FileType, GpuFilesystem, Options, OutcomesMut, PathBatch,
    PathBuffer, Reason,
};
use warpath_engine_cpu::CpuEngine;

/// An engine that sleeps before it answers.
struct Slow {
    name: &'static str,
    fixed: Duration,
    per_path: Duration,
    cpu: CpuEngine,
    n_paths: AtomicU64,
    fails: AtomicBool,
    extra_micros: AtomicU64,
}

impl Slow {
    fn new(name: &'static str, fixed: Duration, per_path: Duration) -> Arc<Slow> {
        let cpu = CpuEngine::new();
        Arc::new(Slow {
            name,
            fixed,
            per_path,
            cpu,
            n_paths: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            extra_micros: AtomicU64::new(0),
        })
    }

    fn paths(&self) -> u64 {
        self.n_paths.load(Ordering::SeqCst)
    }
}

impl Engine for Slow {
    fn info(&self) -> EngineInfo {
        EngineInfo {
            name: self.name,
            device: format!("{:?} a batch, {:?} a path", self.fixed, self.per_path),
        }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        self.n_paths.fetch_add(batch.len() as u64, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Err(EngineError::Failed { engine: self.name, reason: "told so".to_owned() });
        }
        let extra = Duration::from_micros(self.extra_micros.load(Ordering::SeqCst));
        std::thread::sleep(extra + self.fixed + self.per_path * batch.len() as u32);
        self.cpu.resolve(tables, plan, batch, out)
    }
}

fn file_system(engines: &[Arc<Slow>]) -> GpuFilesystem {
    let devices = engines.iter().map(|engine| Device::from_engine(Arc::clone(engine) as Arc<_>));
    let fs = GpuFilesystem::new(&Device::combined(devices), 16).unwrap();
    let d = fs.add_file(0, "directory", FileType::Directory).unwrap();
    for i in 0..100 {
        fs.add_file(d, format!("file {i}"), FileType::Regular).unwrap();
    }
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

fn check(fs: &GpuFilesystem, n: usize) {
    let outcomes = fs.resolve(paths(n).as_batch(), &Options::default()).unwrap();
    let expected: Vec<u32> = (0..n as u32).map(|i| i % 100 + 2).collect();
    assert_eq!(outcomes.inodes(), expected);
}

#[test]
fn each_batch_goes_where_it_is_done_first() {
    let near = Slow::new("near", Duration::ZERO, Duration::from_micros(4));
    let far = Slow::new("far", Duration::from_millis(4), Duration::from_nanos(100));
    let fs = file_system(&[Arc::clone(&far), Arc::clone(&near)]);
    assert_eq!(chosen(&fs, 1).0, Reason::NotMeasured);
    fs.calibrate();
    assert_eq!(chosen(&fs, 1), (Reason::Fastest, vec!["near".to_owned()]));
    assert_eq!(chosen(&fs, 5000), (Reason::Fastest, vec!["far".to_owned()]));
    let before = (near.paths(), far.paths());
    check(&fs, 10);
    check(&fs, 5000);
    assert_eq!((near.paths() - before.0, far.paths() - before.1), (10, 5000));

    let text = fs.explain(&paths(5000).as_batch()).to_string();
    assert!(text.contains("go to far: it is done there first") && text.contains("near alone"), "{text}");
}

#[test]
fn a_choice_can_be_forced() {
    let near = Slow::new("near", Duration::ZERO, Duration::ZERO);
    let far = Slow::new("far", Duration::from_millis(5), Duration::ZERO);
    let fs = file_system(&[Arc::clone(&near), Arc::clone(&far)]);
    fs.calibrate();
    fs.force_engine(Some("far")).unwrap();
    assert_eq!(chosen(&fs, 1), (Reason::Forced, vec!["far".to_owned()]));
    let before = far.paths();
    check(&fs, 3);
    assert_eq!(far.paths() - before, 3);
    let error = fs.force_engine(Some("nowhere")).unwrap_err();
    assert!(matches!(&error, Error::NoSuchEngine { name, .. } if name == "nowhere"), "{error}");
    fs.force_engine(None).unwrap();
    assert_eq!(chosen(&fs, 1), (Reason::Fastest, vec!["near".to_owned()]));
}

#[test]
fn a_large_batch_is_shared_where_that_is_faster() {
    let engines = [
        Slow::new("left", Duration::ZERO, Duration::from_micros(4)),
        Slow::new("right", Duration::ZERO, Duration::from_micros(3)),
    ];
    let fs = file_system(&engines);
    fs.calibrate();
    let (reason, names) = chosen(&fs, 40_000);
    assert_eq!((reason, names.len()), (Reason::Split, 2));
    let before = [engines[0].paths(), engines[1].paths()];
    check(&fs, 40_000);
    let shares = [engines[0].paths() - before[0], engines[1].paths() - before[1]];
    assert_eq!(shares[0] + shares[1], 40_000);
    assert!(shares.iter().all(|share| *share > 4_000), "{shares:?}");

    let time = || {
        let begin = Instant::now();
        check(&fs, 40_000);
        begin.elapsed()
    };
    // The machine may be busy with other tests; they hinder both.
    let is_faster = |_| {
        fs.force_engine(Some("right")).unwrap();
        let alone = time();
        fs.force_engine(None).unwrap();
        time() < alone
    };
    assert!((0..10).any(is_faster), "the faster engine alone is as fast");
    assert_eq!(chosen(&fs, 100).0, Reason::Fastest, "a small batch is not shared");

    // What one of the two fails, the other answers.
    engines[0].fails.store(true, Ordering::SeqCst);
    check(&fs, 40_000);
    check(&fs, 40_000);
}

#[test]
fn what_an_engine_takes_is_learnt() {
    let steady = Slow::new("steady", Duration::from_millis(4), Duration::ZERO);
    let fickle = Slow::new("fickle", Duration::from_millis(1), Duration::ZERO);
    let fs = file_system(&[steady, Arc::clone(&fickle)]);
    fs.calibrate();
    assert_eq!(chosen(&fs, 1000).1, ["fickle"]);
    fickle.extra_micros.store(20_000, Ordering::SeqCst);
    for _ in 0..40 {
        check(&fs, 1000);
    }
    assert_eq!(chosen(&fs, 1000).1, ["steady"]);
    assert_eq!(chosen(&fs, 5000).1, ["fickle"], "batches of another size have not been seen");
}

#[test]
fn engines_are_measured_in_the_background_at_the_first_batch() {
    let near = Slow::new("near", Duration::ZERO, Duration::from_micros(4));
    let far = Slow::new("far", Duration::from_millis(3), Duration::ZERO);
    let fs = file_system(&[near, far]);
    check(&fs, 10);
    let is_measured = |_| {
        std::thread::sleep(Duration::from_millis(10));
        chosen(&fs, 10).0 != Reason::NotMeasured
    };
    assert!((0..1000).any(is_measured));
}

#[test]
fn a_batch_above_every_piece_is_one_answer() {
    let fs = file_system(&[]);
    let n = (1 << 24) + 5;
    let offsets: Vec<u32> = (0..=n as u32).map(|i| i.min(1)).collect();
    let batch = PathBatch::new(b"/", &offsets).unwrap();
    let outcomes = fs.resolve(batch, &Options::default()).unwrap();
    assert_eq!(outcomes.get(0), Ok(0));
    let n_missing = outcomes.statuses().iter().filter(|status| **status != 0).count();
    assert_eq!((outcomes.len(), n_missing), (n, n - 1));
}
