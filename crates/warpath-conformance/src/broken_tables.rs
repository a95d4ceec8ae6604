//! Engines that read tables as a device does, with one fault each: in keeping a copy in step, or in probing it.

use std::sync::{Arc, Mutex, PoisonError};
use warpath_core::hash::{HashKey, State};
use warpath_core::index::{BeneathLinks, Changes, TablesView};
use warpath_core::layout::{
    self, DirRecord, InodeBlock, KIND_MASK, KIND_SYMLINK, LinkRecord, PAIR_SLOTS, Slot, TableParams,
};
use warpath_core::probe::{home_pair, pair_at, probe};
use warpath_core::{
    Engine, EngineError, EngineInfo, LookupError, Outcome, OutcomesMut, PathBatch, Plan, Tables, resolve,
};

/// What an engine gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TableFault {
    None,
    SkipsSlotChanges,
    SkipsBlockChanges,
    SkipsDirectoryChanges,
    SkipsLinkChanges,
    SkipsLastOfEachRange,
    KeepsNewerVersion,
    KeepsFirstParams,
    KeepsFirstFlags,
    KeepsFirstBeneathLinks,
    ComparesFirstWord,
    ComparesTwoWords,
    ComparesThreeWordsButLowBits,
    ComparesKindToo,
    ProbesOnePair,
    ProbesOneLine,
    ProbesWithoutWrapping,
}

impl TableFault {
    /// Every fault.
    pub const ALL: [TableFault; 16] = [
        TableFault::SkipsSlotChanges,
        TableFault::SkipsBlockChanges,
        TableFault::SkipsDirectoryChanges,
        TableFault::SkipsLinkChanges,
        TableFault::SkipsLastOfEachRange,
        TableFault::KeepsNewerVersion,
        TableFault::KeepsFirstParams,
        TableFault::KeepsFirstFlags,
        TableFault::KeepsFirstBeneathLinks,
        TableFault::ComparesFirstWord,
        TableFault::ComparesTwoWords,
        TableFault::ComparesThreeWordsButLowBits,
        TableFault::ComparesKindToo,
        TableFault::ProbesOnePair,
        TableFault::ProbesOneLine,
        TableFault::ProbesWithoutWrapping,
    ];
}

/// An engine with one fault.
#[derive(Debug)]
pub struct BrokenTableEngine {
    fault: TableFault,
    copy: Mutex<Option<Copied>>,
}

/// A copy of the tables, as on a device.
#[derive(Debug)]
struct Copied {
    id: u64,
    version: u64,
    key: Vec<u32>,
    slots: Vec<Slot>,
    blocks: Vec<InodeBlock>,
    dirs: Vec<DirRecord>,
    links: Vec<LinkRecord>,
    params: TableParams,
    beneath: Vec<Arc<BeneathLinks>>,
}

impl Copied {
    fn new(tables: &Tables) -> Copied {
        Copied {
            id: tables.id(),
            version: tables.version(),
            key: tables.key_words().to_vec(),
            slots: tables.slots().to_vec(),
            blocks: tables.blocks().to_vec(),
            dirs: tables.dirs().to_vec(),
            links: tables.links().to_vec(),
            params: tables.params(),
            beneath: Vec::new(),
        }
    }

    fn catch_up(&mut self, tables: &Tables, fault: TableFault) {
        if (self.id, self.version) == (tables.id(), tables.version()) {
            return;
        }
        let same = self.id == tables.id();
        if fault == TableFault::KeepsNewerVersion && same && self.version > tables.version() {
            return;
        }
        let params = self.params;
        let changes = if same { tables.changes_since(self.version) } else { None };
        match changes {
            Some(changes) if self.slots.len() == tables.slots().len() => {
                self.copy_changes(tables, changes, fault)
            }
            _ => *self = Copied::new(tables),
        }
        (self.version, self.params) = (tables.version(), tables.params());
        match fault {
            TableFault::KeepsFirstParams => self.params = params,
            TableFault::KeepsFirstFlags => self.params.flags = params.flags,
            _ => {}
        }
    }

    fn copy_changes(&mut self, tables: &Tables, changes: Changes, fault: TableFault) {
        let shortened = fault == TableFault::SkipsLastOfEachRange;
        if fault != TableFault::SkipsSlotChanges {
            copy_ranges(&mut self.slots, tables.slots(), changes.slots, shortened);
        }
        if fault != TableFault::SkipsBlockChanges {
            copy_ranges(&mut self.blocks, tables.blocks(), changes.blocks, shortened);
        }
        if fault != TableFault::SkipsDirectoryChanges {
            copy_ranges(&mut self.dirs, tables.dirs(), changes.dirs, shortened);
        }
        if fault != TableFault::SkipsLinkChanges {
            copy_ranges(&mut self.links, tables.links(), changes.links, shortened);
        }
    }

