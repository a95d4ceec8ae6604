//! The batcher's promises, one by one, over an engine that does what the test tells it.

mod common;

use common::{Mood, TestEngine};
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use warpath::{
    BatchLookupBuilder, BatchPathLookup, Device, Error, FileType, GpuFilesystem, LookupError, LookupFuture,
    Options, Outcomes, Request, ResolveFuture, Settings, SettingsError, WhenFull,
};

/// A file system with a directory `d` and files `d/0` to `d/99`, whose inodes are 2 to 101.
fn file_system(device: &Device) -> GpuFilesystem {
    let fs = GpuFilesystem::new(device, 128).unwrap();
    let d = fs.add_file(0, "d", FileType::Directory).unwrap();
    for i in 0..100 {
        assert_eq!(fs.add_file(d, format!("{i}"), FileType::Regular).unwrap(), i + 2);
    }
    fs
}

/// A batcher over a test engine, one batch at a time, with nothing behind the engine.
fn gated(settings: Settings) -> (Arc<TestEngine>, BatchPathLookup) {
    let engine = TestEngine::new();
    let device = Device::from_engine(Arc::clone(&engine) as Arc<_>).without_fallback();
    let fs = file_system(&device);
    (engine, BatchLookupBuilder::new(&fs).settings(settings).build().unwrap())
}

fn one_at_a_time() -> Settings {
    Settings { max_in_flight: 1, ..Settings::default() }
}

/// A batcher whose engine is closed over a running request, `d/0`, and whose queue is full of another, `d/1`: what comes waits for room.
fn with_full_queue() -> (Arc<TestEngine>, BatchPathLookup, LookupFuture, LookupFuture) {
    let settings = Settings { queue_capacity: 1, when_full: WhenFull::Wait, ..one_at_a_time() };
    let (engine, batcher) = gated(settings);
    engine.close();
    let running = batcher.lookup_path_async("/d/0");
    engine.wait_for(1);
    let queued = batcher.lookup_path_async("/d/1");
    (engine, batcher, running, queued)
}

#[test]
fn what_queues_up_while_the_engine_is_busy_is_one_batch_and_equal_paths_are_one() {
    let (engine, batcher) = gated(one_at_a_time());
    engine.close();
    let first = batcher.lookup_path_async("/d/0");
    engine.wait_for(1);
    let paths: Vec<String> = (0..100).map(|i| format!("/d/{}", i % 10)).collect();
    let waiting: Vec<_> = paths.iter().map(|path| batcher.lookup_path_async(path)).collect();
    engine.open();
    assert_eq!(first.wait(), Ok(2));
    for (i, future) in waiting.into_iter().enumerate() {
        assert_eq!(future.wait(), Ok(i as u32 % 10 + 2));
    }
    assert_eq!((engine.batches(), engine.paths()), (2, 11));
    batcher.shutdown();
    let stats = batcher.stats();
    assert_eq!((stats.requests, stats.answered), (101, 101));
    assert_eq!((stats.batches, stats.batched_paths, stats.duplicate_paths), (2, 101, 90));
}

#[test]
fn a_request_without_company_is_answered_by_its_own_thread() {
    let fs = file_system(&Device::cpu());
    let batcher = BatchLookupBuilder::new(&fs).build().unwrap();
    assert_eq!(batcher.lookup_path("/d/7"), Ok(9));
    assert_eq!(batcher.lookup_path("/d/x"), Err(Error::Lookup(LookupError::NotFound)));
    assert_eq!(batcher.lookup_path_async("/d/8").try_get(), Some(Ok(10)));
    assert_eq!(batcher.lookup_batch(&["/d/1", "d/../d", "/"]), Ok(vec![Ok(3), Ok(1), Ok(0)]));
    assert_eq!(batcher.lookup_batch(&[]), Ok(vec![]));
    let stats = batcher.stats();
    assert_eq!((stats.requests, stats.answered, stats.immediate, stats.batches), (5, 5, 4, 0));
}

