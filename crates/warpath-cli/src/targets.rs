//! The indexes that answer, and which of them answers which path.

use crate::output::Known;
use std::borrow::Cow;
use warpath_core::layout::MAX_PATH;
use warpath_core::{Engine, EngineError, LookupError, OutcomesMut, PathBatch, Plan, Tables};

/// An index that answers paths.
pub struct Target<'a> {
    pub known: Known<'a>,
    pub tables: &'a Tables,
    pub plan: Plan,
}

/// An index, and where its root stands.
pub struct Mounted<'a> {
    pub target: Target<'a>,
    /// As [`mount_point`] writes it.
    pub mount: Vec<u8>,
    /// From the current directory, where that lies in this index, or why it does not.
    pub here: Result<Plan, LookupError>,
}

/// All indexes that answer.
pub enum Targets<'a> {
    /// One, which is given paths as they are; relative ones begin at its plan's start directory, if that is known.
    Alone { target: Target<'a>, takes_relative: bool },
    /// By mount points.
    Mounts(Mounts<'a>),
}

/// Indexes by their mount points.
pub struct Mounts<'a> {
    /// Of those with the same mount point the next is asked where one says UNINDEXED.
    mounts: Vec<Mounted<'a>>,
    /// `None` where there is none, because it was removed: where relative paths lead is not known then.
    current_directory: Option<Vec<u8>>,
}

/// Who has answered each path.
pub enum Who<'t> {
    /// The one index that there is.
    One(Known<'t>),
    /// By path; `None` where no index covers it.
    Each(Vec<Option<Known<'t>>>),
}

/// Where a path is answered.
enum Route<'p> {
    /// It leads nowhere: its text alone says so.
    Nowhere(LookupError),
    /// In the indexes of a mount point, of which this is the first: what is left of the path there.
    Mount(usize, Cow<'p, [u8]>),
    /// In the same, from the current directory.
    Here(usize, &'p [u8]),
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
    /// What each of them knows.
    pub fn known(&self) -> impl Iterator<Item = Known<'a>> {
        let (alone, mounts) = match self {
            Targets::Alone { target, .. } => (Some(target), &[][..]),
            Targets::Mounts(mounts) => (None, &mounts.mounts[..]),
        };
        alone.into_iter().chain(mounts.iter().map(|mounted| &mounted.target)).map(|target| target.known)
    }

    /// Answers the paths; what no index covers keeps the answer that the columns hold.
    pub fn resolve(
        &self,
        engine: &dyn Engine,
        paths: &[&[u8]],
        out: OutcomesMut<'_>,
    ) -> Result<Who<'a>, EngineError> {
        match self {
            Targets::Alone { target, takes_relative } => {
                if *takes_relative || paths.iter().all(|path| is_absolute(path)) {
                    engine.resolve(target.tables, &target.plan, &PathBatch::from_slices(paths), out)?;
                    return Ok(Who::One(target.known));
                }
                let mut part = Part::new(paths.len());
                for (i, path) in paths.iter().enumerate() {
                    match judge(path) {
                        Err(error) => out.statuses[i] = error.code(),
                        Ok(()) if is_absolute(path) => part.push(i, path),
                        Ok(()) => {}
                    }
                }
                let mut answers = Answers { out, who: vec![None; paths.len()] };
                answers.ask(engine, target, &target.plan, &part)?;
                Ok(Who::Each(answers.who))
            }
            Targets::Mounts(mounts) => mounts.resolve(engine, paths, out),
        }
    }
}

