//! Tar archives: plain, gzip, zstd or LZ4; GNU and PAX long names, hard links, sparse files.
//!
//! Members lie where extracting would put them, and never outside the root: a leading `/` is dropped, `..` is worked
//! out on the text and stops at the root, and a member below a symbolic link goes where the link leads to
//! *inside the root*. All of these are counted. Contents are not read.

use crate::progress::Meter;
use crate::tree::{Kind, Record, Rules, Tree};
use crate::{ReadOptions, SourceError, Summary, compressed};
use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use tar::{Archive, Entry, EntryType};
use warpath_core::{Attributes, Namespace};

/// The rules of archives.
pub(crate) const RULES: Rules = Rules { follow_links: true, untyped: false };

/// Headers and contents begin at multiples of this.
const BLOCK: u64 = 512;

/// The namespace of the archive at `path` (`-`: standard input).
///
/// With `whiteouts` the archive is taken as one layer of a container image: `.wh.NAME` and `.wh..wh..opq` are
/// no files of their own, and say what a lower layer loses. Without, they are names like others.
///
/// # Errors
/// When the archive can't be read, is cut off or damaged, or the namespace is full.
pub fn read_tar(
    path: &Path,
    whiteouts: bool,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let mut meter = Meter::new(options.on_progress, compressed::size(path));
    let mut tree = Tree::new(RULES).exclude(options.exclude);
    if let Some(file) = open_plain(path)? {
        apply_seekable(file, path, whiteouts, &mut tree, &mut meter)?;
    } else {
        let reader = compressed::open(path, &meter)?;
        apply(reader, path, whiteouts, &mut tree, &mut meter)?;
    }
    meter.report();
    tree.finish().map_err(SourceError::full(path))
}

/// As [`read_tar`], from any reader; `name` stands for it in errors.
///
/// # Errors
/// As [`read_tar`].
pub fn read_tar_from(
    reader: impl Read,
    name: &Path,
    whiteouts: bool,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let mut meter = Meter::new(options.on_progress, None);
    let mut tree = Tree::new(RULES).exclude(options.exclude);
    let reader = compressed::decompress(meter.count(reader)).map_err(SourceError::io(name))?;
    apply(reader, name, whiteouts, &mut tree, &mut meter)?;
    meter.report();
    tree.finish().map_err(SourceError::full(name))
}

