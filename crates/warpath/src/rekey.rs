//! Re-keying after the rename of a large directory: a thread in the background, piece after piece.
//!
//! A piece is a number of directories, each taken whole: it is as large as the largest directory below the renamed one, if that has more
//! entries than a piece shall have.

use crate::filesystem::Core;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Entries that get new keys in one version, if no directory has more. Changes wait for a piece: about two milliseconds, and longer for
/// a larger directory in proportion.
const PIECE_ENTRIES: usize = 4096;

/// Whether the thread runs.
#[derive(Debug, Default)]
pub(crate) struct Rekeyer {
    running: AtomicBool,
}

impl Rekeyer {
    /// Starts the thread if it doesn't run. Without threads the change that asked does a piece itself, and the next ones go on.
    pub fn start(core: &Arc<Core>) {
        if core.rekeyer.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let for_thread = Arc::clone(core);
        let name = "warpath-rekey".to_owned();
        if std::thread::Builder::new().name(name).spawn(move || Rekeyer::run(&for_thread)).is_err() {
            core.store.change(|index| index.rekey(PIECE_ENTRIES));
            core.rekeyer.running.store(false, Ordering::Release);
        }
    }

    fn run(core: &Core) {
        loop {
            while !core.executor.is_closed() && core.store.change(|index| index.rekey(PIECE_ENTRIES)) {
                // Let changes in between two pieces.
                std::thread::yield_now();
            }
            core.rekeyer.running.store(false, Ordering::Release);
            // A rename that came after the last look has seen the thread run, and counts on it.
            let is_done = core.executor.is_closed() || !core.store.is_rekeying();
            if is_done || core.rekeyer.running.swap(true, Ordering::AcqRel) {
                return;
            }
        }
    }
}
