//! The answer for a path, and for a batch.

use crate::{INVALID_INODE, InodeId, layout};

/// Why a path names no inode. One byte, `Copy`; the code is the one in the status column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum LookupError {
    /// A component does not exist (ENOENT).
    NotFound = layout::STATUS_NOT_FOUND as u8,
    /// A component that must be a directory is none (ENOTDIR).
    NotADirectory = layout::STATUS_NOT_A_DIRECTORY as u8,
    /// More than 40 symbolic links, or one where links are not allowed (ELOOP).
    TooManyLinks = layout::STATUS_TOO_MANY_LINKS as u8,
    /// A component of more than 255 bytes, or a path of more than 4095 (ENAMETOOLONG).
    NameTooLong = layout::STATUS_NAME_TOO_LONG as u8,
    /// The path holds a NUL, which no system call could take (EINVAL).
    Invalid = layout::STATUS_INVALID as u8,
    /// The path leaves the start directory, and `beneath` was asked for (EXDEV).
    LeavesRoot = layout::STATUS_LEAVES_ROOT as u8,
    /// The path leads into something that the index does not cover: a directory that could not be read,
    /// an excluded one, another file system. It may exist.
    NotIndexed = layout::STATUS_NOT_INDEXED as u8,
}

/// The answer for one path: its inode, or why there is none.
pub type Outcome = Result<InodeId, LookupError>;

impl LookupError {
    /// Every error, in the order of their codes, which begin at 1.
    pub const ALL: [LookupError; 7] = [
        LookupError::NotFound,
        LookupError::NotADirectory,
        LookupError::TooManyLinks,
        LookupError::NameTooLong,
        LookupError::Invalid,
        LookupError::LeavesRoot,
        LookupError::NotIndexed,
    ];

    /// The code in the status column, 1 to 7. 0 stands for "found".
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The error of a status code; `None` for 0 (found) and for what is no code.
    pub fn from_code(code: u8) -> Option<LookupError> {
        LookupError::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// The errno that the kernel gives on Linux. [`LookupError::NotIndexed`] has none of its own and
    /// gives ESTALE's neighbour ENODATA: the index holds no data about the path.
    pub const fn errno(self) -> i32 {
        match self {
            LookupError::NotFound => 2,
            LookupError::NotADirectory => 20,
            LookupError::TooManyLinks => 40,
            LookupError::NameTooLong => 36,
            LookupError::Invalid => 22,
            LookupError::LeavesRoot => 18,
            LookupError::NotIndexed => 61,
        }
    }

    /// The errno's name; `UNINDEXED` for [`LookupError::NotIndexed`].
    pub const fn name(self) -> &'static str {
        match self {
            LookupError::NotFound => "ENOENT",
            LookupError::NotADirectory => "ENOTDIR",
            LookupError::TooManyLinks => "ELOOP",
            LookupError::NameTooLong => "ENAMETOOLONG",
            LookupError::Invalid => "EINVAL",
            LookupError::LeavesRoot => "EXDEV",
            LookupError::NotIndexed => "UNINDEXED",
        }
    }
}

impl std::fmt::Display for LookupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LookupError::NotFound => "no such file or directory",
            LookupError::NotADirectory => "not a directory",
            LookupError::TooManyLinks => "too many levels of symbolic links",
            LookupError::NameTooLong => "file name too long",
            LookupError::Invalid => "path holds a NUL byte",
            LookupError::LeavesRoot => "path leaves the start directory",
            LookupError::NotIndexed => "path leads into something that the index does not cover",
        })
    }
}

impl std::error::Error for LookupError {}

/// The status code of an outcome: 0 when found.
pub fn status_code(outcome: Outcome) -> u8 {
    match outcome {
        Ok(_) => 0,
        Err(error) => error.code(),
    }
}

/// The answers for a batch: a column of inodes and one of status codes, in the caller's order.
///
/// 5 bytes a path. The inode of a path that was not found is [`INVALID_INODE`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    inodes: Vec<InodeId>,
    statuses: Vec<u8>,
}

impl Outcomes {
    /// Room for the answers of `n_paths` paths.
    pub fn with_len(n_paths: usize) -> Outcomes {
        Outcomes { inodes: vec![INVALID_INODE; n_paths], statuses: vec![0; n_paths] }
    }

    /// Number of paths answered.
    pub fn len(&self) -> usize {
        self.inodes.len()
    }

    /// Whether no path was asked for.
    pub fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    /// The answer for path `i`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](Outcomes::len).
    pub fn get(&self, i: usize) -> Outcome {
        outcome(self.inodes[i], self.statuses[i])
    }

    /// The answers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Outcome> + '_ {
        self.inodes.iter().zip(&self.statuses).map(|(&inode, &status)| outcome(inode, status))
    }

    /// The inode column.
    pub fn inodes(&self) -> &[InodeId] {
        &self.inodes
    }

    /// The status column: 0 when found, else a [`LookupError::code`].
    pub fn statuses(&self) -> &[u8] {
        &self.statuses
    }

    /// Both columns, to be written by an engine.
    pub fn as_mut(&mut self) -> OutcomesMut<'_> {
        OutcomesMut { inodes: &mut self.inodes, statuses: &mut self.statuses }
    }

    /// Takes the columns apart without copying: inodes, then statuses.
    pub fn into_columns(self) -> (Vec<InodeId>, Vec<u8>) {
        (self.inodes, self.statuses)
    }
}

fn outcome(inode: InodeId, status: u8) -> Outcome {
    match LookupError::from_code(status) {
        Some(error) => Err(error),
        None => Ok(inode),
    }
}

/// Where an engine writes the answers of a batch: two columns of the batch's length.
#[derive(Debug)]
pub struct OutcomesMut<'a> {
    /// The inode column; [`INVALID_INODE`] where the status is not 0.
    pub inodes: &'a mut [InodeId],
    /// The status column.
    pub statuses: &'a mut [u8],
}

impl<'a> OutcomesMut<'a> {
    /// Number of paths to answer.
    pub fn len(&self) -> usize {
        self.inodes.len()
    }

    /// Whether there is no path to answer.
    pub fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    /// Writes the answer of path `i`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](OutcomesMut::len).
    pub fn set(&mut self, i: usize, outcome: Outcome) {
        self.inodes[i] = outcome.unwrap_or(INVALID_INODE);
        self.statuses[i] = status_code(outcome);
    }

    /// The same columns for a shorter time.
    pub fn reborrow(&mut self) -> OutcomesMut<'_> {
        OutcomesMut { inodes: self.inodes, statuses: self.statuses }
    }

    /// The first `mid` answers, and the others.
    ///
    /// # Panics
    /// When `mid` is above [`len`](OutcomesMut::len).
    pub fn split_at(self, mid: usize) -> (OutcomesMut<'a>, OutcomesMut<'a>) {
        let (inodes, inodes_after) = self.inodes.split_at_mut(mid);
        let (statuses, statuses_after) = self.statuses.split_at_mut(mid);
        (OutcomesMut { inodes, statuses }, OutcomesMut { inodes: inodes_after, statuses: statuses_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for error in LookupError::ALL {
            assert_eq!(LookupError::from_code(error.code()), Some(error));
        }
        assert_eq!(LookupError::from_code(0), None);
        assert_eq!(LookupError::from_code(8), None);
        assert_eq!(size_of::<LookupError>(), 1);
    }
}
