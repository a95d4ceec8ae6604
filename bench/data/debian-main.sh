#!/usr/bin/env bash
# Every path of Debian's main for amd64, a line each, sorted: bench/data/debian-main.txt (480 MB, not committed).
# Needs apt-file's Contents indexes, and installs apt-file where it is missing. Debian 12 gave 7,315,688 paths.
set -euo pipefail
cd "$(dirname "$0")"
suite=${1:-bookworm}
if ! command -v apt-file >/dev/null; then
    apt-get install -y apt-file >&2
fi
lists=(/var/lib/apt/lists/*_dists_"${suite}"_main_Contents-{amd64,all}.lz4)
if [ ! -e "${lists[0]}" ]; then
    apt-file update >&2
    lists=(/var/lib/apt/lists/*_dists_"${suite}"_main_Contents-{amd64,all}.lz4)
fi
# A line is a path without the slash in front, blanks, and the packages.
for list in "${lists[@]}"; do
    /usr/lib/apt/apt-helper cat-file "$list"
done | sed -E 's|[[:space:]]+[^[:space:]]+$||; s|^|/|' | LC_ALL=C sort -u --parallel=2 >debian-main.txt.part
mv debian-main.txt.part debian-main.txt
wc -l debian-main.txt
