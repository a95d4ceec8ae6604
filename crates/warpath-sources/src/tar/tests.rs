use super::*;
use crate::testing::{paths, quiet};
use ::tar::{Builder, Header};
use std::io::Write;
use warpath_core::ROOT;

/// An archive in the making; names are written as they are, which the builder of the crate refuses.
pub(crate) struct Members(Builder<Vec<u8>>);

impl Members {
    pub fn new() -> Members {
        Members(Builder::new(Vec::new()))
    }

    pub fn add(mut self, name: &str, entry_type: EntryType, target: &str, content: &[u8]) -> Members {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(entry_type);
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(77);
        header.set_uid(5);
        header.set_gid(6);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub fn file(self, name: &str) -> Members {
        self.add(name, EntryType::Regular, "", b"content")
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn namespace(bytes: &[u8]) -> (Namespace, Summary) {
    quiet(|options| read_tar_from(bytes, Path::new("x.tar"), false, options)).unwrap()
}

fn with(name: &str, entry_type: EntryType, target: &str) -> Members {
    Members::new().add(name, entry_type, target, b"")
}

#[test]
fn every_kind_of_member() {
    let bytes = with("./", EntryType::Directory, "")
        .add("./d/", EntryType::Directory, "", b"")
        .file("./d/f")
        .add("d/hard", EntryType::Link, "./d/f", b"")
        .add("d/soft", EntryType::Symlink, "f", b"")
        .add("d/null", EntryType::Char, "", b"")
        .add("d/pipe", EntryType::Fifo, "", b"")
        .bytes();
    let (tree, summary) = namespace(&bytes);
    assert_eq!(paths(&tree), ["/d/", "/d/f", "/d/hard", "/d/null", "/d/pipe", "/d/soft -> f"]);
    assert_eq!(summary.conflicts(), []);
    let d = tree.child(ROOT, b"d").unwrap();
    let file = tree.child(d, b"f").unwrap();
    assert_eq!(tree.child(d, b"hard"), Some(file));
    let size = |name: &[u8]| tree.attributes(tree.child(d, name).unwrap()).unwrap().size;
    assert_eq!((size(b"soft"), size(b"pipe")), (Some(1), Some(0)));
    let attributes = tree.attributes(file).unwrap();
    assert_eq!(
        attributes,
        Attributes {
            ino: None,
            size: Some(7),
            mtime: Some(77_000_000_000),
            mode: Some(0o100_640),
            uid: Some(5),
            gid: Some(6),
        }
    );
}

#[test]
fn names_stay_inside_the_root() {
    let bytes = Members::new().file("/etc/passwd").file("../../up").file("a/../../b").file("..").bytes();
    let (tree, summary) = namespace(&bytes);
    assert_eq!(paths(&tree), ["/b", "/etc/", "/etc/passwd", "/up"]);
    assert_eq!((summary.respelled, summary.outside), (3, 3));

    let bytes = with("esc", EntryType::Symlink, "../../..").file("esc/x").bytes();
    let (tree, summary) = namespace(&bytes);
    assert_eq!(paths(&tree), ["/esc -> ../../..", "/x"]);
    assert_eq!(summary.through_links, 1);
}

#[test]
fn long_names_of_gnu_and_pax() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(120));
    let target = "t".repeat(300);
    let mut gnu = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(0);
    header.set_entry_type(EntryType::Symlink);
    gnu.append_link(&mut header, &long, &target).unwrap();
    let expected = [format!("/{}/", "d".repeat(200)), format!("/{long} -> {target}")];
    assert_eq!(paths(&namespace(&gnu.into_inner().unwrap()).0), expected);

    let mut pax = Builder::new(Vec::new());
    let extensions = [("path", long.as_bytes()), ("linkpath", target.as_bytes()), ("mtime", b"12.5")];
    pax.append_pax_extensions(extensions).unwrap();
    let mut header = Header::new_ustar();
    header.set_size(0);
    header.set_entry_type(EntryType::Symlink);
    header.set_path("short").unwrap();
    header.set_cksum();
    pax.append(&header, &b""[..]).unwrap();
    let (tree, _) = namespace(&pax.into_inner().unwrap());
    assert_eq!(paths(&tree), expected);
    let link = tree.child(tree.child(ROOT, "d".repeat(200).as_bytes()).unwrap(), "f".repeat(120).as_bytes());
    assert_eq!(tree.attributes(link.unwrap()).unwrap().mtime, Some(12_500_000_000));
}

#[test]
fn plain_and_compressed_files_say_the_same() {
    let bytes = Members::new().file("a/b").file("c").bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(&bytes[..], ruzstd::encoding::CompressionLevel::Fastest);
    for content in [bytes.clone(), gzip.finish().unwrap(), zstd] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let (tree, summary) = quiet(|options| read_tar(file.path(), false, options)).unwrap();
        assert_eq!(paths(&tree), ["/a/", "/a/b", "/c"]);
        assert_eq!(summary.records, 2);
    }
}

