//! warpath on the command line.
//!
//! `lookup` is the data's way: arguments → scan → index → engine → blocks of paths → lines.

#![forbid(unsafe_code)]

mod args;
mod bench;
mod cmd;
mod defects;
mod engines;
mod input;
mod lookup;
mod output;
mod pipeline;
mod stats;
mod tables;
mod targets;

use args::{Args, Command};
use clap::Parser;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(told) => return say(&told),
    };
    defects::note_panics();
    let ran = defects::caught(|| run(args.command)).unwrap_or_else(|defect| Err(anyhow::Error::msg(defect)));
    match ran {
        Ok(code) => code,
        Err(error) => {
            tell(format_args!("{}", one_line(&format!("{error:#}"))));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Lookup(args) => lookup::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Index(args) => cmd::index::run(&args),
        Command::Info(args) => cmd::info::run(&args),
        Command::Verify(args) => cmd::verify::run(&args),
        Command::Ls(args) => cmd::ls::run(&args),
        Command::Stat(args) => cmd::stat::run(&args),
        Command::PathOf(args) => cmd::path_of::run(&args),
        Command::Update(args) => cmd::update::run(&args),
        Command::Generate(args) => cmd::generate::run(&args),
        Command::Engines => {
            cmd::print(engines::list().as_bytes());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Says what the arguments ask for (help, the version), or what is wrong with them.
fn say(told: &clap::Error) -> ExitCode {
    if told.use_stderr() {
        let _ = told.print();
        return ExitCode::from(COULD_NOT_RUN);
    }
    let text = told.render();
    let text = if std::io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() };
    cmd::print(text.as_bytes());
    ExitCode::SUCCESS
}

/// Exit code where there are no answers, or not all: bad arguments, no such root, input that can't be read.
const COULD_NOT_RUN: u8 = 2;

/// Bytes of an error that are told: it may quote a file that is not what it was taken for.
const LONGEST_ERROR: usize = 1000;

/// An error as one line, without what a terminal would act on.
fn one_line(error: &str) -> String {
    let mut line = String::with_capacity(error.len().min(LONGEST_ERROR));
    for letter in error.chars() {
        if line.len() > LONGEST_ERROR {
            line.push_str(" ..");
            break;
        }
        match letter.is_control() {
            true => line.extend(letter.escape_default()),
            false => line.push(letter),
        }
    }
    line
}

/// Writes a line to standard error. Where that is closed there is nobody left to tell.
fn tell(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "warpath: {line}");
}
