#!/usr/bin/env bash
# The GPU table in one command, on a machine with an NVIDIA GPU and CuPy that has no toolchain: under a minute.
# usage: bench/gpu/run.sh OUT   builds `warpath` and `warpath-bench`, unless they lie beside it (for a machine without Rust)
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${1:?usage: $0 OUT}"
out=$(cd "$1" && pwd)
bin=$here
if [ ! -x "$here/warpath-bench" ]; then
    cd "$here/../.." || exit 1
    cargo build --release -p warpath-cli -p warpath-bench --features warpath-bench/gpu || exit 1
    bin=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
fi
[ -e "$here/commit" ] && WARPATH_COMMIT=$(cat "$here/commit") && export WARPATH_COMMIT
keys=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$keys"' EXIT
status=0
run() {
    local name=$1 limit=$2 start=$SECONDS
    shift 2
    echo "== $name"
    timeout "$limit" "$@" 2>&1 | tee "$out/$name.txt" || { echo "FAILED: $name"; status=1; }
    echo "== $name took $((SECONDS - start)) s"
}
# flash-map compiles its kernels when it starts, and looks for libnvrtc.so by that name.
nvrtc=$(ldconfig -p | grep -o '/[^ ]*libnvrtc\.so[.0-9]*$' | head -1)
[ -n "$nvrtc" ] || nvrtc=$(python3 -c 'import glob, nvidia; print(next(f for p in nvidia.__path__ for f in sorted(glob.glob(p + "/**/libnvrtc.so*", recursive=True)) if "alt" not in f))' 2>/dev/null)
if [ -n "$nvrtc" ]; then
    ln -sf "$nvrtc" "$keys/libnvrtc.so"
    export LD_LIBRARY_PATH="$keys:$(dirname "$nvrtc")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
echo "# $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $(nproc) cores, commit ${WARPATH_COMMIT:-unknown}, NVRTC ${nvrtc:-none}"
k=${K:-24}
run peers-gpu 60 "$bin/warpath-bench" peers gpu --tree "k$k" --rounds 9 --export "$keys" --record "$out"
if ! grep -q 'flash-map.*device' "$out/peers-gpu.txt"; then
    run peers-gpu-without-flash-map 40 "$bin/warpath-bench" peers gpu --tree "k$k" --rounds 9 --no-flash-map --record "$out"
fi
run cupy 40 python3 "$here/cupy_peers.py" "$keys"
run bench 60 "$bin/warpath" bench --engine all --k "$k" --seconds 0.1 --csv "$out/bench.csv" --html "$out/bench.html"
exit $status
