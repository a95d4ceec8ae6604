//! Files come back as they were saved, and every damage is an error that says what it is.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use warpath_core::column::SharedBytes;
use warpath_core::{Attributes, FileType, Index, Namespace, Options, ROOT, reference, resolve};
use warpath_file::{Facts, FileError, SaveOptions, open, open_bytes, save, verify, verify_bytes};
use xxhash_rust::xxh3::xxh3_64;

fn index() -> Index {
    let mut tree = Namespace::new();
    let usr = tree.add_directory(ROOT, "usr").unwrap();
    let lib = tree.add_directory(usr, "lib").unwrap();
    for i in 0..100 {
        let file = tree.add_file(lib, format!("lib{i}.so"), FileType::Regular).unwrap();
        let attributes = Attributes {
            ino: Some(i),
            size: Some(i),
            mtime: Some(3),
            mode: Some(4),
            uid: Some(5),
            gid: Some(6),
        };
        tree.set_attributes(file, attributes).unwrap();
    }
    let link = tree.add_symlink(ROOT, "lib", "usr/lib").unwrap();
    tree.add_hard_link(usr, "lib64", link).unwrap();
    let file = tree.child(lib, b"lib1.so").unwrap();
    tree.add_hard_link(usr, "hard", file).unwrap();
    tree.set_partial(usr, true).unwrap();
    Index::build(tree).unwrap()
}

const PATHS: [&[u8]; 6] =
    [b"/", b"lib/lib1.so", b"/usr/lib64/lib99.so", b"usr/hard", b"usr/none", b"lib/../lib/x"];

fn answers(index: &Index) -> Vec<String> {
    let plan = index.plan(&Options::default()).unwrap();
    let answer = |path: &&[u8]| {
        let found = resolve::resolve(&index.tables().view(), &plan, path);
        assert_eq!(found, reference::resolve(index.namespace(), path, &Options::default()));
        format!("{found:?}")
    };
    PATHS.iter().map(answer).collect()
}

struct Fixture {
    folder: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

fn saved() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tree.warp");
    let mut facts = Facts::new();
    facts.set("created", "17").set("source", "test");
    save(&index(), &facts, &path, &SaveOptions::default()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    Fixture { folder, path, bytes }
}

/// Bytes that begin at a multiple of 8, as those of a mapping do.
struct Words(Vec<u64>, usize);

impl AsRef<[u8]> for Words {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.0)[..self.1]
    }
}

