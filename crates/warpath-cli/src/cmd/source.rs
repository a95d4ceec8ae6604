//! What an index is made from, as arguments say it.

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use warpath_core::Namespace;
use warpath_sources::columns::{Column, TableColumns};
use warpath_sources::list::{ListFormat, read_list};
use warpath_sources::live::exclude::Exclude;
use warpath_sources::live::{ScanOptions, scan};
use warpath_sources::oci::{ImageChoice, read_oci};
use warpath_sources::table::{TableFormat, read_csv};
use warpath_sources::{Progress, ReadOptions, Summary, contents, plocate, tar};

/// What to index, and how to read it.
#[derive(Debug, ClapArgs)]
pub struct SourceArgs {
    /// Directory to scan
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,

    #[command(flatten)]
    pub from: FromArgs,

    /// Leave out what lies in directories that match GLOB: paths below them are UNINDEXED; can be repeated
    ///
    /// A glob without / is compared with the directory's name, one with / with its path below the root.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,

    /// DIR: make it the root, instead of keeping the host's paths
    #[arg(long, requires = "directory")]
    pub in_root: bool,

    /// DIR: stay on its file system (the default; said for those who look for it)
    #[arg(long, conflicts_with = "follow_mounts", requires = "directory")]
    pub one_file_system: bool,

    /// DIR: scan other file systems mounted below it too
    #[arg(long, requires = "directory")]
    pub follow_mounts: bool,

    /// DIR: keep size, times, mode and owner of everything; costs a system call an entry
    #[arg(long, requires = "directory")]
    pub attributes: bool,

    /// Lists: records end in NUL instead of a newline
    #[arg(short = '0', long, requires = "from_list")]
    pub null: bool,

    /// Lists: what the columns of a record hold, the path last; default: a path alone
    ///
    /// path, type, size, mtime, inode, device, links, target, mode, uid, gid, skip: as written by
    /// find -printf '%i\t%y\t%s\t%T@\t%l\t%p\n' with inode,type,size,mtime,target,path.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "from_list")]
    pub list_columns: Vec<String>,

    /// Lists: the byte between columns: tab, comma, nul or a character; nul with -0 ends every column
    #[arg(long, value_name = "BYTE", default_value = "tab")]
    pub separator: String,

    /// Tar: the archive is a layer of a container image; names that begin with .wh. are whiteouts
    #[arg(long, requires = "from_tar")]
    pub whiteouts: bool,

    /// Images: name of the image, where there are several
    #[arg(long, value_name = "NAME", requires = "from_oci")]
    pub image: Option<String>,

    /// Images: platform, such as linux/arm64 or linux/arm/v7
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", requires = "from_oci")]
    pub platform: Option<String>,

    /// Tables: which column holds what, such as path=Key; by number from 0 without a header; can be repeated
    ///
    /// Columns that are not named are found by their usual names: path, key, size, mtime, last_modified, type, target..
    #[arg(long, value_name = "WHAT=COLUMN")]
    pub column: Vec<String>,

    /// CSV: the first row is no header
    #[arg(long)]
    pub no_header: bool,

    /// CSV: the byte between fields: comma, tab or a character; with tabs, quotes are bytes like others
    #[arg(long, value_name = "BYTE", default_value = "comma")]
    pub delimiter: String,

    /// Tables: paths are percent-encoded, as in Amazon's inventories
    #[arg(long)]
    pub percent: bool,
}

/// Sources that are files.
#[derive(Debug, ClapArgs)]
#[group(id = "from", multiple = false, conflicts_with = "directory")]
pub struct FromArgs {
    /// A list of paths; - is standard input; may be compressed, as all of these
    #[arg(long, value_name = "FILE")]
    pub from_list: Option<PathBuf>,

    /// A tar archive; - is standard input
    #[arg(long, value_name = "FILE")]
    pub from_tar: Option<PathBuf>,

    /// A container image: an OCI layout (directory or archive) or an archive of docker save
    #[arg(long, value_name = "PATH")]
    pub from_oci: Option<PathBuf>,

    /// A CSV table with a path column, such as an object store's inventory
    #[arg(long, value_name = "FILE")]
    pub from_csv: Option<PathBuf>,

    /// An Arrow IPC file or stream with a path column; where this warpath was built with tables
    #[arg(long, value_name = "FILE")]
    pub from_arrow: Option<PathBuf>,

    /// A Parquet file with a path column; where this warpath was built with tables
    #[arg(long, value_name = "FILE")]
    pub from_parquet: Option<PathBuf>,

    /// A Contents index of a Debian archive
    #[arg(long, value_name = "FILE")]
    pub from_contents: Option<PathBuf>,

    /// A database of plocate
    #[arg(long, value_name = "FILE")]
    pub from_plocate: Option<PathBuf>,
}

/// A namespace that was read, and what is to be told of it.
pub struct Read {
    pub namespace: Namespace,
    /// `tree`, `list`, `tar`, ..
    pub kind: &'static str,
    /// Where it was read from, absolute; `-` for the standard input.
    pub path: PathBuf,
    /// Whether absolute paths are the host's.
    pub is_host: bool,
    /// Records or entries read.
    pub n_records: u64,
    /// What people should know, a line each.
    pub notes: Vec<String>,
}

