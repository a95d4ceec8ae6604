//! How a batch is resolved.

use crate::{InodeId, ROOT, layout};

/// How the paths of a batch are resolved. The default is `stat`'s way from the root: links followed,
/// absolute paths and `..` kept inside the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// The start directory, where relative paths begin (`openat`'s dirfd). Absolute paths begin at the root.
    pub start: InodeId,
    /// Whether a symbolic link at the end of a path is followed (`stat`) or is itself the answer (`lstat`).
    /// A trailing slash follows it in any case.
    pub follow: bool,
    /// Leaving the start directory, by an absolute path or link or by `..`, is
    /// [`LeavesRoot`](crate::LookupError::LeavesRoot) (openat2's RESOLVE_BENEATH).
    pub beneath: bool,
    /// Following any symbolic link is [`TooManyLinks`](crate::LookupError::TooManyLinks) (openat2's RESOLVE_NO_SYMLINKS).
    pub no_symlinks: bool,
    /// Skip the direct probe and walk every path. The answers are the same; for tests and benchmarks.
    pub walk_only: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { start: ROOT, follow: true, beneath: false, no_symlinks: false, walk_only: false }
    }
}

impl Options {
    /// These options with another start directory.
    pub fn start(self, start: InodeId) -> Options {
        Options { start, ..self }
    }

    /// These options with a final link as the answer.
    pub fn no_follow(self) -> Options {
        Options { follow: false, ..self }
    }

    /// These options, kept beneath the start directory.
    pub fn beneath(self) -> Options {
        Options { beneath: true, ..self }
    }

    /// These options with no link followed.
    pub fn no_symlinks(self) -> Options {
        Options { no_symlinks: true, ..self }
    }

    /// These options without the direct probe.
    pub fn walk_only(self) -> Options {
        Options { walk_only: true, ..self }
    }

    /// The layout's QUERY_ flags.
    pub fn flags(&self) -> u32 {
        [
            (!self.follow, layout::QUERY_NO_FOLLOW),
            (self.beneath, layout::QUERY_BENEATH),
            (self.no_symlinks, layout::QUERY_NO_SYMLINKS),
            (self.walk_only, layout::QUERY_WALK_ONLY),
        ]
        .iter()
        .filter(|(set, _)| *set)
        .fold(0, |flags, (_, flag)| flags | flag)
    }
}
