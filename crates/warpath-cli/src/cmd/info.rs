//! `warpath info`.

use super::{print, push_time};
use anyhow::Result;
use clap::Args as ClapArgs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
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
        write!(text, "{name:<14}")?;
        match (name, opened.facts.number(name)) {
            ("created" | "updated", Some(time)) => push_time(&mut text, time),
            _ => write!(text, "{}", value.escape_ascii())?,
        }
        text.push(b'\n');
    }
    let params = index.tables().params();
    for (name, value) in [
        ("entries", namespace.n_entries() as u64),
        ("inodes", namespace.n_inodes() as u64),
        ("directories", index.tables().dirs().len() as u64),
        ("links", index.tables().links().len() as u64),
        ("partial", namespace.n_partial() as u64),
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