#[test]
fn a_timeout_collects_company_and_a_full_batch_does_not_wait_for_it() {
    let timeout = Duration::from_secs(60);
    let (engine, batcher) = gated(Settings { timeout, max_batch_size: 4, ..one_at_a_time() });
    let begin = Instant::now();
    let waiting: Vec<_> = (0..4).map(|i| batcher.lookup_path_async(&format!("/d/{i}"))).collect();
    for (i, future) in waiting.into_iter().enumerate() {
        assert_eq!(future.wait(), Ok(i as u32 + 2));
    }
    assert!(begin.elapsed() < timeout);
    assert_eq!((engine.batches(), engine.paths()), (1, 4));

    let mut lonely = batcher.lookup_path_async("/d/5");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(lonely.try_get(), None, "nothing but the time-out lets it go");
    batcher.set_settings(Settings { timeout: Duration::from_millis(1), ..batcher.settings() }).unwrap();
    assert_eq!(lonely.wait(), Ok(7));
}

#[test]
fn a_preferred_size_goes_at_once() {
    let timeout = Duration::from_secs(60);
    let (engine, batcher) = gated(Settings { timeout, preferred_sizes: vec![3], ..one_at_a_time() });
    let waiting: Vec<_> = (0..3).map(|i| batcher.lookup_path_async(&format!("/d/{i}"))).collect();
    assert!(waiting.into_iter().all(|future| future.wait().is_ok()));
    assert_eq!(engine.batches(), 1);
}

#[test]
fn a_full_queue_rejects_at_once() {
    let (engine, batcher) = gated(Settings { queue_capacity: 2, ..one_at_a_time() });
    engine.close();
    let running = batcher.lookup_path_async("/d/0");
    engine.wait_for(1);
    let queued = batcher.lookup_batch_async(&["/d/1", "/d/2"]);
    let rejected = Error::Rejected { queued: 2, capacity: 2 };
    assert_eq!(batcher.lookup_path("/d/3"), Err(rejected.clone()));
    assert_eq!(batcher.lookup_path_async("/d/3").try_get(), Some(Err(rejected)));
    drop(queued);
    let in_its_place = batcher.lookup_path_async("/d/4");
    engine.open();
    assert_eq!(running.wait(), Ok(2));
    assert_eq!(in_its_place.wait(), Ok(6));
    batcher.shutdown();
    let stats = batcher.stats();
    assert_eq!((stats.rejected, stats.cancelled, stats.answered), (2, 1, 2));
}

#[test]
fn a_full_queue_lets_wait_who_wants_to() {
    let (engine, batcher, running, queued) = with_full_queue();
    let mut without_room = batcher.lookup_path_async("/d/2");
    assert_eq!(without_room.try_get(), None);
    let given_up = batcher.lookup_path_async("/d/3");
    drop(given_up);
    let request = Request::new(["/d/4"]).timeout(Duration::from_millis(5));
    assert_eq!(batcher.resolve(request), Err(Error::TimedOut));
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| batcher.lookup_path("/d/5"));
        std::thread::sleep(Duration::from_millis(10));
        engine.open();
        assert_eq!(running.wait(), Ok(2));
        assert_eq!(queued.wait(), Ok(3));
        assert_eq!(without_room.wait(), Ok(4));
        assert_eq!(blocked.join().unwrap(), Ok(7));
    });
    batcher.shutdown();
    let stats = batcher.stats();
    assert_eq!((stats.requests, stats.answered), (6, 4));
    assert_eq!((stats.cancelled, stats.timed_out), (1, 1));
}

/// A waker that polls its future at once, on the thread that wakes it, and sends the answer.
struct Inline {
    future: Mutex<Option<Pin<Box<ResolveFuture>>>>,
    answer: Sender<Result<Outcomes, Error>>,
}

impl Inline {
    fn poll(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let Some(mut future) = self.future.lock().unwrap().take() else { return };
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => self.answer.send(answer).unwrap(),
            Poll::Pending => *self.future.lock().unwrap() = Some(future),
        }
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.poll();
    }
}

