//! warpath beside what else people use, each peer set up as its own documentation advises: the same paths, the same answers.
//!
//! | command | peers | what is timed |
//! |---|---|---|
//! | `maps` | hash maps, `fst`, a sorted vector, the flat table | one call for paths in memory, until all inodes are written |
//! | `small` | a hash map, the flat table | the same in batches of 1 to 1000, tables that fit a cache |
//! | `system` | `statx` in a loop, io_uring | from paths in memory to the kernel's inode numbers |
//! | `processes` | `xargs stat`, DuckDB, Polars, `find`, `fd` | whole processes, from start to exit, output to a file |
//! | `joins` | DuckDB, Polars | the same with two lists: whole processes from Parquet, beside `warpath lookup --index` |
//! | `tools` | DuckDB, Polars, pyarrow, DataFusion | joins of the list of paths with the table, in memory and from Parquet |
//! | `gpu` (feature) | flash-map | batches from the host and on the device |

#[cfg(feature = "gpu")]
mod gpu;
mod joins;
mod maps;
mod process;
mod processes;
mod small;
mod system;
mod tools;

use crate::arguments::Run;
use crate::record::Record;
use crate::trees::Choice;
use anyhow::Result;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    part: Part,
    #[command(flatten)]
    run: Run,
}

#[derive(clap::Subcommand)]
enum Part {
    /// Tables of full paths in process, on one thread and on all.
    Maps(Choice),
    /// Small batches and small tables, where a hash map is enough.
    Small,
    /// The kernel, asked for each path.
    System(Choice),
    /// Whole processes: lookups of long and short lists, scans.
    Processes(processes::Arguments),
    /// Whole processes that join two lists.
    Joins(joins::Arguments),
    /// Joins in data tools.
    Tools(tools::Arguments),
    /// Tables on an NVIDIA GPU.
    #[cfg(feature = "gpu")]
    Gpu(gpu::Arguments),
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut record = Record::default();
    let quick = arguments.run.quick;
    let name = match &arguments.part {
        Part::Maps(choice) => {
            maps::measure(&mut record, choice, quick)?;
            format!("peers-maps-{}", choice.name())
        }
        Part::Small => {
            small::measure(&mut record, quick)?;
            "peers-small".to_owned()
        }
        Part::System(choice) => {
            system::measure(&mut record, choice, quick)?;
            "peers-system".to_owned()
        }
        Part::Processes(chosen) => {
            processes::measure(&mut record, chosen, quick)?;
            "peers-processes".to_owned()
        }
        Part::Joins(chosen) => {
            joins::measure(&mut record, chosen, quick)?;
            format!("peers-joins-{}", chosen.name())
        }
        Part::Tools(chosen) => {
            tools::measure(&mut record, chosen, quick)?;
            format!("peers-tools-{}", chosen.name())
        }
        #[cfg(feature = "gpu")]
        Part::Gpu(chosen) => {
            gpu::measure(&mut record, chosen, quick)?;
            format!("peers-gpu-{}", chosen.name())
        }
    };
    arguments.run.finish(&mut record, &name)
}
