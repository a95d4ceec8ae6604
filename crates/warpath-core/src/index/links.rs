//! What each symbolic link leads to, worked out ahead: a link's outcome does not depend on who follows it.
//!
//! Each link's target is walked once over the names of the tree; a link met on the way is resolved first, and its outcome
//! and link count are used from then on. A link met while it is being resolved is a loop: whoever follows any link of
//! the loop follows links without end, so all of them are ELOOP.

use crate::layout::{self, LinkRecord};
use crate::namespace::{FileType, Namespace};
use crate::{INVALID_INODE, InodeId, LookupError, ROOT};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// What a link's outcome was found to depend on; a change of any of it asks for the link to be resolved anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dependency<'a> {
    /// What a directory has under a name.
    Entry(InodeId, &'a [u8]),
    /// The parent of a directory.
    Parent(InodeId),
    /// The outcome of another link, by its number.
    Link(u32),
}

/// Hears of each dependency of each link as it is found.
pub(crate) trait Observer {
    fn depends(&mut self, link: u32, on: Dependency<'_>);
}

/// Hears nothing.
pub(crate) struct NoObserver;

impl Observer for NoObserver {
    fn depends(&mut self, _link: u32, _on: Dependency<'_>) {}
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unknown,
    Underway,
    Done,
}

/// The walk of one link's target, as far as it has come.
struct Frame<'n> {
    link: u32,
    target: &'n [u8],
    at: usize,
    directory: InodeId,
    links: u32,
}

/// How a step of a walk ended.
enum Step {
    /// The link's outcome: status, inode, kind.
    Done { status: u32, inode: InodeId, kind: u32, links: u32 },
    /// Another link must be resolved first.
    Needs(u32),
}

impl<'n> Frame<'n> {
    /// The component that comes next, and whether nothing follows it, not even a slash. It is passed by [`Frame::pass`].
    fn component(&mut self) -> Option<(&'n [u8], bool)> {
        self.at += self.target[self.at..].iter().take_while(|&&byte| byte == b'/').count();
        let rest = &self.target[self.at..];
        if rest.is_empty() {
            return None;
        }
        let length = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
        Some((&rest[..length], length == rest.len()))
    }

    fn pass(&mut self, component: &[u8]) {
        self.at += component.len();
    }

    fn found(&self, inode: InodeId, kind: FileType) -> Step {
        Step::Done { status: layout::STATUS_FOUND, inode, kind: kind.kind(), links: self.links }
    }

    fn failed(&self, error: LookupError) -> Step {
        Step::Done { status: u32::from(error.code()), inode: INVALID_INODE, kind: 0, links: self.links }
    }

    fn too_many_links(&mut self) -> Step {
        self.links = layout::TOO_MANY_LINKS;
        self.failed(LookupError::TooManyLinks)
    }
}

/// Resolves links over the names of a tree.
pub(crate) struct LinkResolver<'n, 'r, O> {
    namespace: &'n Namespace,
    /// Where links may not leave, for the outcomes that `beneath` sees.
    beneath: Option<InodeId>,
    records: &'r mut [LinkRecord],
    /// The links to resolve; all others are known.
    progress: HashMap<u32, Progress, RandomState>,
    observer: O,
}

impl<'n, 'r, O: Observer> LinkResolver<'n, 'r, O> {
    /// `records` hold each link's `own` and `parent`; those in `unknown` are resolved anew, the others are taken as they are.
    pub fn new(
        namespace: &'n Namespace,
        records: &'r mut [LinkRecord],
        unknown: impl IntoIterator<Item = u32>,
        beneath: Option<InodeId>,
        observer: O,
    ) -> Self {
        let progress = unknown.into_iter().map(|number| (number, Progress::Unknown)).collect();
        LinkResolver { namespace, beneath, records, progress, observer }
    }

    /// Resolves every link that is not known yet. Each is walked once, however long the chains are.
    pub fn run(mut self) {
        let unknown: Vec<u32> = self.progress.keys().copied().collect();
        for number in unknown {
            if self.progress[&number] == Progress::Unknown && (number as usize) < self.records.len() {
                self.resolve(number);
            }
        }
    }

    /// Resolves a link and, before it, those that it leads over. A stack of its own: chains may be long.
    fn resolve(&mut self, number: u32) {
        let mut stack: Vec<Frame<'n>> = vec![];
        let mut next = Some(number);
        loop {
            if let Some(number) = next.take() {
                self.progress.insert(number, Progress::Underway);
                stack.push(self.begin(number));
            }
            let Some(frame) = stack.last_mut() else { return };
            match self.step(frame) {
                Step::Needs(number) => next = Some(number),
                Step::Done { status, inode, kind, links } => {
                    let record = &mut self.records[frame.link as usize];
                    record.inode = inode;
                    record.outcome = LinkRecord::pack(status, kind, links);
                    self.progress.insert(frame.link, Progress::Done);
                    stack.pop();
                }
            }
        }
    }

