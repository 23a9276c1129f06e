"""What each control that changes cells, signs, counts or the number of edges keeps and destroys, by slow loops."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from columns import CELLS, cells_table, twelve_cells
from graphs import home, moved, pair_counts, pairs_in, places, rows, specs, stays, with_pairs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_edges import attributes, change, check_every_control, few, seeds

from connectome2net import read_spec, rewire
from connectome2net.errors import TransformError
from connectome2net.spec import Spec, make_spec, validate
from connectome2net.spec.select import select
from connectome2net.spec.tables import edge_index, values
from connectome2net.transform.weights import weights_of_edges

fractions = st.floats(0.05, 0.95)


def bin_of(pre: int, post: int) -> int | None:
    """The bin of 25 um of the distance of two of the twelve cells."""
    ends = [CELLS[cell][4:7] for cell in (pre, post)]
    if any(end[0] is None for end in ends):
        return None
    return int(sum((a - b) ** 2 for a, b in zip(*ends, strict=True)) ** 0.5 // 25_000)


def one_population() -> Spec:
    """The twelve cells with one population, all connected to all."""
    return twelve_cells(
        "column",
        populations=[{"name": "all", "select": {}}],
        input={"kind": "dense", "population": "all"},
        readout={"populations": ["all"], "bypass": True},
    )


@few
@given(spec=specs(), seed=seeds)
def test_distances_are_kept(spec: Spec, seed: int) -> None:
    after, of = change(spec, "distance", seed), home(spec)
    check_every_control(spec, after)

    def bins(some: Spec) -> Counter:
        ends = [(row["pre_index"], row["post_index"], row["synapse_count"]) for row in moved(some)]
        placed = [(of[a], of[b], bin_of(a, b), n) for a, b, n in ends if bin_of(a, b) is not None]
        return Counter(placed + [end for end in ends if bin_of(*end[:2]) is None])

    assert bins(after) == bins(spec)


def test_all_pairs_at_a_distance_are_drawn_equally_often() -> None:
    from scipy import stats

    spec = with_pairs(one_population(), [(0, 2), (1, 3)])
    alike = [pair for pair in places(spec) if bin_of(*pair) == bin_of(0, 2)]
    drawn: Counter = Counter()
    for seed in range(300):
        drawn.update(pair for pair in pairs_in(change(spec, "distance", seed)) if pair in alike)
    assert len(alike) > 3
    assert stats.chisquare([drawn[pair] for pair in alike]).pvalue > 1e-3


def test_distances_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = twelve_cells("column")
    whole = change(spec, "distance", 3)
    monkeypatch.setattr("connectome2net.transform.distance.AT_ONCE", 1)
    assert change(spec, "distance", 3) == whole


@pytest.mark.parametrize(("network", "seed"), [("column", 2), ("pairs", 2), ("feedforward", 3)])
def test_types_are_permuted_within_their_class(network: str, seed: int) -> None:
    spec = twelve_cells(network)
    after = rewire(spec, "types", seed=seed)
    old, new = spec.cells.to_pylist(), after.cells.to_pylist()
    labels = [Counter((row["ei_class"], row["cell_type"], row["lamina"]) for row in some) for some in (old, new)]
    assert labels[0] == labels[1]
    assert sum(a["cell_type"] != b["cell_type"] for a, b in zip(old, new, strict=True)) > 3
    assert new[11]["cell_type"] == "Unsure E"  # no position
    for a, b in zip(old, new, strict=True):
        assert {**a, "cell_type": 0, "lamina": 0} == {**b, "cell_type": 0, "lamina": 0}
    assert Counter(home(spec).values()) == Counter(home(after).values())
    assert home(spec) != home(after)
    assert {*home(spec)} == {*home(after)}
    columns = ["post_index", "pre_index", "synapse_count", "total_size_vx"]
    assert after.edges.select(columns).equals(spec.edges.select(columns))
    weight, had = values(after.edges, "weight"), weights_of_edges(spec)
    assert np.array_equal(np.isfinite(weight), np.isfinite(weights_of_edges(after)))
    both = np.isfinite(had) & np.isfinite(weight)
    assert np.array_equal(weight[both], had[both])
    assert {*weight[np.isfinite(weight)]} <= {*had[np.isfinite(had)]}


@pytest.mark.parametrize("network", ["column", "pairs", "graded"])
@pytest.mark.parametrize("seed", range(4))
def test_signs_are_permuted_and_populations_stay(network: str, seed: int) -> None:
    spec = twelve_cells(network)
    after = rewire(spec, "signs", seed=seed, weights="normalised")
    old, new = values(spec.cells, "ei_class"), values(after.cells, "ei_class")
    assert Counter(old) == Counter(new)
    assert not np.array_equal(old, new)
    assert home(after) == home(spec)
    assert all(item.select.ei_class is None for item in after.network.populations)
    assert after.edges.equals(spec.edges)
    unchanged = [name for name in spec.cells.column_names if name not in ("ei_class", "cell_type")]
    assert after.cells.select(unchanged).equals(spec.cells.select(unchanged))
    bare = [name.split(" (")[0] for name in values(after.cells, "cell_type")]
    assert bare == values(spec.cells, "cell_type").tolist()


def test_a_type_of_two_classes_is_divided_where_a_population_asks_for_a_class() -> None:
    types = ["X" if at in (0, 2, 4) else row[1] for at, row in enumerate(CELLS)]
    cells = cells_table().set_column(4, cells_table().schema.field(4), pa.array(types))
    spec = twelve_cells("column")
    populations = [
        {"name": "XE", "select": {"cell_type": ["X", "4P"], "ei_class": ["excitatory"]}},
        {"name": "E", "select": {"cell_type": ["23P", "5P-IT", "6P-CT", "WM-P", "Unsure E"]}},
        {"name": "I", "select": {"ei_class": ["inhibitory"]}},
    ]
    spec = twelve_cells(
        "column",
        populations=populations,
        input={"kind": "retinotopic", "population": "XE"},
        readout={"populations": ["E", "I"]},
    )
    spec = make_spec(spec.document, cells=cells, edges=spec.edges)
    assert validate(spec) == []
    after = rewire(spec, "signs", seed=1)
    assert home(after) == home(spec)
    assert after.network.populations[0].select.cell_type == ("4P", "X (excitatory)")
    assert values(after.cells, "cell_type")[2] == "X (inhibitory)"


def test_firing_and_graded_inhibition_do_not_follow_permuted_signs() -> None:
    spec = twelve_cells("pairs", dynamics={"model": "izhikevich"}, noise=None)
    after = rewire(spec, "signs", seed=1)
    firing = after.network.dynamics.firing
    assert (firing["E"].a, firing["I"].a) == (0.02, 0.1)
    inhibition = {"presynaptic": {"ei_class": ["inhibitory"], "lamina": ["L1"]}, "strength": 0.3}
    section = twelve_cells("pairs").network
    units = [item.model_dump(mode="json", exclude_none=True) for item in section.populations]
    units[2]["select"]["lamina"] = ["L4", "L5"]
    spec = twelve_cells("pairs", inhibition=inhibition, populations=units)
    assert validate(spec) == []
    after = rewire(spec, "signs", seed=1)
    assert select(after.cells, after.network.inhibition.presynaptic).tolist() == [6]
    assert values(after.cells, "ei_class")[6] == "inhibitory"


def test_there_are_signs_to_permute() -> None:
    with pytest.raises(TransformError, match=r"(?s)no signs to permute.*found:  free signs"):
        rewire(twelve_cells("feedforward"), "signs")
    excitatory = [{"name": "E", "select": {"ei_class": ["excitatory"]}}]
    spec = twelve_cells(
        "column",
        populations=excitatory,
        input={"kind": "dense", "population": "E"},
        readout={"populations": ["E"], "bypass": True},
    )
    with pytest.raises(TransformError, match=r"(?s)no signs to permute.*found:  only excitatory cells that send"):
        rewire(spec, "signs")


@few
@given(spec=specs(), seed=seeds)
def test_counts_are_permuted_on_the_same_edges(spec: Spec, seed: int) -> None:
    assume(spec.network.name != "feedforward")
    after = change(spec, "counts", seed)
    check_every_control(spec, after)
    assert pairs_in(after) == pairs_in(spec)
    assert attributes(after) == attributes(spec)
    inhibits = values(spec.cells, "ei_class") == "inhibitory"
    sums = [
        np.bincount(inhibits[edge_index(item.edges)[0]], values(item.edges, "synapse_count"), 2)
        for item in (spec, after)
    ]
    assert np.array_equal(*sums)  # the share of inhibition stays


def test_counts_that_nobody_looks_at() -> None:
    with pytest.raises(TransformError, match=r"(?s)does not look at counts.*found:  anatomy binary in each"):
        rewire(twelve_cells("feedforward"), "counts", weights="normalised")
    assert rewire(twelve_cells("feedforward"), "counts").document.provenance.transforms[-1].edges_changed > 5


@few
@given(spec=specs(), seed=seeds)
def test_edges_are_turned_round_where_the_network_holds_them(spec: Spec, seed: int) -> None:
    after, room = change(spec, "transpose", seed), {*places(spec)}
    check_every_control(spec, after)
    expected = set()
    for row in moved(spec):
        ends = row["pre_index"], row["post_index"]
        expected.add((*(ends[::-1] if ends[::-1] in room else ends), row["synapse_count"]))
    assert {(row["pre_index"], row["post_index"], row["synapse_count"]) for row in moved(after)} == expected


@few
@given(spec=specs(), seed=seeds, fraction=fractions)
def test_a_fraction_of_the_edges_is_removed(spec: Spec, seed: int, fraction: float) -> None:
    after = change(spec, "remove", seed, fraction)
    assert stays(after) == stays(spec)
    assert len(moved(after)) == len(moved(spec)) - round(fraction * len(moved(spec)))
    assert {tuple(row.values()) for row in rows(after)} <= {tuple(row.values()) for row in rows(spec)}


@few
@given(spec=specs(), seed=seeds, fraction=st.floats(0.05, 1.5))
def test_a_fraction_of_edges_is_added(spec: Spec, seed: int, fraction: float) -> None:
    old, of = pair_counts(spec), home(spec)
    room = Counter((of[pre], of[post]) for pre, post in places(spec))
    full = any(old[pair] * (1 + fraction) > room[pair] - 1.5 for pair in old)
    assume(not full)
    after = change(spec, "add", seed, fraction)
    check_every_control(spec, after)
    new = pair_counts(after)
    assert new.total() == old.total() + round(fraction * old.total())
    assert all(abs(new[pair] - old[pair] * (1 + fraction)) <= 1.5 for pair in old | new)
    assert {tuple(row.values()) for row in rows(spec)} <= {tuple(row.values()) for row in rows(after)}
    known = {(of[row["pre_index"]], of[row["post_index"]], row["synapse_count"]) for row in moved(spec)}
    assert {(of[row["pre_index"]], of[row["post_index"]], row["synapse_count"]) for row in moved(after)} == known


def test_added_edges_are_anywhere_that_is_free() -> None:
    from scipy import stats

    start = [(0, 1), (3, 1), (5, 1), (2, 7), (8, 9)]
    spec = with_pairs(one_population(), start)
    free = {*places(spec)} - {*start}
    drawn: Counter = Counter()
    for seed in range(250):
        drawn.update(pairs_in(change(spec, "add", seed, 3.0)) - {*start})
    assert {*drawn} <= free
    assert len(free) == 132 - 5
    assert stats.chisquare([drawn[pair] for pair in free]).pvalue > 1e-3


def test_too_many_edges_to_add() -> None:
    with pytest.raises(
        TransformError, match=r"(?s)no room.*where:  .* -> .*to add\n  wanted: at most .* pairs of cells"
    ):
        rewire(twelve_cells("column"), "add", fraction=3.0)


@pytest.mark.parametrize("fraction", [None, 0.0, 1.0, -0.1, float("nan")])
def test_fractions_out_of_range(fraction: float | None) -> None:
    found = "nothing" if fraction is None else f"{fraction:g}"
    match = rf"remove needs a fraction\n  where:  --fraction\n  found:  {found}\n  wanted: more than 0, less than 1"
    with pytest.raises(TransformError, match=match):
        rewire(twelve_cells("column"), "remove", fraction=fraction)
    if fraction != 1.0:
        with pytest.raises(TransformError, match="subset needs a fraction"):
            rewire(twelve_cells("column"), "subset", fraction=fraction)
        with pytest.raises(TransformError, match="add needs a fraction"):
            rewire(twelve_cells("column"), "add", fraction=fraction)


def small_column() -> Spec:
    return read_spec(Path(__file__).parents[2] / "examples" / "small_column")


def test_a_dense_core_has_as_many_edges() -> None:
    spec = small_column()
    after = rewire(spec, "dense-core", seed=1)
    assert validate(after) == []
    old, new = (Counter(home(some).values()) for some in (spec, after))
    size = after.cells.num_rows
    assert after.edges.num_rows == size * (size - 1)
    assert abs(size * (size - 1) - spec.edges.num_rows) <= size
    assert all(abs(new[name] / size - old[name] / 200) < 0.02 for name in old)
    kept = [values(spec.cells, "nucleus_id").tolist().index(each) for each in values(after.cells, "nucleus_id")]
    measured = {(row["pre_index"], row["post_index"]): row["synapse_count"] for row in rows(spec)}
    found = {(kept[row["pre_index"]], kept[row["post_index"]]): row["synapse_count"] for row in rows(after)}
    for pair, count in measured.items():
        assert found.get(pair, count) == count
    assert rewire(spec, "dense-core", cells=30).cells.num_rows == 30


def test_impossible_dense_cores() -> None:
    for cells in (5, 13):
        match = rf"no such dense core\n  where:  --cells\n  found:  {cells}\n  wanted: from 6, one for each.* to 12"
        with pytest.raises(TransformError, match=match):
            rewire(twelve_cells("column"), "dense-core", cells=cells)


@settings(max_examples=15, deadline=None)
@given(fraction=st.floats(0.3, 1))
def test_a_subset_is_the_middle_of_the_column(fraction: float) -> None:
    spec = twelve_cells("pairs")
    after = change(spec, "subset", 0, fraction)
    x, z = (np.array([row[at] for row in CELLS[:11]]) for at in (4, 6))
    apart = np.hypot(x - x.mean(), z - z.mean())
    nearest = sorted(np.argsort(apart)[: round(12 * fraction)].tolist())
    assert [row["nucleus_id"] for row in after.cells.to_pylist()] == [CELLS[at][0] for at in nearest]
    assert values(after.cells, "cell_index").tolist() == [*range(len(nearest))]
    inside = [row for row in rows(spec) if {row["pre_index"], row["post_index"]} <= {*nearest}]
    expected = [
        row | {"pre_index": nearest.index(row["pre_index"]), "post_index": nearest.index(row["post_index"])}
        for row in inside
    ]
    assert rows(after) == expected
    step = after.anatomy.steps[-1]
    assert (step.rows_in, step.kept, step.lost) == (12, len(nearest), 12 - len(nearest))


def test_inputs_from_cells_that_are_left_out_come_from_outside() -> None:
    spec = twelve_cells("pairs")
    outside = pa.array([10 * at for at in range(12)], pa.int64())
    spec = make_spec(spec.document, cells=spec.cells.append_column("outside_synapse_count", outside), edges=spec.edges)
    after = change(spec, "subset", 0, 0.5)
    kept = [[row[0] for row in CELLS].index(each) for each in values(after.cells, "nucleus_id")]
    lost = Counter()
    for row in rows(spec):
        lost[row["post_index"]] += row["synapse_count"] * (row["pre_index"] not in kept)
    assert values(after.cells, "outside_synapse_count").tolist() == [10 * at + lost[at] for at in kept]


def without_l4() -> Spec:
    """The twelve cells; those of L4 are far from the axis."""
    cells = cells_table()
    x = [10_000_000.0 if row[1] == "4P" else row[4] for row in CELLS]
    at = cells.column_names.index("soma_x_nm")
    cells = cells.set_column(at, cells.schema.field(at), pa.array(x, pa.float64()))
    spec = twelve_cells("column")
    column = spec.anatomy.column.model_copy(update={"centre_nm": (720_000.0, 0.0, 850_000.0)})
    document = spec.document.model_copy(update={"anatomy": spec.anatomy.model_copy(update={"column": column})})
    return make_spec(document, cells=cells, edges=spec.edges)


def test_a_population_that_loses_its_cells_is_left_out_and_named() -> None:
    spec = twelve_cells("pairs", dynamics={"leak": {"L4E": 0.5, "E": 0.4, "I": 0.3}})
    network = spec.network
    more = [*network.populations, network.populations[1].model_copy(update={"name": "far"})]
    away = {"cell_type": ("Unsure E",)}
    more[1] = more[1].model_copy(
        update={"select": more[1].select.model_copy(update={"cell_type": ("23P", "5P-IT", "6P-CT", "WM-P")})}
    )
    more[3] = more[3].model_copy(update={"select": more[3].select.model_copy(update=away)})
    projections = [item.model_copy(update={"pre": (*item.pre, "far")}) for item in network.projections[:1]]
    projections += network.projections[1:]
    alone = network.projections[1].model_copy(update={"name": "alone", "pre": ("E",), "post": ("far",)})
    network = network.model_copy(
        update={
            "populations": tuple(more),
            "projections": (*projections, alone),
            "schedule": (*network.schedule, network.schedule[0].model_copy(update={"populations": ("far",)})),
            "readout": network.readout.model_copy(update={"populations": ("E", "I", "far")}),
            "dynamics": network.dynamics.model_copy(update={"leak": {"L4E": 0.5, "E": 0.4, "I": 0.3, "far": 0.2}}),
        }
    )
    spec = make_spec(spec.document.model_copy(update={"network": network}), cells=spec.cells, edges=spec.edges)
    assert validate(spec) == []
    after = rewire(spec, "subset", fraction=1.0, weights="normalised")
    done = after.document.provenance.transforms[-1]
    assert done.parameters["populations_without_cells"] == "far"
    assert "far" not in after.network.model_dump_json()
    assert len(after.network.schedule) == 2
    assert done.edges_changed == len(moved(spec)) - len(moved(after))


def test_subsets_that_do_not_work() -> None:
    with pytest.raises(TransformError, match=r"(?s)no cell is left.*found:  0.01 of 12 cells, of which 11 have a pos"):
        rewire(twelve_cells("pairs"), "subset", fraction=0.01)
    with pytest.raises(TransformError, match="no edge of the network is left"):
        rewire(twelve_cells("feedforward"), "subset", fraction=0.2)
    with pytest.raises(
        TransformError, match=r"(?s)the control is no valid spec.*/network/input/population: found 'L4E'"
    ):
        rewire(without_l4(), "subset", fraction=0.5)
    after = rewire(small_column(), "subset", fraction=0.5)
    assert after.cells.num_rows == 100
    assert validate(after) == []


def test_a_projection_that_loses_its_edges_is_left_out_and_named() -> None:
    done = rewire(twelve_cells("pairs"), "degree-reciprocal", seed=3)
    assert done.document.provenance.transforms[-1].parameters["projections_without_edges"] == "I_I"
    assert "I_I" not in [item.name for item in done.network.projections]
