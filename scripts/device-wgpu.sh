#!/usr/bin/env bash
# Measures the wgpu engine on a machine with a GPU, and has every kernel pass the conformance suite there.
#
# usage: scripts/device-wgpu.sh pack FOLDER     here: builds the program and gathers what it needs in FOLDER (about 15 MiB)
#        FOLDER/run.sh [wgpu-bench's arguments] there: unpacks the Vulkan loader where there is none, and runs
#
# The output goes to standard output and, where $OUT is set, to $OUT/wgpu.txt.
set -euo pipefail

pack() {
    local folder=$1 root
    root=$(cd "$(dirname "$0")/.." && pwd)
    mkdir -p "$folder"
    (cd "$root" && cargo build --release -p warpath-engine-wgpu --example wgpu-bench)
    strip -o "$folder/wgpu-bench" "$root/target/release/examples/wgpu-bench"
    (cd "$folder" && apt-get download -q libvulkan1)
    git -C "$root" rev-parse HEAD >"$folder/commit"
    sed -n '/^# --- run.sh/,$p' "$root/scripts/device-wgpu.sh" | sed 's/^#| \{0,1\}//' >"$folder/run.sh"
    chmod +x "$folder/run.sh"
    du -sh "$folder"
}

case ${1:-} in
pack) pack "${2:?usage: $0 pack FOLDER}" ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
exit 0

# --- run.sh: what follows is written into the folder.
#| #!/usr/bin/env bash
#| set -uo pipefail
#| here=$(cd "$(dirname "$0")" && pwd)
#| if ! ldconfig -p | grep -q 'libvulkan\.so\.1'; then
#|     for package in "$here"/*.deb; do dpkg -x "$package" /; done
#|     ldconfig
#| fi
#| export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
#| # Where the driver's manifest is not in a folder that the loader looks into.
#| manifest=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
#| if [ -f "$manifest" ] && ! compgen -G '/usr/share/vulkan/icd.d/nvidia*' >/dev/null && ! compgen -G '/etc/vulkan/icd.d/nvidia*' >/dev/null; then
#|     export VK_DRIVER_FILES=$manifest
#| fi
#| {
#|     date -u +%Y-%m-%dT%H:%M:%SZ
#|     echo "commit $(cat "$here/commit")"
#|     nvidia-smi --query-gpu=name,driver_version,pcie.link.gen.max,pcie.link.width.max --format=csv,noheader || true
#|     grep -m1 'model name' /proc/cpuinfo; nproc
#|     "$here/wgpu-bench" "$@"
#|     echo "exit code $?"
#| } 2>&1 | tee ${OUT:+"$OUT/wgpu.txt"}
