"""The mappings in examples/ read what is published, and lead to a network that runs."""

from __future__ import annotations

import csv
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from foreign_tables import FLY, MAPPINGS, PUBLISHED, opened

from connectome2net.compile.package import compile_spec
from connectome2net.extract import extract
from connectome2net.extract.depth import soma_depth_um
from connectome2net.extract.populations import network_of_laminae
from connectome2net.load import load
from connectome2net.sources.mapping import open_mapping
from connectome2net.sources.mapping.model import ConnectomeMapping
from connectome2net.sources.mapping.read import SECTIONS
from connectome2net.spec import make_spec
from connectome2net.spec.validate import validate


def told_by(name: str, folder: Path):
    source = opened(name, folder)
    cells = {row["source_id"]: row for row in source["cells"].read().to_pylist()}
    edges = {(row["pre"], row["post"]): row["synapse_count"] for row in source["edges"].read().to_pylist()}
    return source, cells, edges


def told(cells: dict, *names: str) -> dict:
    return {cell: tuple(row[name] for name in names) for cell, row in cells.items()}


def test_each_mapping_is_tried():
    assert {path.stem for path in MAPPINGS.glob("*.toml")} == set(PUBLISHED)
    assert [path.parent.name for path in MAPPINGS.glob("*/mapping.toml")] == ["lab"]


def test_each_key_is_explained_in_the_example_of_the_lab():
    text = (MAPPINGS / "lab" / "mapping.toml").read_text()
    models = (ConnectomeMapping, *SECTIONS.values())
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert not {key for key in keys if not re.search(rf"\b{key}\b", text)}


@pytest.mark.parametrize("name", [*PUBLISHED, "lab/mapping"])
def test_each_mapping_says_what_to_cite_and_of_which_version(name):
    said = tomllib.loads((MAPPINGS / f"{name}.toml").read_text())
    assert said["version"]
    assert said["citation"]


def test_flywire(tmp_path):
    source, cells, edges = told_by("flywire", tmp_path)
    assert told(cells, "cell_type", "ei_class", "root_id") == {
        str(FLY): ("Mi1", "excitatory", FLY),
        str(FLY + 1): ("Delta7", "inhibitory", FLY + 1),
        str(FLY + 2): ("", "inhibitory", FLY + 2),
        str(FLY + 3): ("PAM01", "unknown", FLY + 3),
        str(FLY + 4): ("", "unknown", FLY + 4),
    }
    assert edges == {
        (str(FLY), str(FLY + 1)): 12,
        (str(FLY + 1), str(FLY + 2)): 6,
        (str(FLY + 3), str(FLY)): 8,
    }
    assert source.notes == (
        "consolidated_cell_types.csv.gz: 2 of 5 cells have no row in it, 0 of its 3 rows are of no cell",
        "neurons.csv.gz: 1 cells are unknown by other_class: no word (1)",
        "connections.csv.gz: 4 rows are 3 pairs; the rows of a pair are summed",
    )


def test_hemibrain(tmp_path):
    source, cells, edges = told_by("hemibrain", tmp_path)
    assert told(cells, "cell_type", "ei_class") == {
        "1": ("KCab-p", "excitatory"),
        "2": ("APL", "inhibitory"),
        "3": ("MBON01", "unknown"),
        "4": ("", "unknown"),
    }
    assert edges == {("1", "3"): 12, ("2", "1"): 40, ("3", "2"): 2}
    assert source.input_types == ("KC*",)


def test_h01(tmp_path):
    source, cells, edges = told_by("h01", tmp_path)
    assert told(cells, "ei_class", "lamina", "x", "y", "z") == {
        "4001": ("excitatory", "L2/3", 8000.0, 16000.0, 9900.0),
        "4002": ("inhibitory", "L6", 8800.0, 72000.0, 10230.0),
        "4003": ("nonneuron", "WM", 9600.0, 79200.0, 10560.0),
    }
    assert edges == {("4001", "4002"): 2, ("4002", "4001"): 1, ("4001", "5000"): 3}
    assert [(step.rows_in, step.kept) for step in source.kept] == [(6, 5), (5, 3), (4, 3)]
    assert source.kept[0].why == "left out, because c3_rep_manual is '0' or 'NULL' or ''"


