//! `warpath generate`: completions and the manual.

use super::print;
use crate::args::Args;
use anyhow::Result;
use clap::{Args as ClapArgs, CommandFactory, ValueEnum};
use clap_complete::Shell;
use std::process::ExitCode;

/// Print shell completions or the manual page
#[derive(Debug, ClapArgs)]
pub struct GenerateArgs {
    /// What to print
    #[arg(value_enum, value_name = "WHAT")]
    pub what: What,
}

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// The manual page, in roff: `warpath generate man | man -l -`
    Man,
    /// Completions for bash
    Bash,
    /// Completions for zsh
    Zsh,
    /// Completions for fish
    Fish,
}

pub fn run(args: &GenerateArgs) -> Result<ExitCode> {
    let mut command = Args::command();
    let mut text = Vec::new();
    let shell = match args.what {
        What::Man => None,
        What::Bash => Some(Shell::Bash),
        What::Zsh => Some(Shell::Zsh),
        What::Fish => Some(Shell::Fish),
    };
    match shell {
        Some(shell) => clap_complete::generate(shell, &mut command, "warpath", &mut text),
        None => {
            command.build();
            clap_mangen::Man::new(command.clone()).render(&mut text)?;
            for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
                clap_mangen::Man::new(subcommand.clone()).render(&mut text)?;
            }
        }
    }
    print(&text);
    Ok(ExitCode::SUCCESS)
}
