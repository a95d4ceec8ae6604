//! Chores of the repository. `cargo xtask codegen` writes the generated declarations, `cargo xtask figures` puts the newest records' figures
//! into README.md and `docs/`.

#![allow(clippy::print_stdout)]

mod figures;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("codegen"), None) => codegen(),
        (Some("figures"), None) => figures::refresh(&root()),
        _ => bail!("usage: cargo xtask codegen|figures"),
    }
}

/// Writes the layout's declarations in WGSL, CUDA C++ and Markdown.
fn codegen() -> Result<()> {
    let folder = root().join("crates/warpath-layout/generated");
    for (name, text) in [
        ("layout.wgsl", warpath_layout::render::wgsl()),
        ("layout.cuh", warpath_layout::render::cuda()),
        ("LAYOUT.md", warpath_layout::render::markdown()),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
