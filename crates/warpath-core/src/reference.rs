//! The reference resolver: short, slow, obviously right. It defines correct.

use crate::{Namespace, Options, Outcome};

/// Resolves one path over the names of the tree, a component at a time, following every link the long way.
#[allow(unused_variables, clippy::unimplemented)]
pub fn resolve(namespace: &Namespace, path: &[u8], options: &Options) -> Outcome {
    unimplemented!()
}
