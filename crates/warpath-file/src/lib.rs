//! The index file: built once, mapped in milliseconds, saved atomically, verified in parallel.
//!
//! ```text
//!  header    64 bytes: magic, versions, length, number of sections, checksum of this and the contents
//!  contents  32 bytes a section: name, offset, length, checksum
//!  sections  each from a multiple of 64 on: the arrays of the tables and the columns of the namespace, as they lie in memory
//! ```
//!
//! `docs/index-file.md` draws every byte. [`open`] maps the file and checks header and contents alone, so it takes the same
//! few microseconds at any size; engines then read the mapping. What was opened so may hold anything: answers may be wrong,
//! but no engine crashes, hangs or reads out of bounds. [`verify`] checks all of it.
//!
//! **The file holds the secret key of the hash.** Who reads it can make paths that collide, and so get wrong answers out of
//! this index; files are therefore readable by their owner alone, unless told otherwise.

#![deny(unsafe_code)]

mod checksum;
mod error;
mod facts;
mod format;
mod map;
mod open;
mod save;
mod sections;
mod verify;

pub use error::FileError;
pub use facts::Facts;
pub use format::{ALIGN, MAGIC, Section, VERSION};
pub use open::{Opened, open, open_bytes};
pub use save::{SaveOptions, Saved, save};
pub use verify::{verify, verify_bytes};
