//! `warpath verify`.

use super::print;
use crate::tell;
use anyhow::Result;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use std::process::ExitCode;
use warpath_file::verify;

/// Check all checksums and all cross references of index files
///
/// Exit code: 0 all sound, 2 one is not.
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// The index files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Print nothing when all is well
    #[arg(short, long)]
    pub quiet: bool,
}

pub fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in &args.files {
        match verify(file) {
            Ok(_) if args.quiet => {}
            Ok(opened) => {
                let (n_entries, n_bytes) = (opened.index.namespace().n_entries(), opened.n_bytes);
                print(
                    format!("{}: sound, {n_entries} entries, {n_bytes} bytes\n", file.display()).as_bytes(),
                );
            }
            Err(error) => {
                tell(format_args!("{error}"));
                code = ExitCode::from(2);
            }
        }
    }
    Ok(code)
}
