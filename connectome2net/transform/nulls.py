"""The null models: what each keeps and what it destroys. Data, shown by ``c2n rewire`` and stored in every control.

Enters: nothing. Leaves: ``NULLS``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

CARRIED: Final = "synapse counts, sizes and, up to one factor, weights"
MULTISET: Final = f"the multiset of {CARRIED}"
BALANCE: Final = "the share of inhibition in edges and weights"
SUMS: Final = "the summed weights of each postsynaptic cell"
ANEW: Final = "the weights before learning, which are normalised anew"
WHO: Final = "who is connected to whom"
ALL_ELSE: Final = "every other structure: degrees, reciprocity, distances, motifs"


@dataclass(frozen=True)
class Null:
    """A null model.

    Attributes:
        name: as the command line and a TOML file of experiments call it.
        text: what becomes of the edges, in words that stand behind its name.
        keeps: what a control shares with the spec that it is made from, its weights matched.
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

    def normalised(self) -> Null:
        """Return what holds where weights do not go with their edges, but are normalised anew for each cell."""
        keeps = tuple(text.replace(CARRIED, "synapse counts and sizes") for text in self.keeps)
        destroys = tuple(text for text in self.destroys if text != SUMS)
        return replace(self, keeps=keeps, destroys=destroys if keeps == self.keeps else (*destroys, ANEW))


_ALL: Final = (
    Null(
        "erdos-renyi",
        "edges drawn at random, not measured",
        ("the number of edges", MULTISET),
        ("how many edges each pair of populations has", BALANCE, SUMS, ALL_ELSE),
        reference="Erdos and Renyi 1959, Publicationes Mathematicae 6, 290",
    ),
    Null(
        "erdos-renyi-pairs",
        "edges drawn at random within pairs of populations, not measured",
        ("the number of edges of each pair of populations", f"{MULTISET} of each pair of populations"),
        (SUMS, ALL_ELSE),
        reference="Holland, Laskey and Leinhardt 1983, doi 10.1016/0378-8733(83)90021-7",
    ),
    Null(
        "all-to-all",
        "every cell connected with every other of the populations that a projection connects, not measured",
        (f"the measured edges with their {CARRIED}", "which pairs of populations have edges"),
        ("that most pairs of cells have no edge: degrees, reciprocity, distances, motifs", BALANCE, SUMS),
    ),
    Null(
        "degree",
        "edges rewired, not measured",
        ("the in- and out-degree of each cell", f"the {CARRIED} of each presynaptic cell"),
        (WHO, SUMS, "how many edges each pair of populations has", "reciprocity, distances, motifs"),
        reference="Maslov and Sneppen 2002, doi 10.1126/science.1065103",
    ),
    Null(
        "degree-pairs",
        "edges rewired within pairs of populations, not measured",
        (
            "the in- and out-degree of each cell from and to each population",
            f"the {CARRIED} of each presynaptic cell onto each population",
        ),
        (WHO, SUMS, "reciprocity, distances, motifs"),
        reference="Maslov and Sneppen 2002, doi 10.1126/science.1065103",
    ),
    Null(
        "degree-reciprocal",
        "edges rewired, not measured",
        (
            "the in- and out-degree of each cell, and with how many it is connected both ways",
            f"the {CARRIED} of each presynaptic cell",
        ),
        (WHO, SUMS, "how many edges each pair of populations has", "distances, motifs of three cells"),
        reference="Maslov and Sneppen 2002, doi 10.1126/science.1065103; Roberts and Coolen 2012, "
        "doi 10.1103/PhysRevE.85.046103",
    ),
    Null(
        "distance",
        "edges drawn at random at the measured distances, not measured",
        (
            "the number of edges of each pair of populations in each bin of 25 um of the distance of somata",
            f"{MULTISET} of each of them",
            "the edges of cells without a position",
        ),
        ("the in- and out-degree of each cell", WHO, SUMS, "reciprocity, motifs"),
    ),
    Null(
        "types",
        "cell types and laminae permuted within each class; edges as before",
        (
            "the edges of each cell, its class and its position",
            "the number of cells of each type, lamina and population",
            "cells without a position, and those in no population",
        ),
        ("which type and lamina a cell is of, and with it how types are connected", "which edges the network uses"),
    ),
    Null(
        "signs",
        "which cells are inhibitory permuted; edges as before",
        ("all edges and their weights", "the number of inhibitory cells", "the cells of each population"),
        ("which cells are inhibitory, so that a type has cells of both signs", BALANCE),
    ),
    Null(
        "counts",
        "synapse counts, sizes and weights permuted over the edges of each class; who is connected to whom as before",
        (WHO, f"{MULTISET} of all excitatory cells, and of all inhibitory ones"),
        ("how strong each connection is", SUMS),
    ),
    Null(
        "transpose",
        "edges turned round",
        (
            "which cells are connected, each degree as one of the other kind, and reciprocal pairs",
            MULTISET,
            "the edges of pairs of populations that the network connects one way only",
        ),
        ("the direction of edges", BALANCE, SUMS, "the sign of an edge where its new presynaptic cell has another"),
    ),
    Null(
        "remove",
        "edges removed at random; the others as before",
        (f"the edges that stay, with their {CARRIED}",),
        ("a fraction of the edges", SUMS, "degrees and density"),
        takes=("fraction",),
    ),
    Null(
        "add",
        "edges added at random to the measured ones",
        (
            f"all measured edges, with their {CARRIED}",
            "the share of each pair of populations in the edges",
        ),
        ("degrees and density", SUMS, "reciprocity, distances, motifs, as far as new edges change them"),
        takes=("fraction",),
    ),
    Null(
        "dense-core",
        "a smaller core, every cell connected to every other; most edges not measured",
        (
            "the share of each population in the cells",
            "about the number of edges, unless cells are given",
            f"the measured edges between its cells, with their {CARRIED}",
        ),
        ("most cells", BALANCE, SUMS, "sparseness: who is connected to whom"),
        takes=("cells",),
    ),
    Null(
        "subset",
        "the cells nearest to the axis of the column; edges as before",
        (f"the edges between these cells, with their {CARRIED}",),
        ("all other cells and their edges", SUMS, "cells without a position"),
        takes=("fraction",),
    ),
)

NULLS: Final = {null.name: null for null in _ALL}
