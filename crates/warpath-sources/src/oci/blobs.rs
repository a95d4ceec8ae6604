//! The files of an image, in a directory or an archive.

use super::digest::{Checked, Digest};
use crate::{SourceError, compressed};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Longer manifests are refused: they are read into memory.
const LONGEST_JSON: u64 = 16 << 20;
/// Links within an archive that are followed.
const MAX_LINKS: usize = 8;

/// The files of an image by their names.
pub(super) struct Blobs {
    path: PathBuf,
    place: Place,
}

enum Place {
    /// Opened, so that the names in its manifest lead to nothing outside of it.
    Directory(OwnedFd),
    Archive {
        file: File,
        members: HashMap<String, Member>,
    },
}

enum Member {
    File {
        offset: u64,
        size: u64,
    },
    /// `docker save` of old stores a layer that comes twice as a link.
    Link(String),
}

impl Blobs {
    /// The files of the directory or archive at `path`.
    pub fn open(path: &Path) -> Result<Blobs, SourceError> {
        let metadata = std::fs::metadata(path).map_err(SourceError::io(path))?;
        let place = if metadata.is_dir() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::open(path, flags, Mode::empty());
            Place::Directory(folder.map_err(|errno| SourceError::io(path)(errno.into()))?)
        } else {
            let file = seekable(path)?;
            let members = members(&file).map_err(SourceError::io(path))?;
            Place::Archive { file, members }
        };
        Ok(Blobs { path: path.to_path_buf(), place })
    }

    /// The directory or archive itself, for errors.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a file of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.size(name).is_some()
    }

    /// Bytes of a file.
    pub fn size(&self, name: &str) -> Option<u64> {
        match &self.place {
            Place::Directory(folder) => Some(open_beneath(folder, name).ok()?.metadata().ok()?.len()),
            Place::Archive { members, .. } => find(members, name).map(|(_, size)| size),
        }
    }

    /// The content of a file.
    pub fn reader(&self, name: &str) -> Result<Box<dyn Read + '_>, SourceError> {
        let missing = || {
            let reason = format!("the image lacks `{name}`: fetch or save it again, whole");
            SourceError::malformed(&self.path, reason)
        };
        match &self.place {
            Place::Directory(folder) => match open_beneath(folder, name) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing()),
                Err(error) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {
                    Err(SourceError::malformed(
                        &self.path,
                        format!("`{name}` leads out of the image: nothing there is read"),
                    ))
                }
                Err(error) => Err(SourceError::io(&self.path.join(name))(error)),
            },
            Place::Archive { file, members } => {
                let (offset, size) = find(members, name).ok_or_else(missing)?;
                Ok(Box::new(Part { file, offset, end: offset.saturating_add(size) }))
            }
        }
    }

    /// The content of a file of JSON, which has the digest that is promised.
    pub fn json(&self, name: &str, promised: Option<Digest>) -> Result<Value, SourceError> {
        let mut text = Vec::new();
        let mut reader = Checked::new(self.reader(name)?, promised);
        reader.by_ref().take(LONGEST_JSON).read_to_end(&mut text).map_err(SourceError::io(&self.path))?;
        reader.finish(&self.path, name)?;
        serde_json::from_slice(&text)
            .map_err(|error| SourceError::malformed(&self.path, format!("`{name}` is no JSON: {error}")))
    }
}

/// Opens a file of the folder; what leads out of it, by name or by link, is `EXDEV`.
fn open_beneath(folder: &OwnedFd, name: &str) -> std::io::Result<File> {
    // To open a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat2(folder, name, flags, Mode::empty(), ResolveFlags::BENEATH)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("this is no file")) }
}

/// The archive; a compressed one is unpacked to an unnamed file, as layers are read out of order.
fn seekable(path: &Path) -> Result<File, SourceError> {
    let mut file = File::open(path).map_err(SourceError::io(path))?;
    let mut magic = [0; compressed::MAGIC];
    let n_bytes = file.read(&mut magic).map_err(SourceError::io(path))?;
    file.rewind().map_err(SourceError::io(path))?;
    if !compressed::is_compressed(&magic[..n_bytes]) {
        return Ok(file);
    }
    let mut content = compressed::decompress(file).map_err(SourceError::io(path))?;
    let mut unpacked = tempfile::tempfile().map_err(SourceError::io(&std::env::temp_dir()))?;
    std::io::copy(&mut content, &mut unpacked).map_err(SourceError::io(path))?;
    unpacked.seek(SeekFrom::Start(0)).map_err(SourceError::io(path))?;
    Ok(unpacked)
}

/// Where the files of an archive lie within it.
fn members(file: &File) -> std::io::Result<HashMap<String, Member>> {
    let mut members = HashMap::new();
    let mut archive = ::tar::Archive::new(file);
    for member in archive.entries_with_seek()? {
        let member = member?;
        let name = String::from_utf8_lossy(&member.path_bytes()).trim_start_matches("./").to_owned();
        let found = match (member.header().entry_type(), member.link_name_bytes()) {
            (::tar::EntryType::Symlink, Some(target)) => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                Member::Link(joined(folder, &String::from_utf8_lossy(&target)))
            }
            (::tar::EntryType::Link, Some(target)) => {
                Member::Link(joined("", &String::from_utf8_lossy(&target)))
            }
            (::tar::EntryType::Regular, _) => {
                Member::File { offset: member.raw_file_position(), size: member.size() }
            }
            _ => continue,
        };
        members.insert(name, found);
    }
    Ok(members)
}

/// `target`, seen from `folder`, worked out on the text.
fn joined(folder: &str, target: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in folder.split('/').chain(target.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}

fn find(members: &HashMap<String, Member>, name: &str) -> Option<(u64, u64)> {
    let mut name = name;
    for _ in 0..MAX_LINKS {
        match members.get(name)? {
            Member::File { offset, size } => return Some((*offset, *size)),
            Member::Link(target) => name = target,
        }
    }
    None
}

/// A part of a file, read without moving the file's own position. Where the file ends before it, that is an error.
struct Part<'f> {
    file: &'f File,
    offset: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length =
            usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(buffer.len());
        let n_bytes = self.file.read_at(&mut buffer[..length], self.offset)?;
        if n_bytes == 0 && length > 0 {
            let reason = "the archive is cut off: it ends within this member";
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, reason));
        }
        self.offset += n_bytes as u64;
        Ok(n_bytes)
    }
}
