//! Requests that wait, and how batches are taken from them.
//!
//! Requests of equal options wait in one queue, in the order in which they came; queues take turns by the age of their first request.

use super::request::Request;
use super::settings::Settings;
use super::stats::Flush;
use crate::reply::Reply;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use warpath_core::{Options, Outcomes};

/// When to look again at a time-out that no clock can hold.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that waits or runs.
#[derive(Debug)]
pub(super) struct Queued {
    pub request: Request,
    pub reply: Arc<Reply<Outcomes>>,
    pub since: Instant,
}

/// Requests that run together.
#[derive(Debug)]
pub(super) struct Batch {
    pub options: Options,
    pub requests: Vec<Queued>,
    pub n_paths: usize,
    /// The most paths that an engine gets at a time.
    pub piece_paths: usize,
    pub flush: Flush,
}

#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: Vec<Queue>,
    n_paths: usize,
}

#[derive(Debug)]
struct Queue {
    options: Options,
    requests: VecDeque<Queued>,
    n_paths: usize,
    n_bytes: usize,
}

/// When the next batch can go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Now: this queue, for this reason.
    Now(usize, Flush),
    /// Not before then.
    At(Instant),
    /// Nothing waits.
    Never,
}

impl Queues {
    /// Paths that wait.
    pub fn n_paths(&self) -> usize {
        self.n_paths
    }

    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub fn push(&mut self, queued: Queued) {
        let options = queued.request.options;
        let queue = match self.queues.iter_mut().position(|queue| queue.options == options) {
            Some(queue) => &mut self.queues[queue],
            None => {
                self.queues.push(Queue { options, requests: VecDeque::new(), n_paths: 0, n_bytes: 0 });
                let last = self.queues.len() - 1;
                &mut self.queues[last]
            }
        };
        self.n_paths += queued.request.len();
        queue.n_paths += queued.request.len();
        queue.n_bytes += queued.request.paths.n_bytes();
        queue.requests.push_back(queued);
    }

    /// When the next batch can go, with the queue whose first request is the oldest of those that can.
    pub fn next(&self, settings: &Settings, draining: bool, now: Instant) -> Next {
        let mut soonest = Next::Never;
        let mut oldest = None;
        for (number, queue) in self.queues.iter().enumerate() {
            let Some(first) = queue.requests.front() else { continue };
            match queue.flush(settings, draining, first.since, now) {
                Ok(flush) if oldest.is_none_or(|oldest| first.since < oldest) => {
                    oldest = Some(first.since);
                    soonest = Next::Now(number, flush);
                }
                Ok(_) => {}
                Err(at) => {
                    soonest = match soonest {
                        Next::Never => Next::At(at),
                        Next::At(other) => Next::At(other.min(at)),
                        now => now,
                    }
                }
            }
        }
        soonest
    }

    /// Takes a batch from a queue. Requests that nobody waits for are left out and given to `dead`.
    pub fn take(
        &mut self,
        number: usize,
        flush: Flush,
        settings: &Settings,
        mut dead: impl FnMut(&Queued),
    ) -> Batch {
        let queue = &mut self.queues[number];
        let most_paths = match flush {
            Flush::Timeout if !settings.timeout.is_zero() => settings.max_batch_size,
            _ => settings.preferred(queue.n_paths).unwrap_or(settings.max_batch_size),
        };
        let mut batch = Batch {
            options: queue.options,
            requests: Vec::new(),
            n_paths: 0,
            piece_paths: settings.max_batch_size,
            flush,
        };
        let mut n_bytes = 0;
        while let Some(first) = queue.requests.front() {
            let (paths, bytes) = (first.request.len(), first.request.paths.n_bytes());
            let is_wanted = first.reply.is_open();
            let fits = batch.n_paths + paths <= most_paths && n_bytes + bytes <= settings.max_batch_bytes;
            if is_wanted && !fits && !batch.requests.is_empty() {
                break;
            }
            let Some(queued) = queue.requests.pop_front() else { break };
            queue.n_paths -= paths;
            queue.n_bytes -= bytes;
            self.n_paths -= paths;
            if is_wanted {
                batch.n_paths += paths;
                n_bytes += bytes;
                batch.requests.push(queued);
            } else {
                dead(&queued);
            }
        }
        if queue.requests.is_empty() {
            self.queues.swap_remove(number);
        }
        batch
    }

    /// Takes out the requests that nobody waits for any more.
    pub fn purge(&mut self, mut dead: impl FnMut(&Queued)) {
        for queue in &mut self.queues {
            let (mut n_paths, mut n_bytes) = (0, 0);
            queue.requests.retain(|queued| {
                let is_wanted = queued.reply.is_open();
                if is_wanted {
                    n_paths += queued.request.len();
                    n_bytes += queued.request.paths.n_bytes();
                } else {
                    dead(queued);
                }
                is_wanted
            });
            self.n_paths -= queue.n_paths - n_paths;
            (queue.n_paths, queue.n_bytes) = (n_paths, n_bytes);
        }
        self.queues.retain(|queue| !queue.requests.is_empty());
    }
}

