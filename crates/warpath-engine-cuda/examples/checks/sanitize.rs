//! Little of everything, so that compute-sanitizer sees every kernel and every way within a minute.

use super::random::{Case, stays};
use crate::hostile;
use crate::variants::{VARIANTS, Variant, make};
use anyhow::Result;

/// A batch for which thousands of blocks of the direct kernel are launched.
const LARGE: usize = 150_000;

/// Asks every variant random cases on some trees, one large batch and as many hostile tables; with no tree a single batch and the large one. Those whose kernel stays are asked alone
/// (`staying`): a tool that waits for each launch stops them over and over.
pub fn run(n_trees: u64, staying: bool) -> Result<()> {
    let mut cases = Vec::new();
    if n_trees == 0 {
        cases.push(Case::new(1, &[1200])?);
    }
    for seed in 1..=n_trees {
        cases.push(Case::new(seed, &[300, 1200, 7])?);
    }
    let large = Case::new(9, &[LARGE])?;
    for &variant in VARIANTS.iter().filter(|&&variant| stays(variant) == staying) {
        let engine = make(variant)?;
        let mut n = 0;
        for case in &cases {
            n += case.ask(engine.as_ref(), variant)?;
        }
        if variant == Variant::Device32 {
            n += large.ask(engine.as_ref(), variant)?;
        }
        let n_hostile = hostile::ask(engine.as_ref(), 1, n_trees)?;
        println!("{variant:?}: {n} paths, {n_hostile} of hostile tables");
    }
    Ok(())
}

/// Hostile tables through every variant, many of them.
pub fn run_hostile(n_tables: u64) -> Result<()> {
    for &variant in VARIANTS {
        let n = hostile::ask(make(variant)?.as_ref(), 100, n_tables)?;
        println!("{variant:?}: {n} paths asked of {n_tables} hostile tables, each an answer");
    }
    Ok(())
}
