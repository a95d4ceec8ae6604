//! What `stat` tells, as columns that take no memory until something is set.

use super::Attributes;
use crate::InodeId;
use crate::column::{Column, Value};

/// A column for each attribute, each as long as the last inode that has it set to something.
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
        fn get<T: Value>(column: &Column<T>, inode: InodeId) -> T {
            column.get(inode as usize).copied().unwrap_or_else(T::zeroed)
        }
        Attributes {
            ino: get(&self.ino, inode),
            size: get(&self.size, inode),
            mtime: get(&self.mtime, inode),
            mode: get(&self.mode, inode),
            uid: get(&self.uid, inode),
            gid: get(&self.gid, inode),
        }
    }

    pub fn set(&mut self, inode: InodeId, attributes: Attributes) {
        fn set<T: Value + PartialEq>(column: &mut Column<T>, inode: InodeId, value: T) {
            let i = inode as usize;
            if i >= column.len() {
                if value == T::zeroed() {
                    return;
                }
                column.resize(i + 1, T::zeroed());
            }
            if column[i] != value {
                column[i] = value;
            }
        }
        set(&mut self.ino, inode, attributes.ino);
        set(&mut self.size, inode, attributes.size);
        set(&mut self.mtime, inode, attributes.mtime);
        set(&mut self.mode, inode, attributes.mode);
        set(&mut self.uid, inode, attributes.uid);
        set(&mut self.gid, inode, attributes.gid);
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