/// The file, when it is one of whole blocks that is not compressed and can be sought in: contents are then skipped, not
/// read.
fn open_plain(path: &Path) -> Result<Option<File>, SourceError> {
    if path == Path::new("-") || !compressed::size(path).is_some_and(|size| size.is_multiple_of(BLOCK)) {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(SourceError::io(path))?;
    let mut magic = [0; 262];
    let is_tar = file.read_exact(&mut magic).is_ok() && magic.ends_with(b"ustar");
    file.rewind().map_err(SourceError::io(path))?;
    Ok(is_tar.then_some(file))
}

/// Puts the members of a stream into the tree.
pub(crate) fn apply(
    reader: impl Read,
    name: &Path,
    whiteouts: bool,
    tree: &mut Tree<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), SourceError> {
    let mut archive = Archive::new(Padded { reader, n_bytes: 0, n_zeros: 0 });
    let mut end = 0;
    for member in archive.entries().map_err(SourceError::io(name))? {
        let member = member.map_err(|error| no_member(name, tree.namespace().n_entries() == 0, error))?;
        end = end_of(&member).unwrap_or(end);
        put(member, name, whiteouts, tree)?;
        meter.record();
    }
    whole(name, end, archive.into_inner().n_bytes)
}

fn apply_seekable(
    file: impl Read + Seek,
    name: &Path,
    whiteouts: bool,
    tree: &mut Tree<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), SourceError> {
    let mut archive = Archive::new(file);
    let mut end = 0;
    for member in archive.entries_with_seek().map_err(SourceError::io(name))? {
        let member = member.map_err(|error| no_member(name, tree.namespace().n_entries() == 0, error))?;
        let member_end = end_of(&member).unwrap_or(end);
        meter.add_bytes(member_end.saturating_sub(end));
        end = member_end;
        put(member, name, whiteouts, tree)?;
        meter.record();
    }
    let length = archive.into_inner().seek(SeekFrom::End(0)).map_err(SourceError::io(name))?;
    whole(name, end, length)
}

/// Why a member can't be read. Where there was none before it, it may be anything, which is not quoted.
fn no_member(name: &Path, is_first: bool, error: std::io::Error) -> SourceError {
    if is_first && error.kind() == ErrorKind::Other {
        return SourceError::malformed(
            name,
            "this is no tar archive (plain, gzip, zstd or LZ4), or its beginning is damaged",
        );
    }
    SourceError::io(name)(error)
}

/// Where a member's content ends; `None` for a sparse one, which is larger than what the archive holds of it.
fn end_of(member: &Entry<'_, impl Read>) -> Option<u64> {
    let is_sparse = member.header().entry_type().is_gnu_sparse();
    (!is_sparse).then(|| member.raw_file_position().saturating_add(member.size()))
}

/// An error where the last member ends behind the archive.
fn whole(name: &Path, end: u64, length: u64) -> Result<(), SourceError> {
    if end <= length {
        return Ok(());
    }
    let reason = format!("the archive is cut off: its last member ends at byte {end}, the file at {length}");
    Err(SourceError::malformed(name, reason))
}

/// A stream that is filled up to whole blocks with zeros: some writers leave the last one short, and other readers don't
/// mind. Whether a member lacks bytes is found by `n_bytes`.
struct Padded<R> {
    reader: R,
    /// Bytes that were read.
    n_bytes: u64,
    n_zeros: u64,
}

impl<R: Read> Read for Padded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = if self.n_zeros == 0 { self.reader.read(buffer)? } else { 0 };
        self.n_bytes += n_bytes as u64;
        if n_bytes > 0 {
            return Ok(n_bytes);
        }
        let left = self.n_bytes.next_multiple_of(BLOCK) - self.n_bytes - self.n_zeros;
        let n_zeros = buffer.len().min(left as usize);
        buffer[..n_zeros].fill(0);
        self.n_zeros += n_zeros as u64;
        Ok(n_zeros)
    }
}

/// Puts a member into the tree.
fn put(
    mut member: Entry<'_, impl Read>,
    name: &Path,
    whiteouts: bool,
    tree: &mut Tree<'_>,
) -> Result<(), SourceError> {
    let extended = Extended::read(&mut member).map_err(SourceError::io(name))?;
    let path = match &extended.sparse_name {
        Some(sparse) => Cow::Borrowed(sparse.as_slice()),
        None => member.path_bytes(),
    };
    let kind = match member.header().entry_type() {
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink(None),
        EntryType::Link => Kind::HardLink(b""),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Kind::Other,
        EntryType::XGlobalHeader => return Ok(()),
        // GNU's directory with the names it held, its volume label, and the rest of a file of another volume.
        other => match other.as_byte() {
            b'D' => Kind::Directory,
            b'V' | b'M' => {
                let summary = tree.summary_mut();
                summary.records += 1;
                summary.refuse(&path, &"a volume label, or the rest of another volume's file");
                return Ok(());
            }
            // POSIX: what is not known is to be taken as a regular file.
            _ => Kind::File,
        },
    };
    if whiteouts && let Some(whiteout) = Whiteout::of(&path) {
        return whiteout.apply(tree).map_err(SourceError::full(name));
    }
    let target = member.link_name_bytes();
    let kind = match (kind, &target) {
        (Kind::Symlink(_), target) => Kind::Symlink(Some(target.as_deref().unwrap_or_default())),
        (Kind::HardLink(_), target) => Kind::HardLink(target.as_deref().unwrap_or_default()),
        (kind, _) => kind,
    };
    // A hard link has no attributes of its own.
    let attributes = (!matches!(kind, Kind::HardLink(_))).then(|| attributes(&member, kind, &extended));
    tree.add(&Record { path: &path, kind, attributes }).map_err(SourceError::full(name))?;
    Ok(())
}

