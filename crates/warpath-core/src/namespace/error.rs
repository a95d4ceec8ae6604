//! Why the namespace refuses a change.

use crate::InodeId;
use thiserror::Error;

/// A change that the namespace refuses; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NamespaceError {
    /// A name may not be empty.
    #[error("a name may not be empty")]
    EmptyName,
    /// `.` and `..` are no names of entries.
    #[error("`.` and `..` can't be names of entries")]
    DotName,
    /// A name holds `/` or NUL.
    #[error("a name may not hold `/` or NUL")]
    ForbiddenByte,
    /// A name has more than 255 bytes.
    #[error("a name has at most 255 bytes, this one has {len}")]
    NameTooLong {
        /// Its length.
        len: usize,
    },
    /// No inode has this id.
    #[error("there is no inode {inode}")]
    NoSuchInode {
        /// The id.
        inode: InodeId,
    },
    /// The inode is no directory.
    #[error("inode {inode} is not a directory")]
    NotADirectory {
        /// The id.
        inode: InodeId,
    },
    /// The inode is a directory, where none is allowed: as a hard link, or replaced by what is no directory.
    #[error("inode {inode} is a directory")]
    IsADirectory {
        /// The id.
        inode: InodeId,
    },
    /// The directory has an entry of this name already.
    #[error("the name is taken by inode {inode}")]
    NameTaken {
        /// What has the name.
        inode: InodeId,
    },
    /// The directory has no entry of this name.
    #[error("no such entry")]
    NoSuchEntry,
    /// A directory can't be moved into its own subtree.
    #[error("a directory can't be moved into its own subtree")]
    IntoItself,
    /// The directory holds entries: remove them first.
    #[error("directory {inode} is not empty")]
    NotEmpty {
        /// The id.
        inode: InodeId,
    },
    /// A link's target must have 1 to 4095 bytes and no NUL.
    #[error("a link's target must have 1 to 4095 bytes and no NUL")]
    BadTarget,
    /// There are no ids or no room for names left.
    #[error("the namespace is full: {what}")]
    Full {
        /// The limit that was met.
        what: &'static str,
    },
}
