//! `warpath info`.

use super::{print, push_time};
use anyhow::Result;
use clap::Args as ClapArgs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};
use warpath_core::{FileType, Index};
use warpath_file::open;

/// Tell what an index file holds, from what and when it was made
///
/// Exit code: 0 told, 2 could not.
#[derive(Debug, ClapArgs)]
pub struct InfoArgs {
    /// The index file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Its sections too: where they lie, their length and checksum
    #[arg(long)]
    pub sections: bool,
}

pub fn run(args: &InfoArgs) -> Result<ExitCode> {
    let opened = open(&args.file)?;
    let (index, namespace) = (&opened.index, opened.index.namespace());
    let mut text = Vec::new();
    for (name, value) in opened.facts.iter() {
        // A file from elsewhere may hold what a terminal would act on.
        write!(text, "{:<14}", name.escape_default().to_string())?;
        match (name, opened.facts.number(name)) {
            ("created" | "updated", Some(time)) => push_date(&mut text, time),
            _ if name == "arguments" => push_words(&mut text, value),
            _ => write!(text, "{}", value.escape_ascii())?,
        }
        text.push(b'\n');
    }
    let params = index.tables().params();
    let (n_directories, n_links) = directories_and_links(index);
    for (name, value) in [
        ("entries", namespace.n_entries() as u64),
        ("inodes", namespace.n_inodes() as u64),
        ("directories", n_directories),
        ("links", n_links),
        ("not whole", namespace.n_partial() as u64),
        ("slots", index.tables().slots().len() as u64),
        ("probe limit", u64::from(params.probe_limit)),
        ("bytes", opened.n_bytes),
    ] {
        writeln!(text, "{name:<14}{value}")?;
    }
    if args.sections {
        for section in &opened.sections {
            let (name, offset, length) = (section.name(), section.offset, section.length);
            writeln!(text, "section       {name:<9} {offset:>12} {length:>12} {:016x}", section.checksum)?;
        }
    }
    print(&text);
    Ok(ExitCode::SUCCESS)
}

/// Directories and symbolic links in use. Tables keep room for those that changes have removed: then each id is looked at.
fn directories_and_links(index: &Index) -> (u64, u64) {
    let (tables, namespace) = (index.tables(), index.namespace());
    let bound = namespace.inode_bound();
    if namespace.n_inodes() + namespace.n_aliases() == bound as usize {
        return (tables.dirs().len() as u64, (tables.links().len() - namespace.n_aliases()) as u64);
    }
    let mut counts = (0, 0);
    for file_type in (0..bound).filter_map(|id| namespace.file_type(id)) {
        counts.0 += u64::from(file_type == FileType::Directory);
        counts.1 += u64::from(file_type == FileType::Symlink);
    }
    counts
}

/// The last second that has a date of four digits in its year.
const LAST_SECOND: i64 = 253_402_300_799;

/// Nanoseconds since 1970 as a date in UTC; as a number where a damaged file holds none.
fn push_date(text: &mut Vec<u8>, nanoseconds: i64) {
    match u64::try_from(nanoseconds.div_euclid(1_000_000_000)) {
        Ok(seconds) if seconds <= LAST_SECOND as u64 => {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let _ = write!(text, "{}", humantime::format_rfc3339_seconds(time));
        }
        _ => push_time(text, nanoseconds),
    }
}

/// Arguments, which end in NUL, as a shell would take them.
fn push_words(text: &mut Vec<u8>, arguments: &[u8]) {
    for (i, word) in arguments.split(|&byte| byte == 0).enumerate() {
        if i > 0 {
            text.push(b' ');
        }
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(byte);
        if !word.is_empty() && word.iter().all(is_plain) {
            text.extend_from_slice(word);
        } else {
            let _ = write!(text, "$'{}'", word.escape_ascii());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{push_date, push_words};

    #[test]
    fn dates_and_arguments_are_readable() {
        let date = |nanoseconds| {
            let mut text = Vec::new();
            push_date(&mut text, nanoseconds);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(date(1_795_436_216_590_000_000), "2026-11-23T12:16:56Z");
        assert_eq!(date(-1_500_000_000), "-1.500000000");
        assert!(date(i64::MAX).starts_with("2262-"));

        let mut text = Vec::new();
        push_words(&mut text, b"index\0/usr\0--exclude\0*.o\0it's");
        assert_eq!(text, br"index /usr --exclude $'*.o' $'it\'s'");
    }
}
