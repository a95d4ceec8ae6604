//! `warpath index`.

use super::source::{Read, SourceArgs};
use crate::tell;
use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use warpath_core::Index;
use warpath_file::{Facts, SaveOptions, save};

/// Make an index file of a directory, a list, an archive, an image or a table
///
/// The file holds all that lookups need, and is mapped in milliseconds. It also holds the secret key of its hash: it is
/// readable by its owner alone, unless --mode says otherwise.
///
/// Exit code: 0 made, 2 could not.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  warpath index /srv/data -o data.warp
  find . -print0 | warpath index --from-list - -0 -o data.warp
  warpath index --from-oci image.tar -o image.warp")]
pub struct IndexArgs {
    #[command(flatten)]
    pub source: SourceArgs,

    /// The index file to write; an old one is replaced when the new one is whole
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Permissions of FILE, octal
    #[arg(long, value_name = "MODE", default_value = "600")]
    pub mode: String,

    /// Say on standard error what was read, how large the file is and how long it took
    #[arg(long)]
    pub stats: bool,
}

pub fn run(args: &IndexArgs) -> Result<ExitCode> {
    let mode = u32::from_str_radix(&args.mode, 8).ok().filter(|mode| mode & !0o777 == 0);
    let Some(mode) = mode else { bail!("--mode {}: octal permissions such as 640 are wanted", args.mode) };
    // Before what may take long.
    let folder =
        args.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("--output {}: there is no folder {}", args.output.display(), folder.display());
    }
    if args.output.is_dir() {
        bail!("--output {}: it is a directory", args.output.display());
    }
    let (_, path) = args.source.kind_and_path()?;
    let identity =
        |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    if identity(path).is_some_and(|source| identity(&args.output) == Some(source)) {
        bail!("--output {}: it is the source, which would be lost", args.output.display());
    }
    let begin = Instant::now();
    let read = args.source.read(path)?;
    let read_time = begin.elapsed();
    let facts = facts(&read);
    let Read { namespace, notes, n_records, .. } = read;
    for note in &notes {
        tell(format_args!("{note}"));
    }
    let begin = Instant::now();
    let index = Index::build(namespace)?;
    let build_time = begin.elapsed();
    let begin = Instant::now();
    let saved = save(&index, &facts, &args.output, &SaveOptions { mode, owner: None })?;
    if args.stats {
        let n_entries = index.namespace().n_entries();
        tell(format_args!(
            "{n_records} records, {n_entries} entries read in {:.3} s",
            read_time.as_secs_f64()
        ));
        tell(format_args!("index built in {:.3} s", build_time.as_secs_f64()));
        let per_entry = saved.n_bytes as f64 / n_entries.max(1) as f64;
        let seconds = begin.elapsed().as_secs_f64();
        tell(format_args!("{} bytes saved in {seconds:.3} s, {per_entry:.1} an entry", saved.n_bytes));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is stored of how the index was made, so that `update` can do it again.
pub fn facts(read: &Read) -> Facts {
    let mut facts = Facts::new();
    facts
        .set("created", now().to_string())
        .set("made-by", concat!("warpath ", env!("CARGO_PKG_VERSION")))
        .set("source", read.kind)
        .set("source-path", read.path.as_os_str().as_bytes());
    if read.is_host {
        facts.set("mount", "/");
    }
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    facts.set("arguments", arguments.join("\0".as_ref()).as_bytes());
    facts
}

/// Nanoseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970");
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
