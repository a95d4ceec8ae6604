//! The indexes that answer, and which of them answers which path.

use crate::output::Known;
use std::borrow::Cow;
use std::path::Path;
use warpath_core::{Engine, EngineError, OutcomesMut, PathBatch, Plan, Tables};

/// An index that answers paths.
pub struct Target<'a> {
    pub known: Known<'a>,
    pub tables: &'a Tables,
    pub plan: Plan,
    /// Where its root stands; empty where paths are given to it as they are.
    pub mount: Vec<u8>,
    /// Whether relative paths begin in it, at the plan's start directory.
    pub takes_relative: bool,
}

/// All indexes that answer.
pub struct Targets<'a> {
    targets: Vec<Target<'a>>,
    /// Without a slash at its end: empty for the root.
    current_directory: Vec<u8>,
}

/// Whether it does not begin at the current directory; the empty path is ENOENT wherever it begins.
fn is_absolute(path: &[u8]) -> bool {
    path.first().is_none_or(|&byte| byte == b'/')
}

/// Who has answered each path.
pub enum Who<'t> {
    /// The one index that there is.
    One(Known<'t>),
    /// By path; `None` where no index covers it.
    Each(Vec<Option<Known<'t>>>),
}

impl<'t> Who<'t> {
    /// What knows the answer of path `i`.
    pub fn known(&self, i: usize) -> Option<Known<'t>> {
        match self {
            Who::One(known) => Some(*known),
            Who::Each(known) => known.get(i).copied().flatten(),
        }
    }
}

impl<'a> Targets<'a> {
    /// Mount points are compared as text, the longest first.
    pub fn new(mut targets: Vec<Target<'a>>, current_directory: &Path) -> Targets<'a> {
        targets.sort_by_key(|target| std::cmp::Reverse(target.mount.len()));
        let bytes = current_directory.as_os_str().as_encoded_bytes();
        let current_directory = bytes.strip_suffix(b"/").unwrap_or(bytes).to_vec();
        Targets { targets, current_directory }
    }

    /// Answers the paths; what no index covers keeps the answer that the columns hold.
    pub fn resolve(
        &self,
        engine: &dyn Engine,
        paths: &[&[u8]],
        out: OutcomesMut<'_>,
    ) -> Result<Who<'a>, EngineError> {
        if let [target] = &self.targets[..]
            && target.mount.is_empty()
            && (target.takes_relative || paths.iter().all(|path| is_absolute(path)))
        {
            engine.resolve(target.tables, &target.plan, &PathBatch::from_slices(paths), out)?;
            return Ok(Who::One(target.known));
        }
        let full: Vec<Cow<'_, [u8]>> = paths.iter().map(|path| self.full(path)).collect();
        let routes: Vec<Option<(usize, &[u8])>> = full.iter().map(|path| self.route(path)).collect();
        let mut who = vec![None; paths.len()];
        for (number, target) in self.targets.iter().enumerate() {
            let mine: Vec<usize> =
                (0..paths.len()).filter(|&i| routes[i].is_some_and(|(target, _)| target == number)).collect();
            let rests: Vec<&[u8]> = mine.iter().filter_map(|&i| routes[i].map(|(_, rest)| rest)).collect();
            let (mut inodes, mut statuses) = (vec![0; mine.len()], vec![0; mine.len()]);
            let part = OutcomesMut { inodes: &mut inodes, statuses: &mut statuses };
            engine.resolve(target.tables, &target.plan, &PathBatch::from_slices(&rests), part)?;
            for (k, &i) in mine.iter().enumerate() {
                (out.inodes[i], out.statuses[i]) = (inodes[k], statuses[k]);
                who[i] = Some(target.known);
            }
        }
        Ok(Who::Each(who))
    }

    /// A relative path made absolute, where no index takes it as it is.
    fn full<'p>(&self, path: &'p [u8]) -> Cow<'p, [u8]> {
        if is_absolute(path) || self.targets.iter().any(|target| target.takes_relative) {
            return Cow::Borrowed(path);
        }
        Cow::Owned([self.current_directory.as_slice(), b"/", path].concat())
    }

    /// The index for a path, and what is left of the path there.
    fn route<'p>(&self, path: &'p [u8]) -> Option<(usize, &'p [u8])> {
        self.targets.iter().enumerate().find_map(|(number, target)| {
            if target.mount.is_empty() {
                return (is_absolute(path) || target.takes_relative).then_some((number, path));
            }
            let rest = path.strip_prefix(target.mount.as_slice())?;
            match rest.first() {
                None => Some((number, &b"/"[..])),
                Some(b'/') => Some((number, rest)),
                Some(_) => None,
            }
        })
    }
}
