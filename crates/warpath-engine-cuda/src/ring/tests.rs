use super::*;
use std::sync::RwLock;
use std::thread::JoinHandle;
use warpath_core::Outcomes;
use warpath_core::batch::PathBuffer;

/// Threads in place of a GPU's blocks: they do step by step what `kernels/resident.cu` does, and answer with the path's bytes summed
/// up together with the version that the kernel was launched for.
struct Threads {
    area: Area,
    n_blocks: u32,
    /// Polls without a request after which a block ends the kernel.
    idle: u32,
    version: u64,
    running: Option<JoinHandle<()>>,
}

impl Kernel for Threads {
    fn launch(&mut self, first: u32, generation: u32) -> Result<(), EngineError> {
        let (area, n_blocks, idle, version) = (self.area, self.n_blocks, self.idle, self.version);
        let before = self.running.take();
        self.running = Some(std::thread::spawn(move || {
            if let Some(before) = before {
                before.join().unwrap();
            }
            let passed_on: [AtomicU64; PLACES] = std::array::from_fn(|_| AtomicU64::new(first.into()));
            std::thread::scope(|scope| {
                for block in 0..n_blocks {
                    let block = Block { area, passed_on: &passed_on, block, n_blocks, idle, generation };
                    scope.spawn(move || block.run(first, version));
                }
            });
        }));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), EngineError> {
        self.running
            .take()
            .map_or(Ok(()), |running| running.join().map_err(|_| failed("a block has panicked")))
    }

    fn is_done(&mut self) -> Result<bool, EngineError> {
        Ok(self.running.as_ref().is_none_or(JoinHandle::is_finished))
    }
}

struct Block<'a> {
    area: Area,
    passed_on: &'a [AtomicU64; PLACES],
    block: u32,
    n_blocks: u32,
    idle: u32,
    generation: u32,
}

fn ahead_of(header: u64, number: u32) -> i32 {
    (header as u32).wrapping_sub(number.wrapping_add(1)) as i32
}

impl Block<'_> {
    fn await_host(&self, number: u32) -> u64 {
        let place = number as usize % PLACES;
        let mut polls = 0;
        let header = loop {
            let header = self.area.header(place).load(Ordering::Acquire);
            if ahead_of(header, number) == 0 {
                break header;
            }
            polls += 1;
            std::thread::yield_now();
            if polls == self.idle {
                let closed = u64::from(self.generation) << 32 | u64::from(number);
                self.area.closed().store(closed, Ordering::Release);
                break u64::from(STOP) << 32 | u64::from(number.wrapping_add(1));
            }
        };
        self.passed_on[place].store(header, Ordering::Release);
        header
    }

    fn await_leader(&self, number: u32) -> u64 {
        loop {
            let header = self.passed_on[number as usize % PLACES].load(Ordering::Acquire);
            if ahead_of(header, number) >= 0 {
                return header;
            }
            std::thread::yield_now();
        }
    }

    fn run(&self, first: u32, version: u64) {
        let mut number = first;
        loop {
            let place = number as usize % PLACES;
            let header = if self.block == 0 { self.await_host(number) } else { self.await_leader(number) };
            if ahead_of(header, number) == 0 {
                let word = (header >> 32) as u32;
                if word & STOP != 0 {
                    return;
                }
                let n_paths = (word & 0x3FF) + 1;
                let stride = (word >> 10 & 0x1FF) as usize * 16;
                let turn = (self.block + self.n_blocks - (word >> 24) % self.n_blocks) % self.n_blocks;
                for i in (turn..n_paths).step_by(self.n_blocks as usize) {
                    // SAFETY: the request's slots stay as they are until it is answered.
                    let slot = unsafe {
                        std::slice::from_raw_parts(self.area.slots(place).add(i as usize * stride), stride)
                    };
                    let length = u32::from_le_bytes(slot[..4].try_into().unwrap()) as usize;
                    let start = u32::from_le_bytes(slot[4..8].try_into().unwrap());
                    let inode = answer(&slot[8..8 + length], start, version);
                    let status = u64::from(word >> 19 & 0xF | 0x100);
                    self.area.answers(place)[i as usize]
                        .store(u64::from(inode) | status << 32, Ordering::Release);
                }
            }
            number = number.wrapping_add(1);
        }
    }
}