#[test]
fn a_waker_may_poll_at_once() {
    let (engine, batcher, running, queued) = with_full_queue();
    // Never dropped: that would hang too, if the wakers do.
    let batcher: &BatchPathLookup = Box::leak(Box::new(batcher));
    let (answer, answers) = channel();
    for i in 2..5 {
        let future = batcher.resolve_async(Request::new([format!("/d/{i}")]));
        let future = Mutex::new(Some(Box::pin(future)));
        Arc::new(Inline { future, answer: answer.clone() }).poll();
    }
    engine.open();
    let next = || answers.recv_timeout(Duration::from_secs(60)).expect("a waker hangs").unwrap().get(0);
    let mut inodes: Vec<_> = (0..3).map(|_| next().unwrap()).collect();
    inodes.sort_unstable();
    assert_eq!((running.wait(), queued.wait(), inodes), (Ok(2), Ok(3), vec![4, 5, 6]));
}

#[test]
fn a_deadline_fails_its_own_request_alone() {
    let (engine, batcher) = gated(one_at_a_time());
    engine.close();
    let running = batcher.resolve_async(Request::new(["/d/0"]).timeout(Duration::from_millis(20)));
    engine.wait_for(1);
    let queued = batcher.resolve_async(Request::new(["/d/1"]).timeout(Duration::from_millis(10)));
    let patient = batcher.resolve_async(Request::new(["/d/1"]));
    let past = batcher.resolve_async(Request::new(["/d/1"]).deadline(Instant::now()));
    assert_eq!(past.wait(), Err(Error::TimedOut));
    assert_eq!(queued.wait(), Err(Error::TimedOut));
    assert_eq!(running.wait(), Err(Error::TimedOut), "the engine still has it");
    let blocking = Request::new(["/d/2"]).timeout(Duration::from_millis(5));
    assert_eq!(batcher.resolve(blocking), Err(Error::TimedOut));
    engine.open();
    assert_eq!(patient.wait().unwrap().get(0), Ok(3));
    batcher.shutdown();
    let stats = batcher.stats();
    assert_eq!((stats.requests, stats.timed_out, stats.answered), (5, 4, 1));
    assert_eq!(engine.paths(), 2, "what has timed out is not resolved");
}

#[test]
fn a_deadline_holds_without_room_in_the_queue_too() {
    let (engine, batcher, running, queued) = with_full_queue();
    let within = |time| batcher.resolve_async(Request::new(["/d/2"]).timeout(time));
    let soon = Duration::from_millis(10);

    // Polled once: nobody but the timer wakes the task.
    let (answer, answers) = channel();
    let future = Mutex::new(Some(Box::pin(within(soon))));
    Arc::new(Inline { future, answer }).poll();
    let timed_out = answers.recv_timeout(Duration::from_secs(60)).expect("the deadline has passed unnoticed");
    assert_eq!(timed_out.unwrap_err(), Error::TimedOut);

    let (waited, is_over) = channel();
    let blocking = within(soon);
    let mut for_a_while = within(soon);
    std::thread::spawn(move || {
        let timed_out = for_a_while.wait_timeout(Duration::from_secs(600));
        waited.send([Some(blocking.wait()), timed_out])
    });
    let both = is_over.recv_timeout(Duration::from_secs(60)).expect("waits beyond its deadline");
    assert_eq!(both, [Some(Err(Error::TimedOut)), Some(Err(Error::TimedOut))]);

    // A time to wait that ends before the deadline ends the waiting alone.
    let mut in_time = within(Duration::from_secs(600));
    assert_eq!(in_time.wait_timeout(soon), None);
    // One that is dropped after its deadline has timed out, and is not cancelled as well.
    let late = within(soon);
    let n_before = batcher.stats().timed_out;
    while batcher.stats().timed_out == n_before {
        std::thread::yield_now();
    }
    drop(late);
    drop(within(Duration::from_secs(600)));

    engine.open();
    assert_eq!((running.wait(), queued.wait()), (Ok(2), Ok(3)));
    assert_eq!(in_time.wait().unwrap().get(0), Ok(4));
    batcher.shutdown();
    let stats = batcher.stats();
    assert_eq!((stats.requests, stats.answered), (8, 3));
    assert_eq!((stats.timed_out, stats.cancelled), (4, 1));
}

