//! Links for trees that have none: one directory in 16 gets a symbolic link beside it, `name~` to `name`.
//!
//! Which ones follows from the directory's path alone, so that a path set knows it without asking the tree.

use rayon::prelude::*;
use warpath_core::{InodeId, Namespace};

/// One directory in this many has a link.
const ONE_IN: u64 = 16;

/// What the link's name has behind the directory's. It sorts behind the slash.
pub(crate) const SUFFIX: u8 = b'~';

/// Adds the links to a tree; the number of those added. Directories whose link's name is taken or too long get none.
pub fn add_links(namespace: &mut Namespace) -> usize {
    let linked: Vec<(InodeId, Vec<u8>)> = (0..namespace.inode_bound())
        .into_par_iter()
        .filter(|&inode| namespace.is_directory(inode))
        .filter_map(|inode| {
            let entry = namespace.entry_of(inode)?;
            let path = namespace.path_of(inode)?;
            (last_is_linked(&path)).then(|| (entry.parent, entry.name.to_vec()))
        })
        .collect();
    linked
        .iter()
        .filter(|(parent, name)| {
            let link = [&name[..], &[SUFFIX]].concat();
            namespace.add_symlink(*parent, link, name).is_ok()
        })
        .count()
}

/// Whether the directory at the end of this canonical path has a link.
fn last_is_linked(path: &[u8]) -> bool {
    linked_prefixes(&[path, b"/"].concat()).last() == Some(path.len())
}

/// Where the directories on the way of a canonical path end that have a link.
pub(crate) fn linked_prefixes(path: &[u8]) -> impl Iterator<Item = usize> + '_ {
    // FNV-1a: a hash of every prefix on the way of one pass.
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    path.iter().enumerate().filter_map(move |(end, &byte)| {
        let linked = end > 0 && byte == b'/' && crate::random::at(hash, 0).is_multiple_of(ONE_IN);
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        linked.then_some(end)
    })
}
