"""Edges between cells of the column, against a dictionary filled row by row."""

from collections import Counter

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_tables import CENSUS, CONNECTIONS, SYNAPSES, change, eight_cells, root, synapse_rows, write_tables

from connectome2net.errors import ExtractError, SourceError
from connectome2net.extract import extract
from connectome2net.extract.column import find_column
from connectome2net.extract.connections import connect, find_wiring
from connectome2net.extract.cut import cut
from connectome2net.extract.quality import Account
from connectome2net.sources import Source, SourceTable, open_folder
from connectome2net.spec import digest_document
from connectome2net.spec.write import table_bytes

INSIDE = (10, 20, 30, 40, 50, 60, 70, 80)
SYNAPSE_KIND = [("id", pa.int64()), ("valid", pa.bool_()), ("pre_pt_root_id", pa.int64())]
SYNAPSE_KIND += [("post_pt_root_id", pa.int64()), ("size", pa.int64())]


def source_of(**tables):
    made = {name: SourceTable(name, name, table.num_rows, None, ibis.memtable(table)) for name, table in tables.items()}
    return Source("minnie65_public", "1300", made, "memory")


def connected(name, table):
    """The edges among the eight cells, what they get from outside, and the account of the connections alone."""
    source = source_of(**{CENSUS: eight_cells()[CENSUS], name: table})
    cells, _ = cut(source, find_column("v1", source=source), Account())
    account = Account()
    found = connect(source, cells, find_wiring(source, cells), account)
    return found.edges, found.outside, account.steps


def synapse_table(rows):
    """Rows of (pre, post, size, valid) between nuclei, some of which are no cells of the column."""
    ids = {"id": range(len(rows)), "valid": [row[3] for row in rows], "size": [row[2] for row in rows]}
    ids |= {"pre_pt_root_id": [root(row[0]) for row in rows], "post_pt_root_id": [root(row[1]) for row in rows]}
    return pa.table([pa.array(ids[name], kind) for name, kind in SYNAPSE_KIND], [name for name, _ in SYNAPSE_KIND])


def by_hand(rows):
    count, size = Counter(), Counter()
    for pre, post, voxels, valid in rows:
        if valid and pre in INSIDE and post in INSIDE and pre != post:
            key = INSIDE.index(post), INSIDE.index(pre)
            count[key] += 1
            size[key] += voxels
    return [(*key, count[key], size[key]) for key in sorted(count)]


def outside_by_hand(rows):
    """Inputs of each cell from elsewhere; unknown if there is not one such row."""
    count, size = Counter(), Counter()
    for pre, post, voxels, valid in rows:
        if valid and post in INSIDE and pre not in INSIDE:
            count[post] += 1
            size[post] += voxels
    return [(count[cell], size[cell]) if count else (None, None) for cell in INSIDE]


nuclei = st.sampled_from([*INSIDE, 500, 510])
synapses = st.lists(st.tuples(nuclei, nuclei, st.integers(1, 999), st.booleans()), max_size=60)


@given(rows=synapses, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_synapse_rows_are_aggregated_filtered_and_accounted_for(rows, seed):
    shuffled = [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))]
    edges, outside, steps = connected(SYNAPSES, synapse_table(shuffled))
    assert [tuple(row.values()) for row in edges.to_pylist()] == by_hand(rows)
    assert steps[0].rows_in == len(rows)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        assert step.kept + step.lost == step.rows_in
        assert following is None or following.rows_in == step.kept
    assert steps[-1].kept == sum(row[2] for row in by_hand(rows))
    assert [tuple(row.values()) for row in outside.to_pylist()] == outside_by_hand(rows)


@given(rows=st.dictionaries(st.tuples(nuclei, nuclei), st.integers(1, 40), max_size=40), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_connection_rows_are_filtered_and_accounted_for(rows, seed):
    pairs = [list(rows.items())[at] for at in np.random.default_rng(seed).permutation(len(rows))]
    columns = {"pre_nuc_id": [p[0][0] for p in pairs], "post_nuc_id": [p[0][1] for p in pairs]}
    columns |= {f"{end}_pt_root_id": [root(n) for n in columns[f"{end}_nuc_id"]] for end in ("pre", "post")}
    columns["n_syn"] = [p[1] for p in pairs]
    table = pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})
    edges, outside, steps = connected(CONNECTIONS, table)
    inside = {pair: count for pair, count in rows.items() if set(pair) <= set(INSIDE)}
    expected = sorted((INSIDE.index(b), INSIDE.index(a), n, None) for (a, b), n in inside.items() if a != b)
    assert [tuple(row.values()) for row in edges.to_pylist()] == expected
    autapses = sum(a == b for a, b in inside)
    received = Counter()
    for (pre, post), count in rows.items():
        received[post] += count * (post in INSIDE and pre not in INSIDE)
    measured = any(post in INSIDE and pre not in INSIDE for pre, post in rows)
    assert outside.column(0).to_pylist() == [received[cell] if measured else None for cell in INSIDE]
    assert outside.column(1).null_count == 8
    assert [(step.rows_in, step.kept, step.lost) for step in steps] == [
        (len(rows), len(inside), len(rows) - len(inside)),
        (len(inside), len(expected), autapses),
    ]