def test_celegans(tmp_path):
    _, cells, edges = told_by("celegans", tmp_path)
    assert told(cells, "cell_type", "ei_class") == {
        "ADAL": ("", "excitatory"),
        "ADEL": ("", "excitatory"),
        "ASHL": ("amphid", "excitatory"),
        "AVAL": ("command", "excitatory"),
        "RMED": ("head_motor", "inhibitory"),
        "VD1": ("", "inhibitory"),
    }
    assert edges[("ASHL", "AVAL")] == 15
    assert ("ASHL", "ASHR") not in edges, "a gap junction"


def test_microns_cell_info(tmp_path):
    _, cells, edges = told_by("microns_cell_info", tmp_path)
    root = 864691135000000001
    assert told(cells, "cell_type", "ei_class", "area", "axon_proofread", "x") == {
        str(root): ("5P-IT", "excitatory", "V1", True, 1.0),
        str(root + 1): ("BC", "inhibitory", "RL", None, 4.0),
        str(root + 2): ("oligo", "nonneuron", "V1", None, 7.0),
    }
    assert edges == {(str(root), str(root + 1)): 3, (str(root + 1), str(root)): 2}


def test_lab_says_what_its_tables_say():
    """Counted by hand, without the code that is tested."""
    lab = MAPPINGS / "lab"
    with (lab / "neurons.csv").open() as file:
        neurons = {row["neuron"]: row for row in csv.DictReader(file)}
    with (lab / "connections.tsv").open() as file:
        links = list(csv.DictReader(file, delimiter="\t"))
    source = open_mapping(lab, lab / "mapping.toml")
    table = source["cells"].read()
    cells = {row["source_id"]: row for row in table.to_pylist()}
    depth_um = soma_depth_um(source, table, np.stack([table.column(axis) for axis in "xyz"], axis=1))
    assert depth_um.tolist() == [float(neurons[name]["y_um"]) for name in cells]
    assert cells.keys() == {name for name, row in neurons.items() if row["transmitter"] != "glia"}
    for name, row in cells.items():
        theirs = neurons[name]
        assert row["ei_class"] == ("excitatory" if theirs["transmitter"] == "glutamatergic" else "inhibitory")
        assert row["lamina"] == {"II/III": "L2/3", "IV": "L4", "V": "L5"}[theirs["layer"]]
        assert row["x"] == 1000 * float(theirs["x_um"])
        assert row["axon_proofread"] == {"yes": True, "no": False, "": None}[theirs["axon_checked"]]
    wanted = {(row["from"], row["to"], int(row["contacts"]), int(row["cleft_voxels"])) for row in links}
    assert {tuple(row.values()) for row in source["edges"].read().to_pylist()} == wanted
    assert (len(cells), len(wanted)) == (23, 163)


def test_real_cell_info(shared_data, tmp_path):
    """All cells of the real volume, counted with pandas."""
    for table in ("volume/cell_info_v1300.parquet", "v1_column/connections_with_nuclei.parquet"):
        (tmp_path / Path(table).name).symlink_to(shared_data / "microns" / table)
    frame = pd.read_parquet(tmp_path / "cell_info_v1300.parquet").query("pt_root_id != 0")
    manual, automatic = frame.coarse_cell_type_manual, frame.coarse_cell_type_auto
    words = manual.where(manual != "", automatic).value_counts()
    source = open_mapping(tmp_path, MAPPINGS / "microns_cell_info.toml")
    cells = source["cells"].read().to_pandas()
    assert cells.ei_class.value_counts().to_dict() == {
        "excitatory": words["E"],
        "inhibitory": words["I"],
        "nonneuron": words["NONNEURON"],
        "unknown": words["UNCLEAR"],
    }
    assert cells.axon_proofread.sum() == (frame.proofreading_strategy != "").sum()
    assert set(cells.source_id) == set(map(str, frame.pt_root_id))
    assert source["edges"].rows == 75_251


@pytest.mark.parametrize("name", [*PUBLISHED, "lab"])
def test_from_tables_to_a_network_that_runs(name, tmp_path):
    spec = extract(opened(name, tmp_path), network="types")
    assert validate(spec) == []
    assert spec.name == f"{spec.anatomy.dataset}_all_types"
    model = load(compile_spec(spec, out=tmp_path / "compiled"), seed=0)
    logits = model(torch.rand(2, 1, 48, 48))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


def test_laminae_of_the_lab():
    found = extract(opened("lab", Path()), network="types")
    network = network_of_laminae(found.cells, found.edges)
    spec = make_spec(found.document.model_copy(update={"network": network}), cells=found.cells, edges=found.edges)
    assert [population.name for population in network.populations] == ["L23E", "L4E", "L5E", "I"]
    assert network.input.population == "L4E"
    assert validate(spec) == []
