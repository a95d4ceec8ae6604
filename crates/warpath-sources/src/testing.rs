//! What the tests of several sources share.

use crate::ReadOptions;
use warpath_core::{Namespace, ROOT};

/// Runs `read` with options that leave nothing out and report nothing.
pub fn quiet<T>(read: impl FnOnce(ReadOptions<'_>) -> T) -> T {
    read(ReadOptions { exclude: None, on_progress: &mut crate::silent })
}

/// Every path of the tree, sorted, hard links each by itself; a directory ends in `/`, a link shows its target.
pub fn paths(namespace: &Namespace) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![(ROOT, String::new())];
    while let Some((directory, path)) = pending.pop() {
        for entry in namespace.list(directory) {
            let path = format!("{path}/{}", String::from_utf8_lossy(entry.name));
            if namespace.is_directory(entry.inode) {
                found.push(format!("{path}/"));
                pending.push((entry.inode, path));
            } else if let Some(target) = namespace.target(entry.inode) {
                found.push(format!("{path} -> {}", String::from_utf8_lossy(target)));
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
