"""A column of eight cells in the published form, made by hand, and writers of the forms in which tables come."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

CENSUS = "allen_v1_column_types_slanted_ref"
CONNECTIONS = "connections_with_nuclei"
SYNAPSES = "synapses_pni_2"
PROOFREADING = "proofreading_status_and_strategy"
FORMS = ("parquet", "feather", "csv", "csv.gz")
TOML = 'dataset = "minnie65_public"\nmaterialization = 1300\nposition_unit = "nm"\ncitation = "somebody"\n'
ROOT = 864691135000000001

Tables = dict[str, pa.Table]


def root(nucleus: int) -> int:
    return ROOT + 2 * nucleus


def soma_nm(depth_um: float) -> tuple[float, float, float]:
    """Invert the published depth by hand: y' = x sin 5 + y cos 5, zero at the pia point."""
    sin, cos = math.sin(math.radians(5)), math.cos(math.radians(5))
    pia = 183013 * 4 * sin + 83535 * 4 * cos
    return 720_000.0, (depth_um * 1000 + pia - 720_000.0 * sin) / cos, 860_000.0


def eight_cells() -> Tables:
    """Eight cells (nuclei 10 to 80), nine edges of 16 synapses, six words on proofreading."""
    cells = {
        40: ("23P", "excitatory", 150.0),
        10: ("4P", "excitatory", 300.0),
        30: ("5P-ET", "excitatory", 450.0),
        20: ("6P-CT", "excitatory", 600.0),
        50: ("BC", "inhibitory", 310.0),
        60: ("NGC", "inhibitory", 40.0),
        70: ("WM-P", "excitatory", None),
        80: ("MC", "inhibitory", None),
    }
    place = [soma_nm(depth) if depth is not None else (None,) * 3 for _, _, depth in cells.values()]
    census = pa.table(
        {
            "id": list(cells),
            "pt_root_id": [root(nucleus) for nucleus in cells],
            **{f"pt_position_{axis}": pa.array([p[i] for p in place], pa.float64()) for i, axis in enumerate("xyz")},
            "volume": [300.0] * 8,
            "classification_system": [f"aibs_coarse_{word}" for _, word, _ in cells.values()],
            "cell_type": [name for name, _, _ in cells.values()],
            "mtype": ["L2a"] * 8,
        }
    )
    pairs = [(10, 40, 2), (10, 50, 1), (40, 30, 3), (40, 50, 1), (30, 20, 1), (50, 10, 4), (50, 40, 2), (60, 40, 1)]
    pairs += [(80, 70, 1)]
    connections = pa.table(
        {
            "pre_pt_root_id": [root(pre) for pre, _, _ in pairs],
            "post_pt_root_id": [root(post) for _, post, _ in pairs],
            "n_syn": pa.array([count for _, _, count in pairs], pa.int32()),
            "pre_nuc_id": [pre for pre, _, _ in pairs],
            "post_nuc_id": [post for _, post, _ in pairs],
        }
    )
    known = [10, 20, 30, 40, 50, 60]
    proofreading = pa.table(
        {
            "valid_id": [root(nucleus) + (nucleus == 20) for nucleus in known],
            "pt_root_id": [root(nucleus) for nucleus in known],
            "status_axon": [True, False, True, True, True, False],
            "strategy_axon": ["axon_fully_extended", "none", *["axon_partially_extended"] * 3, "none"],
        }
    )
    return {CENSUS: census, CONNECTIONS: connections, PROOFREADING: proofreading}


def synapse_rows(connections: pa.Table) -> pa.Table:
    """Expand a connection table into one row per synapse, as ``synapses_pni_2`` has them."""
    rows = [row for row in connections.to_pylist() for _ in range(row["n_syn"])]
    return pa.table(
        {
            "id": list(range(1, len(rows) + 1)),
            "valid": [True] * len(rows),
            "pre_pt_root_id": [row["pre_pt_root_id"] for row in rows],
            "post_pt_root_id": [row["post_pt_root_id"] for row in rows],
            "size": [100 + number for number in range(len(rows))],
        }
    )


def change(table: pa.Table, name: str, values: object) -> pa.Table:
    """Replace a column."""
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def write_tables(folder: Path, tables: Mapping[str, pa.Table], *, form: str = "parquet", toml: str = TOML) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_table(folder / f"{name}.{form}", table)
    if toml:
        (folder / "source.toml").write_text(toml)
    return folder


def write_table(path: Path, table: pa.Table) -> None:
    if path.name.endswith(".parquet"):
        pyarrow.parquet.write_table(table, path)
    elif path.name.endswith(".feather"):
        pyarrow.feather.write_feather(table, path)
    else:
        opener = gzip.open if path.name.endswith(".gz") else open
        with opener(path, "wt", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table.column_names)
            writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
