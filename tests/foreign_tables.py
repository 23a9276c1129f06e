"""Tables in exactly the columns in which foreign connectomes are published; the rows are made up.

For the mappings in examples/: ``from foreign_tables import PUBLISHED, opened``.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from connectome2net.sources import Source
from connectome2net.sources.mapping import open_mapping

MAPPINGS = Path(__file__).parents[1] / "examples" / "mappings"
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


def opened(name: str, folder: Path) -> Source:
    """Open one of the examples: a published form in a folder, or ``lab``, which has tables of its own."""
    if name == "lab":
        return open_mapping(MAPPINGS / "lab", MAPPINGS / "lab" / "mapping.toml")
    return open_mapping(PUBLISHED[name](folder), MAPPINGS / f"{name}.toml")
