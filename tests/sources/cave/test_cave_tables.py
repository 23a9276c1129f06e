"""CAVE over real HTTP, with the real CAVEclient: the same tables and synapses as a folder has."""

import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from cave_server import DATASTACK, HASTY, TOKEN, cave_tables
from published_tables import CENSUS, CONNECTIONS, PROOFREADING, SYNAPSES, eight_cells, root, synapse_rows, write_tables

from connectome2net.errors import SourceError
from connectome2net.extract import extract
from connectome2net.sources import open_folder, open_source
from connectome2net.sources.cave.address import Address, read_address
from connectome2net.sources.cave.open import open_cave
from connectome2net.sources.cave.query import Among, Rows, digest
from connectome2net.spec import digest_document

CELLS = np.array([root(nucleus) for nucleus in (10, 20, 30, 40, 50, 60, 70, 80)])


def rows_of(source, *, cells=CELLS):
    return source.fetch_synapses(cells).read().sort_by("id")


def wanted_rows():
    rows = synapse_rows(eight_cells()[CONNECTIONS])
    return {name: rows[name].to_pylist() for name in ("id", "pre_pt_root_id", "post_pt_root_id", "size")}


def test_tables_are_those_of_a_folder(cave, tmp_path):
    source = open_source("cave")
    folder = open_folder(write_tables(tmp_path / "folder", eight_cells()))
    assert (source.dataset, source.materialization, source.position_unit) == ("minnie65_public", "1300", "nm")
    assert source.location == "cave:minnie65_public@1300"
    assert set(source.tables) == {CENSUS, PROOFREADING, "nucleus_detection_v0"}
    for name in (CENSUS, PROOFREADING):
        there = folder[name].read().drop_columns(["mtype"] if name == CENSUS else []).to_pandas()
        pd.testing.assert_frame_equal(
            source[name].read().to_pandas()[list(there)].sort_values("pt_root_id", ignore_index=True),
            there.sort_values("pt_root_id", ignore_index=True),
        )


def test_with_a_token_no_source_has_to_be_named(cave):
    assert open_source().location == "cave:minnie65_public@1300"


def test_synapses_are_the_rows_of_the_server(cave):
    fetched = rows_of(open_source("cave"))
    assert {name: fetched[name].to_pylist() for name in fetched.column_names} == wanted_rows()


def test_synapses_have_both_ends_among_the_cells(cave):
    few = CELLS[[0, 3, 4]]  # nuclei 10, 40, 50
    fetched = rows_of(open_source("cave"), cells=few).to_pandas()
    wanted = pd.DataFrame(wanted_rows())
    wanted = wanted[wanted.pre_pt_root_id.isin(few) & wanted.post_pt_root_id.isin(few)]
    assert fetched.id.tolist() == wanted.id.tolist()
    assert len(fetched) == 10


def test_the_order_and_repetition_of_cells_is_the_same_question(cave):
    source = open_source("cave")
    once = source.fetch_synapses(CELLS)
    asked = len(cave.asked)
    again = source.fetch_synapses(np.concatenate([CELLS[::-1], CELLS, [0, -1]]))
    assert again.read().equals(once.read())
    assert len(cave.asked) == asked


def test_no_synapse_at_all_is_an_empty_table(cave):
    fetched = open_source("cave").fetch_synapses(np.array([root(70), root(60)]))
    assert fetched.rows == 0
    assert fetched.read().schema.field("pre_pt_root_id").type == pa.int64()
    assert [kind for kind, table, _ in cave.asked if table == SYNAPSES] == ["count"]


def test_ids_above_2_53_survive_exactly(cave):
    big = 2**63 - 26
    tables = eight_cells()
    rows = synapse_rows(tables[CONNECTIONS]).slice(0, 3)
    ids = [big, big - 2, 864691135276234469]
    for name in ("id", "pre_pt_root_id", "post_pt_root_id"):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(ids))
    cave.tables = cave.tables | {SYNAPSES: rows}
    fetched = rows_of(open_source("cave"), cells=np.array(ids))
    assert fetched["pre_pt_root_id"].to_pylist() == fetched["id"].to_pylist() == sorted(ids)
    assert [int(float(root)) for root in ids] != ids
    assert cave.queries("rows")[-1][2]["filter_in_dict"][SYNAPSES]["pre_pt_root_id"] == sorted(ids)


def test_every_query_is_counted_first_and_none_is_a_join(cave):
    open_cave(patience=HASTY, piece_rows=3).fetch_synapses(CELLS)
    counted = [json.dumps([table, limits(body)]) for kind, table, body in cave.asked if kind == "count"]
    fetched = [json.dumps([table, limits(body)]) for kind, table, body in cave.asked if kind == "rows"]
    assert set(fetched) < set(counted)
    assert len(fetched) == len(set(fetched))


