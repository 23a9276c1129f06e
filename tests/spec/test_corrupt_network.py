"""Corruptions of the network section that only the tables, or another part of it, show."""

from __future__ import annotations

from pathlib import Path

import pytest
from corrupting import CHANGE, NAME, Case, add, both, cell, check, drop, edge, put

PROJECTION = "/network/projections"
KNOWN = "one of L4E, E, I"
INHIBITORY = {"ei_class": ["inhibitory"]}
NOBODY = {"cell_type": ["PV"], "ei_class": ["inhibitory"]}
NETWORKS = [
    Case(
        "word of Python",
        "pairs",
        put(f"{PROJECTION}/4/name", "class"),
        f"{PROJECTION}/4/name",
        "'class', a word of Python",
        "another word",
        "rename it",
    ),
    Case(
        "projection name twice",
        "pairs",
        put(f"{PROJECTION}/4/name", "E_E"),
        f"{PROJECTION}/4/name",
        "'E_E' a second time",
        "each name once",
        "rename one",
    ),
    Case(
        "population name twice",
        "pairs",
        add("/network/populations", {"name": "I", "select": {}}),
        "/network/populations/3/name",
        "'I' a second time",
        "each name once",
        "rename one",
    ),
    *(
        Case(f"unknown in {pointer}", "pairs", put(pointer, "X"), path, "'X'", KNOWN, "mend its spelling or declare it")
        for pointer, path in (
            ("/network/input/population", "/network/input/population"),
            ("/network/readout/populations/0", "/network/readout/populations"),
            (f"{PROJECTION}/2/pre/0", f"{PROJECTION}/2/pre"),
            (f"{PROJECTION}/2/post/0", f"{PROJECTION}/2/post"),
            ("/network/schedule/1/populations/0", "/network/schedule/1/populations"),
        )
    ),
    Case(
        "input to all", "pairs", put("/network/input/population", "*"), "/network/input/population", '"*"', NAME, CHANGE
    ),
    Case(
        "rule not declared",
        "pairs",
        drop("/network/plasticity/hebbian"),
        f"{PROJECTION}/2/plasticity",
        "'hebbian'",
        "one of homeostatic, oja",
        "mend its spelling or declare it",
    ),
    Case(
        "no rule declared",
        "column",
        put(f"{PROJECTION}/0/plasticity", ["oja"]),
        f"{PROJECTION}/0/plasticity",
        "'oja'",
        "nothing, because none is declared",
        "mend its spelling or declare it",
    ),
    Case(
        "rule twice",
        "pairs",
        add(f"{PROJECTION}/0/plasticity", "oja"),
        f"{PROJECTION}/0/plasticity",
        "'oja' twice",
        "each name once",
        "remove one",
    ),
    Case(
        "population twice",
        "pairs",
        add(f"{PROJECTION}/0/pre", "L4E"),
        f"{PROJECTION}/0/pre",
        "'L4E' twice",
        "each name once",
        "remove one",
    ),
    Case(
        "star beside a name",
        "column",
        add(f"{PROJECTION}/0/pre", "I"),
        f"{PROJECTION}/0/pre",
        "'*' beside others",
        "'*' alone, which means all, or names",
        "remove one of the two",
    ),
    Case(
        "no presynaptic population",
        "pairs",
        put(f"{PROJECTION}/0/pre", []),
        f"{PROJECTION}/0/pre",
        "no population",
        "at least one",
        "name one of L4E, E, I",
    ),
    Case(
        "selects no cell",
        "column",
        put("/network/populations/0/select/cell_type/0", "23p"),
        "/network/populations/0/select",
        "no cell",
        "at least one; cell_type from 23P, 4P, 5P-IT, 6P-CT, BC, MC, NGC, Unsure E, WM-P",
        "widen the selection",
    ),
    Case(
        "overlapping populations",
        "column",
        put("/network/populations/4/select", {"cell_type": ["Unsure E", "BC", "MC"]}),
        "/network/populations/5/select",
        "2 cells that another population holds",
        "each cell in one",
        "narrow it",
    ),
    Case(
        "overlapping projections",
        "pairs",
        put(f"{PROJECTION}/3/post", ["L4E", "E", "I"]),
        f"{PROJECTION}/4",
        "I -> I, which another projection holds",
        "each pair of populations in one projection",
        "narrow pre or post",
    ),
    Case(
        "projection without edges",
        "feedforward",
        add(PROJECTION, {"name": "D_A", "pre": ["D"], "post": ["A"]}),
        f"{PROJECTION}/5",
        "no edge",
        "at least one",
        "remove the projection",
    ),
    Case(
        "presynaptic cell without a class",
        "column",
        cell("ei_class", 1, "unknown"),
        f"{PROJECTION}/0/sign",
        "1 presynaptic cells of unknown class",
        "a class for each",
        "leave them out of the presynaptic populations, or declare the projection free",
    ),
    Case(
        "no size",
        "pairs",
        edge("total_size_vx", 0, None),
        f"{PROJECTION}/0/anatomy",
        "edges without a size",
        "total_size_vx of every edge",
        "use synapse_count",
    ),
    Case(
        "bypass",
        "pairs",
        add("/network/readout/populations", "L4E"),
        "/network/readout/populations",
        "'L4E', which the image drives",
        "other populations",
        "leave it out, or set bypass to true",
    ),
    Case(
        "bypass by a star",
        "column",
        put("/network/readout/populations", ["*"]),
        "/network/readout/populations",
        "'L4E', which the image drives",
        "other populations",
        "leave it out, or set bypass to true",
    ),
    Case(
        "too few steps to the readout",
        "feedforward",
        drop(f"{PROJECTION}/4"),
        "/network/readout/populations",
        "'D', which no activity reaches",
        "populations that activity reaches",
        "mend the schedule or the projections, or leave it out",
    ),
    Case(
        "no position",
        "pairs",
        cell("soma_z_nm", 9, None),
        "/network/input/population",
        "1 cells without soma_z_nm",
        "a position for each",
        "choose a population with positions, or the dense input",
    ),
    Case(
        "pooled to nothing",
        "column",
        put("/network/front_end/blocks/0/pool", 48),
        "/network/front_end/blocks",
        "48 x 48 images pooled to nothing",
        "at least one place left",
        "pool less, or use larger images",
    ),
    Case(
        "neighbourhood larger than any map",
        "column",
        put("/network/input/neighbourhood", 13),
        "/network/input/neighbourhood",
        "13, on a feature map of 6 x 6",
        "at most 11",
        "make it smaller",
    ),
    Case(
        "inhibition by nobody",
        "feedforward",
        put("/network/inhibition/presynaptic", NOBODY),
        "/network/inhibition/presynaptic",
        "no cell",
        "at least one",
        "widen the selection or set inhibition to null",
    ),
    Case(
        "inhibition by units",
        "feedforward",
        put("/network/inhibition/presynaptic", {"cell_type": ["MC", "4P"]}),
        "/network/inhibition/presynaptic",
        "3 cells that are units",
        "cells that are not",
        "narrow it or set inhibition to null",
    ),
    Case(
        "population in no phase",
        "feedforward",
        both(put("/network/inhibition", None), add("/network/populations", {"name": "I", "select": INHIBITORY})),
        "/network/populations/3",
        "in no phase of the schedule",
        "in at least one",
        "add it to one",
    ),
]


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
def test_one_corruption_gives_exactly_its_issue(tmp_path: Path, case: Case) -> None:
    check(case, tmp_path)