impl<'a> Mounts<'a> {
    pub fn new(mut mounts: Vec<Mounted<'a>>, current_directory: Option<Vec<u8>>) -> Mounts<'a> {
        // The longest first. Those of the same mount point stay in the order in which they were given.
        mounts.sort_by(|a, b| b.mount.len().cmp(&a.mount.len()).then_with(|| a.mount.cmp(&b.mount)));
        Mounts { mounts, current_directory }
    }

    fn resolve(
        &self,
        engine: &dyn Engine,
        paths: &[&[u8]],
        out: OutcomesMut<'_>,
    ) -> Result<Who<'a>, EngineError> {
        let mut position = Vec::new();
        let routes: Vec<Route<'_>> = paths.iter().map(|path| self.route(path, &mut position)).collect();
        for (status, route) in out.statuses.iter_mut().zip(&routes) {
            if let Route::Nowhere(error) = route {
                *status = error.code();
            }
        }
        let mut answers = Answers { out, who: vec![None; paths.len()] };
        for (number, mounted) in self.mounts.iter().enumerate() {
            let (mut below, mut from_here) = (Part::new(0), Part::new(0));
            for (i, route) in routes.iter().enumerate() {
                let (Route::Mount(first, _) | Route::Here(first, _)) = route else { continue };
                let is_first = *first == number;
                if !is_first && (self.mounts[*first].mount != mounted.mount || !answers.is_unindexed(i)) {
                    continue;
                }
                match (route, &mounted.here) {
                    (Route::Here(_, path), Ok(_)) => from_here.push(i, path),
                    (Route::Here(..), Err(error)) => answers.out.statuses[i] = error.code(),
                    (Route::Mount(_, rest), _) => below.push(i, rest),
                    (Route::Nowhere(_), _) => {}
                }
            }
            answers.ask(engine, &mounted.target, &mounted.target.plan, &below)?;
            if let Ok(here) = &mounted.here {
                answers.ask(engine, &mounted.target, here, &from_here)?;
            }
        }
        Ok(Who::Each(answers.who))
    }

    /// Judges a path as it was given, and finds the mount point in front of it.
    fn route<'p>(&self, path: &'p [u8], position: &mut Vec<u8>) -> Route<'p> {
        if let Err(error) = judge(path) {
            return Route::Nowhere(error);
        }
        let unindexed = Route::Nowhere(LookupError::NotIndexed);
        if is_absolute(path) {
            return match self.find(path, position) {
                Some((first, begin)) => Route::Mount(first, Cow::Borrowed(rest(&path[begin..]))),
                None => unindexed,
            };
        }
        let Some(current_directory) = &self.current_directory else { return unindexed };
        let full = [current_directory.as_slice(), b"/", path].concat();
        match self.find(&full, position) {
            // The kernel judges only what it is given, and that was short enough. What is too long behind the mount point
            // begins in front of the current directory, so that is in the index.
            Some((first, begin)) if full.len() - begin > MAX_PATH as usize => Route::Here(first, path),
            Some((first, begin)) => Route::Mount(first, Cow::Owned(rest(&full[begin..]).to_vec())),
            None => unindexed,
        }
    }

    /// The first index of the longest mount point in front of an absolute path, and where in the path its root is reached.
    ///
    /// `None` where no index stands, and where the path leads from one to another, or out of one, by `..`: what it passes
    /// there nobody has looked at. Links are not seen here.
    fn find(&self, path: &[u8], position: &mut Vec<u8>) -> Option<(usize, usize)> {
        let stands_at = |position: &[u8]| self.mounts.iter().position(|mounted| mounted.mount == position);
        let longest = self.mounts.first().map_or(0, |mounted| mounted.mount.len());
        let has_dots = memchr::memmem::find(path, b"/..").is_some();
        position.clear();
        let mut found = stands_at(b"").map(|first| (first, 0));
        let mut climbed = false;
        for (component, end) in components(path) {
            if component == b".." {
                let (first, _) = found?;
                let mount = &self.mounts[first].mount;
                if position == mount {
                    // Above the root is the root.
                    if mount.is_empty() { continue } else { return None }
                }
                position.truncate(memchr::memrchr(b'/', position).unwrap_or(0));
                climbed = true;
                continue;
            }
            position.push(b'/');
            position.extend_from_slice(component);
            match stands_at(position) {
                Some(_) if climbed => return None,
                Some(first) => found = Some((first, end)),
                None if !has_dots && position.len() >= longest => break,
                None => {}
            }
        }
        found
    }
}

/// Some paths of a batch, and which of them they are.
struct Part<'p> {
    numbers: Vec<usize>,
    paths: Vec<&'p [u8]>,
}

impl<'p> Part<'p> {
    fn new(n: usize) -> Part<'p> {
        Part { numbers: Vec::with_capacity(n), paths: Vec::with_capacity(n) }
    }

    fn push(&mut self, number: usize, path: &'p [u8]) {
        self.numbers.push(number);
        self.paths.push(path);
    }
}

/// The answers of a batch, part by part.
struct Answers<'o, 'a> {
    out: OutcomesMut<'o>,
    who: Vec<Option<Known<'a>>>,
}

