//! The reference resolver: short, slow, obviously right. It defines correct.

use crate::layout::{MAX_LINKS, MAX_NAME, MAX_PATH};
use crate::{FileType, InodeId, LookupError, Namespace, Options, Outcome, ROOT};

/// Resolves one path over the names of the tree, a component at a time, following every link the long way.
///
/// This is path_resolution(7) with the order of errors of Linux's fs/namei.c, as `openat2` with O_PATH walks:
///
/// - The caller's string is judged first, as it is copied in: a NUL, 4095 bytes, empty. A target was judged
///   when it was stored, so a path that grows by its targets is never too long.
/// - Then it is read once from left to right, and whatever is wrong first is the answer.
/// - The kernel keeps the unread part of a path on a stack while it reads a link's target, and goes on in the
///   directory that holds the link. Putting the target in front of the unread part is the same, and so are
///   its slashes: one behind a component means that a directory is wanted and a link is followed, whether
///   more comes or not, and whether the slash was the path's own or a target's (LOOKUP_DIRECTORY and
///   LOOKUP_FOLLOW, once set, stay).
/// - Links are counted before they are read: the 41st is an error even if it leads nowhere.
///
/// At the head of the loop `at` is a directory: the start is, the root is, a parent is, and a child with
/// something behind it is refused if it is none. Permissions are not asked for: the index has none.
pub fn resolve(namespace: &Namespace, path: &[u8], options: &Options) -> Outcome {
    if path.contains(&0) {
        return Err(LookupError::Invalid);
    }
    if path.len() > MAX_PATH as usize {
        return Err(LookupError::NameTooLong);
    }
    if path.is_empty() {
        return Err(LookupError::NotFound);
    }
    let mut at = if path.starts_with(b"/") { jump_to_root(options)? } else { options.start };
    if !namespace.is_directory(at) {
        return Err(LookupError::NotADirectory);
    }
    let mut rest = path.to_vec();
    let mut n_links = 0;
    // What is left begins with the next component, once the slashes before it are skipped.
    while let Some(begin) = rest.iter().position(|&byte| byte != b'/') {
        let end = rest[begin..].iter().position(|&byte| byte == b'/').map_or(rest.len(), |i| begin + i);
        let (component, behind) = (&rest[begin..end], &rest[end..]);
        match component {
            b"." => {}
            b".." if options.beneath && at == options.start => return Err(LookupError::LeavesRoot),
            b".." => at = namespace.parent(at).unwrap_or(ROOT),
            name => {
                let child = look_up(namespace, at, name)?;
                let file_type = namespace.file_type(child);
                if file_type == Some(FileType::Symlink) && (options.follow || !behind.is_empty()) {
                    n_links += 1;
                    if n_links > MAX_LINKS || options.no_symlinks {
                        return Err(LookupError::TooManyLinks);
                    }
                    let target = namespace.target(child).ok_or(LookupError::NotIndexed)?;
                    if target.starts_with(b"/") {
                        at = jump_to_root(options)?;
                    }
                    rest = [target, behind].concat();
                    continue;
                }
                if file_type != Some(FileType::Directory) && !behind.is_empty() {
                    return Err(LookupError::NotADirectory);
                }
                at = child;
            }
        }
        rest = behind.to_vec();
    }
    Ok(at)
}

/// The root, where absolute paths and targets begin.
fn jump_to_root(options: &Options) -> Outcome {
    if options.beneath { Err(LookupError::LeavesRoot) } else { Ok(ROOT) }
}

/// One name in one directory.
fn look_up(namespace: &Namespace, directory: InodeId, name: &[u8]) -> Outcome {
    if name.len() > MAX_NAME as usize {
        return Err(LookupError::NameTooLong);
    }
    namespace.child(directory, name).ok_or(if namespace.is_partial(directory) {
        LookupError::NotIndexed
    } else {
        LookupError::NotFound
    })
}
