//! `warpath stat`.

use super::{kind_name, print, push_time};
use crate::tell;
use anyhow::Result;
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use warpath_core::{InodeId, Namespace, Options, reference};
use warpath_file::open;

/// Tell all that an index file knows of some paths
///
/// Exit code: 0 all found, 1 one was not, 2 could not run.
#[derive(Debug, ClapArgs)]
pub struct StatArgs {
    /// The index file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Paths, from the index's root
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<OsString>,

    /// A symbolic link at the end of a path is followed
    #[arg(short = 'L', long)]
    pub follow: bool,
}

pub fn run(args: &StatArgs) -> Result<ExitCode> {
    let opened = open(&args.file)?;
    let namespace = opened.index.namespace();
    let options = Options { follow: args.follow, ..Options::default() };
    let (mut text, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for path in &args.paths {
        match reference::resolve(namespace, path.as_bytes(), &options) {
            Ok(inode) => describe(namespace, path.as_bytes(), inode, &mut text)?,
            Err(error) => {
                tell(format_args!("{}: {error}", path.display()));
                code = ExitCode::from(1);
            }
        }
    }
    print(&text);
    Ok(code)
}

fn describe(namespace: &Namespace, path: &[u8], inode: InodeId, text: &mut Vec<u8>) -> std::io::Result<()> {
    let attributes = namespace.attributes(inode).unwrap_or_default();
    let mut line = |name: &str, value: &[u8]| {
        let _ = write!(text, "{name:<8}");
        text.extend_from_slice(value);
        text.push(b'\n');
    };
    line("path", path);
    line("kind", kind_name(namespace.file_type(inode)).as_bytes());
    if let Some(target) = namespace.target(inode) {
        line("target", target);
    }
    line("id", inode.to_string().as_bytes());
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    line("ino", known(attributes.ino.map(|ino| ino.to_string())).as_bytes());
    line("links", namespace.entries_of(inode).count().max(1).to_string().as_bytes());
    if namespace.is_directory(inode) {
        line("entries", namespace.n_children(inode).to_string().as_bytes());
        line("partial", if namespace.is_partial(inode) { b"yes" } else { b"no" });
    }
    line("size", known(attributes.size.map(|size| size.to_string())).as_bytes());
    let mut time = Vec::new();
    match attributes.mtime {
        Some(mtime) => push_time(&mut time, mtime),
        None => time.push(b'-'),
    }
    line("mtime", &time);
    line("mode", known(attributes.mode.map(|mode| format!("{mode:o}"))).as_bytes());
    let id = |id: Option<u32>| known(id.map(|id| id.to_string()));
    line("owner", format!("{}:{}", id(attributes.uid), id(attributes.gid)).as_bytes());
    Ok(())
}
