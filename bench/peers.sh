#!/usr/bin/env bash
# warpath beside its peers, in one command: sets up pinned peers, makes the data, builds, measures, writes bench/record/<machine>/.
# usage: bench/peers.sh [PART..]   all parts below when none is named; `cargo xtask figures` then puts the records into the docs
#
# PART, and minutes on two cores, after a build of three:
#   small 1   maps-k22 1   maps-debian 2   maps-usr 1   maps-history 1   system 1   processes 4   joins-debian 2   tools-debian 2
#   tools-debian-pyarrow 5   and maps-TREE, joins-TREE, tools-TREE[-TOOL] of other trees: kN debian usr history
#
# Needs Debian (or a system with fd and apt-file by itself), Python 3 and the Rust toolchain; 16 GB of memory for Debian's list.
# Environment: GIT_HISTORY=REPOSITORY for another history than git's own, QUICK=1 for a smoke test, RUN=COMMAND put before each
# measurement.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(small maps-k22 maps-debian maps-usr maps-history system processes joins-debian tools-debian tools-debian-pyarrow)

environment=target/peers/venv
if ! diff -q <(grep -v "^#" bench/peers/requirements.txt | sort) <("$environment/bin/pip" freeze 2>/dev/null | sort) >/dev/null; then
    mkdir -p target/peers
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --requirement bench/peers/requirements.txt
fi
if ! command -v fdfind fd >/dev/null && command -v apt-get >/dev/null; then
    apt-get install -y fd-find >/dev/null || echo "fd is not installed: its rows are left out" >&2
fi
case " ${parts[*]} " in *debian*) [ -e bench/data/debian-main.txt ] || bench/data/debian-main.sh ;; esac
case " ${parts[*]} " in *history*) [ -e bench/data/git-history.txt ] || bench/data/git-history.sh ${GIT_HISTORY:+"$GIT_HISTORY"} ;; esac
cargo build --release --package warpath-bench --package warpath-cli

for part in "${parts[@]}"; do
    tree=${part#*-}
    case $part in
        small | processes) command=("$part") ;;
        system) command=(system --tree usr) ;;
        maps-*) command=(maps --tree "$tree") ;;
        joins-*) command=(joins --tree "$tree") ;;
        tools-*-*) command=(tools --tree "${tree%%-*}" --only "${tree#*-}") ;;
        tools-*) command=(tools --tree "$tree") ;;
        *) echo "unknown part $part" >&2; exit 2 ;;
    esac
    ${RUN:-} target/release/warpath-bench peers "${command[@]}" ${QUICK:+--quick} --record "${RECORD:-bench/record}"
done
