//! `statx` through io_uring: many requests in flight, one system call for a ring of them.

use io_uring::{IoUring, opcode, squeue, types};
use rustix::fs::{AtFlags, StatxFlags};
use std::ffi::CStr;
use std::io;

/// Requests in flight.
const DEPTH: usize = 512;
/// The current directory's number, for paths that are absolute.
const AT_FDCWD: i32 = -100;
/// Words of `struct statx`, and which of them is the inode number.
const STATX_WORDS: usize = 32;
const INODE_WORD: usize = 4;

/// A ring with a buffer for each request in flight.
pub struct Ring {
    ring: IoUring,
    buffers: Vec<[u64; STATX_WORDS]>,
}

impl Ring {
    /// With the flags that the manual advises for one thread that submits and waits, where the kernel knows them.
    pub fn new() -> io::Result<Ring> {
        let depth = DEPTH as u32;
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(depth)
            .or_else(|_| IoUring::new(depth))?;
        Ok(Ring { ring, buffers: vec![[0; STATX_WORDS]; DEPTH] })
    }

    /// The inode number of each path, links followed; 0 where there is none.
    pub fn inode_numbers<'p>(
        &mut self,
        paths: impl ExactSizeIterator<Item = &'p CStr>,
        answers: &mut [u64],
    ) -> io::Result<()> {
        let result = self.ask_all(paths, answers);
        if result.is_err() {
            // Requests may be in flight still: what they write to is never freed.
            std::mem::forget(std::mem::take(&mut self.buffers));
        }
        result
    }

    fn ask_all<'p>(
        &mut self,
        paths: impl ExactSizeIterator<Item = &'p CStr>,
        answers: &mut [u64],
    ) -> io::Result<()> {
        let mut free: Vec<usize> = (0..DEPTH).collect();
        let mut asked = vec![0; DEPTH];
        let mut paths = paths.enumerate().peekable();
        while paths.peek().is_some() || free.len() < DEPTH {
            while let Some(&buffer) = free.last() {
                let Some((i, path)) = paths.next() else { break };
                asked[buffer] = i;
                self.push(path, buffer)?;
                free.pop();
            }
            self.ring.submit_and_wait(1)?;
            for completion in self.ring.completion() {
                let buffer = completion.user_data() as usize;
                answers[asked[buffer]] =
                    if completion.result() < 0 { 0 } else { self.buffers[buffer][INODE_WORD] };
                free.push(buffer);
            }
        }
        Ok(())
    }

    fn push(&mut self, path: &CStr, buffer: usize) -> io::Result<()> {
        let answer: *mut [u64; STATX_WORDS] = &raw mut self.buffers[buffer];
        let entry: squeue::Entry = opcode::Statx::new(types::Fd(AT_FDCWD), path.as_ptr(), answer.cast())
            .flags(AtFlags::STATX_DONT_SYNC.bits() as i32)
            .mask(StatxFlags::INO.bits())
            .build()
            .user_data(buffer as u64);
        // SAFETY: the path outlives the call of `inode_numbers`, and the kernel copies it at submission; the buffer is used by this
        // request alone. `inode_numbers` returns when nothing is in flight; where it fails early, buffers are never freed.
        unsafe { self.ring.submission().push(&entry) }.map_err(io::Error::other)
    }
}
