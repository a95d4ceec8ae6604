//! How answers get back: into the batch's columns where those are pinned, else into a stage.
//!
//! Kernels of small chunks write them there themselves: small copies would wait behind large ones, and each takes the driver's lock.
//! Those of large chunks leave them on the device to be copied: small writes over the bus slow the text down that comes the other way.

use crate::memory::{DeviceBuffer, HostBuffer, Stream, pinned_address};
use cudarc::driver::{CudaContext, sys};
use std::ops::Range;
use std::sync::Arc;
use warpath_core::EngineError;

/// Where the answers of a batch go: columns that several threads fill, each in ranges of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    inodes: *mut u32,
    statuses: *mut u8,
    /// Where the device finds them, if both are pinned.
    pinned: Option<(sys::CUdeviceptr, sys::CUdeviceptr)>,
}

// SAFETY: threads write to disjoint ranges; see `range`.
unsafe impl Send for Columns {}
// SAFETY: as above.
unsafe impl Sync for Columns {}

impl Columns {
    pub fn new(inodes: &mut [u32], statuses: &mut [u8]) -> Columns {
        let pinned = pinned_address(inodes).zip(pinned_address(statuses));
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

/// One chunk at a time on its way to the device and back: the stream that its work is in, and its answers.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub stream: Stream,
    /// Paths of a chunk at most.
    n_paths: usize,
    /// Inodes and statuses, where they are copied.
    on_device: Option<(DeviceBuffer, DeviceBuffer)>,
    /// Inodes, then statuses; made when they are first needed.
    stage: Option<HostBuffer>,
    /// The chunk's paths, until it is collected.
    range: Option<Range<usize>>,
}

impl InFlight {
    /// For chunks of so many paths at most, whose kernels write the answers to host memory.
    pub fn written(context: &Arc<CudaContext>, n_paths: usize) -> Result<InFlight, EngineError> {
        Ok(InFlight { stream: Stream::new(context)?, n_paths, on_device: None, stage: None, range: None })
    }

    /// For chunks of so many paths at most, whose answers are copied from the device.
    pub fn copied(context: &Arc<CudaContext>, n_paths: usize) -> Result<InFlight, EngineError> {
        let on_device = (DeviceBuffer::new(context, n_paths * 4)?, DeviceBuffer::new(context, n_paths)?);
        Ok(InFlight { on_device: Some(on_device), ..InFlight::written(context, n_paths)? })
    }

    /// Where the kernels write the chunk's inodes and statuses: nobody else may have this range of the columns until the chunk is
    /// collected or abandoned.
    ///
    /// # Errors
    /// When there is no memory for the stage.
    pub fn answers(
        &mut self,
        context: &Arc<CudaContext>,
        range: &Range<usize>,
        columns: Columns,
    ) -> Result<(sys::CUdeviceptr, sys::CUdeviceptr), EngineError> {
        match &self.on_device {
            Some((inodes, statuses)) => Ok((inodes.address, statuses.address)),
            None => self.on_host(context, range, columns),
        }
    }

    /// Where a chunk's answers end in host memory; the device uses the same addresses.
    fn on_host(
        &mut self,
        context: &Arc<CudaContext>,
        range: &Range<usize>,
        columns: Columns,
    ) -> Result<(sys::CUdeviceptr, sys::CUdeviceptr), EngineError> {
        if let Some((inodes, statuses)) = columns.pinned {
            return Ok((inodes + 4 * range.start as u64, statuses + range.start as u64));
        }
        let stage = match &mut self.stage {
            Some(stage) => stage,
            none => none.insert(HostBuffer::new(context, self.n_paths * 5)?),
        };
        let inodes = stage.device_address();
        Ok((inodes, inodes + 4 * self.n_paths as u64))
    }

    /// Whether the last chunk, if any, is answered.
    pub fn is_done(&self) -> Result<bool, EngineError> {
        if self.range.is_none() { Ok(true) } else { self.stream.is_done() }
    }

    /// Starts the way back of a chunk whose work is in the stream.
    ///
    /// # Errors
    /// When there is no memory for the stage, and the driver's.
    ///
    /// # Safety
    /// As for [`Columns::range`], until the chunk is collected or abandoned.
    pub unsafe fn bring_back(
        &mut self,
        context: &Arc<CudaContext>,
        range: Range<usize>,
        columns: Columns,
    ) -> Result<(), EngineError> {
        let (inodes, statuses) = self.on_host(context, &range, columns)?;
        if let Some((from_inodes, from_statuses)) = &self.on_device {
            // SAFETY: the caller's duty for the columns; the stage is this chunk's. Both ends hold as many paths.
            unsafe {
                self.stream.download(inodes as *mut u8, from_inodes.address, range.len() * 4)?;
                self.stream.download(statuses as *mut u8, from_statuses.address, range.len())?;
            }
        }
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
        if columns.pinned.is_none()
            && let Some(stage) = &self.stage
        {
            // SAFETY: the caller's duty.
            let (inodes, statuses) = unsafe { columns.range(&range) };
            inodes.copy_from_slice(&stage.as_slice::<u32>()[..range.len()]);
            statuses.copy_from_slice(&stage.as_slice::<u8>()[self.n_paths * 4..][..range.len()]);
        }
        Ok(Some(range))
    }

    /// Waits for the last chunk and forgets it, after an error or when all is done.
    pub fn abandon(&mut self) {
        let _ = self.stream.wait();
        self.range = None;
    }
}
