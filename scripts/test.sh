#!/usr/bin/env bash
# Sets up what the tests need and runs all of them. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup-tests.sh
cargo test --workspace "$@"
