"""What MICrONS calls its tables, columns, cell types and classes.

Enters: nothing. Leaves: data. A column's kind is one of ``id`` (int64, never a float), ``count`` (an integer from 1
up), ``size`` (voxels), ``number``, ``text``, ``flag`` (true/false or t/f).
Reference: MICrONS Consortium, Nature 640:435 (2025); Schneider-Mizell et al., Nature 640:448 (2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["id", "count", "size", "number", "text", "flag"]


@dataclass(frozen=True)
class TableShape:
    """The columns of a published table that are used here, by kind.

    Attributes:
        required: columns that must be there.
        optional: columns that are used where they are there.
        instead: a column -> the one that is taken in its place where it is there.
    """

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)


CENSUS = "allen_v1_column_types_slanted_ref"
CONNECTIONS = "connections_with_nuclei"
SYNAPSES = "synapses_pni_2"
PROOFREADING = "proofreading_status_and_strategy"
NUCLEI = "nucleus_detection_v0"
METAMODEL = "aibs_metamodel_celltypes_v661"
BAYLOR = "baylor_log_reg_cell_type_coarse_v1"
CORRECTIONS = ("cell_type_multifeature_combo_corrections", "aibs_metamodel_celltypes_v661_corrections")
AREAS = "nucleus_functional_area_assignment"
STATISTICS = "cell_synapse_statistics"

POSITION = ("pt_position_x", "pt_position_y", "pt_position_z")
"""Soma position, split. A list column ``pt_position`` is read too."""

OF_NUCLEI: Mapping[str, str] = {"id": "target_id"}
"""Tables that annotate nuclei name the nucleus in ``target_id``; CAVE puts it in ``id`` too, other exports do not."""

_LABELS = TableShape(
    required={"id": "id", "cell_type": "text"}, optional={"classification_system": "text"}, instead=OF_NUCLEI
)

TABLES: Mapping[str, TableShape] = {
    CENSUS: TableShape(
        required={
            "id": "id",  # the nucleus id
            "pt_root_id": "id",
            **dict.fromkeys(POSITION, "number"),
            "classification_system": "text",
            "cell_type": "text",
        },
        optional={"volume": "number", "mtype": "text"},
        instead=OF_NUCLEI,
    ),
    NUCLEI: TableShape(
        required={"id": "id", "pt_root_id": "id", **dict.fromkeys(POSITION, "number")}, optional={"volume": "number"}
    ),
    METAMODEL: _LABELS,
    BAYLOR: _LABELS,
    **dict.fromkeys(CORRECTIONS, _LABELS),
    AREAS: TableShape(required={"id": "id", "tag": "text"}, instead=OF_NUCLEI),
    CONNECTIONS: TableShape(
        required={
            "pre_pt_root_id": "id",
            "post_pt_root_id": "id",
            "n_syn": "count",
            "pre_nuc_id": "id",
            "post_nuc_id": "id",
        },
        optional={"sum_size": "size"},
    ),
    SYNAPSES: TableShape(
        required={"pre_pt_root_id": "id", "post_pt_root_id": "id"},
        optional={"id": "id", "size": "size", "valid": "flag"},
    ),
    PROOFREADING: TableShape(
        required={"pt_root_id": "id", "status_axon": "flag"},
        optional={
            "valid_id": "id",
            "strategy_axon": "text",
            "status_dendrite": "flag",
            "strategy_dendrite": "text",
        },
    ),
    STATISTICS: TableShape(
        required={"id": "id", "ds_num_of_incoming_synapses": "size"},
        optional={"ds_incoming_syn_sum_weight": "size"},
    ),
}

EI_WORDS: Mapping[str, str] = {
    "aibs_coarse_excitatory": "excitatory",
    "aibs_coarse_inhibitory": "inhibitory",
    "aibs_coarse_unclear": "unknown",
    "aibs_coarse_nonneuron": "nonneuron",
    "excitatory_neuron": "excitatory",
    "inhibitory_neuron": "inhibitory",
    "excitatory": "excitatory",
    "inhibitory": "inhibitory",
    "nonneuron": "nonneuron",
}
"""What tables call a class -> ``ei_class``, or ``nonneuron``."""

TYPE_SYNONYMS: Mapping[str, str] = {"5P-ET": "5P-PT"}
"""Extratelencephalic and pyramidal-tract cells are the same cells; versions of the census differ in the name."""

TYPE_LAMINA: Mapping[str, str] = {
    "23P": "L2/3",
    "4P": "L4",
    "5P-IT": "L5",
    "5P-PT": "L5",
    "5P-NP": "L5",
    "6P-IT": "L6",
    "6P-CT": "L6",
    "6P-U": "L6",
    "WM-P": "WM",
}
"""Excitatory types whose name says their lamina."""

LAMINA_BOTTOM_UM: Mapping[str, float] = {"L1": 80.0, "L2/3": 250.0, "L4": 370.0, "L5": 510.0, "L6": 730.0}
"""Depth below the pia at which a lamina ends, V1: where the dominant excitatory type changes. L1 and L6 are choices."""

VOXEL_NM = (4.0, 4.0, 40.0)
"""The voxel in which CAVE gives positions unless another resolution is asked for."""

CITATION = ("MICrONS Consortium, Nature 640:435 (2025)", "Schneider-Mizell et al., Nature 640:448 (2025)")
