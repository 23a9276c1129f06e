"""The null models: what each keeps and what it destroys. Data, shown by ``c2n rewire`` and stored in every control.

Enters: nothing. Leaves: ``NULLS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MULTISET: Final = "the multiset of synapse counts, sizes and weights"
ALL_ELSE: Final = "every other structure: degrees, reciprocity, distances, motifs"


@dataclass(frozen=True)
class Null:
    """A null model.

    Attributes:
        name: as the command line and a TOML file of experiments call it.
        text: what becomes of the edges, in words that stand behind its name.
        keeps: what a control shares with the spec that it is made from.
        destroys: what it does not.
        takes: which of ``fraction`` and ``cells`` it takes.
        reference: where it comes from.
    """

    name: str
    text: str
    keeps: tuple[str, ...]
    destroys: tuple[str, ...]
    takes: tuple[str, ...] = ()
    reference: str = ""


_ALL: Final = (
    Null(
        "erdos-renyi",
        "edges drawn at random, not measured",
        ("the number of edges", MULTISET),
        ("how many edges each pair of populations has", ALL_ELSE),
        reference="Erdos and Renyi 1959, Publicationes Mathematicae 6, 290",
    ),
    Null(
        "erdos-renyi-pairs",
        "edges drawn at random within pairs of populations, not measured",
        ("the number of edges of each pair of populations", f"{MULTISET} of each pair of populations"),
        (ALL_ELSE,),
        reference="Holland, Laskey and Leinhardt 1983, doi 10.1016/0378-8733(83)90021-7",
    ),
    Null(
        "degree",
        "edges rewired, not measured",
        ("the in- and out-degree of each cell", "the weights of each presynaptic cell"),
        ("who is connected to whom", "how many edges each pair of populations has", "reciprocity, distances, motifs"),
        reference="Maslov and Sneppen 2002, doi 10.1126/science.1065103",
    ),
    Null(
        "degree-pairs",
        "edges rewired within pairs of populations, not measured",
        (
            "the in- and out-degree of each cell from and to each population",
            "the weights of each presynaptic cell onto each population",
        ),
        ("who is connected to whom", "reciprocity, distances, motifs"),
        reference="Maslov and Sneppen 2002, doi 10.1126/science.1065103",
    ),
    Null(
        "degree-reciprocal",
        "edges rewired, not measured",
        (
            "the in- and out-degree of each cell, and with how many it is connected both ways",
            "the weights of each presynaptic cell",
        ),
        ("who is connected to whom", "how many edges each pair of populations has", "distances, motifs of three cells"),
        reference="Maslov and Sneppen 2002, doi 10.1126/science.1065103; Roberts and Coolen 2012, "
        "doi 10.1103/PhysRevE.85.046103",
    ),
)

NULLS: Final = {null.name: null for null in _ALL}
