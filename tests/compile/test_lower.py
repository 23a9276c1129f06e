"""What is measured reaches the program unchanged: anatomy, blocks, groups, phases, counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import oracle
import pyarrow as pa
import pytest
from columns import CELLS, EDGES, network_data, twelve_cells
from hypothesis import given, settings
from hypothesis import strategies as st

from connectome2net.compile.anatomy import _compress, graded_inhibition
from connectome2net.compile.lower import lower
from connectome2net.compile.program import Program
from connectome2net.compile.storage import choose_storage
from connectome2net.errors import CompileError
from connectome2net.spec import Spec

COUNT = {(post, pre): count for post, pre, count, _ in EDGES}
SIZE = {(post, pre): size for post, pre, _, size in EDGES}


def rows_of(spec: Spec, program: Program) -> dict[str, list[int]]:
    """The cell of each row of each group."""
    of = oracle.members(spec)
    return {group.name: [cell for name in group.populations for cell in of[name]] for group in program.groups}


def edges_of(spec: Spec, block: Any, program: Program, arrays: Any) -> dict[tuple[int, int], float]:
    """(post cell, pre cell) -> anatomy, read out of the arrays of a block."""
    rows, start = rows_of(spec, program), arrays[f"{block.name}.post_start"]
    return {
        (rows[block.post][post], rows[block.pre][int(arrays[f"{block.name}.pre_index"][at])]): float(
            arrays[f"{block.name}.anatomy"][at]
        )
        for post in range(len(start) - 1)
        for at in range(start[post], start[post + 1])
    }


def column_with(**projection: Any) -> dict[tuple[int, int], float]:
    data = network_data("column")["projections"][0] | projection
    spec = twelve_cells("column", projections=[data])
    program, arrays = lower(spec)
    return edges_of(spec, program.blocks[0], program, arrays)


def test_synapses_divided_by_their_sum() -> None:
    """Cell 0 has 4 + 1 + 1 synapses, cell 1 has 3 + 1 + 2 + 2 + 1."""
    found = column_with(normalise="sum")
    assert found.keys() == COUNT.keys()
    for edge, expected in {(0, 2): 4 / 6, (0, 4): 1 / 6, (0, 11): 1 / 6, (1, 0): 3 / 9, (1, 7): 2 / 9}.items():
        assert found[edge] == pytest.approx(expected, rel=1e-7)


def test_sizes_divided_by_their_norm() -> None:
    """Cell 4 has sizes 1,000 and 3,700: the norm is sqrt(14,690,000)."""
    found = column_with(anatomy="total_size", normalise="norm")
    assert found[4, 0] == pytest.approx(1000 / 14_690_000**0.5, rel=1e-7)
    assert found[4, 2] == pytest.approx(3700 / 14_690_000**0.5, rel=1e-7)


def test_sizes_as_they_are() -> None:
    assert column_with(anatomy="total_size", normalise="none") == {edge: float(size) for edge, size in SIZE.items()}


def test_mean_sizes_are_sizes_by_synapses() -> None:
    found = column_with(anatomy="mean_size", normalise="none")
    assert found == {edge: pytest.approx(SIZE[edge] / COUNT[edge], rel=1e-7) for edge in SIZE}


@pytest.mark.parametrize(("anatomy", "measured"), [("synapse_count", COUNT), ("total_size", SIZE)])
def test_all_inputs_count_those_from_outside_the_column(anatomy: str, measured: dict[tuple[int, int], int]) -> None:
    """A projection from excitatory cells alone: inhibitory inputs and those from outside divide it too."""
    outside = {"outside_synapse_count": np.arange(12), "outside_total_size_vx": np.arange(12) * 1000}
    data = network_data("pairs")["projections"][0] | {"anatomy": anatomy, "normalise": "all_inputs"}
    spec = twelve_cells("pairs", projections=[data])
    cells = spec.cells
    for name, received in outside.items():
        cells = cells.append_column(name, pa.array(received, pa.int64()))
    spec = replace(spec, cells=cells)
    program, arrays = lower(spec)
    received = outside["outside_synapse_count" if anatomy == "synapse_count" else "outside_total_size_vx"]
    for (post, pre), value in edges_of(spec, program.blocks[0], program, arrays).items():
        total = sum(size for (to, _), size in measured.items() if to == post) + received[post]
        assert value == pytest.approx(measured[post, pre] / total, rel=1e-6)


def test_binary_divided_by_the_sum_is_one_over_the_number_of_edges() -> None:
    found = column_with(anatomy="binary", normalise="sum")
    assert found[6, 1] == 1
    assert found[0, 2] == found[0, 4] == found[0, 11] == pytest.approx(1 / 3, rel=1e-7)


def test_a_projection_is_normalised_over_all_its_blocks() -> None:
    """``to_I`` has two blocks, from L4E and from E; cell 2 hears 0, 1, 9 through it."""
    data = network_data("pairs")
    data["projections"][2]["normalise"] = "sum"
    spec = twelve_cells("pairs", projections=data["projections"])
    program, arrays = lower(spec)
    parts = [edges_of(spec, block, program, arrays) for block in program.blocks if block.projection == "to_I"]
    assert len(parts) == 2
    found = parts[0] | parts[1]
    assert {edge for edge in found if edge[0] == 2} == {(2, 0), (2, 1), (2, 9)}
    assert sum(value for edge, value in found.items() if edge[0] == 2) == pytest.approx(1)


@pytest.mark.parametrize("network", ["column", "feedforward", "pairs"])
def test_blocks_hold_the_edges_of_the_spec(network: str) -> None:
    spec = twelve_cells(network)
    program, arrays = lower(spec)
    for projection in spec.network.projections:
        blocks = [block for block in program.blocks if block.projection == projection.name]
        dense = oracle.anatomy(spec, projection)
        wanted = {(int(post), int(pre)) for post, pre in np.argwhere(dense)}
        found: dict[tuple[int, int], float] = {}
        for block in blocks:
            part = edges_of(spec, block, program, arrays)
            assert block.edges == len(part)
            assert block.synapses == sum(COUNT[edge] for edge in part)
            assert not found.keys() & part.keys()
            found |= part
        assert found.keys() == wanted
        assert found == {edge: abs(float(dense[edge])) for edge in wanted}


@pytest.mark.parametrize("network", ["column", "pairs"])
def test_signs_are_those_of_the_classes(network: str) -> None:
    spec = twelve_cells(network)
    program, arrays = lower(spec)
    for block in program.blocks:
        cells = rows_of(spec, program)[block.pre]
        expected = [1 if CELLS[cell][2] == "excitatory" else -1 for cell in cells]
        assert arrays[f"{block.name}.sign"].tolist() == expected


def test_free_projections_have_no_sign() -> None:
    assert not [name for name in lower(twelve_cells("feedforward"))[1] if name.endswith(".sign")]


def test_every_unit_knows_its_cell() -> None:
    spec = twelve_cells("pairs")
    program, arrays = lower(spec)
    assert arrays["cell_index"].tolist() == [cell for cells in rows_of(spec, program).values() for cell in cells]
    assert sorted(arrays["cell_index"].tolist()) == list(range(12))


def test_graded_inhibition_by_hand() -> None:
    """Inhibitory cells are 2, 6, 10: cells 1, 7, 9 hear two of them, cells 0, 3, 4 hear one."""
    spec = twelve_cells("feedforward")
    units = np.arange(12, dtype=np.int32)[[0, 1, 3, 4, 5, 7, 8, 9, 11]]
    expected = [1 - 0.3 * n / 2 for n in (1, 2, 1, 1, 0, 2, 0, 2, 0)]
    np.testing.assert_allclose(graded_inhibition(spec, units), expected, rtol=1e-7)
    program, arrays = lower(spec)
    assert program.dynamics.arrays == {"gain": "inhibition_gain"}
    assert arrays["A.inhibition_gain"].tolist() == pytest.approx([0.85, 0.85, 0.7])


def test_graded_inhibition_by_synapses() -> None:
    """Synapses from 2, 6, 10: cell 0 has 4, cell 1 has 3, cell 9 has 7, the most."""
    spec = twelve_cells(
        "feedforward", inhibition={"presynaptic": {"ei_class": ["inhibitory"]}, "strength": 1.0, "count": "synapses"}
    )
    arrays = lower(spec)[1]
    assert arrays["A.inhibition_gain"].tolist() == pytest.approx([1 - 4 / 7, 1 - 2 / 7, 0])


def test_readout_rows_in_groups() -> None:
    spec = twelve_cells("pairs", readout={"populations": ["I", "E"]})
    program, arrays = lower(spec)
    assert program.readout.groups == ("E_I",)
    assert arrays["readout.unit"].tolist() == list(range(9))
    spec = twelve_cells("pairs", readout={"populations": ["I", "L4E"], "bypass": True})
    program, arrays = lower(spec)
    assert program.readout.groups == ("E_I", "L4E")
    assert arrays["readout.unit"].tolist() == [6, 7, 8, 9, 10, 11]


def test_phases_tell_constant_from_recurrent_drives() -> None:
    first, second = lower(twelve_cells("pairs"))[0].phases
    assert [(drive.group, drive.input, drive.constant, drive.recurrent) for drive in first.drives] == [
        ("L4E", True, ("from_I_E_I_L4E",), ())
    ]
    assert [drive.group for drive in second.drives] == ["L4E", "E_I"]
    assert not any(drive.constant for drive in second.drives)
    assert second.steps == 3


def test_a_rule_that_is_off_or_unused_is_not_compiled() -> None:
    rules = network_data("feedforward")["plasticity"] | {"hebbian": None, "spare": {"rule": "oja", "rate": 1.0}}
    program = lower(twelve_cells("feedforward", plasticity=rules))[0]
    assert [rule.name for rule in program.rules] == ["homeostatic"]
    assert {block.rules for block in program.blocks} == {("homeostatic",)}


@pytest.mark.parametrize(
    ("edges", "pre", "post", "storage"),
    [
        (49, 10, 10, "sparse"),
        (50, 10, 10, "dense"),
        (2**20, 2**10, 2**10, "dense"),
        (2**20 + 2**10, 2**10, 2**10 + 1, "sparse"),
        (75_251, 1351, 1351, "sparse"),
    ],
)
def test_small_full_blocks_are_dense(edges: int, pre: int, post: int, storage: str) -> None:
    assert choose_storage(edges=edges, pre=pre, post=post) == storage


def test_blocks_of_twelve_cells_tell_their_storage() -> None:
    for block in lower(twelve_cells("pairs"))[0].blocks:
        cells = {group.name: group.cells for group in lower(twelve_cells("pairs"))[0].groups}
        full = cells[block.pre] * cells[block.post]
        assert block.storage == ("dense" if block.edges >= full / 2 else "sparse")


def test_pooling_to_nothing_is_an_error() -> None:
    form = {"height": 12, "width": 12, "blocks": [{"channels": 2, "pool": 4}, {"channels": 2, "pool": 4}]}
    with pytest.raises(CompileError, match=r"(?s)shrinks to nothing.*blocks/1/pool.*found:  4.*pool less"):
        lower(twelve_cells("column", front_end=form))


@settings(max_examples=80, deadline=None)
@given(
    mask=st.integers(1, 6).flatmap(
        lambda columns: st.lists(st.lists(st.booleans(), min_size=columns, max_size=columns), min_size=1, max_size=6)
    ),
    seed=st.integers(0, 5),
)
def test_compressed_rows_and_columns_hold_the_same_edges(mask: list[list[bool]], seed: int) -> None:
    """Edges in any order; empty rows and columns, no edge, all edges, one cell."""
    dense = np.array(mask) * np.arange(1, np.size(mask) + 1, dtype=np.float32).reshape(np.shape(mask))
    post, pre = (index.astype(np.int32) for index in np.nonzero(dense))
    order = np.random.default_rng(seed).permutation(len(post))
    arrays = _compress(pre[order], post[order], dense[post, pre][order], dense.shape)
    rows, columns = np.zeros_like(dense), np.zeros_like(dense)
    for row in range(dense.shape[0]):
        for at in range(arrays["post_start"][row], arrays["post_start"][row + 1]):
            rows[row, arrays["pre_index"][at]] = arrays["anatomy"][at]
    for column in range(dense.shape[1]):
        for at in range(arrays["pre_start"][column], arrays["pre_start"][column + 1]):
            columns[arrays["post_index"][at], column] = arrays["anatomy"][arrays["order"][at]]
    assert (rows == dense).all()
    assert (columns == dense).all()
    assert sorted(arrays["order"]) == list(range(len(pre)))
    assert {str(array.dtype) for name, array in arrays.items() if name != "anatomy"} == {"int32"}
