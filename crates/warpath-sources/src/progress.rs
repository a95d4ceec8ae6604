//! How far a source has been read.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a source has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Records read so far.
    pub records: u64,
    /// Bytes read so far, before decompression.
    pub bytes: u64,
    /// Bytes of the source, where they are known.
    pub total_bytes: Option<u64>,
}

/// Called every few ten thousand records, on the thread that reads.
pub type OnProgress<'a> = &'a mut dyn FnMut(&Progress);

/// A callback that ignores progress.
pub fn silent(_: &Progress) {}

/// Records between two calls of the progress callback.
const STEP: u64 = 1 << 16;

/// Counts what a source reads, and reports it.
pub(crate) struct Meter<'a> {
    on_progress: OnProgress<'a>,
    progress: Progress,
    bytes: Arc<AtomicU64>,
}

impl<'a> Meter<'a> {
    /// Reports to `on_progress`; `total_bytes` of the source, where they are known.
    pub fn new(on_progress: OnProgress<'a>, total_bytes: Option<u64>) -> Meter<'a> {
        let progress = Progress { total_bytes, ..Progress::default() };
        Meter { on_progress, progress, bytes: Arc::default() }
    }

    /// `reader`, its bytes counted here.
    pub fn count<R: Read>(&self, reader: R) -> Counted<R> {
        Counted { reader, bytes: Arc::clone(&self.bytes) }
    }

    /// Adds bytes that were read in another way.
    pub fn add_bytes(&self, n_bytes: u64) {
        self.bytes.fetch_add(n_bytes, Ordering::Relaxed);
    }

    /// One more record was read.
    #[inline]
    pub fn record(&mut self) {
        self.progress.records += 1;
        if self.progress.records.is_multiple_of(STEP) {
            self.report();
        }
    }

    /// Reports the state at the end.
    pub fn report(&mut self) {
        self.progress.bytes = self.bytes.load(Ordering::Relaxed);
        (self.on_progress)(&self.progress);
    }
}

/// A reader whose bytes are counted.
pub(crate) struct Counted<R> {
    reader: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = self.reader.read(buffer)?;
        self.bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.reader.seek(position)
    }
}
