//! Engines with one fault each, which the suite must reject.

use crate::library::{Library, options_of};
use std::sync::{Arc, Mutex, PoisonError};
use warpath_core::LookupError::{
    Invalid, LeavesRoot, NameTooLong, NotADirectory, NotFound, NotIndexed, TooManyLinks,
};
use warpath_core::batch::Paths;
use warpath_core::{
    Engine, EngineError, EngineInfo, FileType, InodeId, LookupError, Namespace, Options, Outcome,
    OutcomesMut, PathBatch, Plan, ROOT, Tables, layout,
};

/// What an engine gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Fault {
    None,
    FortyOneLinks,
    ThirtyNineLinks,
    CountsOnlyTheLastComponentsLinks,
    IgnoresTrailingSlash,
    TrailingSlashDoesNotFollow,
    FollowsLastLinkAlways,
    NeverFollowsLastLink,
    CollapsesDotDotFirst,
    DotDotFromFile,
    MissingInPartialIsNotFound,
    UnknownTargetIsNotFound,
    NulEndsThePath,
    LengthBeforeNul,
    BeneathAllowsAbsolute,
    BeneathAllowsDotDot,
    BeneathAllowsAbsoluteLinks,
    BeneathMeasuresFromTheRoot,
    NoSymlinksAllowsMiddle,
    NoSymlinksRefusesLastNotFollowed,
    LongNameIsNotFound,
    LongNameComesFirst,
    LongPathIsLookedUp,
    PathOf4095IsTooLong,
    EmptyIsStart,
    AbsoluteBeginsAtStart,
    RelativeBeginsAtRoot,
    LinksResolveFromStart,
    FileInTheMiddleIsNotFound,
    NameCutAt254,
    NoTextIsInvalid,
    WalkOnlyMissesLinks,
    // Faults of batches rather than of paths.
    SwapsNeighbours,
    AnswersSortedPaths,
    DropsLast,
    DropsLastOfOddBatches,
    RepeatsAfter32,
    IgnoresFirstOffset,
    WritesOnePast,
    LeavesInodeOfMisses,
    KeepsFirstVersion,
    KeepsFirstIndex,
    LooksAtVersionAlone,
    KeepsFirstOptions,
    FailsOnEmptyBatch,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 44] = [
        Fault::FortyOneLinks,
        Fault::ThirtyNineLinks,
        Fault::CountsOnlyTheLastComponentsLinks,
        Fault::IgnoresTrailingSlash,
        Fault::TrailingSlashDoesNotFollow,
        Fault::FollowsLastLinkAlways,
        Fault::NeverFollowsLastLink,
        Fault::CollapsesDotDotFirst,
        Fault::DotDotFromFile,
        Fault::MissingInPartialIsNotFound,
        Fault::UnknownTargetIsNotFound,
        Fault::NulEndsThePath,
        Fault::LengthBeforeNul,
        Fault::BeneathAllowsAbsolute,
        Fault::BeneathAllowsDotDot,
        Fault::BeneathAllowsAbsoluteLinks,
        Fault::BeneathMeasuresFromTheRoot,
        Fault::NoSymlinksAllowsMiddle,
        Fault::NoSymlinksRefusesLastNotFollowed,
        Fault::LongNameIsNotFound,
        Fault::LongNameComesFirst,
        Fault::LongPathIsLookedUp,
        Fault::PathOf4095IsTooLong,
        Fault::EmptyIsStart,
        Fault::AbsoluteBeginsAtStart,
        Fault::RelativeBeginsAtRoot,
        Fault::LinksResolveFromStart,
        Fault::FileInTheMiddleIsNotFound,
        Fault::NameCutAt254,
        Fault::NoTextIsInvalid,
        Fault::WalkOnlyMissesLinks,
        Fault::SwapsNeighbours,
        Fault::AnswersSortedPaths,
        Fault::DropsLast,
        Fault::DropsLastOfOddBatches,
        Fault::RepeatsAfter32,
        Fault::IgnoresFirstOffset,
        Fault::WritesOnePast,
        Fault::LeavesInodeOfMisses,
        Fault::KeepsFirstVersion,
        Fault::KeepsFirstIndex,
        Fault::LooksAtVersionAlone,
        Fault::KeepsFirstOptions,
        Fault::FailsOnEmptyBatch,
    ];
}

