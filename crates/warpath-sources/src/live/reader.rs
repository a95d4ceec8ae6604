//! Reading one directory after the other.

use super::filesystem::{self, Trust, WANTED, device};
use super::listing::{Found, Kind, Listing, Progress, Token};
use super::walk::{Descriptor, Parent, Place, Waiting, Walk};
use rustix::buffer::spare_capacity;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, RawDir, RawDirEntry, Statx, readlinkat_raw, statx};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{SendError, SyncSender};
use warpath_core::Attributes;

/// Bytes that the kernel may fill with names in one call. glibc's `readdir` takes 32 KiB; with more, most
/// directories need one call and the empty one at their end.
const NAMES_BUFFER: usize = 128 << 10;

/// A directory with more bytes of names is sent in parts, so that nobody holds all of it twice.
const PART: usize = 1 << 20;

/// Links' targets have at most 4095 bytes.
const TARGET_BUFFER: usize = 4096;

/// One thread's reader.
pub struct Reader<'w> {
    walk: &'w Walk,
    listings: &'w SyncSender<Listing>,
    names: Vec<u8>,
    target: Vec<u8>,
}

/// Nobody listens any more.
#[derive(Debug)]
pub struct Unheard;

impl From<SendError<Listing>> for Unheard {
    fn from(_: SendError<Listing>) -> Unheard {
        Unheard
    }
}

/// An open directory that is to be listed.
struct Open {
    descriptor: Arc<Descriptor>,
    stat: Statx,
    trust: Trust,
}

/// What was a link when its name was read, and is none now.
enum NoLink {
    Vanished,
    Replaced,
}

/// Why a directory is not listed, and what is known of it nevertheless.
struct Closed {
    progress: Progress,
    attributes: Option<Attributes>,
}

