//! Removing a directory with all that lies in it.

use warpath_core::{InodeId, Namespace, NamespaceError};

/// Removes the entry `name` of `parent`, which leads to `inode`, and all below it. O(entries removed); the
/// depth of the tree costs memory, not stack.
pub(crate) fn remove(
    namespace: &mut Namespace,
    parent: InodeId,
    name: &[u8],
    inode: InodeId,
) -> Result<(), NamespaceError> {
    // Parents come before what lies in them, so that the way back meets empty directories only.
    let mut found = vec![(parent, name.to_vec(), inode)];
    let mut next = 0;
    while let Some(&(_, _, directory)) = found.get(next) {
        next += 1;
        found.extend(namespace.list(directory).map(|entry| (directory, entry.name.to_vec(), entry.inode)));
    }
    for (parent, name, _) in found.iter().rev() {
        namespace.remove(*parent, name)?;
    }
    Ok(())
}
