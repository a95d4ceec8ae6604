//! Many tasks or threads that ask the batcher for a path at a time.
//!
//! Closed: each asks again as soon as it has its answer. Paced: each asks at its own times, evenly, whether or not the last answer
//! came in time, and waits are counted from when it was to ask; so a stall counts for all who were to ask meanwhile.

use super::Setting;
use super::calls::on_a_device;
use crate::record::{Record, Target, format_value};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use warpath::{BatchLookupBuilder, BatchPathLookup, GpuFilesystem, Request};
use warpath_workload::PathSet;
use warpath_workload::stopwatch::percentile;

/// Who ask.
const ASKERS: usize = 64;

/// What the target demands, a second.
const ANSWERS: f64 = 1e6;

/// Times kept of each asker: enough for p99, and no page faults on the way.
const KEPT: usize = 1 << 14;

/// How they ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Tasks of tokio, a path each time.
    Tasks,
    /// The same with a deadline.
    Deadlines,
    /// Threads that wait.
    Threads,
    /// Tasks that ask the file system itself: what the tasks, the runtime and the machine take without a batcher.
    Direct,
}

impl Way {
    fn key(self) -> &'static str {
        match self {
            Way::Tasks => "tasks",
            Way::Deadlines => "deadlines",
            Way::Threads => "threads",
            Way::Direct => "direct",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Way::Tasks => "64 tasks",
            Way::Deadlines => "64 tasks, deadlines of 50 ms",
            Way::Threads => "64 threads",
            Way::Direct => "64 tasks, no batcher",
        }
    }
}

pub fn measure(record: &mut Record, setting: &Setting) -> Result<()> {
    record.line(
        "\n### 64 that ask the batcher for a path at a time, on the CPU\n\n| | M answers/s | wait p50 | p99 | p99.9 | paths a batch |\n|---|---|---|---|---|---|",
    );
    setting.force(Some("cpu"))?;
    let set = Arc::new(setting.set.clone());
    let batcher = BatchLookupBuilder::new(&setting.fs).build()?;
    let queued = BatchLookupBuilder::new(&on_a_device(&setting.fs)?).build()?;
    for way in [Way::Direct, Way::Tasks, Way::Deadlines, Way::Threads] {
        measure_way(record, setting, &set, &batcher, way, "", "")?;
    }
    for way in [Way::Tasks, Way::Threads] {
        measure_way(record, setting, &set, &queued, way, "device.", ", as on a device")?;
    }
    setting.force(None)
}

fn measure_way(
    record: &mut Record,
    setting: &Setting,
    set: &Arc<PathSet>,
    batcher: &BatchPathLookup,
    way: Way,
    prefix: &str,
    suffix: &str,
) -> Result<()> {
    let is_target = way == Way::Tasks && prefix.is_empty();
    let key = format!("load.{prefix}{}", way.key());
    let title = format!("{}{suffix}", way.title());
    let paces = [(None, "as fast as it goes"), (Some(ANSWERS / 2.0), "paced to 0.5 M/s")];
    // Threads that sleep until their time, and tasks that look out for theirs beside a batcher's thread, measure the system's scheduler.
    let n_paces = if way == Way::Threads || !prefix.is_empty() { 1 } else { 2 };
    for (pace, what) in paces.into_iter().take(n_paces) {
        let mut runs: Vec<Load> =
            (0..setting.rounds).map(|_| run(setting, batcher, set, way, pace)).collect::<Result<_>>()?;
        runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let rate = runs[runs.len() / 2].rate / 1e6;
        let mut waits = [0.5, 0.99, 0.999].map(|share| {
            let mut each: Vec<Duration> = runs.iter().map(|run| run.wait(share)).collect();
            each.sort();
            each[each.len() / 2]
        });
        waits.iter_mut().for_each(|wait| *wait = Duration::from_nanos(wait.as_nanos() as u64));
        let [p50, p99, p999] = waits;
        let fill = runs[runs.len() / 2].fill;
        record.line(format!(
            "| {title}, {what} | {} | {p50:.1?} | {p99:.1?} | {p999:.1?} | {} |",
            format_value(rate),
            format_value(fill)
        ));
        let millis = p99.as_secs_f64() * 1e3;
        match pace {
            None => {
                let target = is_target.then_some(Target::AtLeast(ANSWERS / 1e6));
                record.add(format!("{key}.rate"), format!("{title}: answers a second"), rate, "M/s", target);
                record.add(
                    format!("{key}.full.p99"),
                    format!("{title}: p99 wait, {what}"),
                    millis,
                    "ms",
                    None,
                );
            }
            Some(_) => {
                let target = is_target.then_some(Target::AtMost(1.0));
                record.add(
                    format!("{key}.half.p99"),
                    format!("{title}: p99 wait, {what}"),
                    millis,
                    "ms",
                    target,
                );
                record.add(
                    format!("{key}.half.rate"),
                    format!("{title}: answers a second, {what}"),
                    rate,
                    "M/s",
                    None,
                );
            }
        }
    }
    Ok(())
}

/// What a run gave.
struct Load {
    /// Answers a second.
    rate: f64,
    waits: Vec<Duration>,
    /// Paths a batch, of those that did not go at once.
    fill: f64,
}

