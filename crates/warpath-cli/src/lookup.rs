//! `warpath lookup`.

use crate::args::LookupArgs;
use crate::engines;
use crate::input::Input;
use crate::output::{Column, DEFAULT_COLUMNS, Format, Known};
use crate::pipeline::{self, Report, Resolver};
use crate::stats::{IndexStats, Stats};
use crate::targets::{Mounted, Mounts, Target, Targets, mount_point};
use crate::tell;
use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use warpath_core::{EngineInfo, Index, InodeId, LookupError, Options, Plan, ROOT, reference};
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
    let target = Target { known, tables, plan };
    answer(args, input, Targets::Alone { target, takes_relative: true }, &|info, why, report| {
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
    let targets = match &files[..] {
        [file] if file.mount.is_none() => file.alone(args, options)?,
        _ if args.at.is_some() || args.beneath => {
            bail!("--at and --beneath: they need one --index, without a MOUNTPOINT")
        }
        files => mounted(files, options)?,
    };
    let open_time = begin.elapsed();
    answer(args, input, targets, &|info, why, report| {
        let entries: usize = files.iter().map(|file| file.opened.index.namespace().n_entries()).sum();
        IndexStats { entries: entries as u64, open_time, info, why, report }.to_string()
    })
}

/// An index file, and where its root stands.
struct IndexFile {
    name: PathBuf,
    opened: Opened,
    /// Where a MOUNTPOINT was given.
    mount: Option<Vec<u8>>,
}

impl IndexFile {
    /// Opens `FILE` or `FILE=MOUNTPOINT`; a file that has the whole argument as its name is that file.
    fn open(argument: &OsStr) -> Result<IndexFile> {
        let bytes = argument.as_bytes();
        let equals =
            bytes.windows(2).rposition(|pair| pair == b"=/").filter(|_| !Path::new(argument).exists());
        let (file, mount) = match equals {
            Some(equals) => (&bytes[..equals], Some(&bytes[equals + 1..])),
            None => (bytes, None),
        };
        if file.is_empty() {
            bail!("--index: the name of the file is empty");
        }
        let mount = mount.map(|mount| {
            let no_dots = || format!("--index {}: a MOUNTPOINT holds no `..`", argument.display());
            mount_point(mount).with_context(no_dots)
        });
        let name = PathBuf::from(OsStr::from_bytes(file));
        Ok(IndexFile { opened: warpath_file::open(&name)?, name, mount: mount.transpose()? })
    }

    /// Whether its paths are this machine's.
    fn is_host(&self) -> bool {
        self.opened.facts.get("mount") == Some(b"/")
    }

    fn directory(&self, path: &[u8]) -> Result<InodeId, LookupError> {
        let namespace = self.opened.index.namespace();
        let inode = reference::resolve(namespace, path, &Options::default())?;
        if namespace.is_directory(inode) { Ok(inode) } else { Err(LookupError::NotADirectory) }
    }

    /// The only index, with paths as it has them.
    fn alone(&self, args: &LookupArgs, options: &Options) -> Result<Targets<'_>> {
        let directory = |path: &Path| self.directory(path.as_os_str().as_bytes()).ok();
        let start = match &args.at {
            // What is absolute needs no current directory, which may have been removed.
            Some(at) if self.is_host() && !at.is_absolute() => directory(&current_directory()?.join(at)),
            Some(at) => directory(at),
            None if self.is_host() => current_directory().ok().and_then(|here| directory(&here)),
            None => Some(ROOT),
        };
        if let (Some(at), None) = (&args.at, start) {
            bail!("--at {}: no such directory in the index", at.display());
        }
        let plan = self.opened.index.plan(&options.start(start.unwrap_or(ROOT)))?;
        Ok(Targets::Alone { target: self.target(plan), takes_relative: start.is_some() })
    }

    /// At its mount point.
    fn mounted(&self, options: &Options, current_directory: Option<&[u8]>) -> Result<Mounted<'_>> {
        let (index, mount) = (&self.opened.index, self.mount.clone().unwrap_or_default());
        let below = current_directory.and_then(|directory| directory.strip_prefix(mount.as_slice()));
        let start = match below {
            Some([]) => Ok(ROOT),
            Some(below) if below.starts_with(b"/") => self.directory(below),
            _ => Err(LookupError::NotIndexed),
        };
        let here = match start {
            Ok(start) => Ok(index.plan(&options.start(start))?),
            Err(error) => Err(error),
        };
        Ok(Mounted { target: self.target(index.plan(options)?), mount, here })
    }

    fn target(&self, plan: Plan) -> Target<'_> {
        let index = &self.opened.index;
        Target { known: Known::of(index.namespace()), tables: index.tables(), plan }
    }
}

/// The indexes at their mount points; without one given, that is the root.
fn mounted<'a>(files: &'a [IndexFile], options: &Options) -> Result<Targets<'a>> {
    for (i, file) in files.iter().enumerate() {
        // Indexes of this machine agree on what they have in common. Of others one would hide the other.
        let is_shared = |file: &IndexFile| file.mount.is_none() && file.is_host();
        let mount = |file: &IndexFile| file.mount.clone().unwrap_or_default();
        let other = files[..i].iter().find(|other| mount(other) == mount(file));
        if let Some(other) = other.filter(|other| !is_shared(other) || !is_shared(file)) {
            let (other, name) = (other.name.display(), file.name.display());
            bail!("--index: {other} and {name} stand at the same place: give each its own MOUNTPOINT");
        }
    }
    // Without a slash at its end: empty for the root.
    let current_directory = current_directory().ok().map(|directory| {
        let bytes = directory.into_os_string().into_vec();
        bytes.strip_suffix(b"/").map_or(bytes.clone(), <[u8]>::to_vec)
    });
    let mounted = files.iter().map(|file| file.mounted(options, current_directory.as_deref()));
    Ok(Targets::Mounts(Mounts::new(mounted.collect::<Result<_>>()?, current_directory)))
}

/// Answers all paths of the input and says what `--stats` asks for.
fn answer(
    args: &LookupArgs,
    input: Input,
    targets: Targets<'_>,
    stats: &dyn Fn(EngineInfo, &'static str, Report) -> String,
) -> Result<ExitCode> {
    let chosen = engines::choose(&args.engine)?;
    let engine = &*chosen.engine;
    let numbered = targets.known().any(|known| !known.numbers.is_empty());
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
