//! `warpath ls`.

use super::{print, push_line};
use crate::tell;
use anyhow::Result;
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use warpath_core::{FileType, InodeId, Namespace, Options, reference};
use warpath_file::open;

/// List directories of an index file
///
/// Names sorted by their bytes, a line each; a directory's ends in `/`.
///
/// Exit code: 0 all listed, 1 a path was not found, 2 could not run.
#[derive(Debug, ClapArgs)]
pub struct LsArgs {
    /// The index file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Directories, or other paths; default: the root
    #[arg(value_name = "PATH")]
    pub paths: Vec<OsString>,

    /// All that lies below, as paths from the root
    #[arg(short = 'R', long)]
    pub recursive: bool,

    /// Names end in NUL instead of a newline
    #[arg(short = '0', long)]
    pub null: bool,
}

/// Bytes of output that are gathered before they are written.
const BUFFER: usize = 1 << 16;

pub fn run(args: &LsArgs) -> Result<ExitCode> {
    let opened = open(&args.file)?;
    let namespace = opened.index.namespace();
    let root = [OsString::from("/")];
    let paths = if args.paths.is_empty() { &root[..] } else { &args.paths[..] };
    let mut code = ExitCode::SUCCESS;
    let mut listing = Listing { namespace, delimiter: if args.null { 0 } else { b'\n' }, text: Vec::new() };
    for path in paths {
        match reference::resolve(namespace, path.as_bytes(), &Options::default()) {
            Err(error) => {
                tell(format_args!("{}: {error}", path.display()));
                code = ExitCode::from(1);
            }
            Ok(inode) if !namespace.is_directory(inode) => listing.line(path.as_bytes()),
            Ok(directory) if args.recursive => listing.below(directory),
            Ok(directory) => drop(listing.directory(directory, b"")),
        }
    }
    print(&listing.text);
    Ok(code)
}

struct Listing<'n> {
    namespace: &'n Namespace,
    delimiter: u8,
    text: Vec<u8>,
}

impl Listing<'_> {
    fn line(&mut self, line: &[u8]) {
        push_line(&mut self.text, line, self.delimiter);
        if self.text.len() > BUFFER {
            print(&self.text);
            self.text.clear();
        }
    }

    /// The names of a directory, sorted, each behind `prefix`; gives back its directories.
    fn directory(&mut self, directory: InodeId, prefix: &[u8]) -> Vec<(Vec<u8>, InodeId)> {
        let mut entries: Vec<_> =
            self.namespace.list(directory).map(|entry| (entry.name, entry.inode)).collect();
        entries.sort_unstable();
        let mut directories = Vec::new();
        for (name, inode) in entries {
            let mut line = [prefix, name].concat();
            if self.namespace.file_type(inode) == Some(FileType::Directory) {
                line.push(b'/');
                directories.push((line.clone(), inode));
            }
            self.line(&line);
        }
        directories
    }

    /// All that lies below a directory. Of a file that was not verified a directory may lie in itself: each is entered once.
    fn below(&mut self, directory: InodeId) {
        let mut path = self.namespace.path_of(directory).unwrap_or_default();
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        let mut entered = vec![false; self.namespace.inode_bound() as usize];
        let mut pending = vec![(path, directory)];
        while let Some((path, directory)) = pending.pop() {
            if !std::mem::replace(&mut entered[directory as usize], true) {
                let mut directories = self.directory(directory, &path);
                directories.reverse();
                pending.append(&mut directories);
            }
        }
    }
}