fn shared(bytes: &[u8]) -> SharedBytes {
    let mut words = vec![0_u64; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
    Arc::new(Words(words, bytes.len()))
}

#[test]
fn files_come_back() {
    let Fixture { folder, path, bytes } = saved();
    let opened = open(&path).unwrap();
    assert_eq!(answers(&opened.index), answers(&index()));
    assert_eq!((opened.facts.number("created"), opened.n_bytes), (Some(17), bytes.len() as u64));
    let file = opened.index.namespace().child(ROOT, b"usr").unwrap();
    let hard = opened.index.namespace().child(file, b"hard").unwrap();
    assert_eq!(opened.index.namespace().entries_of(hard).count(), 2);
    assert_eq!(opened.index.namespace().attributes(hard).unwrap().uid, Some(5));
    verify(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // Nothing else is left behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_opened_index_can_be_changed_and_saved_over_its_own_file() {
    let Fixture { folder: _folder, path, .. } = saved();
    let mut opened = open(&path).unwrap();
    opened.index.add_file(ROOT, "new", FileType::Regular).unwrap();
    opened.index.rename(ROOT, "usr", ROOT, "moved").unwrap();
    while opened.index.rekey(100) {}
    save(&opened.index, &opened.facts, &path, &SaveOptions { mode: 0o644, ..SaveOptions::default() })
        .unwrap();
    let again = verify(&path).unwrap();
    assert!(again.index.namespace().child(ROOT, b"new").is_some());
    assert_eq!(answers(&again.index), answers(&opened.index));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn what_is_no_index_or_another_version_is_told() {
    let Fixture { folder, path, bytes } = saved();
    let error = |bytes: &[u8]| open_bytes(shared(bytes), Path::new("x.warp")).unwrap_err();
    assert!(matches!(error(b""), FileError::NotAnIndex { .. }));
    assert!(matches!(error(b"SQLite format 3\0 and more"), FileError::NotAnIndex { .. }));
    assert!(matches!(error(&bytes[..4]), FileError::Truncated { .. }));
    for at in [8, 12] {
        let mut newer = bytes.clone();
        newer[at] += 1;
        let error = error(&newer);
        assert!(matches!(error, FileError::Incompatible { .. }), "{error}");
        assert!(error.to_string().contains("x.warp has format"), "{error}");
    }
    assert!(matches!(open(folder.path()).unwrap_err(), FileError::NotAnIndex { .. }));
    // One that nobody writes to: to open it would take for ever.
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(matches!(open(&fifo).unwrap_err(), FileError::NotAnIndex { .. }));
    let missing = open(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, FileError::Io { .. }));
    drop(path);
}

#[test]
fn a_file_cut_off_anywhere_is_truncated() {
    let Fixture { folder: _folder, path, bytes } = saved();
    let sections = open(&path).unwrap().sections;
    let ends = sections.iter().flat_map(|s| [s.offset, s.offset + s.length]);
    for end in ends.chain([8, 63, 64, 65, 100]).filter(|&end| end < bytes.len() as u64) {
        for end in [end.saturating_sub(1), end] {
            let error = open_bytes(shared(&bytes[..end as usize]), Path::new("x.warp")).unwrap_err();
            assert!(matches!(error, FileError::Truncated { .. }), "{end}: {error}");
        }
    }
    let longer = [&bytes[..], b"x"].concat();
    let error = open_bytes(shared(&longer), Path::new("x.warp")).unwrap_err();
    assert!(matches!(error, FileError::Corrupt { .. }), "{error}");
}

#[test]
fn every_flipped_bit_is_found() {
    let Fixture { bytes, .. } = saved();
    let step = 13;
    for at in (0..bytes.len()).step_by(step) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(verify_bytes(shared(&flipped), Path::new("x.warp")).is_err(), "byte {at}");
    }
}

/// Sets a word of section `number`'s description (1: offset, 2: length) and makes the checksum right again.
fn with_toc(bytes: &[u8], number: usize, word: usize, value: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = 64 + 32 * number + 8 * word;
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    seal(&mut bytes);
    bytes
}

fn seal(bytes: &mut [u8]) {
    let n_sections = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) as usize;
    let sum = xxh3_64(&[&bytes[..56], &bytes[64..64 + 32 * n_sections]].concat());
    bytes[56..64].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn contents_that_lie_are_refused() {
    let Fixture { folder: _folder, path, bytes } = saved();
    let sections = open(&path).unwrap().sections;
    for (number, section) in sections.iter().enumerate() {
        for (word, value) in [
            (1, 0),
            (1, section.offset + 1),
            (1, u64::MAX - 63),
            (1, section.offset.wrapping_sub(64)),
            (2, u64::MAX),
            (2, u64::MAX - section.offset + 1),
            (2, bytes.len() as u64),
        ] {
            let lying = with_toc(&bytes, number, word, value);
            let error = open_bytes(shared(&lying), Path::new("x.warp"));
            assert!(error.is_err(), "section {} with {value}", section.name());
        }
        // Shorter by an element or empty: either refused, or survived and found by the checks.
        for length in [section.length.saturating_sub(8), 0].into_iter().filter(|&l| l != section.length) {
            let lying = with_toc(&bytes, number, 2, length);
            if let Ok(opened) = open_bytes(shared(&lying), Path::new("x.warp")) {
                let plan = opened.index.plan(&Options::default()).unwrap();
                for path in PATHS {
                    let _ = resolve::resolve(&opened.index.tables().view(), &plan, path);
                    let _ = reference::resolve(opened.index.namespace(), path, &Options::default());
                }
            }
            assert!(verify_bytes(shared(&lying), Path::new("x.warp")).is_err(), "{}", section.name());
        }
    }
    let mut many = bytes.clone();
    many[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(open_bytes(shared(&many), Path::new("x.warp")).is_err());
}

/// Found by fuzzing: a damaged probe limit made every miss run for minutes.
#[test]
fn a_probe_limit_beyond_the_table_is_refused() {
    let Fixture { folder: _folder, path, mut bytes } = saved();
    let counts = *open(&path).unwrap().sections.iter().find(|section| section.name() == "counts").unwrap();
    let at = counts.offset as usize + 8;
    bytes[at..at + 8].copy_from_slice(&u64::from(u32::MAX).to_le_bytes());
    let error = open_bytes(shared(&bytes), Path::new("x.warp")).unwrap_err();
    assert!(matches!(error, FileError::Corrupt { .. }), "{error}");
}

#[test]
fn right_checksums_over_wrong_contents_are_found() {
    let Fixture { folder: _folder, path, bytes } = saved();
    let sections = open(&path).unwrap().sections;
    for (number, section) in sections.iter().enumerate().filter(|(_, section)| section.length > 0) {
        let name = section.name();
        // Attributes and facts may be anything.
        if ["ino", "size", "mtime", "mode", "uid", "gid", "facts"].contains(&name.as_str()) {
            continue;
        }
        let mut wrong = bytes.clone();
        let range = section.offset as usize..(section.offset + section.length) as usize;
        // A whole slot: what an empty one holds beside its emptiness is nothing.
        wrong[range.start..range.start + 16.min(range.len())].fill(0xA5);
        let piece_sum = xxh3_64(&wrong[range]);
        let sum = xxh3_64(&piece_sum.to_le_bytes());
        let wrong = with_toc(&wrong, number, 3, sum);
        let verified = verify_bytes(shared(&wrong), Path::new("x.warp"));
        if name == "end" {
            continue;
        }
        let error = verified.map(|_| name.clone()).unwrap_err().to_string();
        assert!(!error.contains("checksum"), "{name}: {error}");
    }
}

#[test]
fn what_killed_saves_left_is_removed_and_what_others_hold_stays() {
    let Fixture { folder, path, .. } = saved();
    let stale = folder.path().join(".tree.warp.abc123.partial");
    let held = folder.path().join(".tree.warp.def456.partial");
    let other = folder.path().join(".other.warp.abc123.partial");
    let notes = folder.path().join(".tree.warp.notes2.old.partial");
    for file in [&stale, &held, &other, &notes] {
        std::fs::write(file, "x").unwrap();
    }
    // A pipe that nobody writes to: to open it would take for ever. And a link to what is to stay.
    let pipe = folder.path().join(".tree.warp.pipe00.partial");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = folder.path().join(".tree.warp.link00.partial");
    std::os::unix::fs::symlink(&other, &link).unwrap();
    let writer = std::fs::File::open(&held).unwrap();
    writer.lock().unwrap();
    save(&index(), &Facts::new(), &path, &SaveOptions::default()).unwrap();
    assert!(!stale.exists());
    assert!([&held, &other, &notes, &pipe, &link].into_iter().all(|path| path.exists()));
    verify(&path).unwrap();
}

#[test]
fn links_stay_and_odd_targets_are_refused() {
    let Fixture { folder, path, .. } = saved();
    let link = folder.path().join("link.warp");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    save(&index(), &Facts::new(), &link, &SaveOptions::default()).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    verify(&link).unwrap();
    for odd in [Path::new("/dev/null"), folder.path()] {
        let error = save(&index(), &Facts::new(), odd, &SaveOptions::default()).unwrap_err();
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}

#[test]
fn a_link_to_nothing_is_followed_and_the_file_made_there() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let save_to = |name: &str| save(&index(), &Facts::new(), &top.join(name), &SaveOptions::default());
    std::fs::create_dir(top.join("d")).unwrap();
    symlink("d/first", top.join("link.warp")).unwrap();
    symlink("../second.warp", top.join("d/first")).unwrap();
    save_to("link.warp").unwrap();
    for link in ["link.warp", "d/first"] {
        assert!(top.join(link).symlink_metadata().unwrap().is_symlink(), "{link}");
    }
    assert!(top.join("second.warp").symlink_metadata().unwrap().is_file());
    verify(&top.join("link.warp")).unwrap();
    // As `open` would say.
    symlink("round", top.join("round")).unwrap();
    symlink("no/such/folder/x.warp", top.join("astray")).unwrap();
    assert!(save_to("round").unwrap_err().to_string().contains("Too many levels of symbolic links"));
    assert!(save_to("astray").unwrap_err().to_string().contains("No such file or directory"));
}

#[test]
fn errors_name_the_file_as_the_caller_did_and_once() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    symlink("no/such/folder/x.warp", folder.path().join("link.warp")).unwrap();
    for name in ["no/such/place.warp", "link.warp"] {
        let path = folder.path().join(name);
        let error = save(&index(), &Facts::new(), &path, &SaveOptions::default()).unwrap_err();
        let expected =
            format!("making a file beside {}: No such file or directory (os error 2)", path.display());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn large_files_have_sections_of_several_pieces() {
    let mut tree = Namespace::new();
    for i in 0..200_000 {
        tree.add_file(ROOT, format!("file-number-{i}"), FileType::Regular).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.warp");
    let saved = save(&Index::build(tree).unwrap(), &Facts::new(), &path, &SaveOptions::default()).unwrap();
    assert!(saved.n_bytes > 4 << 20);
    verify(&path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let slots = *open(&path).unwrap().sections.iter().find(|section| section.name() == "slots").unwrap();
    bytes[(slots.offset + slots.length) as usize - 1] ^= 1;
    let error = verify_bytes(shared(&bytes), &path).unwrap_err();
    assert!(error.to_string().contains("`slots`"), "{error}");
}

/// Every version's file is kept for ever: this one must open, verify and answer as long as version 1 is read.
#[test]
fn the_file_of_version_1_is_still_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/v1.warp");
    let opened = verify(&path).unwrap();
    let namespace = opened.index.namespace();
    let names = |path: &[u8]| {
        let directory = reference::resolve(namespace, path, &Options::default()).unwrap();
        let mut names: Vec<String> =
            namespace.list(directory).map(|entry| String::from_utf8_lossy(entry.name).into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(b"/"), ["hard", "lib", "loop", "usr"]);
    assert_eq!(names(b"lib"), ["a.so", "b.so", "up"]);
    let plan = opened.index.plan(&Options::default()).unwrap();
    let resolve = |path: &[u8]| resolve::resolve(&opened.index.tables().view(), &plan, path);
    assert_eq!(resolve(b"lib/up/../lib/a.so"), resolve(b"/hard"));
    assert_eq!(resolve(b"loop/x"), Err(warpath_core::LookupError::TooManyLinks));
    let size = namespace.attributes(resolve(b"/hard").unwrap()).unwrap().size;
    assert_eq!((size, opened.facts.text("source").as_deref()), (Some(5), Some("list")));
}
