"""From the server to the spec: the column of a folder, whatever the server does and however often c2n is killed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from cave_server import HASTY, TOKEN, cave_tables
from published_tables import CENSUS, CONNECTIONS, PROOFREADING, SYNAPSES, eight_cells, synapse_rows, write_tables

from connectome2net.extract import extract
from connectome2net.sources import open_folder
from connectome2net.sources.cave.open import open_cave
from connectome2net.spec import digest_document
from connectome2net.spec.tables import values

EXTRACT = """
from connectome2net.extract import extract
from connectome2net.sources import open_source
extract(open_source("cave"))
"""
PIECE_ROWS = 4000
EDGES = ("pre_index", "post_index", "synapse_count")


@pytest.fixture(scope="module")
def real(shared_data):
    """The real column as the server would have it, its synapses as rows in no order."""
    folder = shared_data / "microns" / "v1_column"
    read = {
        name: pyarrow.parquet.read_table(folder / f"{name}.parquet") for name in (CENSUS, CONNECTIONS, PROOFREADING)
    }
    synapses = synapse_rows(read[CONNECTIONS])
    return cave_tables(read, synapses.take(np.random.default_rng(0).permutation(synapses.num_rows)))


def edges(spec):
    return [values(spec.edges, name).tolist() for name in EDGES]


def test_eight_cells_are_the_same_column_as_from_a_folder(cave, tmp_path):
    tables = eight_cells()
    rows = {CENSUS: tables[CENSUS], PROOFREADING: tables[PROOFREADING], SYNAPSES: synapse_rows(tables[CONNECTIONS])}
    folder = extract(open_folder(write_tables(tmp_path / "folder", rows)))
    spec = extract(open_cave(patience=HASTY, piece_rows=3))
    assert edges(spec) == edges(folder)
    for name in ("nucleus_id", "root_id", "cell_type", "ei_class", "lamina", "soma_depth_um", "axon_proofread"):
        assert values(spec.cells, name).tolist() == pytest.approx(values(folder.cells, name).tolist(), nan_ok=True), (
            name
        )
    assert spec.document.anatomy.materialization == "1300"
    assert "127.0.0.1" not in spec.document.model_dump_json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"cap": 4},
        {"shuffles": True},
        {"status": 503, "status_times": 2},
        {"status": 429, "status_times": 2},
        {"breaks_off": 2},
        {"garbles": 2},
    ],
    ids=str,
)
def test_the_spec_is_the_same_whatever_the_server_does(cave, tmp_path, wrong):
    right = extract(open_cave(patience=HASTY, cache=tmp_path / "right"))
    for name, value in wrong.items():
        setattr(cave.wrong, name, value)
    spec = extract(open_cave(patience=HASTY, cache=tmp_path / "wrong"))
    assert digest_document(spec.document) == digest_document(right.document)
    assert spec.edges.equals(right.edges)


def test_the_real_column_has_its_published_counts(real, cave):
    cave.tables, cave.wrong.cap, cave.wrong.shuffles = real, 40_000, True
    spec = extract(open_cave(patience=HASTY))
    assert spec.cells.num_rows == 1351
    assert spec.edges.num_rows == 75_251
    assert values(spec.edges, "synapse_count").sum() == 141_452
    asked = [kind for kind, table, _ in cave.asked if table == SYNAPSES]
    assert (asked.count("count"), asked.count("rows")) == (10, 7)


def start(folder, cave):
    """Extract in a process of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("C2N_", "CAVE_"))}
    given = {"CAVE_TOKEN": TOKEN, "C2N_CAVE_SERVER": cave.address, "C2N_CACHE": str(folder / "cache")}
    given |= {"C2N_CAVE_PIECE_ROWS": str(PIECE_ROWS), "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", EXTRACT], cwd=folder, env=clean | given, stderr=subprocess.DEVNULL)


def killed_and_resumed(folder, cave, *, times):
    """Kill so many downloads at random moments, then finish in peace."""
    rng = np.random.default_rng(7)
    cave.wrong.slow_s, cave.wrong.shuffles = 0.1, True
    for _ in range(times):
        asked = len(cave.asked)
        with start(folder, cave) as child:
            while len(cave.asked) == asked and child.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.4))
            assert child.poll() is None, "it ended before it was killed"
            child.send_signal(signal.SIGKILL)
    cave.wrong.slow_s = 0.0
    return extract(open_cave(cache=folder / "cache", patience=HASTY, piece_rows=PIECE_ROWS))


def is_resumed(real, cave, tmp_path, *, times):
    cave.tables = real
    undisturbed = extract(open_cave(cache=tmp_path / "undisturbed", patience=HASTY, piece_rows=PIECE_ROWS))
    pieces = len(cave.queries("rows"))
    spec = killed_and_resumed(tmp_path, cave, times=times)
    fetched = [f"{table}{body}" for _, table, body in cave.queries("rows")[pieces:]]
    assert digest_document(spec.document) == digest_document(undisturbed.document)
    assert spec.edges.equals(undisturbed.edges)
    # what was on its way when it was killed is fetched again, and nothing else
    assert len(set(fetched)) == pieces <= len(fetched) <= pieces + times
    assert not [file for file in (tmp_path / "cache").rglob("*.parquet") if file.stat().st_size == 0]


def test_killed_three_times_and_resumed_it_is_the_same_spec(real, cave, tmp_path):
    is_resumed(real, cave, tmp_path, times=3)


@pytest.mark.slow
def test_killed_twenty_times_and_resumed_it_is_the_same_spec(real, cave, tmp_path):
    is_resumed(real, cave, tmp_path, times=20)


def test_the_rows_of_these_tests_are_those_of_the_column(real):
    assert real[SYNAPSES].num_rows == 141_452
    assert pc.count_distinct(real[SYNAPSES]["id"]).as_py() == 141_452
