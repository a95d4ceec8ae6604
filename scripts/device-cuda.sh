#!/usr/bin/env bash
# Tests and measures the CUDA engine on a machine with an NVIDIA GPU, in one run.
# usage: scripts/device-cuda.sh BINARY OUT [PART..]    PART: suite sanitize bench20 bench26 ncu gpus; all but gpus when none is named
# BINARY is `cuda-device`, built with `cargo build --release -p warpath-engine-cuda --example cuda-device`. Logs go to OUT.
set -uo pipefail
binary=$1 out=$2
shift 2
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(suite bench20 bench26 sanitize ncu)
mkdir -p "$out"
echo "# $(date -u +%F) $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $(nproc) cores, commit ${COMMIT:-unknown}, scripts/device-cuda.sh ${parts[*]}"
status=0
run() {
    local name=$1 limit=$2
    shift 2
    echo "== $name"
    timeout "$limit" "$@" 2>&1 | tee "$out/$name.txt" | tail -"${LINES_SHOWN:-60}"
    local code=${PIPESTATUS[0]}
    [ "$code" = 0 ] || { echo "FAILED: $name ended with $code"; status=1; }
}
for part in "${parts[@]}"; do
    case $part in
        suite) run suite 300 "$binary" suite "${N_RANDOM:-100000}" ;;
        bench20) run bench20 120 "$binary" bench 20 ;;
        bench26) run bench26 300 "$binary" bench 26 ;;
        gpus) run gpus 200 "$binary" gpus ;;
        sanitize)
            for tool in ${TOOLS:-memcheck racecheck initcheck synccheck}; do
                run "$tool" "${TOOL_LIMIT:-200}" compute-sanitizer --tool $tool --error-exitcode 9 "$binary" sanitize
            done ;;
        ncu)
            for kernel in direct_paths32 walk_paths32; do
                run "ncu-$kernel" 200 ncu --clock-control none -k "regex:$kernel" -s 2 -c 1 --section SpeedOfLight --section MemoryWorkloadAnalysis \
                    --section Occupancy --section WarpStateStats --metrics breakdown:lts__throughput.avg.pct_of_peak_sustained_elapsed \
                    "$binary" bench "${NCU_K:-24}"
            done ;;
        *) echo "unknown part $part"; status=2 ;;
    esac
done
exit $status
