//! The ring of requests that a resident kernel answers: the host's side, apart from any device.
//!
//! A request is a small batch at one place of the ring: a header, slots for its paths and words for its answers, all in memory that
//! host and device share. A place is taken by the caller that publishes a request there and given back when its answers have been
//! read. The kernel answers requests in order. It may end by itself when none come, and says which one it did not answer any more;
//! whoever notices launches the next kernel from there on. `kernels/resident.cu` is the other side.

use crate::driver::failed;
use crate::few::{MAX_PATHS, Slots, await_within, read_answer};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use warpath_core::index::{Plan, Tables};
use warpath_core::{EngineError, OutcomesMut};

/// Places of the ring.
pub(crate) const PLACES: usize = 32;
/// Bytes of a header, so that no two share a cache line; twin of `HEADER_BYTES`.
const HEADER_BYTES: usize = 64;
/// Bytes of a place's slots.
pub(crate) const PLACE_BYTES: usize = 256 << 10;
/// Where the parts begin.
pub(crate) const CLOSED_AT: usize = PLACES * HEADER_BYTES;
pub(crate) const HEARTBEAT_AT: usize = CLOSED_AT + HEADER_BYTES;
pub(crate) const ANSWERS_AT: usize = HEARTBEAT_AT + HEADER_BYTES;
pub(crate) const SLOTS_AT: usize = ANSWERS_AT + PLACES * MAX_PATHS * 8;
/// Bytes of the whole ring.
pub(crate) const RING_BYTES: usize = SLOTS_AT + PLACES * PLACE_BYTES;
/// How long a kernel takes requests at most, and how long it stays without any: others in this process may wait for the device to be
/// idle, as the driver does when memory is freed.
pub(crate) const LONGEST_STAY: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });
/// How long a request waits for a kernel that shows no sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

/// Set in a header behind the last request of a kernel; twin of `STOP`.
const STOP: u32 = 1 << 23;

/// What a ring's kernel is asked for. Calls come one at a time.
pub(crate) trait Kernel: Send {
    /// Starts a kernel behind the last one: it answers the requests from number `first` on.
    fn launch(&mut self, first: u32, generation: u32) -> Result<(), EngineError>;
    /// Waits until none runs.
    fn wait(&mut self) -> Result<(), EngineError>;
    /// Whether none runs.
    fn is_done(&mut self) -> Result<bool, EngineError>;
}

/// Which tables a kernel was launched for, and with which links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Serves {
    tables: u64,
    version: u64,
    links: Option<u64>,
}

impl Serves {
    pub fn of(tables: &Tables, plan: &Plan) -> Serves {
        Serves {
            tables: tables.id(),
            version: tables.version(),
            links: plan.links.as_ref().map(|links| links.id),
        }
    }

    #[cfg(test)]
    fn version(version: u64) -> Serves {
        Serves { tables: 0, version, links: None }
    }
}

/// The shared memory: RING_BYTES, zeroed, aligned to a header, alive as long as the ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area(*mut u8);

// SAFETY: plain memory; what threads share of it is accessed by atomics, and slots by the place's owner alone.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// # Safety
    /// The memory is as `Area` says, and outlives every copy of it.
    pub unsafe fn new(start: *mut u8) -> Area {
        Area(start)
    }

    fn at<T>(&self, offset: usize) -> &T {
        debug_assert!(offset + size_of::<T>() <= RING_BYTES);
        // SAFETY: within the area and aligned, as all parts are; `T` is an atomic or an array of them.
        unsafe { &*self.0.add(offset).cast::<T>() }
    }

    pub fn header(&self, place: usize) -> &AtomicU64 {
        self.at(place * HEADER_BYTES)
    }

    /// The generation of the last kernel that ended by itself, and the first request that it did not answer.
    pub fn closed(&self) -> &AtomicU64 {
        self.at(CLOSED_AT)
    }

    pub fn heartbeat(&self) -> &AtomicU32 {
        self.at(HEARTBEAT_AT)
    }

    pub fn answers(&self, place: usize) -> &[AtomicU64; MAX_PATHS] {
        self.at(ANSWERS_AT + place * MAX_PATHS * 8)
    }

    /// A place's slots.
    pub fn slots(&self, place: usize) -> *mut u8 {
        // SAFETY: within the area.
        unsafe { self.0.add(SLOTS_AT + place * PLACE_BYTES) }
    }
}

/// The second word of a header.
fn request_word(slots: &Slots<'_>, flags: u32, first_block: u32) -> u32 {
    (slots.n_paths() as u32 - 1)
        | ((slots.stride() / 16) as u32) << 10
        | (flags & 0xF) << 19
        | (first_block & 0xFF) << 24
}

