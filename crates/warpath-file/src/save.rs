//! Saving a file so that there is always the old one or the new one.

use crate::checksum::checksum;
use crate::format::{Section, head, lay_out};
use crate::sections::{self, Made};
use crate::{Facts, FileError};
use rayon::prelude::*;
use rustix::fs::OFlags;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use warpath_core::Index;
use warpath_core::layout::TABLE_STRICT;

/// How a file is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaveOptions {
    /// Permissions of the file. The default, 0600, keeps the secret hash key with the owner.
    pub mode: u32,
    /// The file's user and group, where they are not to be the caller's: only root may give files away.
    pub owner: Option<(u32, u32)>,
}

impl Default for SaveOptions {
    fn default() -> SaveOptions {
        SaveOptions { mode: 0o600, owner: None }
    }
}

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Bytes of the file.
    pub n_bytes: u64,
}

/// Bytes of one write.
const PIECE: usize = 8 << 20;

/// Bytes that are written before a sync of them begins.
const SYNCED: usize = 64 << 20;

/// Links that lead on to another, at most: as the kernel has it.
const MAX_LINKS: usize = 40;

/// What the temporary file's name ends in, behind so many letters and digits.
const PARTIAL: &str = ".partial";
const RANDOM: usize = 6;

/// Saves the index to `path`, replacing what is there; a symbolic link there stays, and what it leads to is replaced, or made where
/// there is nothing.
///
/// The file is written under another name in the same directory, synced, and renamed; then the directory is synced. At a kill
/// or a full disk at any moment `path` is the old file or the new one, whole. What a killed save left is removed by
/// the next one. What the page cache holds of the old file makes room for the new one, unless somebody has it mapped.
///
/// # Errors
/// [`FileError::Io`] when a step fails; also when the index still re-keys a renamed directory
/// (call [`Index::rekey`] until it is done). The old file is then as it was.
pub fn save(index: &Index, facts: &Facts, path: &Path, options: &SaveOptions) -> Result<Saved, FileError> {
    // Errors name the file as the caller did, and neither what a link leads to nor the temporary file.
    let named = path;
    if index.tables().params().flags & TABLE_STRICT != 0 {
        let source = std::io::Error::other("a renamed directory is being re-keyed: finish that first");
        return Err(FileError::io(named, "saving")(source));
    }
    let path = place(named).map_err(FileError::io(named, "saving"))?;
    if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let source = std::io::Error::other("it is no regular file, and is not replaced");
        return Err(FileError::io(named, "saving")(source));
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or(OsStr::new("index"));
    remove_leftovers(folder, name);
    let file = temporary(folder, name).map_err(FileError::io(named, "making a file beside"))?;
    // Held until the file is closed: who finds it unlocked knows that its writer is gone.
    let _ = file.as_file().try_lock();
    let made = Made::new(index, facts);
    let old = File::open(&path).ok();
    if let Some((user, group)) = options.owner {
        // Before the permissions, which a change of the owner may take away.
        fchown(file.as_file(), Some(user), Some(group)).map_err(FileError::io(named, "giving its owner"))?;
    }
    let n_bytes = file
        .as_file()
        .set_permissions(Permissions::from_mode(options.mode))
        .and_then(|()| write(file.as_file(), old.as_ref(), &sections::of(index, &made)))
        .map_err(FileError::io(named, "writing"))?;
    file.persist(&path).map_err(|error| FileError::io(named, "replacing")(error.error))?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(FileError::io(named, "syncing the directory of"))?;
    Ok(Saved { n_bytes })
}

/// Where a file of this name lies or would be made, links followed as `open` with `O_CREAT` follows them.
fn place(path: &Path) -> std::io::Result<PathBuf> {
    let missing = match path.canonicalize() {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => error,
        Err(error) => return Err(error),
    };
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(target) = path.read_link() else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    // Links have changed meanwhile.
    Err(missing)
}

/// A new file in the folder, which is removed when it is dropped.
fn temporary(folder: &Path, name: &OsStr) -> std::io::Result<NamedTempFile> {
    let mut why = None;
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(&prefix(name)).rand_bytes(RANDOM).suffix(PARTIAL).make_in(folder, |path| {
        let opened = File::options().read(true).write(true).create_new(true).mode(0o600).open(path);
        opened.inspect_err(|error| why = error.raw_os_error())
    });
    // That library's errors name the temporary file.
    made.map_err(|error| why.map_or(error, std::io::Error::from_raw_os_error))
}

/// Writes and syncs a file; its checksums are worked out meanwhile.
fn write(file: &File, old: Option<&File>, sections: &[([u8; 8], &[u8])]) -> std::io::Result<u64> {
    let (mut toc, n_bytes) = lay_out(sections);
    let (sums, written) = rayon::join(
        || sections.par_iter().map(|(_, bytes)| checksum(bytes)).collect::<Vec<u64>>(),
        || write_sections(file, old, sections, &toc),
    );
    written?;
    toc.iter_mut().zip(sums).for_each(|(section, sum)| section.checksum = sum);
    file.write_all_at(&head(&toc, n_bytes), 0)?;
    file.sync_all()?;
    Ok(n_bytes)
}

/// Writes the sections to their places, what lies between them zeros; what is written goes to the disk while more is.
fn write_sections(
    file: &File,
    old: Option<&File>,
    sections: &[([u8; 8], &[u8])],
    toc: &[Section],
) -> std::io::Result<()> {
    std::thread::scope(|scope| {
        let (written, wanted) = std::sync::mpsc::sync_channel(1);
        // Its errors count: the system tells each of them once.
        let sync = move || wanted.iter().try_for_each(|()| file.sync_data());
        let syncer = std::thread::Builder::new().name("sync".into()).spawn_scoped(scope, sync)?;
        let mut unsynced = 0;
        for (section, (_, bytes)) in toc.iter().zip(sections) {
            for (piece, number) in bytes.chunks(PIECE).zip(0..) {
                let offset = section.offset + number * PIECE as u64;
                file.write_all_at(piece, offset)?;
                // Not before: it may be this very file that the index lies in.
                old.inspect(|old| make_room(old, offset));
                unsynced += piece.len();
                // Where a sync still waits for its turn, it takes what came meanwhile with it.
                if unsynced >= SYNCED && written.try_send(()).is_ok() {
                    unsynced = 0;
                }
            }
        }
        drop(written);
        syncer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Lets the page cache forget a piece of a file that will be replaced: the new file's pages then take the place of these, instead
/// of others' or of pages that a virtual machine's host must back first. Pages that somebody has mapped stay.
fn make_room(old: &File, offset: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Advice, fadvise};
        // Only advice: what comes of it does not matter.
        let _ = fadvise(old, offset, std::num::NonZero::new(PIECE as u64), Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (old, offset);
}

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

/// Removes what saves of the same file left that were killed. Whatever fails here is left to the next one.
fn remove_leftovers(folder: &Path, name: &OsStr) {
    let prefix = prefix(name);
    // Others may write to the folder, too: what is no regular file of such a name is theirs, and opening it might not end.
    let is_ours = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let random = name.and_then(|name| name.strip_suffix(PARTIAL.as_bytes()));
        random.is_some_and(|random| random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric))
            && entry.file_type().is_ok_and(|file_type| file_type.is_file())
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    for path in entries.filter(is_ours).map(|entry| entry.path()) {
        let opened = File::options().read(true).custom_flags(flags).open(&path);
        if opened.is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(&path);
        }
    }
}
