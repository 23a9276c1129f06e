"""How fast, and in how much memory, a column is cut out of a synapse table that is larger than the memory.

Enters: a number of rows. Leaves: one table on stdout, every line measured in a process of its own, in this run.

    python benchmarks/scan.py --rows 50_000_000 --folder /tmp/scan
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SYNAPSES, CENSUS = "synapses_pni_2", "allen_v1_column_types_slanted_ref"
PRE, POST = "pre_pt_root_id", "post_pt_root_id"
HEADER = "id,bigint valid,boolean pre_pt_root_id,bigint post_pt_root_id,bigint size,integer " + " ".join(
    f"ctr_pt_position_{axis},integer" for axis in "xyz"
)
ROOT = 864691135000000000
NEURONS, COLUMN_SHARE = 80_000, 141_452 / 337_312_429  # cells with a soma; synapses among the 1,351 cells of the column
PRE_IS_NEURON, POST_IS_NEURON = 0.25, 0.6  # choices: most axons of the volume are fragments, most dendrites are not
ORPHANS = 20_000_000
LOG_SIZE = (8.45, 1.10)  # all inputs of three 23P cells at v343; see sources/figures.py
GROUP = 1_000_000
SAMPLE = 5_000_000

Answer = tuple[int, int, int]
"""Pairs of different cells of the column, their synapses, the sum of their sizes."""


# ---------------------------------------------------------------------------------------------------- data
def generate(folder: Path, rows: int) -> None:
    """Write the census and the synapses, as they come and sorted, and the first of them as an archived dump."""
    from connectome2net.sources import synthetic
    from connectome2net.sources.convert import convert

    source, done = synthetic(), folder / "done"
    if done.exists() and done.read_text() == str(rows):
        return
    rng = np.random.default_rng(0)
    neurons = ROOT + 2 * rng.choice(2**40, NEURONS, replace=False)  # root ids do not tell where a cell is
    census = source[CENSUS].read()
    where = census.column_names.index("pt_root_id")
    census = census.set_column(where, "pt_root_id", pa.array(neurons[: census.num_rows]))
    for kind in ("unsorted", "dump"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        pq.write_table(census, folder / kind / f"{CENSUS}.parquet")
        (folder / kind / "source.toml").write_text(f'position_unit = "{source.position_unit}"\n')
    write_synapses(folder / "unsorted" / f"{SYNAPSES}.parquet", rows, neurons, census.num_rows)
    started = time.perf_counter()
    convert(folder / "unsorted", out=folder / "sorted")
    print(f"sorted {rows:,} rows of parquet in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    sample = f"(FROM '{folder}/unsorted/{SYNAPSES}.parquet' LIMIT {SAMPLE})"
    duckdb.execute(f"COPY {sample} TO '{folder}/dump/{SYNAPSES}_merged.csv.gz' (HEADER false, COMPRESSION gzip)")
    (folder / "dump" / f"{SYNAPSES}_merged_header.csv").write_text(HEADER.replace(" ", "\n") + "\n")
    done.write_text(str(rows))


def write_synapses(path: Path, rows: int, neurons: np.ndarray, in_column: int) -> None:
    """Stream rows of the real schema: lognormal degrees of neurons, orphan fragments, lognormal sizes."""
    rng = np.random.default_rng(1)
    share = {end: np.cumsum(rng.lognormal(0, spread, NEURONS)) for end, spread in ((PRE, 1.0), (POST, 0.7))}
    schema = pa.schema(
        [("id", pa.int64()), ("valid", pa.bool_()), (PRE, pa.int64()), (POST, pa.int64()), ("size", pa.int32())]
        + [(f"ctr_pt_position_{axis}", pa.int32()) for axis in "xyz"]
    )

    def roots(end: str, number: int, inside: np.ndarray, is_neuron: float) -> np.ndarray:
        cumulated = share[end]
        among = np.where(inside, cumulated[in_column - 1], cumulated[-1])
        chosen = neurons[np.searchsorted(cumulated, rng.random(number) * among)]
        orphan = ~inside & (rng.random(number) >= is_neuron)
        return np.where(orphan, ROOT + 1 + 2 * rng.integers(0, ORPHANS, number) * 50_000, chosen)

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, GROUP):
            number = min(GROUP, rows - start)
            inside = rng.random(number) < COLUMN_SHARE
            columns = [
                np.arange(start, start + number),
                np.ones(number, bool),
                roots(PRE, number, inside, PRE_IS_NEURON),
                roots(POST, number, inside, POST_IS_NEURON),
                np.maximum(rng.lognormal(*LOG_SIZE, number), 1).astype(np.int32),
                *(rng.integers(0, most, number, np.int32) for most in (380_000, 300_000, 27_000)),
            ]
            writer.write_table(pa.table(columns, schema=schema))


# ---------------------------------------------------------------------------------------------------- ways
def ours(folder: Path) -> Answer:
    """Open the folder and extract the column: what a user waits for."""
    from connectome2net.extract import extract
    from connectome2net.sources import open_folder

    return summed(extract(open_folder(folder)).edges)


def ours_alone(folder: Path) -> Answer:
    """Only connect the cells, of a source that is open; the time of opening is not counted."""
    from connectome2net.extract.column import find_column
    from connectome2net.extract.connections import connect, find_wiring
    from connectome2net.extract.cut import cut
    from connectome2net.extract.quality import Account
    from connectome2net.sources import open_folder

    source, account = open_folder(folder), Account()
    rows, _ = cut(source, find_column("v1", source=source), account)
    restart()
    return summed(connect(source, rows, find_wiring(source, rows), account).edges)


def by_hand(folder: Path) -> Answer:
    """The same answer typed into DuckDB: edges, totals from outside, invalid and repeated synapses."""
    rows = duckdb.execute(
        f"""
        WITH cell AS (FROM '{folder}/{CENSUS}.parquet' SELECT pt_root_id)
        FROM '{folder}/{SYNAPSES}.parquet' AS synapse
        JOIN cell AS post ON synapse.{POST} = post.pt_root_id LEFT JOIN cell AS pre ON synapse.{PRE} = pre.pt_root_id
        SELECT pre.pt_root_id AS pre, post.pt_root_id AS post, count(*) AS synapse_count, sum(size) AS total_size_vx,
               count(DISTINCT CASE WHEN pre.pt_root_id IS NOT NULL THEN id END) AS ids
        WHERE valid GROUP BY ALL
        """
    ).to_arrow_table()
    return summed(rows.filter(pa.compute.not_equal(rows["pre"], rows["post"])))


def by_hand_edges(folder: Path) -> Answer:
    """The least that one would type: pairs with both ends in the column, nothing else."""
    rows = duckdb.execute(
        f"""
        WITH cell AS (FROM '{folder}/{CENSUS}.parquet' SELECT pt_root_id)
        FROM '{folder}/{SYNAPSES}.parquet'
        SELECT {PRE} AS pre, {POST} AS post, count(*) AS synapse_count, sum(size) AS total_size_vx
        WHERE {PRE} IN (FROM cell) AND {POST} IN (FROM cell) AND {PRE} <> {POST} GROUP BY ALL
        """
    ).to_arrow_table()
    return summed(rows)


def in_pandas(folder: Path) -> Answer:
    """pandas: the three columns in memory, then ``isin`` and ``groupby``."""
    import pandas as pd

    return of_frame(pd.read_parquet(folder / f"{SYNAPSES}.parquet", columns=[PRE, POST, "size"]), folder)


def in_pandas_chunks(folder: Path) -> Answer:
    """pandas: csv.gz in chunks of a million rows, and ``isin``: what people do with the published dumps."""
    import pandas as pd

    names = [line.split(",")[0] for line in HEADER.split()]
    file = folder / f"{SYNAPSES}_merged.csv.gz"
    chunks = pd.read_csv(file, header=None, names=names, usecols=[PRE, POST, "size"], chunksize=1_000_000)
    roots = pq.read_table(folder / f"{CENSUS}.parquet").column("pt_root_id").to_pandas()
    return of_frame(pd.concat([rows[rows[PRE].isin(roots) & rows[POST].isin(roots)] for rows in chunks]), folder)


def convert_dump(folder: Path) -> Answer:
    """``c2n convert`` of the dump."""
    import shutil

    from connectome2net.sources.convert import convert

    shutil.rmtree(folder / "parquet", ignore_errors=True)
    restart()
    convert(folder)
    return 0, 0, 0


def of_frame(rows: object, folder: Path) -> Answer:
    """Cut, group and sum a pandas frame."""
    roots = pq.read_table(folder / f"{CENSUS}.parquet").column("pt_root_id").to_pandas()
    rows = rows[rows[PRE].isin(roots) & rows[POST].isin(roots) & (rows[PRE] != rows[POST])]
    edges = rows.groupby([PRE, POST])["size"].agg(["size", "sum"])
    return len(edges), int(edges["size"].sum()), int(edges["sum"].sum())


def summed(edges: pa.Table) -> Answer:
    """Sum up some edges, so that all ways can be compared."""
    return edges.num_rows, *(int(np.sum(edges[name].to_numpy())) for name in ("synapse_count", "total_size_vx"))


WAYS: dict[str, tuple[Callable[[Path], Answer], str, str]] = {
    "open, cut, label, connect: `c2n extract`": (ours, "unsorted", ""),
    "`connect` alone": (ours_alone, "unsorted", ""),
    "DuckDB by hand, the same answer": (by_hand, "unsorted", ""),
    "DuckDB by hand, edges only": (by_hand_edges, "unsorted", ""),
    "`c2n extract`, sorted": (ours, "sorted", ""),
    "`connect` alone, sorted": (ours_alone, "sorted", ""),
    "DuckDB by hand, the same answer, sorted": (by_hand, "sorted", ""),
    "DuckDB by hand, edges only, sorted": (by_hand_edges, "sorted", ""),
    "pandas, in memory": (in_pandas, "unsorted", "memory"),
    "csv.gz: pandas in chunks, `isin`": (in_pandas_chunks, "dump", "sample"),
    "csv.gz: `c2n extract`": (ours, "dump", "sample"),
    "csv.gz: `c2n convert`, once": (convert_dump, "dump", "sample"),
}
STARTED = 0.0


def restart() -> None:
    """Count time from here."""
    global STARTED
    STARTED = time.perf_counter()


# ---------------------------------------------------------------------------------------------------- measure
def measure_here(way: str, folder: Path) -> None:
    """Run one way in this process and print what it took."""
    import ibis  # noqa: F401 - the time of imports is nobody's scan
    import pandas  # noqa: F401
    import pyarrow.compute  # noqa: F401

    import connectome2net.extract  # noqa: F401

    run, kind, _ = WAYS[way]
    restart()
    answer = run(folder / kind)
    seconds = time.perf_counter() - STARTED
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"seconds": seconds, "gb": peak / 1e6, "answer": answer}))


def measure(way: str, folder: Path) -> dict[str, object]:
    """Run one way in a new process."""
    command = [sys.executable, __file__, "--folder", str(folder), "--only", way]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def fits(rows: int) -> bool:
    """Tell whether three columns and the masks over them fit into memory."""
    words = Path("/proc/meminfo").read_text().split()
    return rows * 24 * 3 < int(words[words.index("MemAvailable:") + 1]) * 1024


def report(folder: Path, rows: int, repeat: int) -> None:
    """Interleave all ways, and print medians."""
    ways = {name: note for name, (_, _, note) in WAYS.items() if note != "memory" or fits(rows)}
    runs: dict[str, list[dict[str, object]]] = {name: [] for name in ways}
    for number in range(repeat):
        for name, note in ways.items():
            if not (number and note):
                runs[name].append(measure(name, folder))
                print(f"{name}: {runs[name][-1]}", file=sys.stderr)
    answers = {tuple(run["answer"]) for name, note in ways.items() if note != "sample" for run in runs[name]}
    assert len(answers) == 1, f"the ways differ: {answers}"
    size = (folder / "unsorted" / f"{SYNAPSES}.parquet").stat().st_size / 1e9
    print(f"{rows:,} rows, {size:.2f} GB of parquet; {answers.pop()} pairs, synapses, voxels; median of {repeat}\n")
    print("| way | seconds | to DuckDB by hand | peak GB |\n| --- | --- | --- | --- |")
    for name in WAYS:
        if name not in ways:
            print(f"| {name} | does not fit | | |")
            continue
        factor = rows / min(rows, SAMPLE) if ways[name] == "sample" else 1
        seconds = statistics.median(run["seconds"] for run in runs[name]) * factor
        twin = "DuckDB by hand, the same answer" + (", sorted" if "sorted" in name else "")
        ratio = seconds / statistics.median(run["seconds"] for run in runs[twin])
        shown = f"{seconds:.2f}" if factor == 1 else f"{seconds:.0f} (from {SAMPLE:,} rows)"
        print(f"| {name} | {shown} | {ratio:.2f} | {max(run['gb'] for run in runs[name]):.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path, required=True, help="scratch; 26 bytes a row, twice")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=list(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        measure_here(given.only, given.folder)
    else:
        generate(given.folder, given.rows)
        report(given.folder, given.rows, given.repeat)
