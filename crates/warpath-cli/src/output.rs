//! Answers as text: STATUS<TAB>INO<TAB>PATH.

use crate::args::Only;
use warpath_core::{InodeId, LookupError, Namespace};

/// How answers are printed.
pub struct Format<'a> {
    /// Tells the file system's inode numbers.
    pub namespace: &'a Namespace,
    pub only: Option<Only>,
    /// What ends a line.
    pub delimiter: u8,
}

/// Answers by status code: 0 is "found".
pub type Counts = [u64; LookupError::ALL.len() + 1];

/// `\tINO\t`, at its longest.
const MAX_NUMBER: usize = 22;

impl Format<'_> {
    /// Writes the answers of some paths, and counts them.
    pub fn write(&self, paths: &[&[u8]], inodes: &[InodeId], statuses: &[u8], text: &mut Vec<u8>) -> Counts {
        let mut counts = Counts::default();
        let mut number = itoa::Buffer::new();
        for ((path, &inode), &status) in paths.iter().zip(inodes).zip(statuses) {
            if let Some(count) = counts.get_mut(usize::from(status)) {
                *count += 1;
            }
            let found = status == 0;
            if self.only.is_some_and(|only| found != (only == Only::Found)) {
                continue;
            }
            text.reserve(path.len() + MAX_NUMBER + 16);
            text.extend_from_slice(status_name(status).as_bytes());
            text.push(b'\t');
            match found {
                true => text.extend_from_slice(number.format(self.number(inode)).as_bytes()),
                false => text.push(b'-'),
            }
            text.push(b'\t');
            text.extend_from_slice(path);
            text.push(self.delimiter);
        }
        counts
    }

    fn number(&self, inode: InodeId) -> u64 {
        self.namespace.attributes(inode).map_or(0, |attributes| attributes.ino)
    }
}

/// `OK`, or the errno's name.
pub fn status_name(status: u8) -> &'static str {
    LookupError::from_code(status).map_or("OK", LookupError::name)
}
