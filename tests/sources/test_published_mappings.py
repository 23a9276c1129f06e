"""The mappings in examples/ read tables in exactly the columns in which they are published; the rows are made up."""

from __future__ import annotations

import csv
import gzip
import tomllib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from connectome2net.sources.mapping import open_mapping

MAPPINGS = Path(__file__).parents[2] / "examples" / "mappings"
FLY = 720575940600000000


def published(folder: Path, tables: dict[str, tuple[str, list[tuple]]], *, delimiter: str = ",") -> Path:
    """Write tables: file -> header line and rows."""
    for name, (header, rows) in tables.items():
        path, names = folder / name, header.split(",")
        if path.suffix == ".parquet":
            columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
            pyarrow.parquet.write_table(pa.table(columns), path)
            continue
        with (gzip.open if path.suffix == ".gz" else open)(path, "wt", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter).writerows([names, *rows])
    return folder


def flywire(folder: Path) -> Path:
    scores = (0.6, 0.1, 0.1, 0.1, 0.1, 0.6, 0.0)
    words = ("ACH", "GABA", "GLUT", "DA", "")
    neurons = [(FLY + at, "ME.LO", word, *scores) for at, word in enumerate(words)]
    types = [(FLY, "Mi1", ""), (FLY + 1, "Delta7", "Δ7"), (FLY + 3, "PAM01", "")]
    rows = [(0, 1, "EB", 5), (0, 1, "PB", 7), (1, 2, "PB", 6), (3, 0, "MB_ML_R", 8)]
    return published(
        folder,
        {
            "neurons.csv.gz": (
                "root_id,group,nt_type,nt_type_score,da_avg,ser_avg,gaba_avg,glut_avg,ach_avg,oct_avg",
                neurons,
            ),
            "consolidated_cell_types.csv.gz": ("root_id,primary_type,additional_type(s)", types),
            "connections.csv.gz": (
                "pre_root_id,post_root_id,neuropil,syn_count,nt_type",
                [(FLY + pre, FLY + post, place, count, words[pre]) for pre, post, place, count in rows],
            ),
        },
    )


def hemibrain(folder: Path) -> Path:
    neurons = [(1, "KCab-p", "KCab-p_R"), (2, "APL", "APL_R"), (3, "MBON01", "MBON01_R"), (4, "", "")]
    return published(
        folder,
        {
            "traced-neurons.csv": ("bodyId,type,instance", neurons),
            "traced-total-connections.csv": ("bodyId_pre,bodyId_post,weight", [(1, 3, 12), (2, 1, 40), (3, 2, 2)]),
        },
    )


def h01(folder: Path) -> Path:
    somata = [
        (1, 11, 1, 1, 1, 4001, "", 1000, 2000, 300, "PYRAMIDAL", "Layer 3"),
        (2, 12, 2, 2, 2, 4002, "", 1100, 9000, 310, "INTERNEURON", "Layer 6"),
        (3, 13, 3, 3, 3, 4003, "", 1200, 9900, 320, "OLIGO", "White matter"),
        (4, 14, 4, 4, 4, 4004, "", 1300, 2000, 330, "PYRAMIDAL", "Layer 2"),
        (5, 15, 5, 5, 5, 4004, "", 1400, 2100, 340, "PYRAMIDAL", "Layer 2"),
        (6, 16, 6, 6, 6, 0, "", 1500, 2100, 350, "ASTROCYTE", "Unclassified"),
    ]
    header = (
        "soma_id,base_seg_id,c2_rep_strict,c2_rep_manual,c3_rep_strict,c3_rep_manual,proofread_104_rep,"
        "x,y,z,celltype,layer"
    )
    pairs = [(4001, 4002, 2), (4002, 4001, 1), (0, 4001, 9), (4001, 5000, 3)]
    return published(folder, {"somas.csv": (header, somata), "connections.parquet": ("pre_id,post_id,syn_num", pairs)})


def celegans(folder: Path) -> Path:
    rows = [
        ("ASHL", "AVAL", "chemical", 15),
        ("ASHL", "ASHR", "electrical", 1),
        ("AVAL", "VD1", "chemical", 2),
        ("RMED", "BWM-DL01", "chemical", 4),
        ("RMED", "ADAL", "chemical", 1),
        ("ADEL", "CEPshDR", "chemical", 1),
    ]
    return published(folder, {"witvliet_2020_8.csv": ("pre,post,type,synapses", rows)}, delimiter="\t")


