//! Every path of every mix gets the answer that the reference gives.

use warpath_core::{LookupError, Namespace, Options, reference};
use warpath_workload::{Listed, Mix, Order, PathSet, Paths, Synthetic, add_links};

const N_PATHS: usize = 20_000;

fn mixes() -> Vec<Mix> {
    let mut mixes = vec![Mix::default()];
    for order in [Order::Random, Order::Find] {
        for missing in [0.0, 0.5] {
            for through_links in [0.0, 0.1, 1.0] {
                mixes.push(Mix { order, missing, through_links, depth: None });
            }
        }
    }
    mixes.extend((1..4).map(|depth| Mix { depth: Some(depth), ..Mix::default() }));
    mixes
}

fn check(namespace: &mut Namespace, paths: &impl Paths) {
    assert!(add_links(namespace) > 0);
    for mix in mixes() {
        let set = PathSet::draw(paths, &mix, N_PATHS, 5).unwrap();
        assert_eq!(set.len(), N_PATHS);
        assert_eq!(set.batch().len(), N_PATHS);
        for (path, expected) in set.batch().iter().zip(set.expected().iter()) {
            let answer = reference::resolve(namespace, path, &Options::default());
            assert_eq!(answer, expected, "{mix:?} {}", String::from_utf8_lossy(path));
        }
        let share = |condition: &dyn Fn(&[u8]) -> bool| {
            set.batch().iter().filter(|path| condition(path)).count() as f64 / N_PATHS as f64
        };
        let missing = set.expected().iter().filter(Result::is_err).count() as f64 / N_PATHS as f64;
        assert!((missing - mix.missing).abs() < 0.03, "{mix:?}: {missing}");
        let linked = share(&|path| path.windows(2).any(|pair| pair == b"~/"));
        let wanted = if mix.order == Order::Random { mix.through_links } else { linked };
        assert!((linked - wanted).abs() < 0.03, "{mix:?}: {linked}");
        if let Some(depth) = mix.depth {
            assert_eq!(share(&|path| path.iter().filter(|&&byte| byte == b'/').count() as u32 == depth), 1.0);
        }
    }
}

#[test]
fn synthetic_paths_are_answered_as_expected() {
    let (mut namespace, tree) = Synthetic::new(16, 3).build();
    assert_eq!(namespace.n_entries(), 1 << 16);
    check(&mut namespace, &tree);
    let (mut namespace, tree) = Synthetic::new(13, 4).fanout_bits(1).build();
    assert_eq!(namespace.n_entries(), 1 << 13);
    check(&mut namespace, &tree);
}

#[test]
fn listed_paths_are_answered_as_expected() {
    let (_, tree) = Synthetic::new(12, 3).build();
    let mut lines = Vec::new();
    for entry in 0..tree.n_entries() {
        tree.path(entry, &mut lines);
        lines.push(b'\n');
    }
    let (mut namespace, summary, listed) = Listed::from_lines(&lines);
    assert_eq!((summary.n_paths, summary.n_refused, listed.len()), (4096, 0, 4096));
    check(&mut namespace, &listed);
    let mut again = Listed::of_namespace(&namespace).iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
    again.sort();
    let mut lines: Vec<&[u8]> = listed.iter().collect();
    lines.sort();
    assert_eq!(again, lines);
}

/// A scan holds paths that no call can ask for, and others that are too long once a name is put behind them.
#[test]
fn paths_that_are_too_long_to_ask_for_are_not_drawn() {
    let names = |n: usize| "/d".repeat(n);
    let lines = [names(2045), names(2046), names(2047) + "/f", names(2047) + "/longer/f"].join("\n");
    let (mut namespace, _, listed) = Listed::from_lines(lines.as_bytes());
    assert_eq!(listed.len(), 1);
    let listed = Listed::of_namespace(&namespace);
    assert_eq!(listed.iter().map(<[u8]>::len).max(), Some(4090));
    add_links(&mut namespace);
    let mix = Mix { missing: 1.0, through_links: 1.0, ..Mix::default() };
    let set = PathSet::draw(&listed, &mix, 200, 5).unwrap();
    for (path, expected) in set.batch().iter().zip(set.expected().iter()) {
        assert_eq!(reference::resolve(&namespace, path, &Options::default()), expected, "{}", path.len());
    }
}

#[test]
fn the_synthetic_tree_is_the_one_of_the_design() {
    let (namespace, tree) = Synthetic::new(20, 1).build();
    assert_eq!(namespace.n_entries(), 1 << 20);
    let set = PathSet::draw(&tree, &Mix::default(), N_PATHS, 1).unwrap();
    // Five levels hold 1,118,480 entries: the leaves lie on the fourth and fifth.
    assert!((4.8..5.0).contains(&set.mean_components()), "{}", set.mean_components());
    let a_name = set.mean_length() / set.mean_components() - 1.0;
    assert!((11.8..12.2).contains(&a_name), "{a_name}");
    let names: Vec<usize> = namespace.list(0).map(|entry| entry.name.len()).collect();
    assert_eq!(names.len(), 16);
    assert!(names.iter().all(|length| (4..=20).contains(length)));
    let again = PathSet::draw(&tree, &Mix::default(), N_PATHS, 1).unwrap();
    assert_eq!(set.bytes(), again.bytes());
}

#[test]
fn find_order_meets_every_entry_once() {
    let (_, tree) = Synthetic::new(12, 1).build();
    let set = PathSet::draw(&tree, &Mix { order: Order::Find, ..Mix::default() }, 4096, 9).unwrap();
    let mut inodes = set.expected().inodes().to_vec();
    inodes.sort_unstable();
    inodes.dedup();
    assert_eq!(inodes.len(), 4096);
    let in_order = set.batch().iter().zip(set.batch().iter().skip(1)).filter(|(a, b)| a < b).count();
    assert!(in_order >= 4094, "{in_order}");
}

#[test]
fn misses_have_both_reasons() {
    let (_, tree) = Synthetic::new(12, 1).build();
    let set = PathSet::draw(&tree, &Mix { missing: 1.0, ..Mix::default() }, N_PATHS, 2).unwrap();
    let count = |error| {
        set.expected().iter().filter(|outcome| *outcome == Err(error)).count() as f64 / N_PATHS as f64
    };
    assert!((count(LookupError::NotADirectory) - 0.25).abs() < 0.02);
    assert!((count(LookupError::NotFound) - 0.75).abs() < 0.02);
}