def limits(body):
    return {name: value for name, value in sorted(body.items()) if name.startswith("filter")}


@pytest.mark.parametrize("piece_rows", [1, 2, 3, 5, 100])
def test_pieces_of_any_size_give_the_same_file(cave, tmp_path, piece_rows):
    whole = open_cave(patience=HASTY, cache=tmp_path / "whole")
    pieces = open_cave(patience=HASTY, cache=tmp_path / "pieces", piece_rows=piece_rows)
    assert pieces.fetch_synapses(CELLS).read().equals(whole.fetch_synapses(CELLS).read())
    assert all(pieces[name].read().equals(whole[name].read()) for name in whole.tables)
    assert len(list((tmp_path / "pieces").rglob("*.parquet"))) == 5


def test_the_spec_does_not_depend_on_who_writes_parquet(cave, tmp_path, monkeypatch):
    document = extract(open_cave(patience=HASTY, cache=tmp_path / "one")).document
    monkeypatch.setattr("pyarrow.parquet.write_table", partial(pyarrow.parquet.write_table, compression="zstd"))
    other = extract(open_cave(patience=HASTY, cache=tmp_path / "other")).document
    assert digest_document(other) == digest_document(document)


def test_a_census_that_names_an_unknown_nucleus_loses_it_and_says_so(cave):
    nuclei = cave.tables["nucleus_detection_v0"]
    cave.tables = cave.tables | {"nucleus_detection_v0": nuclei.slice(0, 7)}
    source = open_source("cave")
    assert source[CENSUS].rows == 7
    assert source.notes[1:] == (f"1 row of {CENSUS} names no nucleus of nucleus_detection_v0: left out",)


def test_rows_that_are_not_valid_are_left_out_by_the_server(cave):
    rows = cave.tables[SYNAPSES]
    flags = pa.array([number != 2 for number in range(rows.num_rows)])
    cave.tables = cave.tables | {SYNAPSES: rows.set_column(rows.column_names.index("valid"), "valid", flags)}
    assert 3 not in rows_of(open_source("cave"))["id"].to_pylist()


def test_a_volume_without_a_census_has_nuclei(cave):
    cave.tables = {name: table for name, table in cave.tables.items() if name != CENSUS}
    source = open_source("cave")
    assert set(source.tables) == {PROOFREADING, "nucleus_detection_v0"}
    assert re.fullmatch(rf"the server has no table {CENSUS}, aibs_metamodel.*, .* at this version", source.notes[0])
    assert PROOFREADING not in source.notes[0]


@pytest.mark.parametrize(
    ("text", "datastack", "version"),
    [
        ("cave", "minnie65_public", 1300),
        ("cave@943", "minnie65_public", 943),
        ("cave:flywire_fafb_public", "flywire_fafb_public", 1300),
        ("cave:minnie65_phase3_v1@117", "minnie65_phase3_v1", 117),
    ],
)
def test_addresses(text, datastack, version):
    assert read_address(text, server="http://s/") == Address(datastack, version, "http://s")


@pytest.mark.parametrize("text", ["cave:", "cave@", "cave@latest", "cave:../x@1300", "cave@1300:minnie", "cave@-1"])
def test_addresses_that_are_none(text):
    with pytest.raises(SourceError, match=r"the CAVE source is not understood\n.*--source\n.*cave[\s\S]*always pinned"):
        open_source(text)


def test_the_server_is_the_one_that_caveclient_knows(monkeypatch, tmp_path):
    assert read_address("cave").server == "https://global.daf-apis.com"
    secrets = tmp_path / "home" / ".cloudvolume" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "cave_datastack_to_server_map.json").write_text(json.dumps({DATASTACK: "https://other.org/"}))
    assert read_address("cave").server == "https://other.org"
    monkeypatch.setenv("C2N_CAVE_SERVER", "third.org")
    assert read_address("cave").server == "https://third.org"


def test_the_home_of_the_user_is_left_alone(cave, tmp_path):
    open_source("cave")
    assert not (tmp_path / "home").exists()
    assert TOKEN not in "".join(file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file())


def test_queries_have_names_of_their_own():
    names = {digest(query) for query in (Rows("a"), Rows("b"), Rows("a", 1), Rows("a", 0, 1), Among("a", (1,), (2,)))}
    assert len(names | {digest(Among("a", (2,), (1,)))}) == 6


def test_eight_cells_stand_on_the_server_as_cave_has_them():
    census = cave_tables(eight_cells(), synapse_rows(eight_cells()[CONNECTIONS]))[CENSUS]
    assert census.column_names == ["id", "valid", "target_id", "classification_system", "cell_type"]