def microns_cell_info(folder: Path) -> Path:
    root = 864691135000000001
    header = (
        "pt_position_x,pt_position_y,pt_position_z,pt_root_id,volume,coarse_cell_type_auto,cell_type_auto,"
        "coarse_cell_type_manual,cell_type_manual,region,proofreading_strategy"
    )
    cells = [
        (1.0, 2.0, 3.0, root, 250.0, "E", "4P", "E", "5P-IT", "V1", "axon_fully_extended"),
        (4.0, 5.0, 6.0, root + 1, 250.0, "I", "BC", "", "", "RL", ""),
        (7.0, 8.0, 9.0, root + 2, 50.0, "NONNEURON", "oligo", "", "", "V1", ""),
        (7.0, 8.0, 9.0, 0, 50.0, "E", "4P", "", "", "V1", ""),
    ]
    pairs = [(root, root + 1, 3, 100, 101), (root + 1, root, 2, 101, 100)]
    return published(
        folder,
        {
            "cell_info_v1300.parquet": (header, cells),
            "connections_with_nuclei.parquet": ("pre_pt_root_id,post_pt_root_id,n_syn,pre_nuc_id,post_nuc_id", pairs),
        },
    )


PUBLISHED = {
    "flywire": flywire,
    "hemibrain": hemibrain,
    "h01": h01,
    "celegans": celegans,
    "microns_cell_info": microns_cell_info,
}


def opened(name: str, folder: Path):
    source = open_mapping(PUBLISHED[name](folder), MAPPINGS / f"{name}.toml")
    cells = {row["source_id"]: row for row in source["cells"].read().to_pylist()}
    edges = {(row["pre"], row["post"]): row["synapse_count"] for row in source["edges"].read().to_pylist()}
    return source, cells, edges


def told(cells: dict, *names: str) -> dict:
    return {cell: tuple(row[name] for name in names) for cell, row in cells.items()}


def test_each_mapping_is_tried():
    assert {path.stem for path in MAPPINGS.glob("*.toml")} == set(PUBLISHED)
    assert [path.parent.name for path in MAPPINGS.glob("*/mapping.toml")] == ["lab"]


@pytest.mark.parametrize("name", [*PUBLISHED, "lab/mapping"])
def test_each_mapping_says_what_to_cite_and_of_which_version(name):
    said = tomllib.loads((MAPPINGS / f"{name}.toml").read_text())
    assert said["version"]
    assert said["citation"]


def test_flywire(tmp_path):
    source, cells, edges = opened("flywire", tmp_path)
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
        "neurons.csv.gz: 1 cells are unknown by other_class: no word (1)",
        "connections.csv.gz: 4 rows are 3 pairs; the rows of a pair are summed",
    )


def test_hemibrain(tmp_path):
    source, cells, edges = opened("hemibrain", tmp_path)
    assert told(cells, "cell_type", "ei_class") == {
        "1": ("KCab-p", "excitatory"),
        "2": ("APL", "inhibitory"),
        "3": ("MBON01", "unknown"),
        "4": ("", "unknown"),
    }
    assert edges == {("1", "3"): 12, ("2", "1"): 40, ("3", "2"): 2}
    assert source.input_types == ("KC*",)


def test_h01(tmp_path):
    source, cells, edges = opened("h01", tmp_path)
    assert told(cells, "ei_class", "lamina", "x", "y", "z") == {
        "4001": ("excitatory", "L2/3", 8000.0, 16000.0, 9900.0),
        "4002": ("inhibitory", "L6", 8800.0, 72000.0, 10230.0),
        "4003": ("nonneuron", "WM", 9600.0, 79200.0, 10560.0),
    }
    assert edges == {("4001", "4002"): 2, ("4002", "4001"): 1, ("4001", "5000"): 3}
    assert source.notes[:2] == (
        "somas.csv: 1 of 6 rows are left out, because c3_rep_manual is '0' or 'NULL' or ''",
        "somas.csv: 2 rows are left out, because their cell has several",
    )


def test_celegans(tmp_path):
    _, cells, edges = opened("celegans", tmp_path)
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
    _, cells, edges = opened("microns_cell_info", tmp_path)
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
    cells = {row["source_id"]: row for row in source["cells"].read().to_pylist()}
    assert cells.keys() == {name for name, row in neurons.items() if row["transmitter"] != "glia"}
    for name, row in cells.items():
        theirs = neurons[name]
        assert row["ei_class"] == ("excitatory" if theirs["transmitter"] == "glutamatergic" else "inhibitory")
        assert row["lamina"] == {"II/III": "L2/3", "IV": "L4", "V": "L5"}[theirs["layer"]]
        assert row["depth_um"] == float(theirs["y_um"])
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
