//! Where answers go: the caller's columns, and the way back from the device.

use crate::memory::{DeviceBuffer, HostBuffer, Stream, is_pinned};
use cudarc::driver::{CudaContext, sys};
use std::ops::Range;
use std::sync::Arc;
use warpath_core::EngineError;

/// Where the answers of a batch go: columns that several threads fill, each in ranges of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    inodes: *mut u32,
    statuses: *mut u8,
    /// The device may write to them.
    pinned: bool,
}

// SAFETY: threads write to disjoint ranges; see `range`.
unsafe impl Send for Columns {}
// SAFETY: as above.
unsafe impl Sync for Columns {}

impl Columns {
    pub fn new(inodes: &mut [u32], statuses: &mut [u8]) -> Columns {
        let pinned = is_pinned(inodes) && is_pinned(statuses);
        Columns { inodes: inodes.as_mut_ptr(), statuses: statuses.as_mut_ptr(), pinned }
    }

    /// The columns of some paths.
    ///
    /// # Safety
    /// The range is within the batch, the columns are still borrowed, and nobody else has this range.
    pub unsafe fn range<'a>(self, range: &Range<usize>) -> (&'a mut [u32], &'a mut [u8]) {
        // SAFETY: the caller's duty.
        unsafe {
            (
                std::slice::from_raw_parts_mut(self.inodes.add(range.start), range.len()),
                std::slice::from_raw_parts_mut(self.statuses.add(range.start), range.len()),
            )
        }
    }
}

/// The answers of a chunk on their way back.
#[derive(Debug)]
struct Answers {
    device_inodes: DeviceBuffer,
    device_statuses: DeviceBuffer,
    /// Inodes, then statuses; made when they are first needed.
    stage: Option<HostBuffer>,
    n_paths: usize,
}

impl Answers {
    pub fn new(context: &Arc<CudaContext>, n_paths: usize) -> Result<Answers, EngineError> {
        Ok(Answers {
            device_inodes: DeviceBuffer::new(context, n_paths * 4)?,
            device_statuses: DeviceBuffer::new(context, n_paths)?,
            stage: None,
            n_paths,
        })
    }

    pub fn addresses(&self) -> (sys::CUdeviceptr, sys::CUdeviceptr) {
        (self.device_inodes.address, self.device_statuses.address)
    }

    /// Starts the way back: into the columns where they are pinned, else into a stage.
    ///
    /// # Safety
    /// As for [`Columns::range`], until the stream is done.
    pub unsafe fn download(
        &mut self,
        context: &Arc<CudaContext>,
        stream: &Stream,
        range: &Range<usize>,
        columns: Columns,
    ) -> Result<(), EngineError> {
        let (inodes, statuses) = if columns.pinned {
            // SAFETY: the range is within the columns, by the caller's duty.
            unsafe { (columns.inodes.add(range.start).cast::<u8>(), columns.statuses.add(range.start)) }
        } else {
            let stage = match &mut self.stage {
                Some(stage) => stage,
                none => none.insert(HostBuffer::new(context, self.n_paths * 5)?),
            };
            // SAFETY: the statuses lie behind all inodes, within the stage.
            (stage.as_ptr(), unsafe { stage.as_ptr().add(self.n_paths * 4) })
        };
        // SAFETY: the caller's duty for the columns; the stage is used by nobody else before `finish`.
        unsafe {
            stream.download(inodes, self.device_inodes.address, range.len() * 4)?;
            stream.download(statuses, self.device_statuses.address, range.len())
        }
    }

    /// Ends the way back, after the stream is done.
    ///
    /// # Safety
    /// As for [`Columns::range`].
    pub unsafe fn finish(&self, range: &Range<usize>, columns: Columns) {
        if columns.pinned {
            return;
        }
        let Some(stage) = &self.stage else { return };
        // SAFETY: the caller's duty.
        let (inodes, statuses) = unsafe { columns.range(range) };
        inodes.copy_from_slice(&stage.as_slice::<u32>()[..range.len()]);
        statuses.copy_from_slice(&stage.as_slice::<u8>()[self.n_paths * 4..][..range.len()]);
    }
}

/// One chunk at a time on its way to the device and back: the stream that its work is in, and its answers.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub stream: Stream,
    answers: Answers,
    /// The chunk's paths, until it is collected.
    range: Option<Range<usize>>,
}

impl InFlight {
    /// For chunks of so many paths at most.
    pub fn new(context: &Arc<CudaContext>, n_paths: usize) -> Result<InFlight, EngineError> {
        Ok(InFlight { stream: Stream::new(context)?, answers: Answers::new(context, n_paths)?, range: None })
    }

    /// Where the kernel writes inodes and statuses.
    pub fn answers(&self) -> (sys::CUdeviceptr, sys::CUdeviceptr) {
        self.answers.addresses()
    }

    /// Whether the last chunk, if any, is answered.
    pub fn is_done(&self) -> Result<bool, EngineError> {
        if self.range.is_none() { Ok(true) } else { self.stream.is_done() }
    }

    /// Starts the way back of a chunk whose work is in the stream.
    ///
    /// # Safety
    /// As for [`Columns::range`], until the chunk is collected or abandoned.
    pub unsafe fn download(
        &mut self,
        context: &Arc<CudaContext>,
        range: Range<usize>,
        columns: Columns,
    ) -> Result<(), EngineError> {
        // SAFETY: the caller's duty.
        unsafe { self.answers.download(context, &self.stream, &range, columns) }?;
        self.range = Some(range);
        Ok(())
    }

    /// Waits for the last chunk and hands its answers over. Returns which paths it had; `None` where there was none.
    ///
    /// # Safety
    /// As for [`Columns::range`], with the chunk's range.
    pub unsafe fn collect(&mut self, columns: Columns) -> Result<Option<Range<usize>>, EngineError> {
        let Some(range) = self.range.take() else { return Ok(None) };
        self.stream.wait()?;
        // SAFETY: the caller's duty.
        unsafe { self.answers.finish(&range, columns) };
        Ok(Some(range))
    }

    /// Waits for the last chunk and forgets it, after an error or when all is done.
    pub fn abandon(&mut self) {
        let _ = self.stream.wait();
        self.range = None;
    }
}
