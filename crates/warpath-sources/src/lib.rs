//! Where namespaces come from.
//!
//! | module | source |
//! |---|---|
//! | [`live`] | a directory tree of this machine, scanned in parallel |

pub mod live;
