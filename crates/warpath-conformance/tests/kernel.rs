//! The kernel confirms every case, and the reference resolver in every mode.
#![cfg(target_os = "linux")]

use std::os::fd::AsFd;
use warpath_conformance::cases::{Expected, Group, groups};
use warpath_conformance::check::{Query, all_modes};
use warpath_conformance::differential::{Config, run};
use warpath_conformance::disk::{DiskTree, scratch};
use warpath_conformance::kernel::{Answer, Kernel};
use warpath_conformance::text::unescape;
use warpath_conformance::tree::ROOT_NODE;

fn expected_answer(group: &Group, expected: &Expected, disk: &DiskTree) -> Answer {
    match expected {
        Expected::Fails(error) => Err(*error),
        Expected::Found(path) => Ok(disk.inos()[group.tree.find(&unescape(path).unwrap()).unwrap()]),
    }
}

/// What the kernel found, as a path of the tree.
fn place(answer: Answer, group: &Group, disk: &DiskTree) -> String {
    match answer {
        Err(error) => error.name().to_owned(),
        Ok(ino) => {
            let node = disk.inos().iter().position(|&known| known == ino).unwrap();
            String::from_utf8_lossy(&group.tree.path_of(node)).into_owned()
        }
    }
}

#[test]
fn the_kernel_confirms_every_case_and_the_reference_in_every_mode() {
    let scratch = scratch().unwrap();
    let base = std::fs::File::open(scratch.path()).unwrap();
    let mut kernel = Kernel::new().unwrap();
    let mut wrong = Vec::new();
    let mut n_asked = 0;
    for group in groups().unwrap().iter().filter(|group| !group.tree.is_partial()) {
        let disk = DiskTree::plant(&group.tree, base.as_fd(), group.name).unwrap();
        let planted = group.tree.plant().unwrap();
        let ino_of = |inode| disk.inos()[planted.inodes.iter().position(|&known| known == inode).unwrap()];
        let inside = kernel.enter(&disk).unwrap();
        for case in &group.cases {
            let query = group.query(case).unwrap();
            let answer = inside.resolve(query.start, &query.path, &query.options).unwrap();
            if answer != expected_answer(group, &case.expected, &disk) {
                wrong.push(format!(
                    "{}: {case}: the kernel says {}",
                    group.name,
                    place(answer, group, &disk)
                ));
            }
            for start in [ROOT_NODE, query.start] {
                for options in all_modes() {
                    let query = Query { path: case.path.clone(), start, options };
                    let answer = inside.resolve(start, &query.path, &options).unwrap();
                    n_asked += 1;
                    if answer != query.reference(&planted).map(ino_of) {
                        let place = place(answer, group, &disk);
                        wrong.push(format!("{}: {case}: {query:?}: the kernel says {place}", group.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {n_asked}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(n_asked > 15_000, "{n_asked}");
}

/// CI's share of the long run that `docs/conformance.md` tells of.
#[test]
fn the_reference_is_the_kernels_twin() {
    let config = Config { seed: 20_260_801, n_cases: 200_000, n_threads: 2, engine: None };
    let report = run(&config).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.n_cases >= 200_000, "{report:?}");
    // Every outcome that a kernel knows turns up often.
    assert!(report.by_status[..7].iter().all(|&n| n > 100), "{report:?}");
}
