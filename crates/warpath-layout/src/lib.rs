//! The bytes that engines read, declared once.
//!
//! Everything an engine needs to resolve a batch lies in five arrays of little-endian 32-bit words:
//!
//! ```text
//!  slots    | pair 0          | pair 1          | ..       open addressing, 2 slots a pair, 2 pairs a line of 64 bytes
//!  blocks   | inodes 0..32 | inodes 32..64 | ..            which inodes are directories or links, and where their records lie
//!  dirs     | record | record | ..                         hash state, parent and flags of each directory
//!  links    | record | record | ..                         what each symbolic link leads to, and over how many links
//!  key      | position keys of three lanes | finish |      the secret hash key
//!
//!  Slot, 16 bytes:   key0 (32) | key1 (32) | key2 (30) kind (2) | inode (32)
//! ```
//!
//! The records are declared in [`records`] through one macro, which also keeps a table of their fields.
//! [`render`] turns that table into WGSL, CUDA C++ and Markdown; the results are committed under
//! `generated/` (by `cargo xtask codegen`), and tests fail when they are stale or when an offset differs.

#![forbid(unsafe_code)]

pub mod records;
pub mod render;

pub use records::*;

/// The committed WGSL declarations.
pub const LAYOUT_WGSL: &str = include_str!("../generated/layout.wgsl");
