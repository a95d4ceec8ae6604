//! What a source held, and what was done about its conflicts.

/// What a source held, and what was done about its conflicts. Nothing is dropped without being counted here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Records read: lines, members, rows.
    pub records: u64,
    /// Directories that no record named, made because something lies in them.
    pub parents_made: u64,
    /// Records for a path that an earlier record had named: the last one holds.
    pub duplicates: u64,
    /// Paths that are a file in one record and a directory in another: the directory holds.
    pub file_and_directory: u64,
    /// Paths spelled with `.`, `..` or `//`; they are taken as their canonical spelling, worked out on the text alone.
    pub respelled: u64,
    /// Paths whose `..` led above the root; they stay at the root.
    pub outside: u64,
    /// Records whose parent is a symbolic link; they were put where the link leads to, inside the root (archives).
    pub through_links: u64,
    /// Hard links to what does not exist, or to a directory; they became regular files of their own.
    pub broken_hard_links: u64,
    /// Symbolic links whose target is empty, holds a NUL or has more than 4095 bytes; to follow them is "not indexed".
    pub bad_targets: u64,
    /// Entries of lower layers that an upper layer replaced (container images).
    pub replaced: u64,
    /// Entries of lower layers that whiteouts removed (container images).
    pub whited_out: u64,
    /// Paths left out because their directory is excluded; it is marked as not wholly indexed.
    pub excluded: u64,
    /// Values that can't be read in columns that nobody named; the rest of their rows holds (tables).
    pub bad_fields: u64,
    /// Records left out: a name of more than 255 bytes, a NUL in a name, no path at all, fields that can't be read.
    pub refused: u64,
    /// The first record that was refused, and why.
    pub first_refused: Option<String>,
}

impl Summary {
    /// Counts a record that is left out, and keeps the first with its reason.
    pub(crate) fn refuse(&mut self, record: &[u8], reason: &dyn std::fmt::Display) {
        self.refused += 1;
        if self.first_refused.is_none() {
            let shown = &record[..record.len().min(200)];
            self.first_refused = Some(format!("`{}`: {reason}", shown.escape_ascii()));
        }
    }

    /// The counts that say more than zero, each with the rule that was applied: for people.
    pub fn conflicts(&self) -> Vec<(u64, &'static str)> {
        [
            (self.parents_made, "directories made that no record names"),
            (self.duplicates, "paths named again (the last record holds)"),
            (self.file_and_directory, "paths both file and directory (the directory holds)"),
            (self.respelled, "paths with `.`, `..` or `//` (taken as their canonical spelling)"),
            (self.outside, "paths with `..` above the root (kept at the root)"),
            (self.through_links, "records below a symbolic link (put where it leads to)"),
            (self.broken_hard_links, "hard links without a target (now files of their own)"),
            (self.bad_targets, "symbolic links with an impossible target (following them is UNINDEXED)"),
            (self.replaced, "entries of lower layers replaced"),
            (self.whited_out, "entries of lower layers removed by whiteouts"),
            (self.excluded, "paths excluded"),
            (self.bad_fields, "values that can't be read in columns that were not named (left out)"),
            (self.refused, "records refused"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .collect()
    }
}
