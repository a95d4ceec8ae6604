//! What `cuda-device` asks beside the conformance suite.

pub mod random;
pub mod sanitize;
