//! What is known of an index besides its content: when it was made, from what, where it stands.

use std::collections::BTreeMap;

/// What is known of an index besides its content: pairs of a name and bytes.
///
/// | name | holds |
/// |---|---|
/// | `created` | when it was made: nanoseconds since 1970, in decimal |
/// | `updated` | when it was last updated, likewise |
/// | `made-by` | program and version |
/// | `source` | what it was made from: `tree`, `list`, `tar`, .. |
/// | `source-path` | the directory or file that it was made from |
/// | `mount` | the host's directory that its root stands for |
///
/// Others say with which options it was made, so that it can be updated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    pairs: BTreeMap<String, Vec<u8>>,
}

impl Facts {
    /// No facts.
    pub fn new() -> Facts {
        Facts::default()
    }

    /// The bytes of a name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.pairs.get(name).map(Vec::as_slice)
    }

    /// The text of a name; what is no UTF-8 is replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The number of a name.
    pub fn number(&self, name: &str) -> Option<i64> {
        str::from_utf8(self.get(name)?).ok()?.parse().ok()
    }

    /// Sets a name's bytes.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) -> &mut Facts {
        self.pairs.insert(name.to_owned(), value.into());
        self
    }

    /// The pairs, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// As bytes: for each pair the length of the name, the name, the length of the value, the value; lengths are
    /// 32-bit and little-endian.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in self.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// The facts of such bytes; `None` when they are no facts.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Facts> {
        fn part<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
            let (length, rest) = bytes.split_first_chunk::<4>()?;
            let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            *bytes = rest;
            Some(part)
        }
        let mut facts = Facts::new();
        while !bytes.is_empty() {
            let name = str::from_utf8(part(&mut bytes)?).ok()?;
            facts.set(name, part(&mut bytes)?);
        }
        Some(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back() {
        let mut facts = Facts::new();
        facts.set("created", "17").set("source-path", &b"/a\xFF\n"[..]).set("empty", "");
        let bytes = facts.to_bytes();
        assert_eq!(Facts::from_bytes(&bytes), Some(facts.clone()));
        assert_eq!((facts.number("created"), facts.number("empty")), (Some(17), None));
        for end in 1..bytes.len() {
            let cut = Facts::from_bytes(&bytes[..end]);
            assert!(cut.is_none_or(|cut| cut.iter().count() < 3));
        }
    }
}
