//! Answers as text: STATUS<TAB>INO<TAB>PATH.

use crate::args::Only;
use warpath_core::{InodeId, LookupError, Namespace};

/// How answers are printed.
pub struct Format<'a> {
    /// The file system's number of each inode.
    numbers: &'a [u64],
    only: Option<Only>,
    delimiter: u8,
}

/// Answers by status code: 0 is "found".
pub type Counts = [u64; LookupError::ALL.len() + 1];

/// `\tINO\t`, at its longest.
const MAX_NUMBER: usize = 22;

impl<'a> Format<'a> {
    /// Takes numbers from a namespace; `delimiter` ends each line.
    pub fn new(namespace: &'a Namespace, only: Option<Only>, delimiter: u8) -> Format<'a> {
        Format { numbers: namespace.view().ino, only, delimiter }
    }

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
        self.numbers.get(inode as usize).copied().unwrap_or(0)
    }
}

/// `OK`, or the errno's name.
pub fn status_name(status: u8) -> &'static str {
    LookupError::from_code(status).map_or("OK", LookupError::name)
}
