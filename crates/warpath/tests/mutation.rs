//! Changes through the file system, at random, against the reference over its names: while large renames are re-keyed in the
//! background, while readers hold old versions, after refusals.

mod common;

use common::Random;
use std::time::{Duration, Instant};
use warpath::core::reference;
use warpath::{
    Change, Device, Error, FileType, GpuFilesystem, LookupError, NamespaceError, Options, PathBatch,
    PathBuffer,
};

const NAMES: [&str; 6] = ["a", "b", "c", "dd", "e-long-name", "f"];

fn path(random: &mut Random) -> String {
    let slash = if random.below(2) == 0 { "/" } else { "" };
    let n = 1 + random.below(5);
    let parts = (0..n).map(|_| match random.below(12) {
        0 => "..",
        1 => ".",
        _ => NAMES[random.below(6) as usize],
    });
    slash.to_owned() + &parts.collect::<Vec<_>>().join("/")
}

fn inode(random: &mut Random, bound: u32) -> u32 {
    random.below(u64::from(bound) + 1) as u32
}

/// A change at random; it may be refused.
fn change(fs: &GpuFilesystem, random: &mut Random) -> Result<(), NamespaceError> {
    let bound = fs.with_namespace(|namespace| namespace.inode_bound());
    let (here, there) = (inode(random, bound), inode(random, bound));
    let (name, new_name) = (NAMES[random.below(6) as usize], NAMES[random.below(6) as usize]);
    match random.below(10) {
        0..3 => fs.add_file(here, name, FileType::Directory).map(|_| ()),
        3 => fs.add_file(here, name, FileType::Regular).map(|_| ()),
        4 => fs.add_symlink(here, name, path(random)).map(|_| ()),
        5 => fs.add_hard_link(here, name, there),
        6 => fs.remove(here, name).map(|_| ()),
        7 => fs.set_partial(here, random.below(4) == 0),
        _ => fs.rename(here, name, there, new_name).map(|_| ()),
    }
}

fn check(fs: &GpuFilesystem, random: &mut Random) {
    let paths: PathBuffer = (0..40).map(|_| path(random)).collect();
    let bound = fs.with_namespace(|namespace| namespace.inode_bound());
    let mut options = Options::default().start(inode(random, bound));
    options.follow = random.below(2) == 0;
    options.beneath = random.below(4) == 0;
    options.no_symlinks = random.below(8) == 0;
    if !fs.with_namespace(|namespace| namespace.is_directory(options.start)) {
        let refused = fs.resolve(paths.as_batch(), &options);
        assert_eq!(refused, Err(Error::Start { inode: options.start }));
        return;
    }
    let answers = fs.resolve(paths.as_batch(), &options).unwrap();
    for (path, answer) in paths.as_batch().iter().zip(answers.iter()) {
        let right = fs.with_namespace(|namespace| reference::resolve(namespace, path, &options));
        assert_eq!(answer, right, "{:?} {options:?}", String::from_utf8_lossy(path));
        assert_eq!(fs.resolve_path(path, &options), Ok(right));
    }
}

#[test]
fn lookups_follow_every_change() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let fs = GpuFilesystem::new(&Device::cpu(), 0).unwrap();
        let mut n_refused = 0;
        for _ in 0..200 {
            let version = fs.version();
            if change(&fs, &mut random).is_err() {
                n_refused += 1;
                assert_eq!(fs.version(), version, "a refused change is no version");
            }
            check(&fs, &mut random);
        }
        assert!(n_refused > 0);
    }
}

