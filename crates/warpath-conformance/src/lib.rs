//! What every engine must answer, and who says so.
//!
//! The kernel defines correct, the reference resolver is compared with it, and engines are compared with the reference
//! resolver. Three ways in:
//!
//! - [`conformance_tests!`] makes tests of the suite for an engine, [`suite::run_suite`] runs it from a program.
//! - `differential::run` compares an engine, or the reference, with the kernel on random trees on disk.
//! - [`broken`] and [`broken_tables`] hold engines with one fault each: the suite rejects every one of them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`tree`], [`text`] | trees as data, and as text in cases and failures |
//! | [`cases`] | the case table |
//! | [`generate`] | random trees and paths from a seed |
//! | [`check`], [`shrink`] | a query, a difference, and how it is made small |
//! | `disk`, `kernel` | a tree on disk, and the kernel's answers in it; on Linux alone |
//! | [`suite`] | everything that an engine is asked |
//! | [`library`], [`scalar`] | engines made of the reference resolver and of the core's scalar one |
//! | [`engines`] | engines by name, for the programs |

#![deny(unsafe_code)]

pub mod broken;
pub mod broken_tables;
pub mod cases;
pub mod check;
#[cfg(target_os = "linux")]
pub mod differential;
#[cfg(target_os = "linux")]
pub mod disk;
pub mod engines;
pub mod generate;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod library;
pub mod scalar;
pub mod shrink;
pub mod suite;
pub mod text;
pub mod tree;
