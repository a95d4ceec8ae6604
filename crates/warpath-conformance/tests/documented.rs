//! `docs/conformance.md` names cases that exist, and every situation of the suites has one.

use std::collections::HashSet;
use warpath_conformance::cases::groups;

const DOCUMENT: &str = include_str!("../../../docs/conformance.md");

#[test]
fn every_situation_names_cases_that_exist() {
    let known: HashSet<String> = groups()
        .unwrap()
        .iter()
        .flat_map(|group| group.cases.iter().map(|case| format!("{}/{}", group.name, case.name)))
        .collect();
    let (_, mapping) = DOCUMENT.split_once("## Which case stands for which situation").unwrap();
    let mut n_situations = 0;
    for row in mapping.lines().filter(|line| line.starts_with("| ") && *line != "| situation | cases |") {
        n_situations += 1;
        let (_, cases) = row.trim_end_matches('|').rsplit_once('|').unwrap();
        if cases.trim().starts_with("no case: ") {
            continue;
        }
        let names: Vec<&str> = cases.split(',').map(|name| name.trim().trim_matches('`')).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(known.contains(name), "{name} does not exist: {row}");
        }
    }
    assert!(n_situations > 100, "{n_situations}");
}
