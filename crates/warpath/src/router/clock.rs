//! What time it is. Tests can stop a thread's clock and set it on by hand, so that what an engine takes is what the test says.

#[cfg(not(test))]
pub(super) use std::time::Instant;
#[cfg(test)]
pub(super) use stopped::Instant;

#[cfg(test)]
pub(super) mod stopped {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local!(static STOPPED: Cell<Option<Duration>> = const { Cell::new(None) });

    /// As `std::time::Instant`, on this thread's clock.
    #[derive(Clone, Copy)]
    pub enum Instant {
        System(std::time::Instant),
        Stopped(Duration),
    }

    impl Instant {
        pub fn now() -> Instant {
            match STOPPED.get() {
                Some(time) => Instant::Stopped(time),
                None => Instant::System(std::time::Instant::now()),
            }
        }

        pub fn elapsed(self) -> Duration {
            match (self, STOPPED.get()) {
                (Instant::Stopped(begin), Some(now)) => now - begin,
                (Instant::System(begin), None) => begin.elapsed(),
                _ => panic!("the clock was stopped in between"),
            }
        }
    }

    /// Stops this thread's clock.
    pub fn stop() {
        STOPPED.set(Some(Duration::ZERO));
    }

    /// Sets it on, where it is stopped.
    pub fn advance(by: Duration) {
        STOPPED.set(STOPPED.get().map(|time| time + by));
    }
}
