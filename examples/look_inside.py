"""Look inside a compiled network, on built-in stand-ins; less than half a minute.

Run it with: python examples/look_inside.py
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import connectome2net as c2n
from connectome2net.inside import spectral_report

here = Path(__file__).parent
folder = Path(tempfile.mkdtemp())
compiled = c2n.compile_spec(here / "small_column" / "spec.json", out=folder / "compiled")
faces = c2n.open_dataset("synthetic", seed=1)
image = torch.from_numpy(faces.train.image_NHW)[:, None].float() / 255
label = torch.from_numpy(faces.train.label_N)

# 1. A compiled model in a training loop of one's own.
torch.manual_seed(0)
model = c2n.load(compiled, seed=1)
optimiser = torch.optim.AdamW(model.parameters())
batches = torch.cat([torch.randperm(len(label)) for _ in range(2)]).split(32)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=len(batches))
for chosen in batches:
    loss = F.cross_entropy(model(image[chosen]), label[chosen])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    model.plasticity_step()  # does nothing here: this network declares no plasticity
model.eval()

# 2. What it has learned is an ordinary state dict, and moves between devices and models.
again = c2n.load(compiled, seed=2).eval()
again.load_state_dict(model.state_dict())
assert torch.equal(again(image[:8]), model(image[:8]))
if torch.cuda.is_available():
    again.load_state_dict(model.to("cuda").state_dict())
    torch.testing.assert_close(model(image[:8].cuda()).cpu(), again(image[:8]), rtol=1e-3, atol=1e-3)
    model.to("cpu")

# 3. Record every cell in every step: (T steps, N cells, B images).
with torch.no_grad(), c2n.record(model, ["L4E", "L23E", "I"]) as activity:
    model(image[:200])
for name in ("L4E", "L23E", "I"):
    rate_T = activity[name].mean((1, 2))
    print(f"{name}: {activity[name].shape[1]} cells, mean rate by step", np.round(rate_T.numpy(), 2))
busiest = activity.cell_index("L23E")[activity["L23E"][-1].mean(1).argmax()]
print(f"the busiest cell of L2/3 is row {busiest} of cells.parquet")


# 4. A lesion curve: how good is it without some of its cells?
@torch.no_grad()
def accuracy() -> float:
    """Return the share of test faces that the model gets right."""
    test, right = torch.from_numpy(faces.test.image_NHW)[:700, None].float() / 255, faces.test.label_N[:700]
    return float((model(test).argmax(1).numpy() == right).mean())


cells = np.random.default_rng(0).permutation(model.cell_index)
for count in (0, 25, 50, 100, 200):
    with c2n.lesion(model, cells[:count]):
        print(f"without {count} of {len(cells)} cells: {accuracy():.1%}")
with c2n.lesion(model, "I"):
    print(f"without inhibitory cells: {accuracy():.1%}")

# 5. Hold cells at a rate; a rate that requires a gradient gets one.
rate = torch.full((len(activity.cell_index("I")),), 0.5, requires_grad=True)
with c2n.clamp(model, "I", rate):
    happy = model(image[:200])[:, faces.classes.index("happy")].mean()
    (slope,) = torch.autograd.grad(happy, rate)
print(f"inhibitory cell {activity.cell_index('I')[slope.argmax()]} would make it see the most happy faces")

# 6. What the weights say about the dynamics; more of it, before and after training: c2n inspect runs/001
report = spectral_report(model)
print({name: report[name] for name in ("spectral_radius", "largest_singular_value", "excitation", "inhibition")})
