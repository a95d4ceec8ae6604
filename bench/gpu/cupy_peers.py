#!/usr/bin/env python3
"""What CuPy and cuDF make of the same table on a GPU.

usage: cupy_peers.py DIR    DIR: what `warpath-bench peers gpu --export DIR` wrote

CuPy has no hash table and no strings: paths are 64-bit hashes that lie on the device already, the table is sorted by them,
`cupy.searchsorted` finds each and a comparison tells hit from miss. That leaves out hashing, and believes the hash. cuDF is measured by a
left join of the same hashes where it is installed. Timed with cupyx.profiler.benchmark, as CuPy's documentation advises: the device's time of a
batch, everything on the device. Prints a table row and a CSV row for each; every answer is checked.
"""

import sys

import cupy as cp
from cupyx.profiler import benchmark

INVALID = 0xFFFF_FFFF


def load(directory):
    def read(name, kind):
        return cp.fromfile(f"{directory}/{name}", dtype=kind)

    names = [("table.keys", "u8"), ("table.inodes", "u4"), ("list.keys", "u8"), ("list.inodes", "u4")]
    return [read(name, f"<{kind}") for name, kind in names]


def report(key, what, n, timing):
    seconds = float(cp.median(cp.asarray(timing.gpu_times)))
    print(f"| {what} | {n / seconds / 1e6:.4g} |")
    print(f"CSV {key},{n / seconds / 1e6:.4g},M paths/s,,,\"{what}\"", flush=True)


def searchsorted(keys, inodes, wanted, expected):
    order = cp.argsort(keys)
    keys, inodes = keys[order], inodes[order]

    def ask(wanted):
        at = cp.minimum(cp.searchsorted(keys, wanted), len(keys) - 1)
        return cp.where(keys[at] == wanted, inodes[at], cp.uint32(INVALID))

    assert bool((ask(wanted) == expected).all()), "wrong answers"
    what = f"CuPy {cp.__version__}: searchsorted over 64-bit hashes, on the device"
    report("cupy.searchsorted", what, len(wanted), benchmark(ask, (wanted,), n_repeat=15, n_warmup=2))
    in_order = cp.sort(wanted)
    what = f"CuPy {cp.__version__}: the same with the batch sorted before (not timed)"
    report("cupy.searchsorted_sorted", what, len(wanted), benchmark(ask, (in_order,), n_repeat=15, n_warmup=2))


def join(keys, inodes, wanted, expected):
    try:
        import cudf
    except ImportError as error:
        print(f"cuDF is not installed here: {error}")
        return
    table = cudf.DataFrame({"key": keys, "inode": inodes})
    batch = cudf.DataFrame({"key": wanted, "n": cp.arange(len(wanted), dtype=cp.uint32)})
    ask = lambda: batch.merge(table, on="key", how="left")[["n", "inode"]]
    answer = ask().sort_values("n")["inode"].fillna(INVALID).to_cupy()
    assert bool((answer == expected).all()), "wrong answers"
    what = f"cuDF {cudf.__version__}: left join on 64-bit hashes, on the device"
    report("cudf.join", what, len(wanted), benchmark(ask, (), n_repeat=15, n_warmup=2))


def main():
    keys, inodes, wanted, expected = load(sys.argv[1])
    searchsorted(keys, inodes, wanted, expected)
    join(keys, inodes, wanted, expected)


if __name__ == "__main__":
    main()
