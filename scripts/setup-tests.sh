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
valgrind          command -v valgrind
LIST
}

missing=()
while read -r package test; do
    bash -c "$test" >/dev/null 2>&1 || missing+=("$package")
done < <(needs)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq install --yes --no-install-recommends "${missing[@]}"
    else
        echo "setup-tests: not installed: ${missing[*]} (as root on Debian or Ubuntu this script installs them)" >&2
    fi
fi

# The wgpu engine runs on software where there is no GPU.
"$(dirname "${BASH_SOURCE[0]}")/install-vulkan.sh" ||
    echo "setup-tests: no Vulkan driver: the tests of the wgpu engine will skip, and say so" >&2
