#!/usr/bin/env bash
# Measures the wgpu engine on a machine with a GPU, and has every kernel pass the conformance suite there.
#
# usage: scripts/device-wgpu.sh pack FOLDER           here: builds wgpu-bench and puts all that a run needs into FOLDER
#        FOLDER/device-wgpu.sh run [ARGUMENT]...      there: brings a Vulkan loader where there is none, and runs wgpu-bench
#
# What it prints also goes to $OUT/wgpu.txt where $OUT is set.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

pack() {
    set -e
    local root folder
    root=$(dirname "$here")
    mkdir -p "$1"
    folder=$(cd "$1" && pwd)
    cargo build --release --manifest-path "$root/Cargo.toml" -p warpath-engine-wgpu --example wgpu-bench
    strip -o "$folder/wgpu-bench" "${CARGO_TARGET_DIR:-$root/target}/release/examples/wgpu-bench"
    cp "$here/device-wgpu.sh" "$folder/"
    git -C "$root" rev-parse HEAD >"$folder/commit"
    # NVIDIA's Vulkan driver needs the loaders of EGL and GL, too.
    (cd "$folder" && { compgen -G 'libegl1*.deb' >/dev/null ||
        apt-get download -q libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libgles2; })
    du -sh "$folder"
}

prepare_vulkan() {
    if ! ldconfig -p | grep -q 'libvulkan\.so\.1'; then
        local package
        for package in "$here"/*.deb; do
            dpkg -x "$package" /
        done
        ldconfig
    fi
    export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
    # The driver's manifest may lie where no loader looks.
    local manifest=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
    if [ -f "$manifest" ]; then
        export VK_DRIVER_FILES=$manifest
    fi
}

measure() {
    date -u +%Y-%m-%dT%H:%M:%SZ
    echo "commit $(cat "$here/commit"), wgpu-bench $*"
    nvidia-smi --query-gpu=name,driver_version,pcie.link.gen.max,pcie.link.width.max --format=csv,noheader || true
    grep -m1 'model name' /proc/cpuinfo
    echo "$(nproc) processors"
    "$here/wgpu-bench" "$@"
    echo "exit code $?"
}

case ${1:-} in
pack) pack "${2:?usage: $0 pack FOLDER}" ;;
run)
    shift
    prepare_vulkan
    measure "$@" 2>&1 | tee ${OUT:+"$OUT/wgpu.txt"}
    ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
