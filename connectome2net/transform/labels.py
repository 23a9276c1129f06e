"""Cells that exchange their types, or their signs; the edges stay.

Enters: a ``Spec``. Leaves: a ``Spec`` with another cells table.
"""

# Axes: N cells, E edges.

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from connectome2net.errors import TransformError
from connectome2net.spec import Spec
from connectome2net.spec.firing import firing_of_populations
from connectome2net.spec.network import Network, Selector
from connectome2net.spec.select import population_cells, resolve
from connectome2net.spec.tables import values
from connectome2net.transform.weights import with_network, with_weights
from connectome2net.transform.wiring import Wiring, edge_projections, with_column

Words = npt.NDArray[np.object_]


def permute_types(spec: Spec, wiring: Wiring, rng: np.random.Generator) -> Spec:
    """Return the spec with cell type and lamina permuted together among the cells of each class.

    Cells that are in no population and cells without a position keep theirs. The populations keep their sizes, but hold
    other cells, so that the network may use other edges of the table; those that it did not use before get the weight
    of a random one that it did.
    """
    cells, ei_class = spec.cells, values(spec.cells, "ei_class")
    placed = ~np.isnan(np.stack([values(cells, f"soma_{axis}_nm").astype(float) for axis in "xyz"])).any(0)
    may = placed & (wiring.population_N < len(spec.network.populations))
    source = np.arange(cells.num_rows)
    for word in sorted(set(ei_class[may])):
        members = np.flatnonzero(may & (ei_class == word))
        source[members] = rng.permutation(members)
    for name in ("cell_type", "lamina"):
        cells = with_column(cells, name, values(cells, name)[source])
    changed = replace(spec, cells=cells)
    if "weight" not in spec.edges.column_names:
        return changed
    weight = values(spec.edges, "weight").copy()
    known = weight[np.isfinite(weight)]
    used = edge_projections(changed) >= 0
    new = used & np.isnan(weight)
    weight[new] = rng.choice(known, int(new.sum()))
    weight[~used] = np.nan
    return replace(changed, edges=with_weights(spec.edges, weight))


def permute_signs(spec: Spec, wiring: Wiring, rng: np.random.Generator) -> Spec:
    """Return the spec with the classes of the cells that send by Dale's law permuted.

    Populations hold the cells that they held: those that select by class select by type instead, and a type of several
    classes is divided by the class that was measured.

    Raises:
        TransformError: no two cells that send by Dale's law have different signs.
    """
    network, ei_class = spec.network, values(spec.cells, "ei_class")
    members = population_cells(spec)
    dale = [item for item in network.projections if item.sign == "dale" and item.synapse == "chemical"]
    senders = {name for projection in dale for name in resolve(projection.pre, network)}
    sends = np.concatenate([np.empty(0, dtype=np.int32), *(members[name] for name in sorted(senders))])
    sends = np.sort(sends[ei_class[sends] != "unknown"])
    if len(set(ei_class[sends])) < 2:
        raise TransformError(
            "there are no signs to permute",
            where=f"network {network.name} of {spec.name}",
            found="free signs" if not dale else f"only {''.join(set(ei_class[sends])) or 'unknown'} cells that send",
            wanted="excitatory and inhibitory cells that send by Dale's law",
            fix="choose another null model, or a network whose inhibitory cells are units",
        )
    if network.dynamics.model == "izhikevich":
        form = network.dynamics.model_copy(update={"firing": firing_of_populations(spec)})
        network = network.model_copy(update={"dynamics": form})
    cell_type, network = _select_by_type(spec, network)
    permuted = ei_class.copy()
    permuted[sends] = rng.permutation(ei_class[sends])
    cells = with_column(with_column(spec.cells, "cell_type", cell_type), "ei_class", permuted)
    return with_network(replace(spec, cells=cells), network)


def _select_by_type(spec: Spec, network: Network) -> tuple[Words, Network]:
    """Return names of types, and the network with selectors that hold the same cells without asking for a class."""
    cell_type, ei_class = values(spec.cells, "cell_type"), values(spec.cells, "ei_class")
    selectors = [item.select for item in network.populations]
    selectors += [network.inhibition.presynaptic] if network.inhibition else []
    if all(item.ei_class is None for item in selectors):
        return cell_type, network
    classes = {(str(name), str(word)) for name, word in zip(cell_type, ei_class, strict=True)}
    several = {name for name, word in classes if any(name == other and word != more for other, more in classes)}
    new = {(name, word): f"{name} ({word})" if name in several else name for name, word in classes}
    names = np.array([new[key] for key in zip(cell_type, ei_class, strict=True)], dtype=object)

    def rewrite(old: Selector) -> Selector:
        if old.ei_class is None and old.cell_type is None:
            return old
        fits = {
            new[name, word]
            for name, word in classes
            if (old.cell_type is None or name in old.cell_type) and (old.ei_class is None or word in old.ei_class)
        }
        return old.model_copy(update={"cell_type": tuple(sorted(fits)), "ei_class": None})

    update: dict[str, object] = {
        "populations": tuple(item.model_copy(update={"select": rewrite(item.select)}) for item in network.populations)
    }
    if network.inhibition:
        presynaptic = rewrite(network.inhibition.presynaptic)
        update["inhibition"] = network.inhibition.model_copy(update={"presynaptic": presynaptic})
    return names, network.model_copy(update=update)
