#!/usr/bin/env bash
# Installs what the tests need beside Rust, where it is missing. Does nothing where all is there.
#
# A line a package: its Debian name, and a shell test that is true where it is there already.
# Without root, or without apt, what is missing is named; the tests that need it then skip, and say so.
set -euo pipefail

needs() {
    cat <<'LIST'
build-essential   command -v cc
findutils         command -v find
util-linux        command -v setpriv && command -v unshare
LIST
}

missing=()
while read -r package test; do
    bash -c "$test" >/dev/null 2>&1 || missing+=("$package")
done < <(needs)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup-tests: not installed: ${missing[*]} (as root on Debian or Ubuntu this script installs them)" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "${missing[@]}"
