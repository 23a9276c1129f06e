"""Every pair of cells that the network holds is an edge; measured edges stay what they are."""

from itertools import product

import numpy as np
import pytest
from columns import twelve_cells

from connectome2net.errors import TransformError
from connectome2net.spec.select import population_cells
from connectome2net.spec.tables import edge_index
from connectome2net.transform import draw, rewire


@pytest.mark.parametrize("network", ["feedforward", "pairs"])
def test_all_pairs_are_connected(network: str) -> None:
    spec = twelve_cells(network)
    control = rewire(spec, "all-to-all", weights="normalised")
    members = population_cells(spec)
    wanted = {
        (int(pre), int(post))
        for projection in spec.network.projections
        for one, other in product(projection.pre, projection.post)
        for pre, post in product(members[one], members[other])
        if pre != post
    }
    population = {int(cell): name for name, cells in members.items() for cell in cells}
    found = set(zip(*(index.tolist() for index in edge_index(control.edges)), strict=True))
    held = {pair for pair in found if pair[0] in population and pair[1] in population}
    pairs = {(one, other) for item in spec.network.projections for one, other in product(item.pre, item.post)}
    assert {pair for pair in held if (population[pair[0]], population[pair[1]]) in pairs} == wanted
    before = dict(zip(zip(*map(tuple, edge_index(spec.edges)), strict=True), spec.edges.to_pylist(), strict=True))
    after = dict(zip(zip(*map(tuple, edge_index(control.edges)), strict=True), control.edges.to_pylist(), strict=True))
    assert all(after[pair]["synapse_count"] == row["synapse_count"] for pair, row in before.items())
    assert {row["synapse_count"] for row in after.values()} <= {row["synapse_count"] for row in before.values()}


def test_matched_weights_have_the_same_radius() -> None:
    control = rewire(twelve_cells("column"), "all-to-all", seed=1)
    record = control.document.provenance.transforms[-1]
    assert record.scale == pytest.approx(record.spectral_radius_before / record.spectral_radius_after)
    assert not np.isnan(control.edges.column("weight").to_numpy()).any()


def test_too_many_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "MOST_EDGES", 100)
    with pytest.raises(TransformError, match=r"too many edges(.|\n)*132 pairs of cells(.|\n)*subset"):
        rewire(twelve_cells("column"), "all-to-all")