impl<'w> Reader<'w> {
    /// A reader with buffers of its own.
    pub fn new(walk: &'w Walk, listings: &'w SyncSender<Listing>) -> Reader<'w> {
        let (names, target) = (Vec::with_capacity(NAMES_BUFFER), Vec::with_capacity(TARGET_BUFFER));
        Reader { walk, listings, names, target }
    }

    /// Reads a directory, sends what it holds, and leaves its sub-directories to wait.
    pub fn read(&mut self, waiting: &Waiting) -> Result<(), Unheard> {
        let path = self.path(&waiting.place);
        match self.open(&waiting.place, &path) {
            Ok(open) => self.list(waiting, &open, path),
            Err(closed) => {
                let mut listing = Listing::new(waiting.token, 0, closed.attributes);
                listing.progress = closed.progress;
                Ok(self.listings.send(listing)?)
            }
        }
    }

    /// The path below the scanned directory, or nothing where nobody asks.
    fn path(&self, place: &Place) -> Vec<u8> {
        match place {
            Place::Below(parent, name) if self.walk.exclude.needs_paths() => {
                let mut path = parent.path.clone();
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(name.to_bytes());
                path
            }
            _ => Vec::new(),
        }
    }

    fn open(&self, place: &Place, path: &[u8]) -> Result<Open, Closed> {
        let mut trust = None;
        if let Place::Below(parent, name) = place {
            if self.walk.exclude.matches_name(name.to_bytes()) || self.walk.exclude.matches_path(path) {
                return Err(Closed {
                    progress: Progress::Excluded,
                    attributes: self.stat_child(parent, name),
                });
            }
            trust = Some((parent.device, parent.trust));
        }
        let unreadable = |errno: Errno| Closed {
            progress: match errno {
                Errno::NOENT => Progress::Vanished,
                Errno::NOTDIR | Errno::LOOP => Progress::Replaced,
                errno => Progress::Unreadable(errno),
            },
            attributes: match place {
                Place::Below(parent, name) => self.stat_child(parent, name),
                Place::Top(_) => None,
            },
        };
        let descriptor = place.open(self.walk).map_err(unreadable)?;
        let stat = statx(&descriptor.fd, c"", AtFlags::EMPTY_PATH, WANTED).map_err(unreadable)?;
        let device = device(&stat);
        if self.walk.only_device.is_some_and(|only| only != device) {
            let attributes = Some(self.attributes(&stat));
            return Err(Closed { progress: Progress::OtherFileSystem, attributes });
        }
        let trust = match trust {
            Some((of, trust)) if of == device => trust,
            _ => Trust::of(&descriptor.fd),
        };
        Ok(Open { descriptor, stat, trust })
    }

    fn list(&mut self, waiting: &Waiting, open: &Open, path: Vec<u8>) -> Result<(), Unheard> {
        let Open { descriptor, stat, trust } = open;
        let device = device(stat);
        let parent = waiting.place.parent(descriptor, device, *trust, path);
        let mut listing = Listing::new(waiting.token, device, Some(self.attributes(stat)));
        let mut directories = Vec::new();
        let mut names = std::mem::take(&mut self.names);
        let mut entries = RawDir::new(&descriptor.fd, names.spare_capacity_mut());
        let progress = loop {
            match entries.next() {
                None => break Progress::Complete,
                Some(Err(Errno::NOENT)) => break Progress::Vanished,
                Some(Err(errno)) => break Progress::Unreadable(errno),
                Some(Ok(entry)) => self.add(open, &entry, &mut listing, &mut directories),
            }
            if listing.bytes.len() > PART {
                let part = std::mem::replace(&mut listing, Listing::new(waiting.token, device, None));
                self.send(part, &parent, &mut directories)?;
            }
        };
        self.names = names;
        listing.progress = progress;
        self.send(listing, &parent, &mut directories)
    }

    /// The listing goes first: the builder must know a directory's name before what is in it.
    fn send(
        &self,
        listing: Listing,
        parent: &Arc<Parent>,
        directories: &mut Vec<(Token, CString)>,
    ) -> Result<(), Unheard> {
        self.listings.send(listing)?;
        if !directories.is_empty() {
            let below = |(token, name)| Waiting { token, place: Place::Below(parent.clone(), name) };
            self.walk.queue.push(directories.drain(..).map(below));
        }
        Ok(())
    }

    fn add(
        &mut self,
        open: &Open,
        entry: &RawDirEntry<'_>,
        listing: &mut Listing,
        directories: &mut Vec<(Token, CString)>,
    ) {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            return;
        }
        let Ok(stat) = self.stat(open, entry) else {
            listing.vanished += 1;
            return;
        };
        let file_type = match &stat {
            Some(stat) => FileType::from_raw_mode(stat.stx_mode.into()),
            None => entry.file_type(),
        };
        let at = listing.store(name.to_bytes());
        let kind = match file_type {
            FileType::Symlink => match self.link(open, name, listing) {
                Ok(target) => Kind::Symlink(target),
                Err(NoLink::Vanished) => {
                    listing.vanished += 1;
                    return;
                }
                Err(NoLink::Replaced) => self.directory(name, directories),
            },
            // What is of no known type is treated as a directory: to open it will tell, and where it can't be
            // opened as one, nothing below it is called missing.
            FileType::Directory | FileType::Unknown => self.directory(name, directories),
            other => Kind::File(filesystem::file_type(other)),
        };
        let here = device(&open.stat);
        let may_be_linked = stat.as_ref().is_none_or(|stat| stat.stx_nlink > 1 && device(stat) == here);
        let attributes = match &stat {
            Some(stat) => self.attributes(stat),
            None => Attributes { ino: Some(entry.ino()).filter(|&ino| ino != 0), ..Attributes::default() },
        };
        listing.entries.push(Found { name: at, kind, attributes, may_be_linked });
    }

    /// A sub-directory, to be read once the listing is sent.
    fn directory(&self, name: &CStr, directories: &mut Vec<(Token, CString)>) -> Kind {
        let token = self.walk.token();
        directories.push((token, name.to_owned()));
        Kind::Directory(token)
    }

    /// Reads where a link leads; nothing where that can't be told.
    fn link(
        &mut self,
        open: &Open,
        name: &CStr,
        listing: &mut Listing,
    ) -> Result<Option<Range<u32>>, NoLink> {
        if !open.trust.link_targets {
            return Ok(None);
        }
        match read_target(&open.descriptor.fd, name, &mut self.target) {
            Ok(target) => Ok(Some(listing.store(target))),
            Err(Errno::NOENT) => Err(NoLink::Vanished),
            Err(Errno::INVAL) => Err(NoLink::Replaced),
            Err(_) => Ok(None),
        }
    }

    fn stat_child(&self, parent: &Parent, name: &CStr) -> Option<Attributes> {
        let stat = parent.with_descriptor(|directory| stat_name(directory, name)).ok()?;
        Some(self.attributes(&stat))
    }

    fn attributes(&self, stat: &Statx) -> Attributes {
        filesystem::attributes(stat, self.walk.every_attribute)
    }

    /// Asks `stat` of an entry where that is wanted or needed. Directories are asked when they are opened.
    fn stat(&self, open: &Open, entry: &RawDirEntry<'_>) -> Result<Option<Statx>, Errno> {
        let kind = entry.file_type();
        let needed = kind == FileType::Unknown
            || kind != FileType::Directory
                && (self.walk.every_attribute
                    || !open.trust.inode_numbers
                    || self.walk.mounts.contains(entry.file_name().to_bytes()));
        if !needed {
            return Ok(None);
        }
        match stat_name(&open.descriptor.fd, entry.file_name()) {
            Err(Errno::NOENT) => Err(Errno::NOENT),
            stat => Ok(stat.ok()),
        }
    }
}

fn stat_name(directory: &OwnedFd, name: &CStr) -> Result<Statx, Errno> {
    statx(directory, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, WANTED)
}

/// Reads a link's target into the buffer. `ENAMETOOLONG` where it has more bytes than the kernel follows.
fn read_target<'b>(directory: &OwnedFd, name: &CStr, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Errno> {
    buffer.clear();
    readlinkat_raw(directory, name, spare_capacity(buffer))?;
    if buffer.len() == buffer.capacity() { Err(Errno::NAMETOOLONG) } else { Ok(buffer) }
}