impl<'a> Answers<'_, 'a> {
    fn is_unindexed(&self, i: usize) -> bool {
        self.out.statuses[i] == LookupError::NotIndexed.code()
    }

    fn ask(
        &mut self,
        engine: &dyn Engine,
        target: &Target<'a>,
        plan: &Plan,
        part: &Part<'_>,
    ) -> Result<(), EngineError> {
        if part.paths.is_empty() {
            return Ok(());
        }
        let n = part.paths.len();
        let (mut inodes, mut statuses) = (vec![0; n], vec![0; n]);
        let out = OutcomesMut { inodes: &mut inodes, statuses: &mut statuses };
        engine.resolve(target.tables, plan, &PathBatch::from_slices(&part.paths), out)?;
        for (k, &i) in part.numbers.iter().enumerate() {
            (self.out.inodes[i], self.out.statuses[i]) = (inodes[k], statuses[k]);
            self.who[i] = Some(target.known);
        }
        Ok(())
    }
}

/// A mount point as paths are compared with it: `/a/b`, and the root empty. `None` where it holds `..`, which only the
/// kernel can follow.
pub fn mount_point(text: &[u8]) -> Option<Vec<u8>> {
    let mut mount = Vec::new();
    for (component, _) in components(text) {
        if component == b".." {
            return None;
        }
        mount.push(b'/');
        mount.extend_from_slice(component);
    }
    Some(mount)
}

/// What a path leads through by its text, and where in it each ends. Empty ones and `.` lead nowhere.
fn components(path: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut end = 0;
    path.split(|&byte| byte == b'/')
        .map(move |component| {
            let begin = end;
            end = begin + component.len() + 1;
            (component, begin + component.len())
        })
        .filter(|(component, _)| !matches!(component, [] | [b'.']))
}

/// What is left behind a mount point, from its root.
fn rest(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"/" } else { path }
}

fn is_absolute(path: &[u8]) -> bool {
    path.starts_with(b"/")
}

/// What the kernel says of a path's text alone, wherever it leads.
fn judge(path: &[u8]) -> Result<(), LookupError> {
    match path {
        [] => Err(LookupError::NotFound),
        _ if memchr::memchr(0, path).is_some() => Err(LookupError::Invalid),
        _ if path.len() > MAX_PATH as usize => Err(LookupError::NameTooLong),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warpath_core::{Index, Namespace, Options};

    #[test]
    fn the_longest_mount_point_in_front_answers() {
        let index = Index::build(Namespace::new()).unwrap();
        let plan = index.plan(&Options::default()).unwrap();
        let mounts = |texts: &[&str]| {
            let mounted = |text: &&str| Mounted {
                target: Target {
                    known: Known::of(index.namespace()),
                    tables: index.tables(),
                    plan: plan.clone(),
                },
                mount: mount_point(text.as_bytes()).unwrap(),
                here: Err(LookupError::NotIndexed),
            };
            Mounts::new(texts.iter().map(mounted).collect(), None)
        };
        let find = |mounts: &Mounts<'_>, path: &str| {
            let (first, begin) = mounts.find(path.as_bytes(), &mut Vec::new())?;
            let mount = String::from_utf8(mounts.mounts[first].mount.clone()).unwrap();
            Some((mount, path[begin..].to_owned()))
        };
        let some = |mount: &str, rest: &str| Some((mount.to_owned(), rest.to_owned()));

        let two = mounts(&["/m", "//m/./deep/"]);
        assert_eq!(find(&two, "/m"), some("/m", ""));
        assert_eq!(find(&two, "/m/"), some("/m", "/"));
        assert_eq!(find(&two, "//./m//a/.."), some("/m", "//a/.."));
        assert_eq!(find(&two, "/m/deep/../../m/x"), None);
        assert_eq!(find(&two, "/m//deep/x"), some("/m/deep", "/x"));
        assert_eq!(find(&two, "/m/deep/x/.././y"), some("/m/deep", "/x/.././y"));
        // Out of the index, or into another one, by `..`.
        for path in ["/m/../m", "/m/a/../../m/a", "/m/a/../deep/x", "/m/deep/../deep", "/x/../m", "/mm", "/"]
        {
            assert_eq!(find(&two, path), None, "{path}");
        }
        let rooted = mounts(&["/m", "/"]);
        assert_eq!(find(&rooted, "/../../x/../y"), some("", "/../../x/../y"));
        assert_eq!(find(&rooted, "/m/x"), some("/m", "/x"));
        for path in ["/x/../m", "/x/../m/y", "/m/../x"] {
            assert_eq!(find(&rooted, path), None, "{path}");
        }
        assert_eq!(mount_point(b"/a/../b"), None);
    }
}
