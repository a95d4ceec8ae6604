#!/usr/bin/env python3
"""One join as a whole process: inodes of a list of paths, from Parquet, to standard output.

usage: process.py convert PATHS INODES LIST TABLE.parquet LIST.parquet   NUL-separated lists become Parquet
       process.py duckdb|polars TABLE.parquet LIST.parquet               prints an inode number a line

`warpath-bench peers processes` calls this.
"""

import sys


def convert(paths, inodes, wanted, table_file, list_file):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    def strings(file):
        with open(file, "rb") as lines:
            return pa.array(lines.read().split(b"\0")[:-1], pa.large_binary()).cast(pa.large_string())

    with open(inodes, "rb") as file:
        data = pa.py_buffer(file.read())
    numbers = pa.UInt64Array.from_buffers(pa.uint64(), len(data) // 8, [None, data])
    parquet.write_table(pa.table({"path": strings(paths), "ino": numbers}), table_file)
    parquet.write_table(pa.table({"path": strings(wanted)}), list_file)


def duckdb(table, wanted):
    import duckdb as db

    join = f"SELECT t.ino FROM '{wanted}' l LEFT JOIN '{table}' t USING (path)"
    db.execute("SET preserve_insertion_order = false")
    db.execute(f"COPY ({join}) TO '/dev/stdout' (FORMAT csv, HEADER false)")


def polars(table, wanted):
    import polars as pl

    joined = pl.scan_parquet(wanted).join(pl.scan_parquet(table), on="path", how="left", maintain_order="none")
    joined.select("ino").sink_csv(sys.stdout.buffer, include_header=False)


if __name__ == "__main__":
    {"convert": convert, "duckdb": duckdb, "polars": polars}[sys.argv[1]](*sys.argv[2:])
