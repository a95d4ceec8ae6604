//! What `stat` tells, as columns that take no memory until something is set.

use super::Attributes;
use crate::InodeId;
use crate::column::{Column, Value};

// Values that stand for "unknown" in a column. No file system gives them: the inode number 0 and the ids of all ones are
// reserved, the others are 16 EiB and the year 1677.
const NO_INO: u64 = 0;
const NO_SIZE: u64 = u64::MAX;
const NO_MTIME: i64 = i64::MIN;
const NO_ID: u32 = u32::MAX;

/// A column for each attribute, each as long as the last inode of which it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct AttributeColumns {
    pub ino: Column<u64>,
    pub size: Column<u64>,
    pub mtime: Column<i64>,
    pub mode: Column<u32>,
    pub uid: Column<u32>,
    pub gid: Column<u32>,
}

impl AttributeColumns {
    pub fn get(&self, inode: InodeId) -> Attributes {
        fn get<T: Value + PartialEq>(column: &Column<T>, inode: InodeId, unknown: T) -> Option<T> {
            column.get(inode as usize).copied().filter(|value| *value != unknown)
        }
        Attributes {
            ino: get(&self.ino, inode, NO_INO),
            size: get(&self.size, inode, NO_SIZE),
            mtime: get(&self.mtime, inode, NO_MTIME),
            mode: get(&self.mode, inode, NO_ID),
            uid: get(&self.uid, inode, NO_ID),
            gid: get(&self.gid, inode, NO_ID),
        }
    }

    pub fn set(&mut self, inode: InodeId, attributes: Attributes) {
        fn set<T: Value + PartialEq>(column: &mut Column<T>, inode: InodeId, value: Option<T>, unknown: T) {
            let i = inode as usize;
            let value = value.unwrap_or(unknown);
            if i >= column.len() {
                if value == unknown {
                    return;
                }
                column.resize(i + 1, unknown);
            }
            if column[i] != value {
                column[i] = value;
            }
        }
        set(&mut self.ino, inode, attributes.ino, NO_INO);
        set(&mut self.size, inode, attributes.size, NO_SIZE);
        set(&mut self.mtime, inode, attributes.mtime, NO_MTIME);
        set(&mut self.mode, inode, attributes.mode, NO_ID);
        set(&mut self.uid, inode, attributes.uid, NO_ID);
        set(&mut self.gid, inode, attributes.gid, NO_ID);
    }

    pub fn shrink_to_fit(&mut self) {
        self.ino.shrink_to_fit();
        self.size.shrink_to_fit();
        self.mtime.shrink_to_fit();
        self.mode.shrink_to_fit();
        self.uid.shrink_to_fit();
        self.gid.shrink_to_fit();
    }

    pub fn memory(&self) -> usize {
        self.ino.memory()
            + self.size.memory()
            + self.mtime.memory()
            + self.mode.memory()
            + self.uid.memory()
            + self.gid.memory()
    }
}
