//! Calls one after another: a batch beside single ones, the batcher beside none.

use super::Setting;
use crate::record::{Record, Target, format_value};
use anyhow::Result;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::{Duration, Instant};
use warpath::core::{Plan, Tables};
use warpath::{
    BatchLookupBuilder, BatchPathLookup, Device, Engine, EngineError, EngineInfo, GpuFilesystem, InodeId,
    OutcomesMut, PathBatch, Request,
};
use warpath_workload::stopwatch::{median, percentile};

/// Paths of the description's benchmark.
const HUNDRED: usize = 100;

const HAND_OFFS: usize = 10_000;

/// `lookup_batch` of 100 paths beside 100 `lookup_path` calls, in turns, on each engine.
pub fn measure_batches(record: &mut Record, setting: &Setting) -> Result<()> {
    record.line("\n### 100 paths\n\n| engine | 100 calls | one batch | |\n|---|---|---|---|");
    for engine in &setting.engines {
        setting.force(Some(engine))?;
        let (mut single, mut batch) = (vec![], vec![]);
        for round in 0..setting.rounds * 40 {
            let first = round * HUNDRED % (setting.set.len() - HUNDRED);
            let paths = setting.texts(first, HUNDRED)?;
            let expected = &setting.set.expected().inodes()[first..first + HUNDRED];
            let begin = Instant::now();
            let each: Vec<_> = paths.iter().map(|path| setting.fs.lookup_path(path)).collect();
            single.push(begin.elapsed());
            let begin = Instant::now();
            let all = setting.fs.lookup_batch(&paths)?;
            batch.push(begin.elapsed());
            let is_right = |i: usize| each[i].as_ref() == Ok(&expected[i]) && all[i] == Ok(expected[i]);
            assert!((0..HUNDRED).all(is_right), "a wrong answer among {paths:?}");
        }
        let (single, batch) = (median(single.into_iter()), median(batch.into_iter()));
        let ratio = single.as_secs_f64() / batch.as_secs_f64();
        record.line(format!("| {engine} | {single:.1?} | {batch:.1?} | {}x |", format_value(ratio)));
        // On the CPU a single call is no dispatch: nothing is asked there.
        let target = (engine != "cpu").then_some(Target::AtLeast(10.0));
        let what = format!("{engine}: a batch of 100 over 100 calls");
        record.add(format!("calls.{engine}.batch_over_single"), what, ratio, "x", target);
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        record.add(format!("calls.{engine}.single"), "100 calls", micros(single), "us", None);
        record.add(format!("calls.{engine}.batch"), "a batch of 100", micros(batch), "us", None);
    }
    setting.force(None)
}

/// An engine that answers as the CPU does, but is not known to: the batcher takes it for a device, to be waited for.
struct Unknown(warpath_engine_cpu::CpuEngine);

impl Engine for Unknown {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "unknown", device: "the CPU, taken for a device".to_owned() }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        self.0.resolve(tables, plan, batch, out)
    }
}

/// The same tree on the CPU engine, taken for a device: futures go through the queue and a thread.
pub fn on_a_device(fs: &GpuFilesystem) -> Result<GpuFilesystem> {
    let engine = Arc::new(Unknown(warpath_engine_cpu::CpuEngine::new()));
    let namespace = fs.with_namespace(Clone::clone);
    Ok(GpuFilesystem::from_namespace(&Device::from_engine(engine).without_fallback(), namespace)?)
}

/// A way to ask for one path.
type Ask<'a> = Box<dyn Fn(&str) -> InodeId + 'a>;