/// An engine with one fault.
#[derive(Debug)]
pub struct BrokenEngine {
    fault: Fault,
    library: Arc<Library>,
    kept: Mutex<Kept>,
}

/// What engines with faulty memories remember.
#[derive(Debug, Default)]
struct Kept {
    namespaces: Vec<(u64, u64, Arc<Namespace>)>,
    options: Option<Options>,
}

impl BrokenEngine {
    /// An engine with this fault, which reads the namespaces in `library`.
    pub fn new(fault: Fault, library: Arc<Library>) -> BrokenEngine {
        BrokenEngine { fault, library, kept: Mutex::default() }
    }

    /// The namespace that a sound engine would read, or the one that this one remembers.
    fn namespace(&self, tables: &Tables) -> Result<Arc<Namespace>, EngineError> {
        let current = self.library.namespace(tables)?;
        let (id, version) = (tables.id(), tables.version());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match self.fault {
            Fault::KeepsFirstVersion => kept.namespaces.iter().find(|known| known.0 == id),
            Fault::KeepsFirstIndex => kept.namespaces.first(),
            Fault::LooksAtVersionAlone => kept.namespaces.last().filter(|known| known.1 == version),
            _ => None,
        };
        if let Some((_, _, namespace)) = known {
            return Ok(Arc::clone(namespace));
        }
        kept.namespaces.push((id, version, Arc::clone(&current)));
        Ok(current)
    }

    fn options(&self, plan: &Plan) -> Options {
        let options = options_of(plan);
        if self.fault == Fault::KeepsFirstOptions {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let first = *kept.options.get_or_insert(options);
            return Options { follow: first.follow, ..options };
        }
        options
    }

    /// Answers in order, and then what is wrong with a batch's answers.
    fn answer(&self, outcomes: &[Outcome], batch: &PathBatch<'_>, out: &mut OutcomesMut<'_>) {
        let n = outcomes.len();
        for (i, &outcome) in outcomes.iter().enumerate() {
            match self.fault {
                Fault::DropsLast if i + 1 == n => {}
                Fault::DropsLastOfOddBatches if i + 1 == n && n % 2 == 1 && n > 32 => {}
                Fault::RepeatsAfter32 => out.set(i, outcomes[i % 32]),
                Fault::SwapsNeighbours if (i ^ 1) < n => out.set(i, outcomes[i ^ 1]),
                Fault::LeavesInodeOfMisses if outcome.is_err() => {
                    out.statuses[i] = warpath_core::outcome::status_code(outcome);
                }
                _ => out.set(i, outcome),
            }
        }
        if self.fault == Fault::AnswersSortedPaths {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by_key(|&i| batch.get(i));
            for (i, &from) in order.iter().enumerate() {
                out.set(i, outcomes[from]);
            }
        }
        if self.fault == Fault::WritesOnePast {
            write_one_past(out);
        }
    }
}

#[allow(unsafe_code)]
fn write_one_past(out: &mut OutcomesMut<'_>) {
    // SAFETY: this is the fault itself, and out of the slice's bounds. It is made only by the suite, whose columns
    // are the middle of a larger buffer, so that the byte belongs to it.
    unsafe { out.statuses.as_mut_ptr().add(out.statuses.len()).write(0) };
}

impl Engine for BrokenEngine {
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
        if self.fault == Fault::FailsOnEmptyBatch && batch.is_empty() {
            return Err(EngineError::Failed { engine: "broken", reason: "there is no path".to_owned() });
        }
        let namespace = self.namespace(tables)?;
        let options = self.options(plan);
        let resolver = Resolver { namespace: &namespace, options, fault: self.fault };
        let outcomes: Vec<Outcome> = match (self.fault, batch.paths()) {
            (Fault::IgnoresFirstOffset, Paths::Flat32 { bytes, offsets }) => {
                let first = offsets[0];
                let moved: Vec<u32> = offsets.iter().map(|offset| offset - first).collect();
                let moved = PathBatch::new(bytes, &moved);
                moved.iter().flat_map(|batch| batch.iter()).map(|path| resolver.resolve(path)).collect()
            }
            _ => batch.iter().map(|path| resolver.resolve(path)).collect(),
        };
        self.answer(&outcomes, batch, &mut out);
        Ok(())
    }
}

