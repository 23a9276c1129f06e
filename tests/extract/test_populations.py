"""Cells without laminae get a network from their types: a valid one, with every choice said beside it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from columns import cells_table, edges_table, twelve_cells
from hypothesis import given, settings
from hypothesis import strategies as st

from connectome2net.compile.package import compile_spec
from connectome2net.errors import ExtractError
from connectome2net.extract.groups import FEWEST, MOST
from connectome2net.extract.populations import network_of_laminae, network_of_types
from connectome2net.spec import Spec, load_preset, make_spec
from connectome2net.spec.select import population_cells
from connectome2net.spec.tables import CELLS_SCHEMA, EDGES_SCHEMA
from connectome2net.spec.validate import validate


def cells_of(kinds, *, places=True):
    """A cells table: (type, class) of each cell."""
    place = {f"soma_{axis}_nm": 1000.0 * at if places else None for at, axis in enumerate("xyz")}
    rows = [
        {"cell_index": at, "source_id": f"c{at}", "cell_type": name, "ei_class": word, "lamina": "unknown"} | place
        for at, (name, word) in enumerate(kinds)
    ]
    return pa.Table.from_pylist(rows, schema=CELLS_SCHEMA)


def with_laminae(cells, laminae):
    return cells.set_column(CELLS_SCHEMA.get_field_index("lamina"), CELLS_SCHEMA.field("lamina"), pa.array(laminae))


def edges_of(pairs):
    """An edges table: (pre, post) of each edge."""
    rows = [{"post_index": post, "pre_index": pre, "synapse_count": 1} for pre, post in pairs]
    order = [("post_index", "ascending"), ("pre_index", "ascending")]
    return pa.Table.from_pylist(rows, schema=EDGES_SCHEMA).sort_by(order)


def spec_of(cells, edges, network) -> Spec:
    document = twelve_cells().document.model_copy(update={"network": network})
    return make_spec(document, cells=cells, edges=edges)


def chain(names, size=FEWEST):
    """Types one after another, each cell of one connected to each cell of the next; the last is inhibitory."""
    kinds = [(name, "inhibitory" if name == names[-1] else "excitatory") for name in names for _ in range(size)]
    firsts = range(0, size * (len(names) - 1), size)
    return kinds, [(a + i, a + size + j) for a in firsts for i in range(size) for j in range(size)]


def test_types_become_populations_and_small_ones_are_pooled():
    kinds, pairs = chain(("KC", "MBON", "APL"))
    kinds += [("rare", "excitatory"), ("", "excitatory"), ("odd", "unknown")]
    cells, edges = cells_of(kinds), edges_of([*pairs, (11, 12), (14, 0)])
    network = network_of_types(cells, edges)
    members = {name: list(found) for name, found in population_cells(spec_of(cells, edges, network)).items()}
    assert members == {"E_KC": [0, 1, 2, 3], "E_MBON": [4, 5, 6, 7], "I_APL": [8, 9, 10, 11], "E": [12, 13]}
    assert network.input.population == "E_KC"
    assert network.readout.populations == ("I_APL", "E_MBON", "E")
    assert "Of 15 cells 1 are in no population" in network.why
    assert "Nobody told which cells see the image" in network.input.why
    assert validate(spec_of(cells, edges, network)) == []


def test_what_is_not_about_populations_is_that_of_the_preset():
    preset, network = load_preset("column"), network_of_types(cells_table(), edges_table())
    assert network.front_end == preset.front_end
    assert network.readout.classes == preset.readout.classes
    assert network.projections == preset.projections


def test_a_norm_over_one_cell_is_switched_off_with_the_reason():
    kinds, pairs = chain(("a", "b"))
    assert network_of_types(cells_of(kinds), edges_of(pairs)).dynamics == load_preset("column").dynamics
    kinds, pairs = [*kinds, ("c", "excitatory")], [*pairs, (0, 8)]
    dynamics = network_of_types(cells_of(kinds), edges_of(pairs)).dynamics
    assert dynamics.norm == "none"
    assert "one cell" in dynamics.why


def test_the_named_types_see_the_image():
    kinds, pairs = chain(("a", "b", "c1", "c2", "d"))
    cells, edges = cells_of(kinds), edges_of(pairs)
    network = network_of_types(cells, edges, input_types=("c?",))
    assert network.input.population == "Input"
    assert population_cells(spec_of(cells, edges, network))["Input"].tolist() == [*range(8, 16)]
    assert network.readout.populations == ("I_d",), "a and b lie before the input"
    assert network_of_types(cells, edges, input_types=("b",)).input.population == "In_b"


def test_a_wrong_input_lists_the_types():
    kinds, pairs = chain(("a", "b"))
    with pytest.raises(ExtractError, match=r"no such type[\s\S]*found: +KC\*[\s\S]*wanted: a, b"):
        network_of_types(cells_of(kinds), edges_of(pairs), input_types=("a", "KC*"))


def test_enough_steps_for_the_furthest_population():
    names = tuple("abcdefg")
    network = network_of_types(cells_of(chain(names)[0]), edges_of(chain(names)[1]), input_types=("a",))
    assert network.schedule[0].steps == 7, "one for the image and one for each of six projections"
    assert network.readout.populations == (*(f"E_{name}" for name in "bcdef"), "I_g")


def test_cells_without_a_place_all_see_the_whole_image():
    kinds, pairs = chain(("a", "b"))
    assert network_of_types(cells_of(kinds), edges_of(pairs)).input.kind == "retinotopic"
    network = network_of_types(cells_of(kinds, places=False), edges_of(pairs))
    assert network.input.kind == "dense"
    assert "Not all of them have a position" in network.input.why


def test_activity_that_goes_nowhere_is_read_where_it_is():
    cells, edges = cells_of([("a", "excitatory")] * 5), edges_of([(0, 1), (1, 2)])
    network = network_of_types(cells, edges)
    assert (network.readout.populations, network.readout.bypass) == (("E_a",), True)
    assert validate(spec_of(cells, edges, network)) == []


def test_unknown_classes_take_part_where_signs_are_free():
    kinds, pairs = [(name, "unknown") for name, _ in chain(("a", "b"))[0]], chain(("a", "b"))[1]
    with pytest.raises(ExtractError, match=r"no cell has a known class[\s\S]*unknown \(8\)[\s\S]*other_class"):
        network_of_types(cells_of(kinds), edges_of(pairs))
    network = network_of_types(cells_of(kinds), edges_of(pairs), signs="free")
    assert [population.name for population in network.populations] == ["U_a", "U_b"]
    assert network.projections[0].sign == "free"
    assert validate(spec_of(cells_of(kinds), edges_of(pairs), network)) == []


def test_no_edge_between_known_cells():
    cells = cells_of([("a", "excitatory"), ("b", "unknown")])
    with pytest.raises(ExtractError, match=r"no edge connects cells of known class[\s\S]*found: +1 edges"):
        network_of_types(cells, edges_of([(0, 1)]))


def test_names_are_good_and_each_once():
    names = ("5P-IT", "5P IT", "Δ7", "x" * 40, "x" * 41, "class")
    kinds = [(name, "excitatory") for name in names for _ in range(FEWEST)]
    cells, edges = cells_of(kinds), edges_of([(0, at) for at in range(1, len(kinds))])
    network = network_of_types(cells, edges)
    assert sorted(population.name for population in network.populations) == sorted(
        ["E_5P_IT", "E_5P_IT_2", "E_7", "E_" + "x" * 22, "E_" + "x" * 20 + "_2", "E_class"]
    )
    assert validate(spec_of(cells, edges, network)) == []


def test_many_types_stay_readable():
    kinds = [(f"t{at:02}", "excitatory") for at in range(60) for _ in range(FEWEST + at)]
    network = network_of_types(cells_of(kinds), edges_of([(0, at) for at in range(1, len(kinds))]))
    names = [population.name for population in network.populations]
    assert names == [*(f"E_t{at:02}" for at in range(59, 59 - MOST + 1, -1)), "E"]


def test_it_compiles(tmp_path):
    cells, edges = cells_table(), edges_table()
    spec = spec_of(cells, edges, network_of_types(cells, edges))
    compile_spec(spec, out=tmp_path / "compiled")
    assert (tmp_path / "compiled" / "model.py").exists()


LAYERED = ["L4"] * 4 + ["L2/3"] * 5 + ["L5"] * 3 + ["unknown"] + ["L4"] * 4


def layered():
    """Twelve pyramids in three laminae, one in none, and four baskets in L4; everybody is connected."""
    kinds = [("pyramid", "excitatory")] * 13 + [("basket", "inhibitory")] * 4
    every = range(len(kinds))
    return with_laminae(cells_of(kinds), LAYERED), edges_of([(a, b) for a in every for b in every if a != b])


def test_laminae_become_populations():
    cells, edges = layered()
    network = network_of_laminae(cells, edges)
    spec = spec_of(cells, edges, network)
    members = {name: list(found) for name, found in population_cells(spec).items()}
    assert members == {"L23E": [*range(4, 9)], "L4E": [*range(4)], "E": [9, 10, 11, 12], "I": [*range(13, 17)]}
    assert network.input.population == "L4E"
    assert "L4 is where thalamus ends" in network.input.why
    assert network.readout.populations == ("L23E", "E", "I")
    assert validate(spec) == []


def test_laminae_without_l4_and_with_a_named_input():
    cells, edges = layered()
    elsewhere = with_laminae(cells, ["L5" if word == "L4" else word for word in LAYERED])
    assert network_of_laminae(elsewhere, edges).input.population == "L5E", "the largest of equals"
    spec = spec_of(cells, edges, network_of_laminae(cells, edges, input_types=("bask*",)))
    members = {name: len(found) for name, found in population_cells(spec).items()}
    assert members == {"In_basket": 4, "L23E": 5, "L4E": 4, "E": 4}
    assert spec.network.input.population == "In_basket"
    assert validate(spec) == []


kind = st.tuples(
    st.sampled_from(["", "a", "b", "c-c", "c_c"]), st.sampled_from(["excitatory", "inhibitory", "unknown"])
)


@st.composite
def columns(draw):
    kinds = draw(st.lists(kind, min_size=2, max_size=40))
    ends = st.integers(0, len(kinds) - 1)
    return kinds, sorted(draw(st.sets(st.tuples(ends, ends), min_size=1, max_size=80)))


@settings(max_examples=60, deadline=None)
@given(
    columns(),
    st.sampled_from(["dale", "free"]),
    st.sampled_from([network_of_types, network_of_laminae]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_any_column_gives_a_valid_network_or_one_of_two_errors(column, signs, network_of, places, random):
    kinds, pairs = column
    laminae = [random.choice(("L2/3", "L4", "unknown")) for _ in kinds]
    cells, edges = with_laminae(cells_of(kinds, places=places), laminae), edges_of(pairs)
    usable = [at for at, (_, word) in enumerate(kinds) if signs == "free" or word != "unknown"]
    connected = any(pre in usable and post in usable for pre, post in pairs)
    if not connected:
        with pytest.raises(ExtractError, match=r"no cell has a known class|no edge connects"):
            network_of(cells, edges, signs=signs)
        return
    network = network_of(cells, edges, signs=signs)
    spec = spec_of(cells, edges, network)
    assert validate(spec) == []
    held = np.sort(np.concatenate(list(population_cells(spec).values())))
    assert held.tolist() == usable, "each cell whose sign is known is in one population"
    assert len(network.populations) <= MOST
    order = random.sample(range(len(kinds)), len(kinds))
    place = {old: new for new, old in enumerate(order)}
    moved = with_laminae(cells_of([kinds[old] for old in order], places=places), [laminae[old] for old in order])
    assert network == network_of(moved, edges_of([(place[a], place[b]) for a, b in pairs]), signs=signs)
