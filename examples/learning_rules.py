"""How far ways of learning without backpropagation are from the gradient; a minute on one core.

Run it with: python examples/learning_rules.py [--source DIR] [--seeds 3]

A synthetic column, or the one in DIR, is compiled once for each way of learning. Printed is the angle between what it
learns from and the gradient of backpropagation, for each part of the fresh network: 0 degrees is the gradient itself,
90 degrees nothing of it. Then the same for the edges from each population to each other one.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from torch.nn import functional as F

import connectome2net as c2n
from connectome2net.runtime.gradients import angle, exact_gradients, gradient_angles
from connectome2net.spec.network import Network

parser = argparse.ArgumentParser()
parser.add_argument("--source", default="synthetic")
parser.add_argument("--seeds", type=int, default=3)
given = parser.parse_args()

settles = {
    "dynamics": {"leak": 0.5, "norm": "none"},
    "schedule": [{"populations": ["*"], "steps": 200, "tolerance": 1e-5}],
}
WAYS = {
    "equilibrium, nudge 0.1": settles | {"learning": {"kind": "equilibrium", "nudge": 0.1}},
    "equilibrium, nudge 0.01": settles | {"learning": {"kind": "equilibrium", "nudge": 0.01}},
    "the same, backward": settles | {"learning": {"kind": "equilibrium", "nudge": 0.01, "direction": "backward"}},
    "feedback alignment": {"learning": {"kind": "feedback_alignment", "signs": "random"}},
    "feedback alignment, signs": {"learning": {"kind": "feedback_alignment", "signs": "concordant"}},
}


def with_changes(spec: c2n.Spec, changes: dict) -> c2n.Spec:
    """Return a spec some of whose assumptions are others."""
    network = Network.model_validate(spec.network.model_dump(mode="json") | changes)
    document = spec.document.model_copy(update={"network": network})
    return c2n.Spec(document, spec.cells, spec.edges)


def edge_gradient(model: torch.nn.Module, image_BCHW: torch.Tensor, label_B: torch.Tensor) -> torch.Tensor:
    """Return the gradient of each edge of the only projection."""
    loss = F.cross_entropy(model(image_BCHW), label_B)
    return torch.autograd.grad(loss, model.W_recurrent.theta_E)[0]


folder = Path(tempfile.mkdtemp())
spec = c2n.extract(c2n.open_source(given.source), column="v1", network="column")
faces = c2n.open_dataset("synthetic").train
image_BCHW = torch.from_numpy(faces.image_NHW[:128])[:, None].float() / 255
label_B = torch.from_numpy(faces.label_N[:128])

print(f"{spec}\ndegrees from the gradient, mean of {given.seeds} seeds +- standard deviation\n")
models = {}
for at, (way, changes) in enumerate(WAYS.items()):
    compiled = c2n.compile_spec(with_changes(spec, changes), out=folder / f"compiled_{at}")
    models[way] = [c2n.load(compiled, seed=seed).eval() for seed in range(given.seeds)]
    angles = [gradient_angles(model, image_BCHW, label_B) for model in models[way]]
    if at == 0:
        print(" " * 26, *(f"{part:>15}" for part in angles[0]))
    rows = [torch.tensor([row[part] for row in angles]) for part in angles[0]]
    print(f"{way:<26}", *(f"{row.mean():>8.1f} +- {row.std():>3.1f}" for row in rows))

for way in ("equilibrium, nudge 0.01", "feedback alignment"):
    model = models[way][0]
    learned = edge_gradient(model, image_BCHW, label_B)
    with exact_gradients():
        exact = edge_gradient(model, image_BCHW, label_B)
    names = [population.name for population in model.program.populations]
    of_cell = torch.repeat_interleave(torch.tensor([population.cells for population in model.program.populations]))
    pre_E = of_cell[model.W_recurrent.pre_index.long()]
    post_E = of_cell[model.W_recurrent.pattern.row_of_edge().long()]
    print(f"\n{way}, seed 0: edges from (rows) to (columns)\n{'':<8}", *(f"{name:>6}" for name in names))
    for pre, name in enumerate(names):
        chosen = [(pre_E == pre) & (post_E == post) for post in range(len(names))]
        print(f"{name:<8}", *(f"{angle(learned[edges].double(), exact[edges].double()):>6.1f}" for edges in chosen))
