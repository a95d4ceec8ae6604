//! The case table.

use super::Failure;
use super::session::{Indexed, Session};
use crate::cases::{Case, Group, groups};
use crate::check::{all_modes, outcome_text};
use crate::tree::{Planted, ROOT_NODE};
use warpath_core::{Options, PathBatch};

/// Start directories from which all of a group's paths are asked, beside those that its cases name.
const STARTS: usize = 4;

pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    for group in groups().map_err(Failure::Suite)? {
        let indexed = Indexed::new(&group.tree)?;
        expected(session, &group, &indexed)?;
        everywhere(session, &group, &indexed)?;
    }
    Ok(())
}

/// Each case says what must come of it.
fn expected(session: &Session<'_>, group: &Group, indexed: &Indexed<'_>) -> Result<(), Failure> {
    let planted = Planted { namespace: indexed.index.namespace().clone(), inodes: indexed.inodes.clone() };
    let mut asked: Vec<(usize, Options)> = Vec::new();
    for case in &group.cases {
        let query = group.query(case).map_err(Failure::Suite)?;
        let alike = (query.start, query.options);
        if asked.contains(&alike) {
            continue;
        }
        asked.push(alike);
        // Cases that are asked alike are one batch.
        let cases: Vec<&Case> = group
            .cases
            .iter()
            .filter(|case| group.query(case).is_ok_and(|query| (query.start, query.options) == alike))
            .collect();
        let paths: Vec<&[u8]> = cases.iter().map(|case| case.path.as_slice()).collect();
        let options = query.options_in(&planted);
        let outcomes = session.ask(&indexed.index, &options, &PathBatch::from_slices(&paths))?;
        for (case, outcome) in cases.into_iter().zip(outcomes) {
            let expected = group.expected(case, &planted).map_err(Failure::Suite)?;
            if outcome != expected {
                let query = group.query(case).map_err(Failure::Suite)?;
                let right = query.reference(&planted);
                return Err(Failure::Case {
                    name: format!("{}/{}", group.name, case.name),
                    expected: outcome_text(expected, &planted),
                    difference: Box::new(session.difference(
                        group.tree.clone(),
                        query,
                        right,
                        outcome,
                        &planted,
                    )),
                });
            }
        }
    }
    Ok(())
}

/// All paths of the group in every mode, from the cases' start directories and some more.
fn everywhere(session: &Session<'_>, group: &Group, indexed: &Indexed<'_>) -> Result<(), Failure> {
    let mut starts = vec![ROOT_NODE];
    for case in &group.cases {
        starts.push(group.query(case).map_err(Failure::Suite)?.start);
    }
    let directories: Vec<usize> = group.tree.directories().collect();
    starts.extend(directories.iter().step_by(directories.len().div_ceil(STARTS)));
    starts.sort_unstable();
    starts.dedup();
    let paths: Vec<&[u8]> = group.cases.iter().map(|case| case.path.as_slice()).collect();
    for start in starts {
        for options in all_modes() {
            session.compare(indexed, start, &options, &PathBatch::from_slices(&paths))?;
        }
    }
    Ok(())
}