impl Queue {
    /// Why a batch of this queue can go now, or when it can.
    fn flush(
        &self,
        settings: &Settings,
        draining: bool,
        since: Instant,
        now: Instant,
    ) -> Result<Flush, Instant> {
        if self.n_paths >= settings.max_batch_size {
            return Ok(Flush::Size);
        }
        if self.n_bytes >= settings.max_batch_bytes {
            return Ok(Flush::Bytes);
        }
        if settings.preferred(self.n_paths).is_some() {
            return Ok(Flush::Preferred);
        }
        if draining {
            return Ok(Flush::Drain);
        }
        match since.checked_add(settings.timeout) {
            Some(at) if at <= now => Ok(Flush::Timeout),
            Some(at) => Err(at),
            None => Err(now + FAR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(n_paths: usize, options: Options, since: Instant) -> Queued {
        let request = Request::new((0..n_paths).map(|_| "/a")).options(options);
        Queued { request, reply: Reply::new(), since }
    }

    fn settings() -> Settings {
        Settings { max_batch_size: 10, timeout: Duration::from_secs(1), ..Settings::default() }
    }

    fn sizes(batch: &Batch) -> Vec<usize> {
        batch.requests.iter().map(|queued| queued.request.len()).collect()
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_first_request_has_waited_enough() {
        let now = Instant::now();
        let mut queues = Queues::default();
        assert_eq!(queues.next(&settings(), false, now), Next::Never);
        queues.push(queued(4, Options::default(), now));
        let at = now + Duration::from_secs(1);
        assert_eq!(queues.next(&settings(), false, now), Next::At(at));
        assert_eq!(queues.next(&settings(), false, at), Next::Now(0, Flush::Timeout));
        assert_eq!(queues.next(&settings(), true, now), Next::Now(0, Flush::Drain));
        queues.push(queued(7, Options::default(), now));
        assert_eq!(queues.next(&settings(), false, now), Next::Now(0, Flush::Size));
        let batch = queues.take(0, Flush::Size, &settings(), |_| ());
        assert_eq!(sizes(&batch), [4], "a batch is cut between requests");
        assert_eq!(queues.n_paths(), 7);
    }

    #[test]
    fn a_request_above_every_limit_goes_alone() {
        let now = Instant::now();
        let mut queues = Queues::default();
        queues.push(queued(50, Options::default(), now));
        queues.push(queued(1, Options::default(), now));
        let batch = queues.take(0, Flush::Size, &settings(), |_| ());
        assert_eq!(sizes(&batch), [50]);
        assert_eq!(queues.n_paths(), 1);
    }

    #[test]
    fn the_largest_preferred_size_is_taken() {
        let now = Instant::now();
        let settings = Settings { preferred_sizes: vec![2, 4], ..settings() };
        let mut queues = Queues::default();
        queues.push(queued(1, Options::default(), now));
        assert!(matches!(queues.next(&settings, false, now), Next::At(_)));
        for _ in 0..4 {
            queues.push(queued(1, Options::default(), now));
        }
        assert_eq!(queues.next(&settings, false, now), Next::Now(0, Flush::Preferred));
        assert_eq!(sizes(&queues.take(0, Flush::Preferred, &settings, |_| ())), [1; 4]);
    }

    #[test]
    fn a_time_out_beyond_all_clocks_never_comes() {
        let now = Instant::now();
        let settings = Settings { timeout: Duration::MAX, ..settings() };
        let mut queues = Queues::default();
        queues.push(queued(1, Options::default(), now));
        assert!(matches!(queues.next(&settings, false, now), Next::At(at) if at > now));
        assert_eq!(queues.next(&settings, true, now), Next::Now(0, Flush::Drain));
    }

    #[test]
    fn options_don_t_mix_and_the_oldest_queue_goes_first() {
        let now = Instant::now();
        let mut queues = Queues::default();
        queues.push(queued(1, Options::default(), now + Duration::from_millis(1)));
        queues.push(queued(2, Options::default().no_follow(), now));
        let later = now + Duration::from_secs(2);
        assert_eq!(queues.next(&settings(), false, later), Next::Now(1, Flush::Timeout));
        assert_eq!(sizes(&queues.take(1, Flush::Timeout, &settings(), |_| ())), [2]);
        assert_eq!(queues.next(&settings(), false, later), Next::Now(0, Flush::Timeout));
    }

    #[test]
    fn what_nobody_waits_for_is_left_out() {
        let now = Instant::now();
        let mut queues = Queues::default();
        for _ in 0..3 {
            queues.push(queued(1, Options::default(), now));
        }
        queues.queues[0].requests[0].reply.cancel();
        let mut n_dead = 0;
        let batch = queues.take(0, Flush::Drain, &settings(), |_| n_dead += 1);
        assert_eq!((batch.requests.len(), n_dead, queues.n_paths()), (2, 1, 0));
        queues.push(queued(3, Options::default(), now));
        queues.queues[0].requests[0].reply.cancel();
        queues.purge(|_| n_dead += 1);
        assert_eq!((n_dead, queues.n_paths(), queues.is_empty()), (2, 0, true));
    }
}
