//! `warpath lookup`.

use crate::args::LookupArgs;
use crate::engines;
use crate::input::Input;
use crate::output::{Column, DEFAULT_COLUMNS, Format, Known};
use crate::pipeline::{self, Report, Resolver};
use crate::stats::{IndexStats, Stats};
use crate::targets::{Target, Targets};
use crate::tell;
use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use warpath_core::{EngineInfo, Index, InodeId, Options, ROOT, reference};
use warpath_file::Opened;
use warpath_sources::live::{Scan, ScanError, ScanOptions, ScanSummary, scan};

/// Bytes of paths that make a good batch of a table: those who read it take larger ones than text needs.
const TABLE_BATCH: usize = 1 << 20;

/// Answers all paths; the exit code says whether all were found.
pub fn run(args: &LookupArgs) -> Result<ExitCode> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.threads.into()).build_global();
    threads.map_err(|error| anyhow!("the system gives no threads: {error}"))?;
    // Before the scan: a list that is missing should be told at once.
    let input = Input::open(args)?;
    let options = Options {
        start: ROOT,
        follow: !args.no_follow,
        beneath: args.beneath,
        no_symlinks: args.no_symlinks,
        walk_only: false,
    };
    match &args.root {
        Some(root) => by_scan(args, root, input, options),
        None => by_files(args, input, &options),
    }
}

/// Answers from a tree that is scanned first.
fn by_scan(args: &LookupArgs, root: &Path, input: Input, options: Options) -> Result<ExitCode> {
    let mut tree = scan_root(args, root)?;
    warn(&tree.summary);
    let options = options.start(start(&mut tree, args)?);
    let begin = Instant::now();
    let index = Index::build(tree.namespace)?;
    let plan = index.plan(&options)?;
    let build_time = begin.elapsed();
    let (known, tables) = (Known::of(index.namespace()), index.tables());
    let target = Target { known, tables, plan, mount: Vec::new(), takes_relative: true };
    answer(args, input, vec![target], &|info, why, report| {
        let stats = Stats { scan: &tree.summary, index: &index, build_time, info, why, report };
        stats.to_string()
    })
}

/// Answers from index files.
fn by_files(args: &LookupArgs, input: Input, options: &Options) -> Result<ExitCode> {
    if args.in_root || args.follow_mounts || !args.exclude.is_empty() {
        bail!("--in-root, --follow-mounts and --exclude are about scans: give them to `warpath index`");
    }
    let begin = Instant::now();
    let files = args.index.iter().map(|index| IndexFile::open(index)).collect::<Result<Vec<_>>>()?;
    if (args.at.is_some() || args.beneath) && (files.len() > 1 || !files[0].mount.is_empty()) {
        bail!("--at and --beneath: they need one --index, without a MOUNTPOINT");
    }
    let current_directory = current_directory()?;
    let targets = files
        .iter()
        .map(|file| file.target(args, *options, &current_directory))
        .collect::<Result<Vec<_>>>()?;
    let open_time = begin.elapsed();
    answer(args, input, targets, &|info, why, report| {
        let entries: usize = files.iter().map(|file| file.opened.index.namespace().n_entries()).sum();
        IndexStats { entries: entries as u64, open_time, info, why, report }.to_string()
    })
}

/// An index file, and where its root stands.
struct IndexFile {
    opened: Opened,
    mount: Vec<u8>,
}

impl IndexFile {
    /// Opens `FILE` or `FILE=MOUNTPOINT`; a file that has the whole argument as its name is that file.
    fn open(argument: &OsStr) -> Result<IndexFile> {
        let bytes = argument.as_bytes();
        let equals =
            bytes.windows(2).rposition(|pair| pair == b"=/").filter(|_| !Path::new(argument).exists());
        let (file, mount) = match equals {
            Some(equals) => (&bytes[..equals], &bytes[equals + 1..]),
            None => (bytes, &b""[..]),
        };
        if file.is_empty() {
            bail!("--index: the name of the file is empty");
        }
        let opened = warpath_file::open(Path::new(OsStr::from_bytes(file)))?;
        let n_slashes = mount.iter().rev().take_while(|&&byte| byte == b'/').count();
        // At `/` paths are the index's own; only relative ones differ.
        Ok(IndexFile { opened, mount: mount[..mount.len() - n_slashes].to_vec() })
    }

