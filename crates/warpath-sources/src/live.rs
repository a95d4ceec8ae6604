//! Scan of a live directory tree.
