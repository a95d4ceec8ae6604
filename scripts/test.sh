#!/usr/bin/env bash
# Sets up what the tests need and runs all of them. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup-tests.sh
# Without one Mesa's software Vulkan complains on standard error.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
cargo test --workspace "$@"
# Arrow and Parquet are behind features, so that the root builds quickly, and so is the command's wgpu engine.
cargo test -p warpath-sources --features parquet "$@"
cargo test -p warpath-cli --features tables,wgpu "$@"
# The API with all features: GPUs through Vulkan (on software where there is none) and through CUDA (without a driver, too).
cargo test -p warpath --features arrow,tower,scan,wgpu,cuda \
    --lib --example arrow_column --test allocations --test devices --test description --test tower "$@"
