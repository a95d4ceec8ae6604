#!/usr/bin/env bash
# Packs the built fuzz targets with minimised corpora and every library they load, for a machine that has none of it.
#
# usage: fuzz/pack.sh FOLDER        here, after `cargo +nightly fuzz build --features tables,wgpu`
#        FOLDER/run.sh SECONDS OUT  there
#
# VULKAN=no leaves out Mesa's software Vulkan, and with it the target `wgpu`. BIN is where the targets lie.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: $0 FOLDER}"
folder=$(cd "$1" && pwd)
built=${BIN:-$here/target/x86_64-unknown-linux-gnu/release}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/bin" "$stage/lib" "$stage/corpus" "$stage/tools"
export ASAN_OPTIONS=detect_leaks=0 RAYON_NUM_THREADS=1

mapfile -t targets < <(sed -n '/^\[\[bin\]\]/{n;s/^name = "\(.*\)"/\1/p}' "$here/Cargo.toml" | grep -v '^seeds$')
for target in "${targets[@]}"; do
    [ "$target" = wgpu ] && [ "${VULKAN:-yes}" = no ] && continue
    strip -o "$stage/bin/$target" "$built/$target"
    mkdir -p "$stage/corpus/$target"
    "$built/$target" -merge=1 -rss_limit_mb=3072 "$stage/corpus/$target" "$here/corpus/$target" >"$stage/merge.log" 2>&1 ||
        cp "$here/corpus/$target"/seed-* "$stage/corpus/$target"
done

loaded=("$stage"/bin/*)
if [ -f "$stage/bin/wgpu" ]; then
    driver=/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so
    loader=/usr/lib/x86_64-linux-gnu/libvulkan.so.1
    cp "$driver" "$loader" "$stage/lib/"
    loaded+=("$driver" "$loader")
fi
libraries() { ldd "$@" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p' | sort -u; }
libraries "${loaded[@]}" | xargs -I{} cp -L {} "$stage/lib/"
# Targets are mostly the same code: a dictionary that holds them all.
tar -C "$stage" -cf - bin lib corpus | xz -T1 --lzma2=preset=3,dict=256MiB >"$folder/fuzz.tar.xz"

# What unpacks it, in case the other machine has no xz.
mkdir -p "$folder/tools"
cp "$(command -v xz)" "$folder/tools/"
libraries "$(command -v xz)" | xargs -I{} cp -L {} "$folder/tools/"
cp "$here/run.sh" "$folder/"
git -C "$here" rev-parse --short=12 HEAD >"$folder/commit"
du -sh "$folder"