fn answer(path: &[u8], start: u32, version: u64) -> u32 {
    let sum = path.iter().fold(start, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    sum.wrapping_add(version as u32)
}

/// A ring over memory of its own, which lives on.
fn ring(idle: u32, n_blocks: u32) -> Ring<Threads> {
    let memory = vec![0u64; RING_BYTES / 8 + 8].leak();
    let start = memory.as_mut_ptr().cast::<u8>();
    // SAFETY: leaked memory of this size, zeroed; the header's alignment is made good.
    let area = unsafe { Area::new(start.add(start.align_offset(HEADER_BYTES))) };
    Ring::new(area, Threads { area, n_blocks, idle, version: 0, running: None })
}

fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

/// What an engine does with a small batch.
fn ask(ring: &Ring<Threads>, device: &Mutex<()>, version: u64, mut random: impl FnMut(u64) -> u64) {
    let paths: PathBuffer =
        (0..1 + random(40)).map(|_| vec![b'a' + random(26) as u8; random(90) as usize]).collect();
    let batch = paths.as_batch();
    let (start, flags) = (random(1000) as u32, random(16) as u32);
    let slots = Slots::of(&batch, start, PLACE_BYTES).unwrap();
    let serves = Serves::version(version);
    let mut request = ring.publish(&serves, &slots, flags);
    if request.is_none() {
        let _turn = device.lock().unwrap();
        ring.serve(serves, |kernel| kernel.version = version).unwrap();
        request = ring.publish(&serves, &slots, flags);
    }
    let mut outcomes = Outcomes::with_len(batch.len());
    let mut out = outcomes.as_mut();
    ring.wait(&request.unwrap(), &mut out).unwrap();
    for (i, path) in batch.iter().enumerate() {
        assert_eq!(out.inodes[i], answer(path, start, version), "path {i} of {}", batch.len());
        assert_eq!(u32::from(out.statuses[i]), flags);
    }
}

#[test]
fn callers_get_their_answers_while_kernels_end_and_tables_change() {
    for (seed, idle) in [(1, 3), (2, 40), (3, 4000)] {
        let ring = ring(idle, 3);
        let (device, index) = (Mutex::new(()), RwLock::new(1u64));
        std::thread::scope(|scope| {
            for caller in 0..3 {
                let (ring, device, index) = (&ring, &device, &index);
                scope.spawn(move || {
                    let mut random = numbers(seed * 10 + caller);
                    for _ in 0..150 {
                        let version = index.read().unwrap();
                        ask(ring, device, *version, &mut random);
                    }
                });
            }
            let (ring, device, index) = (&ring, &device, &index);
            scope.spawn(move || {
                for _ in 0..20 {
                    let mut version = index.write().unwrap();
                    let _turn = device.lock().unwrap();
                    ring.pause().unwrap();
                    *version += 1;
                    drop(version);
                    std::thread::yield_now();
                }
            });
        });
        let counts = ring.counts();
        assert_eq!(counts.requests, 450);
        assert!(counts.launches >= 2, "{counts:?}");
        assert_eq!(ring.broken(), None);
    }
}

#[test]
fn requests_are_counted_past_the_end_of_their_numbers() {
    for next in [i32::MAX as u32 - 5, u32::MAX - 5] {
        let ring = ring(20, 2);
        ring.lock().next = next;
        (0..PLACES).for_each(|place| ring.area.header(place).store(next.into(), Ordering::Relaxed));
        let device = Mutex::new(());
        let mut random = numbers(7);
        for _ in 0..40 {
            ask(&ring, &device, 1, &mut random);
        }
    }
}

/// A kernel that is launched and never answers, or not even that.
struct Dead {
    starts: bool,
}

impl Kernel for Dead {
    fn launch(&mut self, _: u32, _: u32) -> Result<(), EngineError> {
        if self.starts { Ok(()) } else { Err(failed("no launch")) }
    }
    fn wait(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
    fn is_done(&mut self) -> Result<bool, EngineError> {
        Ok(true)
    }
}

#[test]
fn a_ring_whose_kernel_does_not_answer_is_given_up() {
    for starts in [true, false] {
        let area = ring(1, 1).area;
        let ring = Ring::new(area, Dead { starts });
        let paths: PathBuffer = ["/a"].into_iter().collect();
        let batch = paths.as_batch();
        let slots = Slots::of(&batch, 0, PLACE_BYTES).unwrap();
        ring.serve(Serves::version(1), |_| ()).unwrap();
        let request = ring.publish(&Serves::version(1), &slots, 0);
        assert_eq!(request.is_some(), starts);
        if let Some(request) = request {
            let mut outcomes = Outcomes::with_len(1);
            assert!(ring.wait(&request, &mut outcomes.as_mut()).is_err());
        }
        assert!(ring.broken().is_some());
        assert!(ring.publish(&Serves::version(1), &slots, 0).is_none());
    }
}