#[test]
fn a_dropped_future_is_not_resolved() {
    let (engine, batcher) = gated(one_at_a_time());
    engine.close();
    let running = batcher.lookup_path_async("/d/0");
    engine.wait_for(1);
    drop(batcher.lookup_path_async("/d/1"));
    let kept = batcher.lookup_path_async("/d/2");
    engine.open();
    assert_eq!((running.wait(), kept.wait()), (Ok(2), Ok(4)));
    batcher.shutdown();
    assert_eq!(engine.paths(), 2);
    assert_eq!(batcher.stats().cancelled, 1);
}

#[test]
fn failures_fail_their_batch_and_the_batcher_lives_on() {
    let (engine, batcher) = gated(one_at_a_time());
    for (mood, text) in [(Mood::Fails, "told so"), (Mood::Panics, "panicked: told so")] {
        engine.set(mood);
        let failed = [batcher.lookup_path("/d/0"), batcher.lookup_path_async("/d/1").wait()];
        for result in failed {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        engine.set(Mood::Answers);
        assert_eq!(batcher.lookup_path("/d/0"), Ok(2));
    }
    batcher.shutdown();
    assert_eq!((batcher.stats().failed, batcher.stats().answered), (4, 2));
}

#[test]
fn behind_a_failing_engine_stands_the_cpu() {
    let engine = TestEngine::new();
    let fs = file_system(&Device::from_engine(Arc::clone(&engine) as Arc<_>));
    let batcher = BatchLookupBuilder::new(&fs).build().unwrap();
    for mood in [Mood::Fails, Mood::Panics, Mood::IsLost] {
        engine.set(mood);
        for _ in 0..3 {
            assert_eq!(batcher.lookup_path("/d/0"), Ok(2));
            assert_eq!(fs.lookup_batch(&["/d/1", "/x"]), Ok(vec![Ok(3), Err(LookupError::NotFound)]));
        }
    }
    engine.set(Mood::Answers);
    let n_batches = engine.batches();
    let is_back = |_| {
        std::thread::sleep(Duration::from_millis(20));
        batcher.lookup_path("/d/0").is_ok() && engine.batches() > n_batches
    };
    assert!((0..1000).any(is_back), "an engine that works again is used again");
}

#[test]
fn shutdown_answers_what_waits_and_refuses_what_comes() {
    let (engine, batcher) = gated(Settings { timeout: Duration::from_secs(60), ..one_at_a_time() });
    let waiting: Vec<_> = (0..50).map(|i| batcher.lookup_path_async(&format!("/d/{i}"))).collect();
    batcher.shutdown();
    for (i, mut future) in waiting.into_iter().enumerate() {
        assert_eq!(future.try_get(), Some(Ok(i as u32 + 2)));
    }
    assert_eq!(engine.batches(), 1);
    assert_eq!(batcher.lookup_path("/d/0"), Err(Error::Closed));
    assert_eq!(batcher.lookup_path_async("/d/0").wait(), Err(Error::Closed));
    assert_eq!(batcher.stats().failed, 2);
    batcher.shutdown();
}

#[test]
fn shutdown_leaves_no_worker_asleep() {
    let (engine, batcher) = gated(Settings { max_in_flight: 2, ..one_at_a_time() });
    engine.close();
    let running = (0..2).map(|i| {
        let future = batcher.lookup_path_async(&format!("/d/{i}"));
        engine.wait_for(i + 1);
        future
    });
    let running: Vec<_> = running.collect();
    // The worker that is done first finds nothing that may go; the other one takes the last request.
    batcher.set_settings(one_at_a_time()).unwrap();
    let last = batcher.lookup_path_async("/d/2");
    let begin = std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| batcher.shutdown());
        while batcher.lookup_path_async("/d/3").try_get() != Some(Err(Error::Closed)) {
            std::thread::yield_now();
        }
        engine.open();
        assert_eq!(last.wait(), Ok(4));
        let begin = Instant::now();
        shutdown.join().unwrap();
        begin
    });
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(running.into_iter().all(|future| future.wait().is_ok()));
}

