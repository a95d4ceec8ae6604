#!/usr/bin/env bash
# Tests and measures the CUDA engine on a machine with an NVIDIA GPU, in one run of about five minutes.
# usage: scripts/device-cuda.sh bundle FOLDER            builds what the run needs and puts it, stripped, into FOLDER
#        scripts/device-cuda.sh BINARY OUT [PART..]      PART: sanitize bench26 bench20 ncu cli suite resident random hostile gpus; all but gpus when none is named
# BINARY is the example `cuda-device`. The benches' logs go to OUT as they come, the others to OUT/checks.txt when they end, a summary to the standard output. After SECONDS_LEFT (default 420) no part is begun, and
# one that is under way is ended. sanitize: compute-sanitizer's four tools at once. The tree of bench26 is built beside them, on the CPU.
set -uo pipefail
if [ "$1" = bundle ]; then
    cd "$(dirname "$0")/.." || exit 1
    cargo build --release -p warpath-engine-cuda --example cuda-device && cargo build --release -p warpath-cli || exit 1
    mkdir -p "$2"
    strip -o "$2/cuda-device" "${CARGO_TARGET_DIR:-target}/release/examples/cuda-device"
    strip -o "$2/warpath" "${CARGO_TARGET_DIR:-target}/release/warpath"
    cp scripts/device-cuda.sh "$2/"
    git rev-parse --short HEAD >"$2/commit"
    exit
fi
binary=$1 out=$2
shift 2
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(sanitize bench26 bench20 ncu cli suite resident random hostile)
mkdir -p "$out"
logs=$(mktemp -d)
commit=$(cat "$(dirname "$0")/commit" 2>/dev/null || git rev-parse --short HEAD 2>/dev/null)
echo "# $(date -u +%F) $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $(nproc) cores, commit $commit, scripts/device-cuda.sh ${parts[*]}"
begin=$SECONDS status=0
left() { echo $((${SECONDS_LEFT:-420} - SECONDS + begin)); }
log_of() { case $1 in bench*) echo "$out/$1.txt" ;; *) echo "$logs/$1.txt" ;; esac; }
# Runs a command under a time limit, its output to the log of this name; says how it ended.
run() {
    local name=$1 limit=$2 since=$SECONDS code
    shift 2
    [ "$limit" -lt "$(left)" ] || limit=$(left)
    [ "$limit" -gt 5 ] || { echo "LEFT OUT: $name, no time is left"; return 1; }
    timeout "$limit" "$@" >"$(log_of "$name")" 2>&1
    code=$?
    case $name in bench*) ;; *) { echo "== $name"; cat "$(log_of "$name")"; } >>"$out/checks.txt" ;; esac
    echo "== $name: code $code after $((SECONDS - since)) s, at $((SECONDS - begin)) s"
    [ "$code" = 0 ] || echo "FAILED: $name ended with $code"
    return $code
}
# As `run`, then shows the end of the output.
show() {
    local lines=$1
    shift
    run "$@" || status=1
    [ -e "$(log_of "$1")" ] && grep -v '^ *$' "$(log_of "$1")" | grep -v '<unknown>' | tail -"$lines"
}
sanitize() {
    # The kernels are compiled once, before others need them.
    run first 60 "$binary" hostile 1 || status=1
    local jobs=() trees tool
    for tool in memcheck racecheck initcheck synccheck; do
        # racecheck takes far longer than the others.
        trees=4
        [ $tool = racecheck ] && trees=0
        run "$tool" "${TOOL_LIMIT:-90}" compute-sanitizer --tool $tool --report-api-errors no --error-exitcode 9 "$binary" sanitize $trees &
        jobs+=($!)
    done
    # What the tools make of a kernel that stays is told, but does not count: they wait for each launch to end.
    run memcheck-resident "${TOOL_LIMIT:-90}" compute-sanitizer --tool memcheck --report-api-errors no --error-exitcode 9 "$binary" sanitize 1 staying &
    local resident=$!
    for tool in "${jobs[@]}"; do wait "$tool" || status=1; done
    wait "$resident"
    for tool in memcheck racecheck initcheck synccheck memcheck-resident; do
        echo "-- $tool"
        grep -E "SUMMARY|Error|paths" "$(log_of $tool)" | head -14
    done
}
# The command, beside the binary: what it says of its engines, /usr's paths by each of them, and why not where the driver shows no GPU.
cli() {
    local warpath engine paths=$logs/paths
    warpath=$(dirname "$binary")/warpath
    "$warpath" engines || return
    find /usr >"$paths"
    # A few that are missing, lead through what is no directory, or go up.
    sed -n '1~50s#$#/nothing/../more#p' "$paths" >>"$paths.odd"
    cat "$paths.odd" >>"$paths"
    "$warpath" lookup --root /usr --engine cpu <"$paths" >"$logs/cpu"
    for engine in cuda cuda:resident; do
        "$warpath" lookup --root /usr --engine $engine <"$paths" >"$logs/cuda"
        cmp "$logs/cpu" "$logs/cuda" || return
        echo "$engine: $(wc -l <"$paths") paths as by cpu, $(grep -c ^OK "$logs/cuda") of them found"
        head -1 "$paths" | "$warpath" lookup --root /usr --engine $engine || return
    done
    CUDA_VISIBLE_DEVICES='' "$warpath" engines | grep cuda
    CUDA_VISIBLE_DEVICES='' "$warpath" lookup --root /usr --engine cuda <"$paths"
    [ $? = 2 ] || { echo "without a GPU: not exit code 2"; return 1; }
}
# bench26's tree takes half a minute of the CPU: it is begun first, and waits for the gate before it measures.
gate=$logs/gate early=
case " ${parts[*]} " in
    *" bench26 "*)
        rm -f "$gate"
        GATE=$gate run bench26 "${BENCH_LIMIT:-200}" "$binary" bench 26 &
        early=$!
        ;;