impl Load {
    fn wait(&self, share: f64) -> Duration {
        percentile(self.waits.iter().copied(), share)
    }
}

fn run(
    setting: &Setting,
    batcher: &BatchPathLookup,
    set: &Arc<PathSet>,
    way: Way,
    pace: Option<f64>,
) -> Result<Load> {
    let time = setting.run;
    let before = batcher.stats();
    let stop = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let asker = |number: usize| Asker {
        fs: setting.fs.clone(),
        batcher: batcher.clone(),
        set: Arc::clone(set),
        stop: Arc::clone(&stop),
        way,
        next: number * set.len() / ASKERS,
        period: pace.map(|pace| Duration::from_secs_f64(ASKERS as f64 / pace)),
        due: begin + pace.map_or(Duration::ZERO, |pace| Duration::from_secs_f64(number as f64 / pace)),
        n_answers: 0,
        waits: Vec::with_capacity(KEPT),
    };
    let askers: Vec<Asker> = if way == Way::Threads {
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..ASKERS).map(asker).map(|asker| scope.spawn(move || asker.ask_waiting())).collect();
            std::thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().expect("an asker's answers are right")).collect()
        })
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
        let tasks: Vec<_> =
            (0..ASKERS).map(asker).map(|asker| runtime.spawn(async move { asker.ask().await })).collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        runtime.block_on(async {
            let mut askers = vec![];
            for task in tasks {
                askers.push(task.await?);
            }
            anyhow::Ok(askers)
        })?
    };
    let seconds = begin.elapsed().as_secs_f64();
    let n_answers: u64 = askers.iter().map(|asker| asker.n_answers).sum();
    let n_asked = if way == Way::Direct { 0 } else { n_answers };
    // A batch is counted when its answers have been handed out.
    let limit = Instant::now() + Duration::from_secs(1);
    while batcher.stats().answered - before.answered < n_asked && Instant::now() < limit {
        std::thread::yield_now();
    }
    let after = batcher.stats();
    assert_eq!(after.answered - before.answered, n_asked, "the batcher counts the answers");
    let n_batches = (after.batches - before.batches).max(1);
    Ok(Load {
        rate: n_answers as f64 / seconds,
        waits: askers.into_iter().flat_map(|asker| asker.waits).collect(),
        fill: (after.batched_paths - before.batched_paths) as f64 / n_batches as f64,
    })
}

/// One who asks.
struct Asker {
    fs: GpuFilesystem,
    batcher: BatchPathLookup,
    set: Arc<PathSet>,
    stop: Arc<AtomicBool>,
    way: Way,
    next: usize,
    /// From one question to the next.
    period: Option<Duration>,
    due: Instant,
    n_answers: u64,
    waits: Vec<Duration>,
}

impl Asker {
    async fn ask(mut self) -> Asker {
        while !self.stop.load(Ordering::Relaxed) {
            if self.period.is_some() && Instant::now() < self.due {
                tokio::task::yield_now().await;
                continue;
            }
            let begin = self.begin();
            let set = Arc::clone(&self.set);
            let path = text(&set, self.next);
            let inode = match self.way {
                Way::Deadlines => {
                    let request = Request::new([path]).timeout(Duration::from_millis(50));
                    let outcomes = self.batcher.resolve_async(request).await;
                    outcomes.ok().and_then(|outcomes| outcomes.get(0).ok())
                }
                Way::Direct => self.fs.lookup_path(path).ok(),
                _ => self.batcher.lookup_path_async(path).await.ok(),
            };
            self.end(begin, inode);
            // As tasks do that also have something else to do: all of them get on.
            if self.n_answers.is_multiple_of(16) {
                tokio::task::yield_now().await;
            }
        }
        self
    }

    fn ask_waiting(mut self) -> Asker {
        while !self.stop.load(Ordering::Relaxed) {
            let begin = self.begin();
            let set = Arc::clone(&self.set);
            let inode = self.batcher.lookup_path(text(&set, self.next)).ok();
            self.end(begin, inode);
        }
        self
    }

    /// From when the wait counts.
    fn begin(&mut self) -> Instant {
        match self.period {
            Some(period) => {
                let begin = self.due;
                self.due += period;
                begin
            }
            None => Instant::now(),
        }
    }

    fn end(&mut self, begin: Instant, inode: Option<u32>) {
        let wait = begin.elapsed();
        let expected = self.set.expected().inodes()[self.next];
        assert_eq!(inode, Some(expected), "{}", text(&self.set, self.next));
        if self.waits.len() < KEPT {
            self.waits.push(wait);
        } else {
            // Later ones replace earlier ones, so that all of the run counts.
            self.waits[self.n_answers as usize % KEPT] = wait;
        }
        self.n_answers += 1;
        self.next = (self.next + 1) % self.set.len();
    }
}

/// Path `i` as text. Not through `batch`, which looks at all offsets.
fn text(set: &PathSet, i: usize) -> &str {
    let bytes = &set.bytes()[set.offsets()[i] as usize..set.offsets()[i + 1] as usize];
    std::str::from_utf8(bytes).unwrap_or_default()
}
