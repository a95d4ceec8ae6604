//! Bytes into device buffers, through a ring of staging buffers: copied by all host threads while earlier ones travel.

use crate::device::{Gpu, Mapping};
use crate::failed;
use rayon::prelude::*;
use warpath_core::EngineError;
use wgpu::{Buffer, BufferUsages, MapMode, SubmissionIndex, WriteOnly};

/// Bytes of one staging buffer, at most.
const STAGING_BYTES: u64 = 32 << 20;
/// Staging buffers in flight, at most.
const RING: u64 = 3;
/// Copies from this size on are split over threads.
const PARALLEL_FROM: usize = 1 << 20;
/// What one thread copies at a time.
const PART: usize = 256 << 10;

/// Bytes and where they go. Offset and length are multiples of 4.
pub(crate) struct Piece<'a> {
    pub buffer: &'a Buffer,
    pub offset: u64,
    pub bytes: &'a [u8],
}

struct Staging {
    buffer: Buffer,
    /// The mapping asked for, behind the submission that read the buffer last.
    ready: (Option<SubmissionIndex>, Mapping),
}

/// Sends every piece. Later submissions see all of it; the host may reuse the bytes at once.
pub(crate) fn upload(gpu: &Gpu, pieces: &[Piece<'_>]) -> Result<(), EngineError> {
    let total: u64 = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
    if total == 0 {
        return Ok(());
    }
    let size = total.min(STAGING_BYTES);
    let mut ring = Vec::new();
    for _ in 0..RING.min(total.div_ceil(size)) {
        let buffer = gpu.buffer("upload staging", size, BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC)?;
        let mapping = Mapping::request(&buffer, MapMode::Write);
        ring.push(Staging { buffer, ready: (None, mapping) });
    }
    for (turn, fill) in fills(pieces, size as usize).iter().enumerate() {
        let turn = turn % ring.len();
        let staging = &mut ring[turn];
        gpu.wait(staging.ready.0.take(), &[&staging.ready.1])?;
        let submission = send(gpu, &staging.buffer, fill)?;
        staging.ready = (Some(submission), Mapping::request(&staging.buffer, MapMode::Write));
    }
    gpu.check()
}

/// The pieces, cut and grouped so that each group fills one staging buffer.
fn fills<'a>(pieces: &[Piece<'a>], size: usize) -> Vec<Vec<Piece<'a>>> {
    let mut fills = vec![Vec::new()];
    let mut room = size;
    for piece in pieces {
        let mut sent = 0;
        while sent < piece.bytes.len() {
            if room == 0 {
                fills.push(Vec::new());
                room = size;
            }
            let n = room.min(piece.bytes.len() - sent);
            let bytes = &piece.bytes[sent..sent + n];
            if let Some(fill) = fills.last_mut() {
                fill.push(Piece { buffer: piece.buffer, offset: piece.offset + sent as u64, bytes });
            }
            sent += n;
            room -= n;
        }
    }
    fills
}

/// Fills the mapped staging buffer, unmaps it and submits the copies.
fn send(gpu: &Gpu, staging: &Buffer, fill: &[Piece<'_>]) -> Result<SubmissionIndex, EngineError> {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let mut view = staging.get_mapped_range_mut(..).map_err(|error| failed(error.to_string()))?;
    let mut at = 0;
    for piece in fill {
        let end = at + piece.bytes.len();
        copy(view.slice(at..end), piece.bytes);
        let len = Some(piece.bytes.len() as u64);
        encoder.copy_buffer_to_buffer(staging, at as u64, piece.buffer, piece.offset, len);
        at = end;
    }
    drop(view);
    staging.unmap();
    Ok(gpu.queue.submit([encoder.finish()]))
}

/// Copies `source` to the mapped bytes, which are as many, by all threads where that pays.
pub(crate) fn copy(mut target: WriteOnly<'_, [u8]>, source: &[u8]) {
    if source.len() < PARALLEL_FROM {
        target.copy_from_slice(source);
        return;
    }
    let (whole, mut rest) = target.into_chunks::<PART>();
    let (source, tail) = source.split_at(source.len() / PART * PART);
    rest.copy_from_slice(tail);
    let parts: Vec<_> = whole.into_iter().zip(source.chunks_exact(PART)).collect();
    parts.into_par_iter().for_each(|(part, source)| WriteOnly::from(part).copy_from_slice(source));
}
