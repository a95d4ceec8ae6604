//! `warpath update`.

use super::index::now;
use super::source::SourceArgs;
use crate::args::{Args, Command};
use crate::tell;
use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Parser};
use rustix::process::geteuid;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use warpath_core::{InodeId, Namespace, Options, ROOT, reference};
use warpath_file::{SaveOptions, save, verify};
use warpath_sources::diff::{Counts, changes};

/// Read an index's source again and store what has changed
///
/// The source is read as it was when the index was made. What differs is applied as one change: inodes that are still
/// there keep their ids, files that were renamed too where the file system's inode numbers tell. Nothing is written where
/// nothing has changed.
///
/// Exit code: 0 the index is up to date, 2 it could not be updated and is as it was.
#[derive(Debug, ClapArgs)]
pub struct UpdateArgs {
    /// The index file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Update what lies below this directory of the index alone; only that is read where the source is a directory
    #[arg(long, value_name = "DIR")]
    pub only: Option<OsString>,

    /// Say what would change, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

pub fn run(args: &UpdateArgs) -> Result<ExitCode> {
    // Only what is sound may be changed.
    let mut opened = verify(&args.file)?;
    let source = stored_source(&opened.facts, &args.file)?;
    let path = opened.facts.get("source-path").unwrap_or_default();
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    if path == Path::new("-") {
        bail!("{}: it was made from standard input, which can't be read again", args.file.display());
    }
    if std::fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        bail!("{}: its source {} can't be read again", args.file.display(), path.display());
    }
    let namespace = opened.index.namespace();
    let top = match &args.only {
        None => ROOT,
        Some(only) => directory(namespace, only.as_bytes())
            .with_context(|| format!("--only {}: no such directory in the index", only.display()))?,
    };
    let only = namespace.path_of(top).unwrap_or_default();
    // What the index leaves out below this directory, as an exclusion or another file system, only the whole tree says again.
    let whole = top == ROOT || namespace.is_partial(top);
    let part = if whole { None } else { part_of(&path, &source, &only) };
    let read = source.read(part.as_deref().unwrap_or(&path))?;
    for note in &read.notes {
        tell(format_args!("{note}"));
    }
    // A part of a tree with a root of its own was read as a root.
    let new_top =
        if part.is_some() && source.in_root { Some(ROOT) } else { directory(&read.namespace, &only) };
    let new_top = new_top.with_context(|| {
        format!("{} is gone: update the whole index, without --only", only.escape_ascii())
    })?;
    let (changes, counts) = changes(namespace, top, &read.namespace, new_top)?;
    let Counts { added, removed, renamed, changed } = counts;
    tell(format_args!(
        "{added} added, {removed} removed, {renamed} renamed, {changed} with other attributes"
    ));
    if args.dry_run || changes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    opened.index.apply(&changes)?;
    while opened.index.rekey(usize::MAX) {}
    opened.facts.set("updated", now().to_string());
    let old = std::fs::metadata(&args.file)?;
    // Another user's file stays theirs where root updates it.
    let owner = geteuid().is_root().then_some((old.uid(), old.gid()));
    save(&opened.index, &opened.facts, &args.file, &SaveOptions { mode: old.mode() & 0o777, owner })?;
    Ok(ExitCode::SUCCESS)
}

/// The directory of a path.
fn directory(namespace: &Namespace, path: &[u8]) -> Option<InodeId> {
    let inode = reference::resolve(namespace, path, &Options::default()).ok()?;
    namespace.is_directory(inode).then_some(inode)
}

/// The part of a tree that stands for directory `only` of the index, where it can be read alone.
fn part_of(path: &Path, source: &SourceArgs, only: &[u8]) -> Option<PathBuf> {
    // Globs with a slash are about paths from the tree's own top.
    if source.directory.is_none() || source.exclude.iter().any(|glob| glob.contains('/')) {
        return None;
    }
    let only = Path::new(OsStr::from_bytes(only));
    // The way to the tree may lead through links.
    let top = std::fs::canonicalize(path).ok()?;
    let part = match source.in_root {
        true => top.join(only.strip_prefix("/").unwrap_or(only)),
        false => only.starts_with(&top).then(|| only.to_path_buf())?,
    };
    let device = |path: &Path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
    (source.follow_mounts || device(&part) == device(&top)).then_some(part)
}

/// The arguments that the index was made with.
fn stored_source(facts: &warpath_file::Facts, file: &Path) -> Result<SourceArgs> {
    let arguments = facts.get("arguments").unwrap_or_default();
    let words = arguments.split(|&byte| byte == 0).map(|word| OsStr::from_bytes(word).to_owned());
    let parsed = Args::try_parse_from(std::iter::once(OsString::from("warpath")).chain(words));
    match parsed.map(|args| args.command) {
        Ok(Command::Index(args)) => Ok(args.source),
        _ => bail!("{}: it does not say how it was made: make it anew with `warpath index`", file.display()),
    }
}
