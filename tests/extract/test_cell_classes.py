"""Class and type of a cell as several tables say: every order of precedence, and nothing settled in silence."""

from collections import Counter

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_tables import CENSUS, eight_cells, write_tables

from connectome2net.extract import extract
from connectome2net.extract.cell_classes import classify
from connectome2net.sources import Source, SourceTable, open_folder
from connectome2net.sources.microns import BAYLOR, CORRECTIONS, METAMODEL
from connectome2net.spec.tables import values

EXC, INH, NON = "excitatory", "inhibitory", "nonneuron"
WORDS = {
    CORRECTIONS[0]: {EXC: "aibs_coarse_excitatory", INH: "aibs_coarse_inhibitory", NON: "nonneuron"},
    CORRECTIONS[1]: {EXC: "excitatory_neuron", INH: "inhibitory_neuron", NON: "nonneuron"},
    CENSUS: {EXC: "aibs_coarse_excitatory", INH: "aibs_coarse_inhibitory", None: "aibs_coarse_unclear"},
    METAMODEL: {EXC: "excitatory_neuron", INH: "inhibitory_neuron", NON: "nonneuron", None: "something new"},
    BAYLOR: {EXC: "excitatory", INH: "inhibitory", None: ""},
}
"""How each table spells a class."""


def source_of(said):
    """Tables from {table: [(nucleus, class or None, type)]}; the second classifier puts its class into the type."""
    tables = {}
    for name, rows in said.items():
        word = [WORDS[name].get(ei_class, "") for _, ei_class, _ in rows]
        columns = {"id": pa.array([row[0] for row in rows], pa.int64())}
        columns["cell_type"] = pa.array(word if name == BAYLOR else [row[2] for row in rows], pa.string())
        if name != BAYLOR:
            columns["classification_system"] = pa.array(word, pa.string())
        tables[name] = SourceTable(name, name, len(rows), None, ibis.memtable(pa.table(columns)))
    return Source("minnie65_public", "1300", tables, "memory")


def classified(said, nuclei=(1,)):
    found = classify(source_of(said), pa.table({"nucleus_id": pa.array(nuclei, pa.int64())}))
    return found.cells.to_pylist(), found.conflicts


CASES = {
    "census alone": ({CENSUS: EXC}, EXC, CENSUS, False),
    "census before classifiers": ({CENSUS: INH, METAMODEL: EXC, BAYLOR: EXC}, INH, CENSUS, True),
    "a correction before the census": ({CORRECTIONS[1]: EXC, CENSUS: INH}, EXC, CORRECTIONS[1], True),
    "the newer correction first": ({CORRECTIONS[0]: NON, CORRECTIONS[1]: EXC}, NON, CORRECTIONS[0], True),
    "classifiers agree": ({METAMODEL: EXC, BAYLOR: EXC}, EXC, f"{METAMODEL} and {BAYLOR}", False),
    "classifiers disagree": ({METAMODEL: EXC, BAYLOR: INH}, "unknown", None, True),
    "no neuron says one, a neuron the other": ({METAMODEL: NON, BAYLOR: INH}, "unknown", None, True),
    "metamodel alone": ({METAMODEL: INH}, INH, METAMODEL, False),
    "the other alone": ({BAYLOR: EXC}, EXC, BAYLOR, False),
    "an unclear census leaves it to classifiers": ({CENSUS: None, METAMODEL: EXC, BAYLOR: EXC}, EXC, "two", False),
    "an unclear census and classifiers that disagree": (
        {CENSUS: None, METAMODEL: EXC, BAYLOR: INH},
        "unknown",
        None,
        True,
    ),
    "a strange word says nothing": ({METAMODEL: None, BAYLOR: INH}, INH, BAYLOR, False),
    "nobody": ({}, "unknown", None, False),
}


@pytest.mark.parametrize("case", CASES)
def test_who_decides(case):
    said, ei_class, evidence, disputed = CASES[case]
    evidence = f"{METAMODEL} and {BAYLOR}" if evidence == "two" else evidence
    (cell,), conflicts = classified({name: [(1, word, "T")] for name, word in said.items()})
    assert (cell["ei_class"], cell["ei_evidence"]) == (ei_class, evidence)
    known = {name: word for name, word in said.items() if word}
    assert [(c.cell, c.chosen, c.says) for c in conflicts] == ([("1", ei_class, known)] if disputed else [])