#[test]
fn a_dropped_batcher_answers_what_waits() {
    let (engine, batcher) = gated(one_at_a_time());
    engine.close();
    let waiting: Vec<_> = (0..5).map(|i| batcher.lookup_path_async(&format!("/d/{i}"))).collect();
    drop(batcher);
    engine.open();
    assert!(waiting.into_iter().all(|future| future.wait().is_ok()));
}

#[test]
fn a_deadline_keeps_nothing_in_memory_once_it_is_answered() {
    let (engine, batcher) = gated(one_at_a_time());
    engine.close();
    let running = batcher.resolve_async(Request::new(["/d/0"]).timeout(Duration::from_secs(3600)));
    engine.wait_for(1);
    drop(batcher);
    engine.open();
    assert_eq!(running.wait().unwrap().get(0), Ok(2));
    let engine_left = Arc::downgrade(&engine);
    drop(engine);
    let is_gone = |_| {
        std::thread::sleep(Duration::from_millis(5));
        engine_left.strong_count() == 0
    };
    assert!((0..6000).any(is_gone), "half a minute, and the engine is still kept");
}

#[test]
fn options_are_kept_apart() {
    let (engine, batcher) = gated(one_at_a_time());
    engine.close();
    let running = batcher.lookup_path_async("/d/0");
    engine.wait_for(1);
    let below = batcher.resolve_async(Request::new(["0"]).options(Options::default().start(1)));
    let at_root = batcher.resolve_async(Request::new(["0"]));
    let nowhere = batcher.resolve_async(Request::new(["0"]).options(Options::default().start(50)));
    engine.open();
    assert_eq!(running.wait(), Ok(2));
    assert_eq!(below.wait().unwrap().get(0), Ok(2));
    assert_eq!(at_root.wait().unwrap().get(0), Err(LookupError::NotFound));
    assert_eq!(nowhere.wait(), Err(Error::Start { inode: 50 }));
}

#[test]
fn a_request_above_the_largest_batch_is_answered_in_pieces() {
    let (engine, batcher) = gated(Settings { max_batch_size: 7, ..one_at_a_time() });
    engine.close();
    let running = batcher.lookup_path_async("/");
    engine.wait_for(1);
    let paths: Vec<String> = (0..100).map(|i| format!("/d/{i}")).collect();
    let large = batcher.resolve_async(Request::new(&paths));
    engine.open();
    assert_eq!(running.wait(), Ok(0));
    assert_eq!(large.wait().unwrap().inodes(), (2..102).collect::<Vec<u32>>());
    assert_eq!(engine.batches(), 1 + 100_u64.div_ceil(7));
}

#[test]
fn settings_that_can_t_be_are_refused() {
    let fs = file_system(&Device::cpu());
    let zero = |name| Some(SettingsError::Zero { name });
    assert_eq!(BatchLookupBuilder::new(&fs).max_batch_size(0).build().err(), zero("max_batch_size"));
    assert_eq!(BatchLookupBuilder::new(&fs).max_batch_bytes(0).build().err(), zero("max_batch_bytes"));
    assert_eq!(BatchLookupBuilder::new(&fs).max_in_flight(0).build().err(), zero("max_in_flight"));
    let builder = BatchLookupBuilder::new(&fs).max_batch_size(8).preferred_sizes(&[4, 9]);
    let error = builder.build().unwrap_err();
    assert_eq!(error.to_string(), "a preferred size of 9 paths is above max_batch_size, 8");
    let batcher = BatchLookupBuilder::new(&fs).build().unwrap();
    let settings = Settings { queue_capacity: 0, ..batcher.settings() };
    assert_eq!(batcher.set_settings(settings).err(), zero("queue_capacity"));
    assert_eq!(batcher.lookup_path("/d"), Ok(1));
}
