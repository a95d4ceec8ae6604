#!/usr/bin/env bash
# Makes crates/warpath-engine-cuda/ptx/*.ptx from kernels/: PTX 8.0 with NVRTC 12.0, which drivers of CUDA 12.0 and later load, and
# PTX 8.8 with NVRTC 12.9 for Hopper and later under drivers of CUDA 12.9 and later.
# usage: scripts/ptx.sh [--check]     --check: compile and compare with what is committed. Needs python3 and pip, no GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
bring() { # FOLDER VERSION
    [ -e "target/$1/done" ] && return
    python3 -m pip install -q --no-deps --target "target/$1" "nvidia-cuda-nvrtc-cu12==$2"
    touch "target/$1/done"
}
bring nvrtc 12.0.76
bring nvrtc-12.9 12.9.86
exec python3 scripts/ptx.py "$@"