    fn target(&self, args: &LookupArgs, options: Options, current_directory: &Path) -> Result<Target<'_>> {
        let (index, namespace) = (&self.opened.index, self.opened.index.namespace());
        let is_host = self.opened.facts.get("mount") == Some(b"/");
        let directory = |path: &Path| {
            let inode =
                reference::resolve(namespace, path.as_os_str().as_bytes(), &Options::default()).ok()?;
            namespace.is_directory(inode).then_some(inode)
        };
        let start = match &args.at {
            Some(at) if is_host => directory(&current_directory.join(at)),
            Some(at) => directory(at),
            None if is_host => directory(current_directory),
            None => Some(ROOT),
        };
        if let (Some(at), None) = (&args.at, start) {
            bail!("--at {}: no such directory in the index", at.display());
        }
        let alone = args.index.len() == 1 && self.mount.is_empty();
        let plan = index.plan(&options.start(start.unwrap_or(ROOT)))?;
        let takes_relative = alone && start.is_some();
        let known = Known::of(namespace);
        Ok(Target { known, tables: index.tables(), plan, mount: self.mount.clone(), takes_relative })
    }
}

/// Answers all paths of the input and says what `--stats` asks for.
fn answer(
    args: &LookupArgs,
    input: Input,
    targets: Vec<Target<'_>>,
    stats: &dyn Fn(EngineInfo, &'static str, Report) -> String,
) -> Result<ExitCode> {
    let chosen = engines::choose(&args.engine)?;
    let engine = &*chosen.engine;
    let numbered = targets.iter().any(|target| !target.known.numbers.is_empty());
    let mut columns = if args.columns.is_empty() { DEFAULT_COLUMNS.to_vec() } else { args.columns.clone() };
    // An index of a list or an archive holds no numbers of a file system.
    if !numbered && !columns.contains(&Column::Id) {
        columns.iter_mut().filter(|column| **column == Column::Ino).for_each(|ino| *ino = Column::Id);
    }
    let format =
        Format { columns, name: args.format, only: args.only, delimiter: args.delimiter(), utf8: args.utf8 };
    if format.is_table() && std::io::stdout().is_terminal() {
        bail!("--format: this is no text: write it to a file or a pipe");
    }
    let batch_bytes =
        if format.is_table() { chosen.batch_bytes.max(TABLE_BATCH) } else { chosen.batch_bytes };
    let targets = Targets::new(targets, &current_directory()?);
    let report = pipeline::run(input, &Resolver { engine, targets: &targets, format: &format, batch_bytes })?;
    if args.stats {
        // Where standard error is closed there is nobody to read them.
        let _ = write!(std::io::stderr().lock(), "{}", stats(engine.info(), chosen.why, report));
    }
    let all_found = report.counts[1..].iter().all(|&count| count == 0);
    Ok(ExitCode::from(u8::from(!all_found)))
}

fn scan_root(args: &LookupArgs, root: &Path) -> Result<Scan> {
    let bar = progress_bar(root);
    let options = ScanOptions {
        in_root: args.in_root,
        attributes: false,
        follow_mounts: args.follow_mounts,
        exclude: args.exclude.clone(),
        threads: args.threads.into(),
        progress: Some(&|n_entries| bar.set_position(n_entries)),
    };
    let tree = scan(root, &options);
    bar.finish_and_clear();
    // A bad glob names itself.
    tree.map_err(|error| match error {
        ScanError::Glob { .. } => anyhow::Error::new(error).context("--exclude"),
        error => anyhow::Error::new(error).context("--root"),
    })
}

/// A bar on terminals, and nothing elsewhere.
fn progress_bar(root: &Path) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} scanning {msg}: {human_pos} entries, {per_sec}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(root.display().to_string());
    bar
}

/// Where relative paths begin.
fn start(tree: &mut Scan, args: &LookupArgs) -> Result<InodeId> {
    match &args.at {
        Some(directory) => tree.start(directory).context("--at"),
        None if args.in_root => Ok(tree.root),
        None => tree.start(Path::new(".")).context("the current directory, where relative paths begin"),
    }
}

fn current_directory() -> Result<PathBuf> {
    std::env::current_dir().context("the current directory, where relative paths begin")
}

/// One line for all that the scan could not read.
fn warn(summary: &ScanSummary) {
    let Some(first) = summary.examples.first() else { return };
    let (path, n) = (first.path.display(), summary.unreadable);
    let (directories, them) = if n == 1 { ("directory", "it") } else { ("directories", "them") };
    tell(format_args!(
        "warning: {n} {directories} could not be read, paths below {them} are UNINDEXED (first: {path}: {})",
        first.reason
    ));
}
