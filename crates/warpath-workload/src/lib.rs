//! Workloads: trees and paths to measure and test engines with.
//!
//! Everything follows from a seed, and every path comes with the answer that it must get, so that whoever measures also
//! checks.
//!
//! ```
//! use warpath_workload::{Mix, PathSet, Synthetic};
//!
//! let (namespace, tree) = Synthetic::new(12, 7).build();
//! let paths = PathSet::draw(&tree, &Mix::default(), 1000, 7).unwrap();
//! let options = warpath_core::Options::default();
//! let answer = warpath_core::reference::resolve(&namespace, paths.batch().get(0), &options);
//! assert_eq!(answer, paths.expected().get(0));
//! ```
//!
//! | module | what it gives |
//! |---|---|
//! | [`synthetic`] | a tree of `2^k` entries, 16 children a directory, names of 4 to 20 bytes |
//! | [`listed`] | a tree from a list of paths, or the paths of any tree |
//! | [`paths`] | path sets: hits, misses with their errno, through links, in `find` order, of one depth |
//! | [`links`] | links to add to a tree, so that paths can lead through them |
//! | [`stopwatch`] | contestants timed in turns, medians of many short rounds |

#![forbid(unsafe_code)]

pub mod links;
pub mod listed;
pub mod paths;
pub mod random;
pub mod stopwatch;
pub mod synthetic;

pub use links::add_links;
pub use listed::Listed;
pub use paths::{Mix, Order, PathSet, Paths, TooManyBytes};
pub use synthetic::Synthetic;
