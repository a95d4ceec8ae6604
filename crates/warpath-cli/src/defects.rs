//! Panics, which are defects of warpath: one line and an exit code, as for everything else that can't be done.
//!
//! Readers of tables catch panics of their libraries and make errors of them; nothing is written for those.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, PoisonError};

/// Where the last panic was, and what it said.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Has panics noted instead of written, for [`caught`] to tell. Whoever asks for backtraces by RUST_BACKTRACE gets them written.
pub fn note_panics() {
    if Backtrace::capture().status() != BacktraceStatus::Captured {
        set_hook(Box::new(|panic| {
            *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
        }));
    }
}

/// Runs something; where it panics, fails with what is to be told.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let noted = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
        let said = noted.unwrap_or_else(|| text(&*panic).to_owned());
        format!("a defect of warpath: {}", said.replace('\n', " "))
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_panic_is_a_line() {
        assert_eq!(caught(|| 7), Ok(7));
        let told = caught(|| {
            let joined = std::thread::scope(|scope| scope.spawn(|| panic!("a\nb")).join());
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        assert_eq!(told, Err::<(), _>("a defect of warpath: a b".to_owned()));
    }
}
