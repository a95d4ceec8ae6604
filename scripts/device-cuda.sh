#!/usr/bin/env bash
# Tests and measures the CUDA engine on a machine with an NVIDIA GPU, in one run of six to eight minutes.
# usage: scripts/device-cuda.sh bundle FOLDER            builds what the run needs and puts it, stripped, into FOLDER
#        scripts/device-cuda.sh BINARY OUT [PART..]      PART: checks bench20 bench26 ncu gpus; all but gpus when none is named
# BINARY is the example `cuda-device`. Logs go to OUT, a summary to the standard output.
# checks: the conformance suite and N_RANDOM random cases through every variant, hostile tables, then compute-sanitizer's four tools at once.
set -uo pipefail
if [ "$1" = bundle ]; then
    cd "$(dirname "$0")/.." || exit 1
    cargo build --release -p warpath-engine-cuda --example cuda-device || exit 1
    mkdir -p "$2"
    strip -o "$2/cuda-device" "${CARGO_TARGET_DIR:-target}/release/examples/cuda-device"
    cp "$0" "$2/" 2>/dev/null || cp scripts/device-cuda.sh "$2/"
    git rev-parse --short HEAD >"$2/commit"
    exit
fi
binary=$1 out=$2
shift 2
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(checks bench26 bench20 ncu)
mkdir -p "$out"
commit=$(cat "$(dirname "$0")/commit" 2>/dev/null || git rev-parse --short HEAD 2>/dev/null)
begin=$SECONDS
echo "# $(date -u +%F) $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $(nproc) cores, commit $commit, scripts/device-cuda.sh ${parts[*]}"
status=0
# Runs a command under a time limit, its output to a file of this name; says how it ended.
run() {
    local name=$1 limit=$2 since=$SECONDS
    shift 2
    timeout "$limit" "$@" >"$out/$name.txt" 2>&1
    local code=$?
    echo "== $name: code $code after $((SECONDS - since)) s, at $((SECONDS - begin)) s"
    [ "$code" = 0 ] || echo "FAILED: $name ended with $code"
    return $code
}
# As `run`, then shows the end of the output.
show() {
    local lines=$1
    shift
    run "$@" || status=1
    grep -v '^ *$' "$out/$2.txt" | tail -"$lines"
}
checks() {
    # The kernels are compiled once, before anything else needs them.
    run first 60 "$binary" hostile 1 || status=1
    show 120 suite 150 "$binary" suite "${N_SUITE:-20000}"
    show 8 random 150 "$binary" random "${N_RANDOM:-10000000}"
    show 12 hostile 60 "$binary" hostile 200
    local jobs=() trees
    for tool in memcheck racecheck initcheck synccheck; do
        # racecheck takes ten times as long as the others.
        trees=5
        [ $tool = racecheck ] && trees=1
        run "$tool" 110 compute-sanitizer --tool $tool --report-api-errors no --error-exitcode 9 "$binary" sanitize $trees &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || status=1; done
    for tool in memcheck racecheck initcheck synccheck; do
        echo "-- $tool"
        grep -E "SUMMARY|Error|paths" "$out/$tool.txt" | head -12
    done
}
for part in "${parts[@]}"; do
    case $part in
        checks) checks ;;
        bench20) show 60 bench20 150 "$binary" bench 20 ;;
        bench26) show 60 bench26 300 "$binary" bench 26 ;;
        gpus) show 20 gpus 200 "$binary" gpus ;;
        ncu)
            # Paths that exist, then half of them missing; of each the direct kernel and the walk.
            run ncu 120 ncu --clock-control none -k "regex:direct_paths32|walk_paths32" -s 2 -c 4 --section SpeedOfLight \
                --section MemoryWorkloadAnalysis --section Occupancy --section WarpStateStats \
                --metrics lts__ltcfabric2ltc_cycles_active.avg.pct_of_peak_sustained_elapsed,dram__bytes_read.sum,dram__bytes_read.sum.per_second,lts__t_sector_hit_rate.pct,smsp__inst_executed.sum,l1tex__data_pipe_lsu_wavefronts.avg.pct_of_peak_sustained_elapsed \
                "$binary" profile "${NCU_K:-26}" || status=1
            grep -E "paths32|Duration|fabric|Throughput|Hit Rate|hit_rate|dram__|inst_executed|wavefronts|Achieved Occ" "$out/ncu.txt"
            ;;
        *) echo "unknown part $part"; status=2 ;;
    esac
done
exit $status