def test_the_type_comes_from_the_first_table_that_agrees_on_the_class():
    def kind(**said):
        (cell,), _ = classified({name: [(1, *words)] for name, words in said.items()})
        return cell["cell_type"]

    assert kind(**{CENSUS: (EXC, "23P"), METAMODEL: (EXC, "4P")}) == "23P"
    assert kind(**{CORRECTIONS[1]: (INH, ""), CENSUS: (EXC, "23P"), METAMODEL: (INH, "BC")}) == "BC"
    assert kind(**{CORRECTIONS[1]: (INH, ""), CENSUS: (EXC, "23P")}) == "unknown"
    assert kind(**{METAMODEL: (EXC, "5P-ET"), BAYLOR: (EXC, "")}) == "5P-PT"
    assert kind(**{BAYLOR: (EXC, "")}) == "unknown"
    assert kind(**{METAMODEL: (EXC, "4P"), BAYLOR: (INH, "")}) == "unknown"


def test_a_table_that_says_two_things_of_one_cell_decides_nothing():
    twice = [(1, EXC, "4P"), (1, INH, "BC")]
    (cell,), conflicts = classified({METAMODEL: twice, BAYLOR: [(1, INH, "")]})
    assert (cell["ei_class"], cell["ei_evidence"]) == (INH, BAYLOR)
    assert conflicts[0].says == {METAMODEL: "excitatory and inhibitory", BAYLOR: INH}
    (cell,), conflicts = classified({METAMODEL: [(1, EXC, "4P"), (1, EXC, "23P")]})
    assert (cell["ei_class"], cell["cell_type"], conflicts) == (EXC, "unknown", ())


verdicts = st.dictionaries(
    st.sampled_from([*WORDS]), st.lists(st.sampled_from([EXC, INH, None]), min_size=6, max_size=6)
)


@settings(max_examples=40, deadline=None)
@given(said=verdicts, order=st.permutations(range(6)))
def test_order_of_rows_does_not_matter_and_every_disagreement_is_listed(said, order):
    rows = {name: [(nucleus, word, "T") for nucleus, word in enumerate(words)] for name, words in said.items()}
    nuclei = tuple(range(6))
    straight = classified(rows, nuclei)
    assert classified({name: [given_rows[at] for at in order] for name, given_rows in rows.items()}, nuclei) == straight
    disputed = {str(n) for n in nuclei if len({words[n] for words in said.values()} - {None}) > 1}
    assert {conflict.cell for conflict in straight[1]} == disputed
    for cell in straight[0]:
        spoken = {words[cell["nucleus_id"]] for words in said.values()} - {None}
        assert cell["ei_class"] in spoken | {"unknown"}
        assert cell["ei_class"] != "unknown" or len(spoken) != 1


def test_the_19_conflicts_of_the_real_column(shared_data):
    folder = shared_data / "microns" / "v1_column"
    spec = extract(open_folder(folder))
    census, model = (pd.read_parquet(folder / f"{name}.parquet") for name in (CENSUS, METAMODEL))
    both = census.merge(model, on="id", suffixes=("", "_model"))
    differ = both[both.classification_system.str[12:22] != both.classification_system_model.str[:10]]
    assert len(differ) == 19
    assert {conflict.cell for conflict in spec.anatomy.conflicts} == set(differ.id.astype(str))
    chosen = {conflict.cell: conflict.chosen for conflict in spec.anatomy.conflicts}
    assert all(chosen[str(row.id)] == row.classification_system[12:] for row in differ.itertuples())
    assert Counter(values(spec.cells, "ei_evidence")) == {CENSUS: 1351}


def test_a_target_id_names_the_nucleus(tmp_path):
    """Reference tables have ids of their own in some exports; the nucleus stands in target_id."""
    tables = eight_cells()
    nuclei = tables[CENSUS].column("id").to_pylist()
    words = ["inhibitory_neuron", *["excitatory_neuron"] * 7]
    columns = {"id": list(range(1, 9)), "target_id": nuclei, "cell_type": ["BC"] * 8, "classification_system": words}
    tables[METAMODEL] = pa.table(columns)
    spec = extract(open_folder(write_tables(tmp_path, tables)))
    assert {conflict.cell for conflict in spec.anatomy.conflicts} == {"40", "50", "60", "80"}
