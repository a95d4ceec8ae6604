//! Which inode does each of these paths name? Millions at once, with the Linux kernel's semantics, on CPU and GPU.
//!
//! A [`GpuFilesystem`] holds a tree of names and resolves paths in it on a [`Device`]:
//!
//! ```
//! use warpath::{Device, FileType, GpuFilesystem};
//!
//! let device = Device::system_default().unwrap();
//! let fs = GpuFilesystem::new(&device, 1024)?;
//! let src = fs.add_file(0, "src", FileType::Directory)?;
//! let main = fs.add_file(src, "main.rs", FileType::Regular)?;
//! assert_eq!(fs.lookup_batch(&["/src/main.rs"])?, [Ok(main)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | question it answers |
//! |---|---|
//! | `device` | what can batches run on? |
//! | `filesystem` | what can be asked and changed? |
//! | `store` | how do lookups run beside changes? |
//! | `router` | which engine answers a batch? |
//! | `executor`, `future`, `reply` | how is an answer waited for? |
//! | `batcher` | how do many small requests become few batches? |
//! | `arrow` | how are Arrow columns resolved without copying? |
//! | `scan` | how does a live directory tree become a file system? |
//! | `rekey` | who finishes the rename of a large directory? |

#![forbid(unsafe_code)]

#[cfg(feature = "arrow")]
mod arrow;
mod batcher;
mod device;
mod error;
mod executor;
mod filesystem;
mod future;
mod rekey;
mod reply;
mod router;
#[cfg(all(feature = "scan", unix))]
mod scan;
mod store;

#[cfg(feature = "arrow")]
pub use arrow::ArrowOutcomes;
pub use batcher::{
    BatchLookupBuilder, BatchPathLookup, BatcherStats, Request, Settings, SettingsError, WhenFull,
};
pub use device::Device;
pub use error::Error;
pub use filesystem::GpuFilesystem;
pub use future::{BatchLookupFuture, LookupFuture, ResolveFuture};
pub use router::{CostLine, EngineCost, Explanation, Reason, Share};
#[cfg(all(feature = "scan", unix))]
pub use scan::{ScanError, ScanOptions, ScanSummary, Scanned};
pub use warpath_core as core;
pub use warpath_core::batch::PathBuffer;
pub use warpath_core::index::{Change, ChangeError, IndexError};
pub use warpath_core::namespace::{Removed, Renamed};
pub use warpath_core::{
    Attributes, BatchError, Engine, EngineError, EngineInfo, FileType, INVALID_INODE, Index, InodeId,
    LookupError, Namespace, NamespaceError, Options, Outcome, Outcomes, OutcomesMut, PathBatch, ROOT,
};

/// The pages of `docs/`, whose examples are compiled and run as tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/from-the-first-description.md")]
    struct FromTheFirstDescription;
    #[doc = include_str!("../../../docs/batcher.md")]
    struct Batcher;
}
