//! `warpath lookup`.

use crate::args::LookupArgs;
use crate::engines;
use crate::input::Input;
use crate::output::Format;
use crate::pipeline::{self, Resolver};
use crate::stats::Stats;
use crate::tell;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use warpath_core::{Index, InodeId, Options};
use warpath_sources::live::{Scan, ScanOptions, ScanSummary, scan};

/// Answers all paths; the exit code says whether all were found.
pub fn run(args: &LookupArgs) -> Result<ExitCode> {
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    // Before the scan: a list that is missing should be told at once.
    let input = Input::open(args)?;

    let mut tree = scan_root(args)?;
    warn(&tree.summary);
    let options = Options {
        start: start(&mut tree, args)?,
        follow: !args.no_follow,
        beneath: args.beneath,
        no_symlinks: args.no_symlinks,
        walk_only: false,
    };

    let begin = Instant::now();
    let index = Index::build(tree.namespace)?;
    let plan = index.plan(&options)?;
    let build_time = begin.elapsed();

    let chosen = engines::choose(args.engine)?;
    let engine = &*chosen.engine;
    let format = Format::new(index.namespace(), args.only, args.delimiter());
    let resolver = Resolver {
        engine,
        tables: index.tables(),
        plan: &plan,
        format: &format,
        batch_bytes: chosen.batch_bytes,
    };
    let report = pipeline::run(input, &resolver)?;

    if args.stats {
        let info = engine.info();
        let stats = Stats { scan: &tree.summary, index: &index, build_time, info, why: chosen.why, report };
        // Where standard error is closed there is nobody to read them.
        let _ = write!(std::io::stderr().lock(), "{stats}");
    }
    let all_found = report.counts[1..].iter().all(|&count| count == 0);
    Ok(ExitCode::from(u8::from(!all_found)))
}

fn scan_root(args: &LookupArgs) -> Result<Scan> {
    let bar = progress_bar(&args.root);
    let options = ScanOptions {
        in_root: args.in_root,
        attributes: false,
        follow_mounts: args.follow_mounts,
        exclude: args.exclude.clone(),
        threads: args.threads,
        progress: Some(&|n_entries| bar.set_position(n_entries)),
    };
    let tree = scan(&args.root, &options);
    bar.finish_and_clear();
    tree.context("--root")
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