/// One request at a time: what the batcher adds to the engine's own time.
pub fn measure_batcher(record: &mut Record, setting: &Setting) -> Result<()> {
    record.line(
        "\n### One request at a time, on the CPU\n\n| | median | p99 | the batcher adds |\n|---|---|---|---|",
    );
    setting.force(Some("cpu"))?;
    let batcher = BatchLookupBuilder::new(&setting.fs).build()?;
    let behind_device = BatchLookupBuilder::new(&on_a_device(&setting.fs)?).build()?;
    let ways = ways(&setting.fs, &batcher, &behind_device);
    let n = 1000;
    let mut times: Vec<Vec<Duration>> = vec![vec![]; ways.len()];
    for round in 0..setting.rounds * 4 {
        for (number, (way, times)) in ways.iter().zip(&mut times).enumerate() {
            // Not the paths that another way has just brought into the caches.
            let first = (round * ways.len() + number) * n % (setting.set.len() - n);
            let paths = setting.texts(first, n)?;
            for (i, path) in paths.iter().enumerate() {
                let begin = Instant::now();
                let inode = (way.2)(path);
                times.push(begin.elapsed());
                assert_eq!(inode, setting.set.expected().inodes()[first + i], "{path}");
            }
        }
    }
    measure_hand_off(record);
    let clock = median((0..1000).map(|_| black_box(Instant::now()).elapsed()));
    let median_of = |times: &[Duration]| median(times.iter().copied()).saturating_sub(clock);
    let base = median_of(&times[0]);
    for ((key, what, _), times) in ways.iter().zip(&times) {
        let (middle, p99) = (median_of(times), percentile(times.iter().copied(), 0.99));
        let added = middle.saturating_sub(base).as_secs_f64() * 1e6;
        record.line(format!("| {what} | {middle:.0?} | {p99:.1?} | {} us |", format_value(added)));
        record.add(format!("batcher.{key}.median"), *what, middle.as_nanos() as f64, "ns", None);
        if *key != "engine" {
            let target = Some(Target::AtMost(5.0));
            record.add(
                format!("batcher.{key}.adds"),
                format!("{what}: added at the median"),
                added,
                "us",
                target,
            );
        }
    }
    setting.force(None)
}

/// What a thread takes that is woken and wakes back, with nothing between: the floor for a future that another thread answers.
fn measure_hand_off(record: &mut Record) {
    let turn = AtomicU32::new(0);
    let caller = std::thread::current();
    let times: Vec<Duration> = std::thread::scope(|scope| {
        let turn = &turn;
        let wait = move |mine: u32| {
            while turn.load(Ordering::Acquire) % 2 != mine {
                std::thread::park();
            }
        };
        let other = scope.spawn(move || {
            for _ in 0..HAND_OFFS {
                wait(1);
                turn.fetch_add(1, Ordering::AcqRel);
                caller.unpark();
            }
        });
        let hand_off = |_| {
            let begin = Instant::now();
            turn.fetch_add(1, Ordering::AcqRel);
            other.thread().unpark();
            wait(0);
            begin.elapsed()
        };
        (0..HAND_OFFS).map(hand_off).collect()
    });
    let (middle, p99) = (median(times.iter().copied()), percentile(times.iter().copied(), 0.99));
    record.line(format!("| a thread woken, and woken back | {middle:.1?} | {p99:.1?} | |"));
    record.add("hand_off.median", "a thread woken, and woken back", middle.as_secs_f64() * 1e6, "us", None);
}

fn ways<'a>(
    fs: &'a GpuFilesystem,
    batcher: &'a BatchPathLookup,
    behind_device: &'a BatchPathLookup,
) -> Vec<(&'static str, &'static str, Ask<'a>)> {
    let second = Duration::from_secs(1);
    let one = |outcomes: warpath::Outcomes| outcomes.get(0).unwrap_or(warpath::INVALID_INODE);
    let only =
        move |result: Result<warpath::Outcomes, warpath::Error>| result.map_or(warpath::INVALID_INODE, one);
    let invalid = warpath::INVALID_INODE;
    vec![
        ("engine", "no batcher", Box::new(move |path| fs.lookup_path(path).unwrap_or(invalid))),
        ("blocking", "batcher, waiting", Box::new(move |path| batcher.lookup_path(path).unwrap_or(invalid))),
        (
            "future",
            "batcher, a future",
            Box::new(move |path| block_on(batcher.lookup_path_async(path)).unwrap_or(invalid)),
        ),
        (
            "deadline",
            "batcher, a future with a deadline",
            Box::new(move |path| only(block_on(batcher.resolve_async(Request::new([path]).timeout(second))))),
        ),
        (
            "device.blocking",
            "as on a device, waiting",
            Box::new(move |path| behind_device.lookup_path(path).unwrap_or(invalid)),
        ),
        (
            "device.future",
            "as on a device, a future, through a thread",
            Box::new(move |path| block_on(behind_device.lookup_path_async(path)).unwrap_or(invalid)),
        ),
    ]
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future, without a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    // Most are there at once: then no waker is made.
    let mut context = Context::from_waker(std::task::Waker::noop());
    if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
        return value;
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