esac
for part in "${parts[@]}"; do
    case $part in
        sanitize) sanitize ;;
        bench26)
            touch "$gate"
            wait "$early" || status=1
            rm -f "$gate"
            tail -60 "$out/bench26.txt"
            ;;
        bench20) show 60 bench20 "${BENCH_LIMIT:-200}" "$binary" bench 20 ;;
        ncu)
            # Paths that exist, then half of them missing; of each the direct kernel and the walk.
            run ncu 90 ncu --clock-control none -k "regex:direct_paths32|walk_paths32" -s 2 -c 4 --section SpeedOfLight \
                --section MemoryWorkloadAnalysis --section Occupancy --section WarpStateStats \
                --metrics lts__ltcfabric2ltc_cycles_active.avg.pct_of_peak_sustained_elapsed,sm__cycles_active.avg.pct_of_peak_sustained_elapsed,dram__bytes_read.sum,dram__bytes_read.sum.per_second,lts__t_sector_hit_rate.pct,smsp__inst_executed.sum,l1tex__data_pipe_lsu_wavefronts.avg.pct_of_peak_sustained_elapsed \
                "$binary" profile "${NCU_K:-24}" || status=1
            grep -E "paths32|Duration|fabric|Throughput|Hit Rate|hit_rate|dram__|inst_executed|wavefronts|sm__cycles|Achieved Occ" "$(log_of ncu)"
            ;;
        cli)
            cli >"$logs/cli.txt" 2>&1 || { status=1; echo "FAILED: cli"; }
            { echo "== cli"; cat "$logs/cli.txt"; } | tee -a "$out/checks.txt"
            ;;
        suite) show 130 suite 150 "$binary" suite "${N_SUITE:-20000}" ;;
        resident) show 14 resident 60 "$binary" resident ;;
        random) show 8 random 150 "$binary" random "${N_RANDOM:-10000000}" "${RANDOM_SECONDS:-130}" ;;
        hostile) show 14 hostile 60 "$binary" hostile 100 ;;
        gpus) show 20 gpus 200 "$binary" gpus ;;
        *) echo "unknown part $part"; status=2 ;;
    esac
done
exit $status
