//! Measures warpath. Every answer is checked: a wrong one ends the run.
//!
//! | command | what it measures |
//! |---|---|
//! | `api` | `GpuFilesystem` and the batcher against their targets |
//! | `core` | the CPU engine against its targets: two rivals in the same run, memory, build rate |
//! | `files` | index files, scans and the whole command against their targets |
//! | `peers` | warpath beside what else people use: maps, the kernel, whole processes, data tools |
//! | `instructions` | instructions a path of the CPU engine, held to bounds |

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod allocations;
mod api;
mod arguments;
mod contest;
mod contestants;
mod core;
mod files;
mod instructions;
mod peers;
mod record;
mod trees;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Measures warpath, and checks every answer.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// `GpuFilesystem` and the batcher: batches beside single calls, many tasks, choice of engines.
    Api(api::Arguments),
    /// The CPU engine against its targets and the two rivals that they name.
    Core(core::Arguments),
    /// Index files, scans and the whole command against their targets.
    Files(files::Arguments),
    /// warpath beside what else people use, on the same paths.
    Peers(contest::Arguments),
    /// Instructions a path of the hot path, held to their bounds; needs valgrind.
    Instructions(instructions::Arguments),
    /// What `instructions` counts.
    #[command(hide = true)]
    HotPath(instructions::HotPath),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Api(arguments) => api::run(&arguments),
        Command::Core(arguments) => core::run(&arguments),
        Command::Files(arguments) => files::run(&arguments),
        Command::Peers(arguments) => contest::run(&arguments),
        Command::Instructions(arguments) => instructions::run(&arguments),
        Command::HotPath(arguments) => instructions::hot_path(&arguments),
    }
}
