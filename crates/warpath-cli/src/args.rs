//! Arguments and their help.

use crate::cmd::generate::GenerateArgs;
use crate::cmd::index::IndexArgs;
use crate::cmd::info::InfoArgs;
use crate::cmd::ls::LsArgs;
use crate::cmd::path_of::PathOfArgs;
use crate::cmd::stat::StatArgs;
use crate::cmd::update::UpdateArgs;
use crate::cmd::verify::VerifyArgs;
use crate::output::{Column, FormatName};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use warpath_core::EngineName;

/// Resolves file paths to inodes in very large batches, with exactly the Linux kernel's semantics.
#[derive(Debug, Parser)]
#[command(name = "warpath", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Lookup(LookupArgs),
    Bench(crate::bench::BenchArgs),
    Index(Box<IndexArgs>),
    Info(InfoArgs),
    Verify(VerifyArgs),
    Ls(LsArgs),
    Stat(StatArgs),
    PathOf(PathOfArgs),
    Update(UpdateArgs),
    Generate(GenerateArgs),
    /// List the engines of this build and the devices they find, and why one can't be used
    Engines,
}

/// Tell which inode each path names
///
/// Scans the tree below --root once, then answers every path from memory. A line a path, in order:
/// STATUS<TAB>INO<TAB>PATH. STATUS is OK, or ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EINVAL, EXDEV as the
/// kernel would say, or UNINDEXED where the path leads to what the scan did not cover and may exist. INO
/// is the file system's inode number, or - where there is none. Paths are echoed byte for byte.
///
/// Exit code: 0 all found, 1 some not, 2 could not run, 141 nobody reads the output any more.
#[derive(Debug, ClapArgs)]
#[command(
    group(clap::ArgGroup::new("tree").required(true).args(["root", "index"])),
    after_help = "Example:\n  find /usr | warpath lookup --root /usr --stats"
)]
pub struct LookupArgs {
    /// Paths to look up; - stands for those on standard input, which is also the default when neither
    /// PATH nor --file is given
    #[arg(value_name = "PATH")]
    pub paths: Vec<OsString>,

    /// Directory to scan and to resolve against
    ///
    /// Absolute paths are the host's: what lies outside DIR is UNINDEXED. Relative paths begin at the
    /// current directory, as in any other command.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Resolve against an index file of `warpath index` instead of scanning; can be repeated
    ///
    /// FILE=MOUNTPOINT sets the index's root at that absolute path; of several indexes the one with the
    /// longest mount point in front of a path answers it, and paths in front of which none stands are
    /// UNINDEXED. The mount point is compared as text: links do not lead from one index to another, and
    /// paths that `..` leads out of one are UNINDEXED. Without MOUNTPOINTs indexes of this machine's trees
    /// add to each other.
    #[arg(long, value_name = "FILE[=MOUNTPOINT]")]
    pub index: Vec<OsString>,

    /// Make DIR of --root the root: absolute paths, absolute links and `..` stay inside, and relative
    /// paths begin there
    #[arg(long)]
    pub in_root: bool,

    /// Read paths from FILE, after those named as arguments; - is standard input; can be repeated
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<PathBuf>,

    /// Paths end in NUL instead of a newline, in the input and in the output; objects of jsonl end in a newline in any case
    #[arg(short = '0', long)]
    pub null: bool,

    /// Start directory of relative paths; within the tree when --in-root is given
    #[arg(long, value_name = "DIR")]
    pub at: Option<PathBuf>,

    /// A symbolic link at the end of a path is the answer itself (lstat) instead of being followed (stat)
    #[arg(long)]
    pub no_follow: bool,

    /// Paths that leave the start directory are EXDEV (openat2's RESOLVE_BENEATH)
    #[arg(long)]
    pub beneath: bool,

    /// Paths that follow any symbolic link are ELOOP (openat2's RESOLVE_NO_SYMLINKS)
    #[arg(long)]
    pub no_symlinks: bool,

    /// Read paths from a column of a table, after all others: FILE.csv:COLUMN (or FILE.parquet:COLUMN and
    /// FILE.arrow:COLUMN where this warpath was built with them); can be repeated
    #[arg(long, value_name = "FILE:COLUMN")]
    pub paths_from: Vec<String>,

    /// How answers are written; arrow and parquet where this warpath was built with them
    ///
    /// In Arrow and Parquet, ino and size are unsigned numbers, mtime is a time stamp in UTC, path and target are bytes,
    /// and what is not known is null. Rows are in the order of the paths.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = FormatName::Text)]
    pub format: FormatName,

    /// In Arrow and Parquet, path and target are strings; what is no UTF-8 becomes U+FFFD
    #[arg(long)]
    pub utf8: bool,

    /// What is written of each path: status, ino, id, kind, size, mtime, target, path; default status,ino,path
    ///
    /// id is warpath's own number of the inode, the same for all its hard links. kind is file, directory, symlink or
    /// other. size, mtime and target are known where the index holds them. Where it holds no inode numbers, ino is
    /// replaced by id, or not known if id is asked for as well.
    #[arg(long, value_enum, value_name = "COLUMNS", value_delimiter = ',')]
    pub columns: Vec<Column>,

    /// What resolves the paths: auto, cpu, wgpu (a GPU through Vulkan, Metal or DX12), wgpu:ADAPTER (the first whose
    /// name holds ADAPTER), cuda (NVIDIA GPUs), cuda:GPU,.. (by number or a part of the name), cuda:resident
    ///
    /// auto is the CPU: it answers paths from a file or a pipe faster than they can be sent to a GPU. `warpath engines`
    /// lists what this machine has.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub engine: EngineName,

    /// Print only paths that were found, or only those that were not
    #[arg(long, value_enum, value_name = "WHICH")]
    pub only: Option<Only>,

    /// Do not read directories that match GLOB: paths below them are UNINDEXED; can be repeated
    ///
    /// A glob without / is compared with the directory's name, one with / with its path below --root.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,

    /// Scan other file systems mounted below --root too, instead of calling them UNINDEXED
    #[arg(long)]
    pub follow_mounts: bool,

    /// Say on standard error what was scanned, what came out and how fast
    #[arg(long)]
    pub stats: bool,

    /// Threads for scanning, building and resolving; 0 is one for every core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=1024))]
    pub threads: u16,
}

/// Which answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// Paths that name an inode.
    Found,
    /// All others.
    Failed,
}

impl LookupArgs {
    /// What ends a path in lists and in the output.
    pub fn delimiter(&self) -> u8 {
        if self.null { 0 } else { b'\n' }
    }
}
