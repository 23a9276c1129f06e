"""Where cells look: worked out by hand, and spread over the map."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from columns import twelve_cells

from connectome2net.compile.lower import lower
from connectome2net.compile.retinotopy import retinotopic_places
from connectome2net.spec import Spec


def spec_at(x: list[float], z: list[float]) -> Spec:
    """The twelve cells, the first of them at these places."""
    spec = twelve_cells()
    cells = spec.cells
    for name, values in (("soma_x_nm", x), ("soma_z_nm", z)):
        column = [*values, *[None] * (cells.num_rows - len(values))]
        at = cells.column_names.index(name)
        cells = cells.set_column(at, cells.schema.field(name), pa.array(column, pa.float64()))
    return Spec(spec.document, cells, spec.edges)


def places(x: list[float], z: list[float], *, height: int, width: int, place: str) -> list[tuple[int, int]]:
    cells = np.arange(len(x), dtype=np.int32)
    found = retinotopic_places(spec_at(x, z), cells, height=height, width=width, place=place)
    assert found.dtype == np.int32
    return [divmod(int(at), width) for at in found]


def test_ranks_by_hand() -> None:
    """Four cells on 2 rows and 4 columns: x has ranks 3 0 1 2, z has ranks 0 1 3 2."""
    found = places([900, 1, 2, 3], [0, 10, 30, 20], height=2, width=4, place="rank")
    assert found == [(0, 3), (0, 0), (1, 1), (1, 2)]


def test_positions_by_hand() -> None:
    """x from 0 to 900 over 3 columns: 290 lies in the first third, 310 in the second, 900 in the last."""
    found = places([0, 290, 310, 900], [5, 5, 5, 15], height=2, width=3, place="position")
    assert found == [(0, 0), (0, 0), (0, 1), (1, 2)]


def test_cells_at_one_place_fall_apart_by_rank_and_stay_by_position() -> None:
    assert places([7, 7], [7, 7], height=2, width=2, place="rank") == [(0, 0), (1, 1)]
    assert places([7, 7], [7, 7], height=2, width=2, place="position") == [(0, 0), (0, 0)]


@pytest.mark.parametrize("side", [1, 2, 3, 5, 12])
def test_ranks_use_each_row_and_column_equally(side: int) -> None:
    generator = np.random.default_rng(0)
    x, z = (generator.lognormal(0, 2, 12).tolist() for _ in "xz")
    found = np.array(places(x, z, height=side, width=side, place="rank"))
    for axis in range(2):
        used = np.bincount(found[:, axis], minlength=side)
        assert used.max() - used.min() <= 1


def test_rank_does_not_depend_on_the_scale() -> None:
    x, z = [3.0, 1.0, 2.0, 9.0], [4.0, 8.0, 1.0, 2.0]
    stretched = ([np.exp(value) for value in x], [value**3 for value in z])
    assert places(x, z, height=3, width=4, place="rank") == places(*stretched, height=3, width=4, place="rank")


def test_the_map_is_that_behind_the_front_end() -> None:
    """L4E holds cells 0, 4, 9 at x 700, 760, 725 and z 880, 845, 860 um; 12 x 16 pixels pooled by 2 are 6 x 8."""
    arrays = lower(twelve_cells("pairs"))[1]
    x, z = [0 / 60, 60 / 60, 25 / 60], [35 / 35, 0 / 35, 15 / 35]
    expected = [min(int(b * 6), 5) * 8 + min(int(a * 8), 7) for a, b in zip(x, z, strict=True)]
    assert arrays["input.place"].tolist() == expected


def test_real_cells_cover_the_map(shared_data: object) -> None:
    from pathlib import Path

    from connectome2net import extract, open_source

    assert isinstance(shared_data, Path)
    spec = extract(open_source(shared_data / "microns" / "v1_column"), network="column")
    place = lower(spec)[1]["input.place"]
    assert len(place) == 266
    rows, columns = np.divmod(place, 6)
    for axis in (rows, columns):
        assert set(np.bincount(axis, minlength=6)) <= {44, 45}
    assert len(np.unique(place)) == 36