/// A resolver of its own, with one fault or none. Without one it must agree with the reference.
struct Resolver<'a> {
    namespace: &'a Namespace,
    options: Options,
    fault: Fault,
}

impl Resolver<'_> {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn resolve(&self, path: &[u8]) -> Outcome {
        let path = self.check(path)?;
        if path.is_empty() && self.has(Fault::EmptyIsStart) {
            return Ok(self.options.start);
        }
        if path.is_empty() {
            return Err(NotFound);
        }
        if self.has(Fault::CollapsesDotDotFirst) {
            return self.walk(&collapse(path));
        }
        self.walk(path)
    }

    /// What can be said before anything is looked up.
    fn check<'p>(&self, path: &'p [u8]) -> Result<&'p [u8], LookupError> {
        let longest = match self.fault {
            Fault::PathOf4095IsTooLong => 4094,
            Fault::LongPathIsLookedUp => usize::MAX,
            _ => 4095,
        };
        let nul = path.iter().position(|&byte| byte == 0);
        if self.has(Fault::LengthBeforeNul) && path.len() > longest {
            return Err(NameTooLong);
        }
        if let Some(nul) = nul {
            return if self.has(Fault::NulEndsThePath) { Ok(&path[..nul]) } else { Err(Invalid) };
        }
        if path.len() > longest {
            return Err(NameTooLong);
        }
        if self.has(Fault::NoTextIsInvalid) && std::str::from_utf8(path).is_err() {
            return Err(Invalid);
        }
        let too_long = |name: &[u8]| name.len() > layout::MAX_NAME as usize;
        if self.has(Fault::LongNameComesFirst) && path.split(|&byte| byte == b'/').any(too_long) {
            return Err(NameTooLong);
        }
        Ok(path)
    }

    fn walk(&self, path: &[u8]) -> Outcome {
        let mut todo = path.to_vec();
        let mut at = self.begin(&todo)?;
        let (mut n_links, mut n_followed) = (0, 0);
        loop {
            let skipped = todo.iter().take_while(|&&byte| byte == b'/').count();
            todo.drain(..skipped);
            if todo.is_empty() {
                return Ok(at);
            }
            let end = todo.iter().position(|&byte| byte == b'/').unwrap_or(todo.len());
            let mut rest = todo.split_off(end);
            let name = std::mem::take(&mut todo);
            if self.has(Fault::IgnoresTrailingSlash) && rest.iter().all(|&byte| byte == b'/') {
                rest.clear();
            }
            let is_last = rest.is_empty();
            match name.as_slice() {
                b"." => todo = rest,
                b".." => {
                    at = self.parent(at)?;
                    todo = rest;
                }
                name => {
                    let child = self.child(at, name)?;
                    let only_slashes = rest.iter().all(|&byte| byte == b'/');
                    if self.is_followed(child, is_last, only_slashes) {
                        // A link in the middle counts once, however many it leads through; a loop still ends.
                        let forgets = self.has(Fault::CountsOnlyTheLastComponentsLinks);
                        n_links += 1;
                        n_followed += 1;
                        if forgets && !is_last && n_followed < 200 {
                            n_links = 1;
                        }
                        let target = self.follow(child, n_links)?;
                        at = if target.starts_with(b"/") { self.jump()? } else { at };
                        if self.has(Fault::LinksResolveFromStart) && !target.starts_with(b"/") {
                            at = self.options.start;
                        }
                        todo = [target, &rest].concat();
                    } else if is_last {
                        return Ok(child);
                    } else if self.namespace.is_directory(child) {
                        at = child;
                        todo = rest;
                    } else if self.has(Fault::DotDotFromFile) && rest.starts_with(b"/..") {
                        todo = rest.split_off(3);
                        if todo.is_empty() {
                            return Ok(at);
                        }
                    } else {
                        let error = if self.has(Fault::FileInTheMiddleIsNotFound) && !only_slashes {
                            NotFound
                        } else {
                            NotADirectory
                        };
                        return Err(error);
                    }
                }
            }
        }
    }

    fn begin(&self, path: &[u8]) -> Outcome {
        let absolute = path.starts_with(b"/");
        if absolute && self.options.beneath && !self.has(Fault::BeneathAllowsAbsolute) {
            return Err(LeavesRoot);
        }
        Ok(match self.fault {
            Fault::AbsoluteBeginsAtStart => self.options.start,
            Fault::RelativeBeginsAtRoot => ROOT,
            _ if absolute => ROOT,
            _ => self.options.start,
        })
    }

    fn parent(&self, at: InodeId) -> Outcome {
        let floor = if self.has(Fault::BeneathMeasuresFromTheRoot) { ROOT } else { self.options.start };
        if self.options.beneath && at == floor && !self.has(Fault::BeneathAllowsDotDot) {
            return Err(LeavesRoot);
        }
        Ok(self.namespace.parent(at).unwrap_or(ROOT))
    }

    fn child(&self, at: InodeId, name: &[u8]) -> Outcome {
        if name.len() > layout::MAX_NAME as usize {
            return Err(if self.has(Fault::LongNameIsNotFound) { NotFound } else { NameTooLong });
        }
        let found = if self.has(Fault::NameCutAt254) && name.len() == 255 {
            let like = |entry: &warpath_core::namespace::Entry<'_>| entry.name.starts_with(&name[..254]);
            let mut entries: Vec<_> = self.namespace.list(at).filter(like).collect();
            entries.sort_by_key(|entry| entry.inode);
            entries.first().map(|entry| entry.inode)
        } else {
            self.namespace.child(at, name)
        };
        let unknown = self.namespace.is_partial(at) && !self.has(Fault::MissingInPartialIsNotFound);
        found.ok_or(if unknown { NotIndexed } else { NotFound })
    }

    fn is_followed(&self, inode: InodeId, is_last: bool, only_slashes: bool) -> bool {
        let is_link = self.namespace.file_type(inode) == Some(FileType::Symlink);
        let follow_last = match self.fault {
            Fault::FollowsLastLinkAlways => true,
            Fault::NeverFollowsLastLink => false,
            _ => self.options.follow,
        };
        let slash_follows = !(self.has(Fault::TrailingSlashDoesNotFollow) && only_slashes && !follow_last);
        let walk_misses = self.has(Fault::WalkOnlyMissesLinks) && self.options.walk_only && !is_last;
        let refused = self.has(Fault::NoSymlinksRefusesLastNotFollowed) && self.options.no_symlinks;
        is_link && (follow_last || refused || (!is_last && slash_follows)) && !walk_misses
    }

    fn follow(&self, link: InodeId, n_links: u32) -> Result<&[u8], LookupError> {
        let most = match self.fault {
            Fault::FortyOneLinks => 41,
            Fault::ThirtyNineLinks => 39,
            _ => layout::MAX_LINKS,
        };
        if n_links > most || (self.options.no_symlinks && !self.has(Fault::NoSymlinksAllowsMiddle)) {
            return Err(TooManyLinks);
        }
        let unknown = if self.has(Fault::UnknownTargetIsNotFound) { NotFound } else { NotIndexed };
        self.namespace.target(link).ok_or(unknown)
    }

    /// An absolute link: to the root, if that is allowed.
    fn jump(&self) -> Outcome {
        if self.options.beneath && !self.has(Fault::BeneathAllowsAbsoluteLinks) {
            return Err(LeavesRoot);
        }
        Ok(ROOT)
    }
}

/// Takes `name/..` out without looking, as string functions do.
fn collapse(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        let before = names.last().copied();
        match (name, before) {
            (b"..", Some(before)) if !before.is_empty() && before != b".." && before != b"." => {
                _ = names.pop()
            }
            _ => names.push(name),
        }
    }
    let joined = names.join(&b'/');
    if joined.is_empty() {
        if path.starts_with(b"/") { b"/".to_vec() } else { b".".to_vec() }
    } else {
        joined
    }
}