/// What PAX headers say and the `tar` crate does not apply.
#[derive(Default)]
struct Extended {
    mtime: Option<i64>,
    /// Name and size of a sparse file in the PAX form, whose own name is that of a stand-in.
    sparse_name: Option<Vec<u8>>,
    sparse_size: Option<u64>,
}

impl Extended {
    fn read(member: &mut Entry<'_, impl Read>) -> std::io::Result<Extended> {
        let mut extended = Extended::default();
        if let Some(extensions) = member.pax_extensions()? {
            for extension in extensions {
                let extension = extension?;
                let value = extension.value_bytes();
                match extension.key_bytes() {
                    b"mtime" => extended.mtime = crate::columns::parse_time(value),
                    b"GNU.sparse.name" => extended.sparse_name = Some(value.to_vec()),
                    b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                        extended.sparse_size = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    }
                    _ => {}
                }
            }
        }
        Ok(extended)
    }
}

/// File type bits of `st_mode`.
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFIFO: u32 = 0o010_000;

/// A member's attributes; a number that its header does not hold as it should is unknown.
fn attributes(member: &Entry<'_, impl Read>, kind: Kind<'_>, extended: &Extended) -> Attributes {
    let header = member.header();
    let type_bits = match (kind, header.entry_type()) {
        (Kind::Directory, _) => S_IFDIR,
        (Kind::Symlink(_), _) => S_IFLNK,
        (_, EntryType::Char) => S_IFCHR,
        (_, EntryType::Block) => S_IFBLK,
        (_, EntryType::Fifo) => S_IFIFO,
        _ => S_IFREG,
    };
    let seconds = header.mtime().ok().and_then(|mtime| i64::try_from(mtime).ok());
    let narrow = |id: std::io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok());
    Attributes {
        ino: None,
        size: Some(match kind {
            Kind::File => extended.sparse_size.unwrap_or_else(|| member.size()),
            // As the kernel has it.
            Kind::Symlink(Some(target)) => target.len() as u64,
            _ => 0,
        }),
        mtime: extended.mtime.or_else(|| seconds.map(|seconds| seconds.saturating_mul(1_000_000_000))),
        mode: header.mode().ok().map(|mode| type_bits | mode & 0o7777),
        uid: narrow(header.uid()),
        gid: narrow(header.gid()),
    }
}

/// What a name that begins with `.wh.` says of lower layers.
enum Whiteout<'a> {
    /// This path is gone.
    Path(Vec<u8>),
    /// All that this directory held is gone.
    Children(&'a [u8]),
    /// Something that belongs to aufs, which invented them.
    Private,
}

impl Whiteout<'_> {
    fn of(path: &[u8]) -> Option<Whiteout<'_>> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let (folder, name) = match memchr::memrchr(b'/', path) {
            Some(slash) => path.split_at(slash + 1),
            None => (&b""[..], path),
        };
        let hidden = name.strip_prefix(b".wh.")?;
        Some(match hidden {
            b".wh..opq" => Whiteout::Children(folder),
            _ if hidden.starts_with(b".wh.") => Whiteout::Private,
            _ => Whiteout::Path([folder, hidden].concat()),
        })
    }

    fn apply(&self, tree: &mut Tree<'_>) -> Result<(), warpath_core::NamespaceError> {
        match self {
            Whiteout::Path(path) => tree.white_out(path),
            Whiteout::Children(folder) => tree.white_out_children(folder),
            Whiteout::Private => {
                tree.summary_mut().records += 1;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
