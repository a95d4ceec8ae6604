//! `differential --cases N [--seed S] [--threads T] [--engine NAME]`: random cases against the kernel.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("the kernel that decides is Linux's: run this there");
    std::process::ExitCode::FAILURE
}