#[test]
fn a_large_directory_is_renamed_at_once_and_re_keyed_in_the_background() {
    let fs = GpuFilesystem::new(&Device::cpu(), 0).unwrap();
    let big = fs.add_file(0, "big", FileType::Directory).unwrap();
    let mut changes = Vec::new();
    for i in 0..20_000u32 {
        let name = i.to_string().into_bytes();
        let (target, attributes) = (None, Default::default());
        changes.push(Change::Add { parent: big, name, file_type: FileType::Directory, target, attributes });
    }
    fs.apply(&changes).unwrap();
    let inner = fs.lookup_path("/big/19999").unwrap();
    let file = fs.add_file(inner, "file", FileType::Regular).unwrap();

    fs.rename(0, "big", 0, "large").unwrap();
    assert_eq!(fs.lookup_path("/large/19999/file"), Ok(file), "at once");
    assert_eq!(fs.lookup_path("/big/19999/file"), Err(Error::Lookup(LookupError::NotFound)));
    let begin = Instant::now();
    while fs.is_rekeying() {
        assert_eq!(fs.lookup_path("/large/19999/file"), Ok(file), "meanwhile");
        assert!(begin.elapsed() < Duration::from_secs(60), "nobody re-keys");
    }
    assert_eq!(fs.lookup_path("/large/19999/file"), Ok(file), "after");
}

#[test]
fn refusals_are_typed_and_change_nothing() {
    let fs = GpuFilesystem::new(&Device::cpu(), 0).unwrap();
    let file = fs.add_file(0, "file", FileType::Regular).unwrap();
    let version = fs.version();
    let long = "x".repeat(256);
    let refused = [
        (0, "", NamespaceError::EmptyName),
        (0, "..", NamespaceError::DotName),
        (0, "a/b", NamespaceError::ForbiddenByte),
        (0, long.as_str(), NamespaceError::NameTooLong { len: 256 }),
        (0, "file", NamespaceError::NameTaken { inode: file }),
        (file, "x", NamespaceError::NotADirectory { inode: file }),
        (99, "x", NamespaceError::NoSuchInode { inode: 99 }),
    ];
    for (parent, name, error) in refused {
        assert_eq!(fs.add_file(parent, name, FileType::Regular), Err(error));
    }
    assert_eq!(fs.lookup_batch_at(file, &["x"]), Err(Error::Start { inode: file }));
    assert_eq!(fs.lookup_batch_at(99, &["x"]), Err(Error::Start { inode: 99 }));
    assert_eq!(fs.version(), version);
}

#[test]
fn columns_must_fit_the_batch() {
    let fs = GpuFilesystem::new(&Device::cpu(), 0).unwrap();
    let mut outcomes = warpath::Outcomes::with_len(3);
    let refused = fs.resolve_into(PathBatch::from_strs(&["/"]), &Options::default(), outcomes.as_mut());
    assert_eq!(refused, Err(Error::Columns { n_paths: 1, n_inodes: 3, n_statuses: 3 }));
}

#[test]
fn futures_end_when_the_file_system_is_dropped() {
    let engine = common::TestEngine::new();
    let device = Device::from_engine(engine.clone());
    let fs = GpuFilesystem::new(&device, 0).unwrap();
    engine.close();
    let futures: Vec<_> = (0..10).map(|_| fs.lookup_batch_async(&["/"]).unwrap()).collect();
    engine.wait_for(4);
    drop(fs);
    engine.open();
    let mut n_closed = 0;
    for future in futures {
        match future.wait() {
            Ok(answers) => assert_eq!(answers, [Ok(0)]),
            Err(error) => {
                assert_eq!(error, Error::Closed);
                n_closed += 1;
            }
        }
    }
    assert!(n_closed >= 6, "what was not dispatched ends with an error");
}

#[test]
fn a_dropped_future_is_not_dispatched() {
    let engine = common::TestEngine::new();
    let fs = GpuFilesystem::new(&Device::from_engine(engine.clone()), 0).unwrap();
    engine.close();
    let running: Vec<_> = (0..4).map(|_| fs.lookup_batch_async(&["/"]).unwrap()).collect();
    engine.wait_for(4);
    drop(fs.lookup_batch_async(&["/", "/", "/"]).unwrap());
    let kept = fs.lookup_batch_async(&["/", "/"]).unwrap();
    engine.open();
    assert!(running.into_iter().all(|future| future.wait() == Ok(vec![Ok(0)])));
    assert_eq!(kept.wait(), Ok(vec![Ok(0); 2]));
    assert_eq!(engine.paths(), 4 + 2);
}
