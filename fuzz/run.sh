#!/usr/bin/env bash
# Runs fuzz targets side by side, each in several jobs that share a corpus, and sums up.
#
# usage: run.sh SECONDS OUT [TARGET]...      all targets that lie in BIN, unless some are named
#
# JOBS     processes a target (default: so many that all processors are busy)
# BIN      where the targets lie (default: bin/ beside this script, else what `cargo fuzz build` made)
# CORPUS   their corpora, which are read and not changed (default: corpus/ beside this script)
# TIMEOUT  seconds after which an input is said to hang (default: 30; more where processes are stopped at times)
#
# Beside what pack.sh has packed it unpacks that first, and needs nothing but a shell, tar, gzip, find and awk.
#
# Into OUT come: summary.txt, a line a target; TARGET/N.log; TARGET/found, the inputs that crash, hang or take too much
# memory; found.tar.gz, what was found beyond the corpora. Exit code 1 where an input does so.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:?usage: $0 SECONDS OUT [TARGET]...}
mkdir -p "${2:?usage: $0 SECONDS OUT [TARGET]...}"
out=$(cd "$2" && pwd)
shift 2
unpacked=$here
loader=()
if [ -f "$here/fuzz.tar.xz" ]; then
    # What pack.sh has packed, which brings its own libraries.
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    xz=("$here/tools/ld-linux-x86-64.so.2" --library-path "$here/tools" "$here/tools/xz")
    "${xz[@]}" -dc "$here/fuzz.tar.xz" | tar -C "$unpacked" -xf - || exit 2
    loader=("$unpacked/lib/ld-linux-x86-64.so.2" --library-path "$unpacked/lib")
    if [ -f "$unpacked/lib/libvulkan_lvp.so" ]; then
        printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' \
            "$unpacked/lib/libvulkan_lvp.so" >"$unpacked/lvp.json"
        export VK_DRIVER_FILES=$unpacked/lvp.json VK_ICD_FILENAMES=$unpacked/lvp.json
    fi
fi
bin=${BIN:-$unpacked/bin}
[ -d "$bin" ] || bin=$here/target/x86_64-unknown-linux-gnu/release
corpus=${CORPUS:-$unpacked/corpus}
targets=("$@")
if [ $# -eq 0 ]; then
    for file in "$bin"/*; do
        [ -f "$file" ] && [ -x "$file" ] && [ "${file##*/}" != seeds ] && targets+=("${file##*/}")
    done
fi
jobs=${JOBS:-$((($(nproc) + ${#targets[@]} - 1) / ${#targets[@]}))}

export RAYON_NUM_THREADS=1 XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
# The drivers of GPUs keep memory for good.
export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}

# One job; its processor seconds go behind its log, as the time on the wall also passes while it waits.
job() {
    local target=$1 number=$2 folder=$out/$1
    TIMEFORMAT='processor seconds: %U user, %S system'
    { time "${loader[@]}" "$bin/$target" "$folder/corpus" "$corpus/$target" -max_total_time="$seconds" -reload=1 \
        -timeout="${TIMEOUT:-30}" -rss_limit_mb=3072 -print_final_stats=1 -artifact_prefix="$folder/found/$number-"; } \
        >"$folder/$number.log" 2>&1
}

for target in "${targets[@]}"; do
    mkdir -p "$out/$target/corpus" "$out/$target/found" "$corpus/$target"
    for ((number = 0; number < jobs; number++)); do
        job "$target" "$number" &
    done
done
wait

{
    date -u +%Y-%m-%dT%H:%M:%SZ
    echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) processors; $seconds s, $jobs jobs a target"
    [ -f "$here/commit" ] && echo "commit $(cat "$here/commit")"
    echo "target executions coverage features processor_seconds found"
    for target in "${targets[@]}"; do
        awk -v target="$target" -v found="$(find "$out/$target/found" -type f ! -name '*slow-unit*' | wc -l)" '
            /stat::number_of_executed_units:/ { executions += $2 }
            / cov: / { for (i = 1; i < NF; i++) {
                if ($i == "cov:" && $(i + 1) > coverage) coverage = $(i + 1)
                if ($i == "ft:" && $(i + 1) > features) features = $(i + 1) } }
            /^processor seconds:/ { time += $3 + $5 }
            END { printf "%s %d %d %d %d %d\n", target, executions, coverage, features, time, found }' \
            "$out/$target"/*.log
    done
} | tee "$out/summary.txt"
# One file, as there may be ten thousand.
tar -C "$out" -czf "$out/found.tar.gz" "${targets[@]/%//corpus}"
for target in "${targets[@]}"; do rm -r "$out/$target/corpus"; done
# The last field of each target's line.
! awk 'found { bad += $6 } /^target / { found = 1 } END { exit bad == 0 }' "$out/summary.txt"