/// A request that was published.
#[derive(Debug)]
pub(crate) struct Request {
    place: usize,
    n_paths: usize,
    /// `closed` before it was published: a change of it concerns this request.
    closed: u64,
}

/// What a ring has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub requests: u64,
    pub launches: u64,
    pub idle_ends: u64,
}

#[derive(Debug)]
struct State<K> {
    kernel: K,
    serves: Option<Serves>,
    /// The generation of the kernel that was launched last, and when, unless it was stopped.
    running: Option<(u32, Instant)>,
    generation: u32,
    /// Number of the next request.
    next: u32,
    /// The block that gets the next request's first path, so that small requests of several callers go to different ones.
    first_block: u32,
    counts: Counts,
    broken: Option<String>,
}

/// A ring and its kernel.
#[derive(Debug)]
pub(crate) struct Ring<K: Kernel> {
    area: Area,
    taken: [AtomicBool; PLACES],
    state: Mutex<State<K>>,
}

impl<K: Kernel> Ring<K> {
    pub fn new(area: Area, kernel: K) -> Ring<K> {
        Ring {
            area,
            taken: std::array::from_fn(|_| AtomicBool::new(false)),
            state: Mutex::new(State {
                kernel,
                serves: None,
                running: None,
                generation: 0,
                next: 0,
                first_block: 0,
                counts: Counts::default(),
                broken: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Why the ring was given up, if it was.
    pub fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// Stops the kernel, changes what it is launched with, and serves these tables from now on.
    pub fn serve(&self, serves: Serves, change: impl FnOnce(&mut K)) -> Result<(), EngineError> {
        let mut state = self.lock();
        self.stop(&mut state)?;
        change(&mut state.kernel);
        state.serves = Some(serves);
        Ok(())
    }

    /// Has all requests answered and ends the kernel: after this nothing reads the tables, until `serve` is called again.
    pub fn pause(&self) -> Result<(), EngineError> {
        let mut state = self.lock();
        state.serves = None;
        self.stop(&mut state)
    }

    /// Publishes a request. None when the ring serves other tables, or none.
    pub fn publish(&self, serves: &Serves, slots: &Slots<'_>, flags: u32) -> Option<Request> {
        loop {
            let mut state = self.lock();
            if state.broken.is_some() || state.serves.as_ref() != Some(serves) {
                return None;
            }
            let closed = match self.keep_running(&mut state) {
                Ok(closed) => closed,
                Err(error) => {
                    state.broken = Some(error.to_string());
                    return None;
                }
            };
            let place = state.next as usize % PLACES;
            // The place behind stays free for the request that stops the kernel.
            if self.is_taken(place) || self.is_taken((place + 1) % PLACES) {
                drop(state);
                std::thread::yield_now();
                continue;
            }
            self.taken[place].store(true, Ordering::Relaxed);
            // SAFETY: the place was taken just now: its last answers have been read, so the kernel is done with it.
            let room = unsafe { std::slice::from_raw_parts_mut(self.area.slots(place), PLACE_BYTES) };
            slots.write(room);
            for answer in &self.area.answers(place)[..slots.n_paths()] {
                answer.store(0, Ordering::Relaxed);
            }
            let word = request_word(slots, flags, state.first_block);
            self.send(&mut state, place, word);
            state.first_block = (state.first_block + slots.n_paths() as u32) & 0xFF;
            state.counts.requests += 1;
            return Some(Request { place, n_paths: slots.n_paths(), closed });
        }
    }

    /// Waits for the answers of a request. After an error the ring is given up.
    pub fn wait(&self, request: &Request, out: &mut OutcomesMut<'_>) -> Result<(), EngineError> {
        let answers = &self.area.answers(request.place)[..request.n_paths];
        let mut watch = Watch { ring: self, closed: request.closed, signs: None };
        for (i, answer) in answers.iter().enumerate() {
            let word = match read_answer(answer) {
                Some(word) => word,
                None => await_within(answer, |spins| watch.look(spins))?,
            };
            out.inodes[i] = word as u32;
            out.statuses[i] = (word >> 32) as u8;
        }
        self.taken[request.place].store(false, Ordering::Release);
        Ok(())
    }

    fn is_taken(&self, place: usize) -> bool {
        self.taken[place].load(Ordering::Acquire)
    }

    fn send(&self, state: &mut State<K>, place: usize, word: u32) {
        state.next = state.next.wrapping_add(1);
        self.area.header(place).store(u64::from(word) << 32 | u64::from(state.next), Ordering::Release);
    }

    /// The first request that the running kernel did not answer, if it has ended by itself; `closed` is what the area said.
    fn ended_at(state: &State<K>, closed: u64) -> Option<u32> {
        let (generation, _) = state.running?;
        ((closed >> 32) as u32 == generation).then_some(closed as u32)
    }

    fn launch(&self, state: &mut State<K>, first: u32) -> Result<(), EngineError> {
        // A generation of zero would equal the zeroed memory.
        state.generation = state.generation.wrapping_add(1).max(1);
        state.running = None;
        state.kernel.launch(first, state.generation)?;
        state.running = Some((state.generation, Instant::now()));
        state.counts.launches += 1;
        Ok(())
    }

    /// Sees to it that a kernel runs. Returns what `closed` was before.
    fn keep_running(&self, state: &mut State<K>) -> Result<u64, EngineError> {
        let closed = self.area.closed().load(Ordering::Acquire);
        match (state.running, Ring::ended_at(state, closed)) {
            (None, _) => {
                let next = state.next;
                self.launch(state, next)?;
            }
            (Some(_), Some(first)) => {
                state.counts.idle_ends += 1;
                self.launch(state, first)?;
            }
            (Some((_, since)), None) if since.elapsed() > LONGEST_STAY => {
                self.stop(state)?;
                let next = state.next;
                self.launch(state, next)?;
            }
            _ => {}
        }
        Ok(closed)
    }

    /// Stops the kernel behind all requests that were published, and waits for its end.
    fn stop(&self, state: &mut State<K>) -> Result<(), EngineError> {
        let Some((mut generation, _)) = state.running else { return Ok(()) };
        let stop = state.next;
        if Ring::ended_at(state, self.area.closed().load(Ordering::Acquire)) != Some(stop) {
            // Nobody takes the place: it was free when the last request was published, and the lock is held.
            self.send(state, stop as usize % PLACES, STOP);
        }
        loop {
            state.kernel.wait()?;
            let closed = self.area.closed().load(Ordering::Acquire);
            // Ended by itself before it saw all requests: the next one answers them.
            match Ring::ended_at(state, closed) {
                Some(first) if first != stop => {
                    self.launch(state, first)?;
                    debug_assert_ne!(generation, state.generation);
                    generation = state.generation;
                }
                _ => break,
            }
        }
        state.running = None;
        Ok(())
    }

    /// Launches the next kernel where the last one has ended with requests unanswered.
    fn revive(&self) -> Result<(), EngineError> {
        let mut state = self.lock();
        let closed = self.area.closed().load(Ordering::Acquire);
        match Ring::ended_at(&state, closed) {
            Some(first) if first != state.next => {
                state.counts.idle_ends += 1;
                self.launch(&mut state, first)
            }
            _ => Ok(()),
        }
    }

    fn give_up(&self, reason: String) -> EngineError {
        let mut state = self.lock();
        state.serves = None;
        failed(state.broken.get_or_insert(reason).clone())
    }
}

impl<K: Kernel> Drop for Ring<K> {
    fn drop(&mut self) {
        // An error means that the device is lost, and with it the kernel.
        let _ = self.pause();
    }
}

/// What a caller looks at while it waits.
struct Watch<'a, K: Kernel> {
    ring: &'a Ring<K>,
    closed: u64,
    /// When the kernel last gave a sign of life, and its heartbeat then.
    signs: Option<(Instant, u32)>,
}

impl<K: Kernel> Watch<'_, K> {
    fn look(&mut self, spins: u32) -> ControlFlow<EngineError> {
        let ring = self.ring;
        let closed = ring.area.closed().load(Ordering::Acquire);
        if closed != self.closed {
            self.closed = closed;
            self.signs = None;
            if let Err(error) = ring.revive() {
                return ControlFlow::Break(ring.give_up(error.to_string()));
            }
        }
        // The clock is not asked at every look.
        if !spins.is_multiple_of(64) {
            return ControlFlow::Continue(());
        }
        std::thread::yield_now();
        let beat = ring.area.heartbeat().load(Ordering::Relaxed);
        match self.signs {
            Some((since, last)) if last == beat => {
                if since.elapsed() < PATIENCE {
                    return ControlFlow::Continue(());
                }
                let reason = match ring.lock().kernel.is_done() {
                    Err(error) => error.to_string(),
                    Ok(true) => "the resident kernel has ended without a word".to_owned(),
                    Ok(false) => format!("the resident kernel gave no sign of life for {PATIENCE:?}"),
                };
                ControlFlow::Break(ring.give_up(reason))
            }
            _ => {
                self.signs = Some((Instant::now(), beat));
                ControlFlow::Continue(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
