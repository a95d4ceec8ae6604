//! What a batcher is asked.

use std::time::{Duration, Instant};
use warpath_core::Options;
use warpath_core::batch::PathBuffer;

/// A few paths to be resolved together: their answers come from one version of the tree.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use warpath::{Options, Request};
///
/// let request = Request::new(["/etc/hosts", "/etc/passwd"])
///     .options(Options::default().no_follow())
///     .timeout(Duration::from_millis(20));
/// assert_eq!(request.len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) paths: PathBuffer,
    pub(crate) options: Options,
    pub(crate) deadline: Option<Instant>,
}

impl Request {
    /// Asks for these paths, which are copied.
    pub fn new<P: AsRef<[u8]>>(paths: impl IntoIterator<Item = P>) -> Request {
        Request::from(paths.into_iter().collect::<PathBuffer>())
    }

    /// Resolved in this way. Requests of equal options share batches.
    pub fn options(self, options: Options) -> Request {
        Request { options, ..self }
    }

    /// Answered until then, or [`Error::TimedOut`](crate::Error::TimedOut).
    pub fn deadline(self, deadline: Instant) -> Request {
        Request { deadline: Some(deadline), ..self }
    }

    /// Answered within this time from now, or [`Error::TimedOut`](crate::Error::TimedOut).
    pub fn timeout(self, timeout: Duration) -> Request {
        Request { deadline: Instant::now().checked_add(timeout), ..self }
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether no path is asked for.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

impl From<PathBuffer> for Request {
    fn from(paths: PathBuffer) -> Request {
        Request { paths, options: Options::default(), deadline: None }
    }
}
