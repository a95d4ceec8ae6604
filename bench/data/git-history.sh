#!/usr/bin/env bash
# The paths of a repository's history: bench/data/git-tree.txt has every path of the newest commit, bench/data/git-history.txt the
# paths that each commit touched, newest first, as `git log --name-only` names them: with repetitions, and many that are gone.
# usage: bench/data/git-history.sh [REPOSITORY]   without one, git's own is cloned (no blobs: 200 MB); any will do
set -euo pipefail
cd "$(dirname "$0")"
repository=${1:-}
if [ -z "$repository" ]; then
    repository=../../target/git-history
    [ -e "$repository" ] || git clone --quiet --bare --filter=blob:none https://github.com/git/git "$repository" >&2
fi
# Names with a newline in them are left out, since the lists have a path a line.
lines() { grep -zavP '\n' | tr '\0' '\n' | sed '/^$/d; s|^|/|'; }
git -C "$repository" ls-tree -r -z --name-only HEAD | lines >git-tree.txt
git -C "$repository" log --format= --name-only --no-renames -z HEAD | lines >git-history.txt
echo "# $(git -C "$repository" rev-parse HEAD)"
wc -l git-tree.txt git-history.txt