#[test]
fn damage_is_an_error() {
    let bytes = Members::new().file("a").file("b").bytes();
    let read = |bytes: &[u8]| quiet(|options| read_tar_from(bytes, Path::new("x.tar"), false, options));
    // Within the second member's header, and within the first one's content.
    assert!(read(&bytes[..1100]).is_err());
    assert!(read(&bytes[..515]).is_err());
    let mut flipped = bytes.clone();
    flipped[3] ^= 1;
    let reason = "this is no tar archive (plain, gzip, zstd or LZ4), or its beginning is damaged";
    assert_eq!(read(&flipped).unwrap_err().to_string(), format!("x.tar: {reason}"));
    assert_eq!(read(&[b'x'; 1024]).unwrap_err().to_string(), format!("x.tar: {reason}"));
    flipped[3] ^= 1;
    flipped[1024] ^= 1;
    assert!(read(&flipped).unwrap_err().to_string().contains("checksum"));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes[..1024 + 515]).unwrap();
    let error = quiet(|options| read_tar(file.path(), false, options)).unwrap_err();
    assert!(error.to_string().contains("cut off"), "{error}");
}

/// umoci writes layers that end with their last member's content, neither filled up nor followed by two empty blocks.
#[test]
fn the_last_block_may_be_short() {
    let bytes = Members::new().file("a").file("b").bytes();
    let content = b"content".len();
    for length in 0..bytes.len() {
        let from_stream =
            quiet(|options| read_tar_from(&bytes[..length], Path::new("x.tar"), false, options));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes[..length]).unwrap();
        let from_file = quiet(|options| read_tar(file.path(), false, options));
        let is_whole = |end: usize| (512 + content..=1024).contains(&end);
        let expected = match length {
            0 => Some(0),
            _ if is_whole(length) => Some(1),
            _ if length > 1024 && is_whole(length - 1024) => Some(2),
            _ if length > 2048 => Some(2),
            _ => None,
        };
        let n_entries = |read: Result<(Namespace, Summary), SourceError>| Some(read.ok()?.0.n_entries());
        assert_eq!((length, n_entries(from_stream)), (length, expected));
        assert_eq!((length, n_entries(from_file)), (length, expected));
    }
}

#[test]
fn whiteouts_only_where_asked_for() {
    let bytes = Members::new().file("d/.wh.x").file("d/.wh..wh..opq").file(".wh..wh.aufs").file("y").bytes();
    assert_eq!(namespace(&bytes).0.n_entries(), 5);
    let (tree, summary) =
        quiet(|options| read_tar_from(&bytes[..], Path::new("x.tar"), true, options)).unwrap();
    assert_eq!(paths(&tree), ["/y"]);
    assert_eq!((summary.records, summary.whited_out), (4, 0));
}