    fn begin(&self, number: u32) -> Frame<'n> {
        let record = &self.records[number as usize];
        Frame {
            link: number,
            target: self.namespace.target(record.own).unwrap_or_default(),
            at: 0,
            directory: record.parent,
            links: 1,
        }
    }

    /// Walks a target until it ends or leads over a link that is not known yet.
    fn step(&mut self, frame: &mut Frame<'n>) -> Step {
        let Some(first) = frame.target.first() else {
            // The target is not known, so neither is where it leads.
            return frame.failed(LookupError::NotIndexed);
        };
        if frame.at == 0 && *first == b'/' {
            if self.beneath.is_some() {
                return frame.failed(LookupError::LeavesRoot);
            }
            frame.directory = ROOT;
        }
        while let Some((component, last)) = frame.component() {
            let end = match component {
                b"." => None,
                b".." => self.ascend(frame),
                _ => self.descend(frame, component, last),
            };
            if let Some(end) = end {
                return end;
            }
            frame.pass(component);
        }
        frame.found(frame.directory, FileType::Directory)
    }

    /// Goes to the parent; or ends the walk.
    fn ascend(&mut self, frame: &mut Frame<'n>) -> Option<Step> {
        let here = frame.directory;
        if self.beneath == Some(here) {
            return Some(frame.failed(LookupError::LeavesRoot));
        }
        self.observer.depends(frame.link, Dependency::Parent(here));
        frame.directory = self.namespace.parent(here).unwrap_or(ROOT);
        None
    }

    /// Goes to the directory that a name leads to; or ends the walk, as the last name always does.
    fn descend(&mut self, frame: &mut Frame<'n>, name: &[u8], last: bool) -> Option<Step> {
        if name.len() > layout::MAX_NAME as usize {
            return Some(frame.failed(LookupError::NameTooLong));
        }
        let here = frame.directory;
        self.observer.depends(frame.link, Dependency::Entry(here, name));
        let Some(entry) = self.namespace.child_entry(here, name) else {
            let partial = self.namespace.is_partial(here);
            let error = if partial { LookupError::NotIndexed } else { LookupError::NotFound };
            return Some(frame.failed(error));
        };
        match self.namespace.file_type(entry.inode).unwrap_or(FileType::Other) {
            FileType::Symlink => self.follow(frame, entry.alias, last),
            kind => arrive(frame, entry.inode, kind, last),
        }
    }

    /// Goes where another link leads, by its own outcome; or ends the walk.
    fn follow(&mut self, frame: &mut Frame<'n>, alias: InodeId, last: bool) -> Option<Step> {
        let Some(number) = link_number(self.namespace, alias) else {
            return Some(frame.failed(LookupError::NotIndexed));
        };
        self.observer.depends(frame.link, Dependency::Link(number));
        let Some(link) = self.records.get(number as usize) else {
            return Some(frame.failed(LookupError::NotIndexed));
        };
        match self.progress.get(&number) {
            // The component is looked up again when this is known.
            Some(Progress::Unknown) => return Some(Step::Needs(number)),
            Some(Progress::Underway) => return Some(frame.too_many_links()),
            Some(Progress::Done) | None => {}
        }
        frame.links += link.links();
        if frame.links > layout::MAX_LINKS {
            return Some(frame.too_many_links());
        }
        match LookupError::from_code(link.status() as u8) {
            Some(error) => Some(frame.failed(error)),
            None => arrive(frame, link.inode, FileType::from_kind(link.kind()), last),
        }
    }
}

/// Where a component that is no link on the way leads: the walk ends there if it is the last, else it must be a directory.
fn arrive(frame: &mut Frame<'_>, inode: InodeId, kind: FileType, last: bool) -> Option<Step> {
    match kind {
        _ if last => Some(frame.found(inode, kind)),
        FileType::Directory => {
            frame.directory = inode;
            None
        }
        _ => Some(frame.failed(LookupError::NotADirectory)),
    }
}

/// The number of the link record of this id; `None` for what is no link.
pub(crate) fn link_number(namespace: &Namespace, alias: InodeId) -> Option<u32> {
    let block = namespace.blocks().get((alias / layout::BLOCK_INODES) as usize)?;
    block.link_index(alias % layout::BLOCK_INODES)
}

/// The number of the directory record of this id; `None` for what is no directory.
pub(crate) fn dir_number(namespace: &Namespace, inode: InodeId) -> Option<u32> {
    let block = namespace.blocks().get((inode / layout::BLOCK_INODES) as usize)?;
    block.dir_index(inode % layout::BLOCK_INODES)
}