impl SourceArgs {
    /// What kind of source it is, and where it lies.
    pub fn kind_and_path(&self) -> Result<(&'static str, &Path)> {
        let from = &self.from;
        let sources: &[(&'static str, &Option<PathBuf>)] = &[
            ("tree", &self.directory),
            ("list", &from.from_list),
            ("tar", &from.from_tar),
            ("oci", &from.from_oci),
            ("csv", &from.from_csv),
            ("arrow", &from.from_arrow),
            ("parquet", &from.from_parquet),
            ("contents", &from.from_contents),
            ("plocate", &from.from_plocate),
        ];
        let mut named = sources.iter().filter_map(|(kind, path)| Some((*kind, path.as_deref()?)));
        named.next().context("say what to index: a directory, or --from-list and the like with a file")
    }

    /// Reads it; `path` is where it lies, which may differ from what the arguments say once they are stored.
    pub fn read(&self, path: &Path) -> Result<Read> {
        let (kind, _) = self.kind_and_path()?;
        if kind == "tree" {
            return self.scan(path);
        }
        let bar = progress_bar(path, "records");
        let exclude = Exclude::new(&self.exclude)?;
        let matches = |path: &[u8]| exclude.matches(path);
        let mut on_progress = |progress: &Progress| bar.set_position(progress.records);
        let exclude: Option<warpath_sources::tree::Exclude<'_>> =
            if self.exclude.is_empty() { None } else { Some(&matches) };
        let options = ReadOptions { exclude, on_progress: &mut on_progress };
        let (namespace, summary) = match kind {
            "list" => read_list(path, &self.list_format()?, options)?,
            "tar" => tar::read_tar(path, self.whiteouts, options)?,
            "oci" => {
                let choice = ImageChoice { name: self.image.clone(), platform: self.platform.clone() };
                read_oci(path, &choice, options)?
            }
            "csv" => read_csv(path, &self.table_format()?, options)?,
            #[cfg(feature = "tables")]
            "arrow" => warpath_sources::table::arrow::read_arrow(path, &self.table_format()?, options)?,
            #[cfg(feature = "tables")]
            "parquet" => warpath_sources::table::parquet::read_parquet(path, &self.table_format()?, options)?,
            #[cfg(not(feature = "tables"))]
            "arrow" | "parquet" => bail!(
                "--from-{kind}: this warpath was built without Arrow and Parquet: build it with `--features tables`"
            ),
            "contents" => contents::read_contents(path, options)?,
            _ => plocate::read_plocate(path, options)?,
        };
        bar.finish_and_clear();
        let notes = notes(&summary);
        Ok(Read { namespace, kind, path: absolute(path), is_host: false, n_records: summary.records, notes })
    }

    fn scan(&self, directory: &Path) -> Result<Read> {
        let bar = progress_bar(directory, "entries");
        let options = ScanOptions {
            in_root: self.in_root,
            attributes: self.attributes,
            follow_mounts: self.follow_mounts,
            exclude: self.exclude.clone(),
            threads: 0,
            progress: Some(&|n_entries| bar.set_position(n_entries)),
        };
        let tree = scan(directory, &options)?;
        bar.finish_and_clear();
        let summary = &tree.summary;
        let counts = [
            (summary.unreadable, "directories that could not be read (UNINDEXED)"),
            (summary.excluded, "directories excluded (UNINDEXED)"),
            (summary.other_file_systems, "other file systems (UNINDEXED)"),
            (summary.vanished, "names vanished during the scan"),
            (summary.refused, "names refused (too long)"),
        ];
        let mut notes: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what}: {n}")).collect();
        notes.extend(
            summary
                .examples
                .first()
                .map(|first| format!("first unreadable: {}: {}", first.path.display(), first.reason)),
        );
        let n_records = summary.entries;
        let is_host = !self.in_root;
        // The way through links is a part of the host's tree.
        let path = match is_host {
            true => std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf()),
            false => absolute(directory),
        };
        Ok(Read { namespace: tree.namespace, kind: "tree", path, is_host, n_records, notes })
    }

    fn list_format(&self) -> Result<ListFormat> {
        let mut format = if self.null { ListFormat::nul() } else { ListFormat::lines() };
        format.separator = byte(&self.separator).context("--separator")?;
        if !self.list_columns.is_empty() {
            format.columns =
                self.list_columns.iter().map(|name| name.parse()).collect::<Result<Vec<Column>, _>>()?;
        }
        if !format.columns.contains(&Column::Path) {
            bail!("--list-columns: one of the columns must be path");
        }
        Ok(format)
    }

    fn table_format(&self) -> Result<TableFormat> {
        let mut named = Vec::new();
        for pair in &self.column {
            let (what, column) = pair.split_once('=').context("--column: write it as WHAT=COLUMN")?;
            named.push((what.parse()?, column.to_owned()));
        }
        let columns = TableColumns { named, only_these: false };
        let delimiter = byte(&self.delimiter).context("--delimiter")?;
        Ok(TableFormat { columns, header: !self.no_header, delimiter, percent: self.percent })
    }
}

fn byte(text: &str) -> Result<u8> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "nul" | "\\0" => Ok(0),
        _ if text.len() == 1 => Ok(text.as_bytes()[0]),
        _ => bail!("`{text}` is no byte: use tab, comma, nul or one character"),
    }
}

fn absolute(path: &Path) -> PathBuf {
    if path == Path::new("-") {
        return path.to_path_buf();
    }
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

fn notes(summary: &Summary) -> Vec<String> {
    let mut notes: Vec<String> =
        summary.conflicts().iter().map(|(count, rule)| format!("{rule}: {count}")).collect();
    notes.extend(summary.first_refused.as_ref().map(|first| format!("first refused: {first}")));
    notes
}

/// A counter on terminals, and nothing elsewhere.
fn progress_bar(path: &Path, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = format!("{{spinner}} reading {{msg}}: {{human_pos}} {what}, {{per_sec}}");
    bar.set_style(
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.set_message(path.display().to_string());
    bar
}