@given(order=st.permutations(range(8)), edge_order=st.permutations(range(9)))
@settings(max_examples=10, deadline=None)
def test_row_order_does_not_matter(order, edge_order):
    tables = eight_cells()
    straight = extract(source_of(**tables))
    tables[CENSUS] = tables[CENSUS].take(order)
    tables[CONNECTIONS] = tables[CONNECTIONS].take(edge_order)
    shuffled = extract(source_of(**tables))
    assert digest_document(shuffled.document) == digest_document(straight.document)
    assert table_bytes(shuffled.edges) == table_bytes(straight.edges)


def test_sizes_are_carried_where_they_were_measured(tmp_path):
    tables = eight_cells()
    sizes = pa.array([700, None, 300, *[50] * 6], pa.int64())
    tables[CONNECTIONS] = tables[CONNECTIONS].append_column("sum_size", sizes)
    spec = extract(open_folder(write_tables(tmp_path, tables)))
    found = {(row["pre_index"], row["post_index"]): row["total_size_vx"] for row in spec.edges.to_pylist()}
    assert (found[0, 3], found[0, 4], found[3, 2], found[5, 3]) == (700, None, 300, 50)


def test_a_note_says_why_rows_are_lost(tmp_path):
    tables = eight_cells()
    rows = tables[CONNECTIONS].to_pylist()
    rows += [{**rows[0], "post_nuc_id": 999, "post_pt_root_id": 999}]
    rows += [{**rows[0], "post_nuc_id": 10, "post_pt_root_id": root(10)}]
    tables[CONNECTIONS] = pa.Table.from_pylist(rows, tables[CONNECTIONS].schema)
    spec = extract(open_folder(write_tables(tmp_path, tables)))
    assert [(step.lost, step.why.split(":")[0]) for step in spec.anatomy.steps[-2:]] == [
        (1, "an end is no cell of this column"),
        (1, "an autapse"),
    ]
    assert spec.edges.num_rows == 9


def test_a_pair_that_occurs_twice_is_refused(tmp_path):
    tables = eight_cells()
    tables[CONNECTIONS] = pa.concat_tables([tables[CONNECTIONS], tables[CONNECTIONS].slice(0, 2)])
    source = open_folder(write_tables(tmp_path, tables))
    message = r"pair of cells occurs more than once\D*\n.*connections_with_nuclei.parquet, col.*\n.*2 rows too many"
    with pytest.raises(ExtractError, match=message):
        extract(source)


@pytest.mark.parametrize("end", ["pre", "post"])
def test_a_connection_table_of_another_materialization_is_refused(tmp_path, end):
    tables = eight_cells()
    roots = tables[CONNECTIONS].column(f"{end}_pt_root_id").to_pylist()
    tables[CONNECTIONS] = change(tables[CONNECTIONS], f"{end}_pt_root_id", [7, *roots[1:]])
    message = (
        r"two materializations: tables disagree on the root id.*\n.*connections\S+, columns pre_pt_root_id and post"
    )
    with pytest.raises(SourceError, match=message + r".*\n.*1 row with another root id"):
        extract(open_folder(write_tables(tmp_path, tables)))


def test_a_synapse_that_occurs_twice_is_refused(tmp_path):
    tables = eight_cells()
    rows = synapse_rows(tables[CONNECTIONS])
    tables[SYNAPSES] = pa.concat_tables([rows, rows.slice(3, 1)])
    source = open_folder(write_tables(tmp_path, tables))
    with pytest.raises(ExtractError, match=r"a synapse occurs more than once\n.*pni_2.parquet, column id\n.*1 rows"):
        extract(source)


def test_synapses_without_size_or_id_or_validity(tmp_path):
    tables = eight_cells()
    tables[SYNAPSES] = synapse_rows(tables[CONNECTIONS]).select(["pre_pt_root_id", "post_pt_root_id"])
    expected = extract(open_folder(write_tables(tmp_path / "a", eight_cells()))).edges
    made = extract(open_folder(write_tables(tmp_path / "b", tables)))
    assert made.edges.equals(expected)
    assert made.anatomy.findings[0].name == "source"


def test_both_spellings_of_validity(tmp_path):
    tables = eight_cells()
    rows = synapse_rows(tables.pop(CONNECTIONS))
    tables[SYNAPSES] = change(rows, "valid", ["f", *["t"] * (rows.num_rows - 1)])
    spec = extract(open_folder(write_tables(tmp_path, tables, form="csv")))
    assert [(step.rows_in, step.kept) for step in spec.anatomy.steps[-3:]] == [(16, 15), (15, 15), (15, 15)]
