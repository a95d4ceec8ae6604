#!/usr/bin/env bash
# Installs Mesa's software Vulkan (lavapipe), which the tests of the wgpu engine run on, where no Vulkan driver is found.
set -euo pipefail

has_driver() {
    local folder
    for folder in /usr/share/vulkan/icd.d /etc/vulkan/icd.d /usr/local/share/vulkan/icd.d; do
        compgen -G "$folder/*.json" >/dev/null && return 0
    done
    return 1
}

has_loader() {
    ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1'
}

if has_driver && has_loader; then
    exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
if command -v apt-get >/dev/null; then
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends libvulkan1 mesa-vulkan-drivers
elif command -v dnf >/dev/null; then
    "${as_root[@]}" dnf install -q -y vulkan-loader mesa-vulkan-drivers
elif command -v pacman >/dev/null; then
    "${as_root[@]}" pacman -S --noconfirm --needed vulkan-icd-loader vulkan-swrast
elif command -v apk >/dev/null; then
    "${as_root[@]}" apk add vulkan-loader mesa-vulkan-swrast
else
    echo "no Vulkan driver, and no package manager known here: install Mesa's lavapipe by hand" >&2
    exit 1
fi
