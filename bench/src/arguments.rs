//! Arguments that several commands take.

use crate::record::Record;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// How a run is done, and where its record goes.
#[derive(clap::Args)]
pub struct Run {
    /// Small inputs and few rounds: does it run, are the answers right? The figures say nothing.
    #[arg(long, global = true)]
    pub quick: bool,
    /// Where the record is written: a folder for each machine.
    #[arg(long, global = true)]
    record: Option<PathBuf>,
}

impl Run {
    /// Ends a run: the table of what has a target, and the record under this name where it was asked for.
    pub fn finish(&self, record: &mut Record, name: &str) -> Result<()> {
        record.targets();
        if let Some(folder) = &self.record {
            println!("written: {}.{{csv,txt}}", record.write(folder, name)?.display());
        }
        Ok(())
    }
}

/// The list of Debian's paths.
#[derive(Debug, Clone, clap::Args)]
pub struct DebianList {
    /// A path a line, from bench/data/debian-main.sh.
    #[arg(long, default_value = "bench/data/debian-main.txt")]
    debian: PathBuf,
}

impl DebianList {
    /// The file; an error that says how to make it where it is missing.
    pub fn file(&self) -> Result<&Path> {
        let name = self.debian.display();
        ensure!(self.debian.exists(), "{name}: missing; bench/data/debian-main.sh makes it");
        Ok(&self.debian)
    }
}
