#!/usr/bin/env bash
# Runs the CPU engine's tests as AArch64 code (NEON) under QEMU's user emulation, on an x86-64 machine with Debian's packages.
# Needs root for QEMU and the cross linker. The compiler with AArch64's standard library is Debian's; it stays in target/aarch64.
# usage: scripts/test-aarch64.sh [arguments of cargo test]     by default: -p warpath-engine-cpu --lib --tests
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$PWD/target/aarch64
mkdir -p "$here"

for tool in qemu-aarch64-static aarch64-linux-gnu-gcc; do
    command -v $tool >/dev/null && continue
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross
done

# rustc-web is the compiler that Debian keeps new for its browsers. It is unpacked, not installed: it would put rustup out.
if [ ! -e "$here/compiler/done" ]; then
    lists=$here/lists # so that the machine's own architectures stay as they are
    mkdir -p "$lists/partial" "$here/debs"
    apt=(apt-get -oAPT::Architecture=amd64 -oAPT::Architectures::=amd64 -oAPT::Architectures::=arm64 -oDir::State::Lists="$lists")
    "${apt[@]}" -qq update
    version=$(apt-cache "${apt[@]:1}" show rustc-web:amd64 | sed -n 's/^Version: //p' | head -1)
    series=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$version")
    llvm=$(apt-cache "${apt[@]:1}" show "libstd-rust-web-$series:amd64=$version" | grep -oE 'libllvm[0-9]+' | head -1)
    (cd "$here/debs" && "${apt[@]}" -qq download "rustc-web:amd64=$version" "libstd-rust-web-$series:amd64=$version" \
        "libstd-rust-web-dev:amd64=$version" "libstd-rust-web-dev:arm64=$version" "$llvm:amd64")
    for package in "$here"/debs/*.deb; do dpkg -x "$package" "$here/compiler"; done
    cat >"$here/compiler/rustc" <<'WRAPPER'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/usr/lib/x86_64-linux-gnu:$here/usr/lib"
exec "$here/usr/bin/rustc" "$@"
WRAPPER
    chmod +x "$here/compiler/rustc"
    rm -r "$here/debs" "$lists"
    touch "$here/compiler/done"
fi

"$here/compiler/rustc" --version
qemu-aarch64-static --version | head -1
[ $# -gt 0 ] || set -- -p warpath-engine-cpu --lib --tests # examples in the docs are compiled by a rustdoc that Debian's packages lack
# QEMU of Debian 12 knows no openat2, the judge of one test; x86-64 runs that one.
RUSTC="$here/compiler/rustc" CARGO_TARGET_DIR="$here/target" \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu" \
    cargo test --target aarch64-unknown-linux-gnu "$@" -- --skip the_engine_is_the_kernels_twin
