//! `warpath path-of`.

use super::{print, push_line};
use crate::tell;
use anyhow::Result;
use clap::Args as ClapArgs;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;
use warpath_core::{InodeId, Namespace};
use warpath_file::open;

/// Tell the paths of inodes, all hard links of each
///
/// Exit code: 0 all found, 1 one was not, 2 could not run.
#[derive(Debug, ClapArgs)]
pub struct PathOfArgs {
    /// The index file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The file system's inode numbers, as `lookup` prints them
    #[arg(value_name = "INO", required = true)]
    pub inodes: Vec<u64>,

    /// The numbers are warpath's own ids
    #[arg(long)]
    pub id: bool,

    /// Paths end in NUL instead of a newline
    #[arg(short = '0', long)]
    pub null: bool,
}

pub fn run(args: &PathOfArgs) -> Result<ExitCode> {
    let opened = open(&args.file)?;
    let namespace = opened.index.namespace();
    let found = if args.id {
        args.inodes.iter().filter_map(|&id| Some((id, vec![InodeId::try_from(id).ok()?]))).collect()
    } else {
        by_number(namespace, &args.inodes)
    };
    let (mut text, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for number in &args.inodes {
        let paths = found.get(number).map_or_else(Vec::new, |ids| paths_of(namespace, ids));
        if paths.is_empty() {
            tell(format_args!("no inode {number}"));
            code = ExitCode::from(1);
        }
        for path in paths {
            push_line(&mut text, &path, if args.null { 0 } else { b'\n' });
        }
    }
    print(&text);
    Ok(code)
}

/// The ids of the file system's numbers: a pass over all of them.
fn by_number(namespace: &Namespace, numbers: &[u64]) -> HashMap<u64, Vec<InodeId>> {
    let wanted: HashSet<u64> = numbers.iter().copied().collect();
    let mut found: HashMap<u64, Vec<InodeId>> = HashMap::new();
    for (id, number) in namespace.view().ino.iter().enumerate() {
        let exists = || namespace.file_type(id as InodeId).is_some();
        if *number != 0 && wanted.contains(number) && exists() {
            found.entry(*number).or_default().push(id as InodeId);
        }
    }
    found
}

fn paths_of(namespace: &Namespace, ids: &[InodeId]) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    for &id in ids {
        if id == warpath_core::ROOT {
            paths.push(b"/".to_vec());
        }
        for entry in namespace.entries_of(id) {
            let mut path = namespace.path_of(entry.parent).unwrap_or_default();
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(entry.name);
            paths.push(path);
        }
    }
    paths.sort_unstable();
    paths
}
