//! `warpath verify`.

use super::print;
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
    for file in &args.files {
        let opened = verify(file)?;
        if !args.quiet {
            let n_entries = opened.index.namespace().n_entries();
            print(
                format!("{}: sound, {n_entries} entries, {} bytes\n", file.display(), opened.n_bytes)
                    .as_bytes(),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
