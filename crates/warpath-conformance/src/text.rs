//! Bytes as readable text and back: how trees and paths are written in cases and printed in failures.
//!
//! Printable ASCII stands for itself, but for backslash, space, braces and, where asked, more; other bytes are
//! `\xNN`. `{s*n}` is `s` written `n` times.

use std::fmt::Write;

/// The bytes that `text` stands for, or what is wrong with it.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => {
                let (byte, after) = unescape_one(after)?;
                bytes.push(byte);
                after
            }
            '{' => {
                let (inside, after) = after.split_once('}').ok_or("`{` without `}`")?;
                let (repeated, n) = inside.rsplit_once('*').ok_or("`{` without `*n`")?;
                let n: usize = n.parse().map_err(|_| format!("`{n}` is no count"))?;
                bytes.extend(unescape(repeated)?.repeat(n));
                after
            }
            _ => {
                bytes.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
                after
            }
        };
    }
    Ok(bytes)
}

fn unescape_one(after: &str) -> Result<(u8, &str), String> {
    if let Some(hex) = after.strip_prefix('x') {
        let digits = hex.get(..2).ok_or("`\\x` needs two digits")?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_| format!("`{digits}` is no byte"))?;
        return Ok((byte, &hex[2..]));
    }
    if let Some(after) = after.strip_prefix('\\') {
        return Ok((b'\\', after));
    }
    Err("a backslash stands before `xNN` or another backslash".to_owned())
}

/// `bytes` as text that [`unescape`] turns back into them. Bytes of `also` are escaped too.
pub fn escape(bytes: &[u8], also: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (period, times) = run_at(&bytes[at..]);
        if times > 1 {
            let inside = escape_plain(&bytes[at..at + period], also);
            let _ = write!(text, "{{{inside}*{times}}}");
        } else {
            text.push_str(&escape_plain(&bytes[at..at + period], also));
        }
        at += period * times;
    }
    text
}

/// The first bytes as a repetition: how long what is repeated is, and how often it stands there.
/// Only repetitions that shorten the text count.
fn run_at(bytes: &[u8]) -> (usize, usize) {
    for period in 1..=4.min(bytes.len()) {
        let times = bytes.chunks_exact(period).take_while(|chunk| *chunk == &bytes[..period]).count();
        if times * period >= 12 {
            return (period, times);
        }
    }
    (1, 1)
}

fn escape_plain(bytes: &[u8], also: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'!'..=b'~' if !b"{}".contains(&byte) && !also.contains(&byte) => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_repeats() {
        assert_eq!(unescape(r"a\x00{b*3}\\").unwrap(), b"a\0bbb\\");
        assert_eq!(unescape("{../*2}x").unwrap(), b"../../x");
        for wrong in ["\\", "\\n", "\\x1", "{a*", "{a}", "{a*b}"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn round_trips() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let letters = [b'a', b'/', b'.', b'{', b'}', b'*', b'\\', b' ', 0xff, b'\n'];
            let mut bytes: Vec<u8> = (0..rng.usize(..30)).map(|_| letters[rng.usize(..10)]).collect();
            if rng.bool() {
                bytes.extend([rng.u8(..)].repeat(rng.usize(..40)));
            }
            assert_eq!(unescape(&escape(&bytes, b"/")).unwrap(), bytes);
        }
        assert_eq!(escape(&[b'a'; 255], b""), "{a*255}");
    }
}
