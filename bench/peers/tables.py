#!/usr/bin/env python3
"""Joins a list of paths with a table (path, inode) in data tools, and checks every answer.

usage: tables.py convert DIR            DIR/{table,list}.{bytes,offsets,inodes} become DIR/{table,list}.parquet
       tables.py TOOL DIR THREADS ROUNDS   prints a line for each way: RESULT<TAB>key<TAB>what<TAB>median seconds

`warpath-bench peers tools` writes the files and calls this. What is timed: from tables that the tool holds in memory, in its own
form, or from two Parquet files in the page cache, until the columns (n, inode) are in memory, in whatever order the tool
likes. None of these tools keeps a hash table of a column between queries, so that each join builds one.
"""

import os
import statistics
import sys
import time


def column(directory, name, part, kind):
    import pyarrow as pa

    with open(f"{directory}/{name}.{part}", "rb") as file:
        data = pa.py_buffer(file.read())
    width = {"u32": 4, "i64": 8}[kind]
    return data, len(data) // width


def load(directory, name):
    """(n, path, inode): `inode` of the list is what must be answered."""
    import pyarrow as pa

    inodes, n = column(directory, name, "inodes", "u32")
    offsets, _ = column(directory, name, "offsets", "i64")
    with open(f"{directory}/{name}.bytes", "rb") as file:
        text = pa.py_buffer(file.read())
    paths = pa.LargeStringArray.from_buffers(n, offsets, text)
    paths.validate(full=True)
    inodes = pa.UInt32Array.from_buffers(pa.uint32(), n, [None, inodes])
    return pa.table({"n": pa.array(range(n), pa.uint32()), "path": paths, "inode": inodes})


def convert(directory):
    import pyarrow.parquet as parquet

    parquet.write_table(load(directory, "table").select(["path", "inode"]), f"{directory}/table.parquet")
    parquet.write_table(load(directory, "list"), f"{directory}/list.parquet")


INVALID = 0xFFFF_FFFF


def check(answer, expected):
    """`answer` has columns n and inode; a missing inode is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    answer = answer.sort_by("n")
    inodes = pc.fill_null(answer["inode"].cast(pa.uint32()), pa.scalar(INVALID, pa.uint32()))
    right = len(answer) == len(expected) and pc.all(pc.equal(inodes.combine_chunks(), expected)).as_py()
    if not right:
        sys.exit(f"wrong answers: {len(answer)} rows for {len(expected)} paths")


def measure(key, what, rounds, ask, to_arrow, expected):
    seconds = []
    for round_ in range(rounds + 1):
        start = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - start)
        if round_ in (0, rounds):
            check(to_arrow(answer), expected)
        del answer
    print(f"RESULT\t{key}\t{what}\t{statistics.median(seconds[1:]):.6f}", flush=True)


def duckdb(directory, threads, rounds):
    import duckdb as db

    table, paths = load(directory, "table"), load(directory, "list")
    connection = db.connect(config={"threads": threads, "preserve_insertion_order": False})
    connection.register("table_arrow", table)
    connection.register("list_arrow", paths)
    connection.execute("CREATE TABLE t AS SELECT path, inode FROM table_arrow")
    connection.execute("CREATE TABLE l AS SELECT n, path FROM list_arrow")
    expected = paths["inode"].combine_chunks()
    del table, paths
    name = f"DuckDB {db.__version__}"
    join = "SELECT l.n, t.inode FROM {} l LEFT JOIN {} t USING (path)"
    for key, what, l, t in [
        ("duckdb.memory", "in memory", "l", "t"),
        ("duckdb.parquet", "from Parquet", f"'{directory}/list.parquet'", f"'{directory}/table.parquet'"),
    ]:
        query = join.format(l, t)
        measure(key, f"{name}, {what}", rounds, lambda: connection.sql(query).to_arrow_table(), lambda a: a, expected)


def polars(directory, threads, rounds):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    table, paths = load(directory, "table"), load(directory, "list")
    expected = paths["inode"].combine_chunks()
    t = pl.from_arrow(table.select(["path", "inode"])).rechunk()
    l = pl.from_arrow(paths.select(["n", "path"])).rechunk()
    del table, paths
    name = f"Polars {pl.__version__}"

    def join(l, t):
        return l.join(t, on="path", how="left", maintain_order="none").select("n", "inode").collect(engine="streaming")

    measure("polars.memory", f"{name}, in memory", rounds, lambda: join(l.lazy(), t.lazy()), lambda a: a.to_arrow(), expected)
    l_file, t_file = f"{directory}/list.parquet", f"{directory}/table.parquet"
    scans = lambda: (pl.scan_parquet(l_file).select("n", "path"), pl.scan_parquet(t_file))
    measure("polars.parquet", f"{name}, from Parquet", rounds, lambda: join(*scans()), lambda a: a.to_arrow(), expected)


def pyarrow(directory, threads, rounds):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as parquet

    pa.set_cpu_count(threads)
    table, paths = load(directory, "table").select(["path", "inode"]), load(directory, "list")
    expected = paths["inode"].combine_chunks()
    paths = paths.select(["n", "path"])
    name = f"pyarrow {pa.__version__}"

    def join(l, t):
        return l.join(t, keys="path", join_type="left outer").select(["n", "inode"])

    def index_in(l, t):
        at = pc.index_in(l["path"], value_set=t["path"].combine_chunks())
        return pa.table({"n": l["n"], "inode": pc.take(t["inode"], at)})

    def from_files(join):
        l = parquet.read_table(f"{directory}/list.parquet", columns=["n", "path"])
        return join(l, parquet.read_table(f"{directory}/table.parquet"))

    for way, ask in [("join", join), ("index_in", index_in)]:
        measure(f"pyarrow.{way}.memory", f"{name} {way}, in memory", rounds, lambda: ask(paths, table), lambda a: a, expected)
    measure("pyarrow.join.parquet", f"{name} join, from Parquet", rounds, lambda: from_files(join), lambda a: a, expected)


def datafusion(directory, threads, rounds):
    import datafusion as df
    import pyarrow as pa

    table, paths = load(directory, "table").select(["path", "inode"]), load(directory, "list")
    expected = paths["inode"].combine_chunks()
    paths = paths.select(["n", "path"])
    name = f"DataFusion {df.__version__}"
    context = df.SessionContext(df.SessionConfig().with_target_partitions(threads))
    for at, rows in [("t", table), ("l", paths)]:
        batches = rows.combine_chunks().to_batches(max_chunksize=len(rows) // (4 * threads) + 1)
        context.register_record_batches(at, [batches[i::threads] for i in range(threads)])
    context.register_parquet("tp", f"{directory}/table.parquet")
    context.register_parquet("lp", f"{directory}/list.parquet")
    for key, what, l, t in [("memory", "in memory", "l", "t"), ("parquet", "from Parquet", "lp", "tp")]:
        query = f"SELECT {l}.n, {t}.inode FROM {l} LEFT JOIN {t} ON {l}.path = {t}.path"
        ask = lambda: pa.table(context.sql(query).to_arrow_table())
        measure(f"datafusion.{key}", f"{name}, {what}", rounds, ask, lambda a: a, expected)


def main():
    tool, directory = sys.argv[1:3]
    if tool == "convert":
        return convert(directory)
    tools = {"duckdb": duckdb, "polars": polars, "pyarrow": pyarrow, "datafusion": datafusion}
    tools[tool](directory, int(sys.argv[3]), int(sys.argv[4]))


if __name__ == "__main__":
    main()
