//! Which directories are left out.

use super::ScanError;
use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Globs over the names of directories, and over their paths below the scanned one.
#[derive(Debug)]
pub struct Exclude {
    names: GlobSet,
    paths: GlobSet,
}

impl Exclude {
    /// Reads the globs.
    ///
    /// # Errors
    /// [`ScanError::Glob`] when one can't be understood.
    pub fn new(globs: &[String]) -> Result<Exclude, ScanError> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for glob in globs {
            let fail = |error: globset::Error| ScanError::Glob {
                glob: glob.clone(),
                reason: error.kind().to_string(),
            };
            // A slash at its end says nothing: a glob is about directories. One elsewhere makes it a path below the scanned one.
            let set = if glob.trim_end_matches('/').contains('/') { &mut paths } else { &mut names };
            set.add(GlobBuilder::new(glob.trim_matches('/')).literal_separator(true).build().map_err(fail)?);
        }
        let fail = |error: globset::Error| ScanError::Glob {
            glob: error.glob().unwrap_or_default().to_owned(),
            reason: error.kind().to_string(),
        };
        Ok(Exclude { names: names.build().map_err(fail)?, paths: paths.build().map_err(fail)? })
    }

    /// Whether [`matches_path`](Exclude::matches_path) is ever true.
    pub fn needs_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Whether a directory of this name is left out.
    pub fn matches_name(&self, name: &[u8]) -> bool {
        !self.names.is_empty() && self.names.is_match_candidate(&Candidate::new(OsStr::from_bytes(name)))
    }

    /// Whether the directory with this path below the scanned one is left out.
    pub fn matches_path(&self, path: &[u8]) -> bool {
        self.needs_paths() && self.paths.is_match_candidate(&Candidate::new(OsStr::from_bytes(path)))
    }

    /// Whether the directory with this path is left out, because of its name or its path.
    pub fn matches(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        self.matches_name(name) || self.matches_path(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_with_a_slash_is_about_paths() {
        let exclude = Exclude::new(&["*.git".into(), "/var/*/cache/".into(), "\\[x".into()]).unwrap();
        assert!(exclude.matches_name(b".git") && exclude.matches_name(b"[x"));
        assert!(!exclude.matches_name(b"git") && !exclude.matches_name(b"cache"));
        assert!(exclude.matches_path(b"var/x\xff/cache") && !exclude.matches_path(b"var/x/y/cache"));
        assert!(!Exclude::new(&["x".into()]).unwrap().needs_paths());
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Exclude::new(&["a[".into()]).unwrap_err().to_string();
        assert!(error.starts_with("glob `a[`: "), "{error}");
    }
}
