//! Paths as they are written, and their canonical spelling: no `.`, `..` or `//`, no slash in front.

use crate::Summary;

/// The canonical spelling of `path`, worked out on the text.
pub(crate) fn respell(path: &[u8], summary: &mut Summary, canonical: &mut Vec<u8>) {
    summary.respelled += 1;
    canonical.clear();
    let mut outside = false;
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                outside |= canonical.is_empty();
                canonical.truncate(memchr::memrchr(b'/', canonical).unwrap_or(0));
            }
            _ => {
                if !canonical.is_empty() {
                    canonical.push(b'/');
                }
                canonical.extend_from_slice(name);
            }
        }
    }
    summary.outside += u64::from(outside);
}

/// Whether a component is empty, `.` or `..`.
pub(crate) fn has_odd_names(path: &[u8]) -> bool {
    let is_odd = |name: &[u8]| matches!(name, b"" | b"." | b"..");
    // Most paths hold neither `//` nor `/.`, and are not looked at name by name. Without an early end this is done many bytes
    // at a time.
    let pairs = path.iter().zip(path.iter().skip(1));
    let may_be = pairs.fold(false, |odd, (&a, &b)| odd | ((a == b'/') & ((b == b'/') | (b == b'.'))));
    if may_be {
        path.split(|&byte| byte == b'/').any(is_odd)
    } else {
        path.split(|&byte| byte == b'/').next().is_some_and(is_odd)
    }
}

/// `path` without the `/` and `./` in front and the slashes at its end, and whether there were such.
pub(crate) fn trim(mut path: &[u8]) -> (&[u8], bool) {
    loop {
        path = match path {
            [b'/', rest @ ..] | [b'.', b'/', rest @ ..] => rest,
            _ => break,
        };
    }
    let n_slashes = path.iter().rev().take_while(|&&byte| byte == b'/').count();
    (&path[..path.len() - n_slashes], n_slashes > 0)
}
