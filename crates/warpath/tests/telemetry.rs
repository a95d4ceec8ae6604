//! What the batcher tells a recorder of `metrics` and a subscriber of `tracing`.

mod common;

use common::{Mood, TestEngine};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata as MetricMetadata, Recorder, SharedString,
    Unit,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use warpath::{BatchLookupBuilder, Device, FileType, GpuFilesystem, Request, Settings};

/// Keeps every counter and every value of a histogram, by name and labels.
#[derive(Default)]
struct Kept {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    histograms: Mutex<BTreeMap<String, Arc<Values>>>,
}

#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

fn title(key: &Key) -> String {
    let labels: Vec<String> =
        key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
    if labels.is_empty() { key.name().to_owned() } else { format!("{}[{}]", key.name(), labels.join(",")) }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &MetricMetadata<'_>) -> Counter {
        Counter::from_arc(Arc::clone(self.counters.lock().unwrap().entry(title(key)).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &MetricMetadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &MetricMetadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::clone(self.histograms.lock().unwrap().entry(title(key)).or_default()))
    }
}

impl Kept {
    fn counter(&self, name: &str) -> u64 {
        let counters = self.counters.lock().unwrap();
        let counter = counters.get(&format!("warpath_batcher_{name}"));
        counter.unwrap_or_else(|| panic!("{name} is none of {:?}", counters.keys())).load(Ordering::SeqCst)
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.histograms.lock().unwrap()[&format!("warpath_batcher_{name}")].0.lock().unwrap().clone()
    }
}

#[test]
fn a_recorder_hears_how_every_request_ended() {
    let kept = Kept::default();
    let engine = TestEngine::new();
    let device = Device::from_engine(Arc::clone(&engine) as Arc<_>).without_fallback();
    let fs = GpuFilesystem::new(&device, 16).unwrap();
    fs.add_file(0, "a", FileType::Regular).unwrap();
    let settings = Settings { max_in_flight: 1, queue_capacity: 5, ..Settings::default() };
    let batcher = metrics::with_local_recorder(&kept, || {
        BatchLookupBuilder::new(&fs).settings(settings).build().unwrap()
    });

    // One by its own thread, then one that holds the engine while others queue up.
    assert_eq!(batcher.lookup_path("/a"), Ok(1));
    engine.close();
    let running = batcher.lookup_path_async("/a");
    engine.wait_for(1);
    let queued = batcher.lookup_batch_async(&["/a", "/a", "/b"]);
    let late = batcher.resolve_async(Request::new(["/a"]).timeout(Duration::from_millis(1)));
    let given_up = batcher.lookup_path_async("/c");
    assert!(batcher.lookup_path("/a").is_err(), "the queue is full");
    assert!(late.wait().is_err());
    drop(given_up);
    engine.open();
    assert_eq!(running.wait(), Ok(1));
    assert_eq!(queued.wait().unwrap().len(), 3);
    engine.set(Mood::Fails);
    assert!(batcher.lookup_path_async("/a").wait().is_err());
    batcher.shutdown();
    assert!(batcher.lookup_path("/a").is_err(), "closed");

    let stats = batcher.stats();
    for (name, number, expected) in [
        ("requests_total", stats.requests, 8),
        ("immediate_total", stats.immediate, 1),
        ("failed_total", stats.failed, 2),
        ("rejected_total", stats.rejected, 1),
        ("timed_out_total", stats.timed_out, 1),
        ("cancelled_total", stats.cancelled, 1),
        ("duplicate_paths_total", stats.duplicate_paths, 1),
        ("batches_total[flushed_by=timeout]", stats.batches, 3),
    ] {
        assert_eq!((kept.counter(name), number), (expected, expected), "{name}");
    }
    assert_eq!(stats.answered, 3);
    assert_eq!(kept.values("batch_paths"), [1.0, 3.0, 1.0]);
    assert_eq!(kept.values("engine_seconds").len(), 3);
    assert_eq!(kept.values("queue_wait_seconds").len(), 3);
    assert!(kept.values("queue_wait_seconds").iter().all(|wait| (0.0..60.0).contains(wait)));
}

/// Keeps spans and events as text.
#[derive(Default, Clone)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Log {
    fn keep(&self, metadata: &Metadata<'_>, fields: impl FnOnce(&mut Text<'_>)) {
        let mut line = format!("{} {}", metadata.level(), metadata.name());
        fields(&mut Text(&mut line));
        self.0.lock().unwrap().push(line);
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("warpath")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.keep(span.metadata(), |text| span.record(text));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.keep(event.metadata(), |text| event.record(text));
    }

    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn batches_are_spans_and_failing_engines_warnings() {
    let log = Log::default();
    // For all threads: batches run on the batcher's.
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let engine = TestEngine::new();
    let fs = GpuFilesystem::new(&Device::from_engine(Arc::clone(&engine) as Arc<_>), 16).unwrap();
    fs.add_file(0, "a", FileType::Regular).unwrap();
    let batcher = BatchLookupBuilder::new(&fs).build().unwrap();
    engine.set(Mood::Fails);
    assert_eq!(batcher.lookup_batch_async(&["/a", "/a"]).wait().unwrap(), [Ok(1), Ok(1)]);
    batcher.shutdown();
    let lines = log.0.lock().unwrap().clone();
    let has = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["DEBUG batch", "paths=2", "flushed_by=\"timeout\""]), "{lines:#?}");
    assert!(has(&["WARN", "engine=\"test\"", "told so"]), "{lines:#?}");
}
