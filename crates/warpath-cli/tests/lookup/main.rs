//! The binary, run as a user runs it.

mod bad_input;
mod changing_tree;
mod mounts;
mod options;
mod real_tree;
mod run;
mod streaming;