    fn view(&self) -> Option<TablesView<'_>> {
        Some(TablesView {
            slots: &self.slots,
            blocks: &self.blocks,
            dirs: &self.dirs,
            links: &self.links,
            key: HashKey::new(&self.key)?,
            params: self.params,
        })
    }
}

fn copy_ranges<T: Copy>(to: &mut Vec<T>, from: &[T], ranges: Vec<std::ops::Range<usize>>, shortened: bool) {
    let known = to.len();
    to.extend_from_slice(from.get(known..).unwrap_or_default());
    to.truncate(from.len());
    for range in ranges {
        let range = range.start.min(from.len())..(range.end - usize::from(shortened)).min(from.len());
        if range.start < range.end {
            to[range.clone()].copy_from_slice(&from[range]);
        }
    }
}

impl BrokenTableEngine {
    /// An engine with this fault.
    pub fn new(fault: TableFault) -> BrokenTableEngine {
        BrokenTableEngine { fault, copy: Mutex::default() }
    }

    /// The plan with the links that this engine has kept.
    fn plan(&self, plan: &Plan, copy: &mut Copied) -> Plan {
        let mut plan = plan.clone();
        if let (Some(links), TableFault::KeepsFirstBeneathLinks) = (&plan.links, self.fault) {
            let same_size = copy.beneath.iter().find(|kept| kept.records.len() == links.records.len());
            match same_size {
                Some(kept) => plan.links = Some(Arc::clone(kept)),
                None => copy.beneath.push(Arc::clone(links)),
            }
        }
        plan
    }

    fn answer(&self, view: &TablesView<'_>, plan: &Plan, path: &[u8]) -> Outcome {
        let right = resolve::resolve(view, plan, path);
        let is_plain = plan.flags == 0 && plan.start == layout::ROOT && is_canonical(path);
        if !is_plain || view.params.flags & layout::TABLE_STRICT != 0 {
            return right;
        }
        let mut state = State::EMPTY;
        state.push(view.key, path);
        let key = state.finish(view.key);
        match self.probe(view, key.words) {
            Some(slot) if slot.key2_kind & KIND_MASK != KIND_SYMLINK => Ok(slot.inode),
            // What is in the table and the faulty probe does not find is not there.
            None if probe(view.slots, &view.params, &key).is_some() => Err(LookupError::NotFound),
            _ => right,
        }
    }

    fn probe(&self, view: &TablesView<'_>, key: [u32; 3]) -> Option<Slot> {
        let n_pairs = view.params.n_pairs;
        let home = home_pair(key[0], n_pairs);
        let most = match self.fault {
            TableFault::ProbesOnePair => 1,
            TableFault::ProbesOneLine => 2,
            _ => view.params.probe_limit,
        };
        for step in 0..most.min(n_pairs) {
            let pair = pair_at(home, step, n_pairs);
            if self.fault == TableFault::ProbesWithoutWrapping && pair + 1 < home {
                return None;
            }
            let first = pair as usize * PAIR_SLOTS as usize;
            let slots = view.slots.get(first..first + PAIR_SLOTS as usize)?;
            let found = slots.iter().find(|slot| !slot.is_empty() && self.holds(slot, key));
            if found.is_some() {
                return found.copied();
            }
            if slots[1].is_empty() {
                return None;
            }
        }
        None
    }

    fn holds(&self, slot: &Slot, key: [u32; 3]) -> bool {
        let key2 = slot.key2_kind & !KIND_MASK;
        let words = (slot.key0 == key[0], slot.key1 == key[1], key2 == key[2]);
        match self.fault {
            TableFault::ComparesFirstWord => words.0,
            TableFault::ComparesTwoWords => words.0 && words.1,
            TableFault::ComparesThreeWordsButLowBits => words.0 && words.1 && (key2 ^ key[2]) < 8,
            TableFault::ComparesKindToo => words.0 && words.1 && slot.key2_kind == key[2],
            _ => words.0 && words.1 && words.2,
        }
    }
}

/// Absolute, with nothing in it but names.
fn is_canonical(path: &[u8]) -> bool {
    let Some(names) = path.strip_prefix(b"/") else { return false };
    path.len() <= layout::MAX_PATH as usize
        && !path.contains(&0)
        && names
            .split(|&byte| byte == b'/')
            .all(|name| !matches!(name, b"" | b"." | b"..") && name.len() <= 255)
}

impl Engine for BrokenTableEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "broken", device: format!("{:?}", self.fault) }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let failed = || EngineError::Failed { engine: "broken", reason: "the key is no key".to_owned() };
        let mut copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = copy.get_or_insert_with(|| Copied::new(tables));
        copy.catch_up(tables, self.fault);
        let plan = self.plan(plan, copy);
        let view = copy.view().ok_or_else(failed)?;
        for (i, path) in batch.iter().enumerate() {
            out.set(i, self.answer(&view, &plan, path));
        }
        Ok(())
    }
}
