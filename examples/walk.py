"""The whole chain in Python, on built-in stand-ins; about two minutes on two cores.

Run it with: python examples/walk.py
"""

import tempfile
from pathlib import Path

import torch
from torch.nn import functional as F

import connectome2net as c2n

folder = Path(tempfile.mkdtemp())

# 1. Tables -> a labelled column with a network. Your own tables: c2n.open_source("folder").
spec = c2n.extract(c2n.open_source("synthetic"), column="v1", network="column")
print(spec)
c2n.write_spec(spec, folder)

# 2. Everything in the spec can be looked at; the tables are arrow tables, and pandas reads them.
cells = spec.cells.to_pandas()
print(cells.groupby(["lamina", "ei_class"]).size())

# 3. The connectome as scipy and networkx know it; matrices are W[post, pre].
from connectome2net.spec.graph import to_scipy  # noqa: E402

W = to_scipy(spec)
print(f"synapses onto the first cell: {W[[0]].sum()}, from it: {W[:, [0]].sum()}")

# 4. Spec -> a readable torch model.
compiled = c2n.compile_spec(spec, out=folder / "compiled")
print((compiled / "model.py").read_text().partition("import torch")[0])

# 5. The model is an ordinary torch.nn.Module; here in a training loop of one's own.
model = c2n.load(compiled, seed=1)
dataset = c2n.open_dataset("synthetic", seed=1)
image_NHW = torch.from_numpy(dataset.train.image_NHW)
label_N = torch.from_numpy(dataset.train.label_N)
optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
order = torch.cat([torch.randperm(len(label_N)) for _ in range(2)])
for step, chosen in enumerate(order.split(64)):
    logits_BK = model(image_NHW[chosen, None].float() / 255)
    loss = F.cross_entropy(logits_BK, label_N[chosen])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    model.plasticity_step()  # does nothing here: this network declares no plasticity
    if step % 20 == 0:
        print(f"step {step}: loss {loss.item():.2f}")

# 6. Or the loop that comes with the package; its runs can be stopped, resumed, loaded and evaluated.
run = c2n.train(compiled, data=dataset, config=c2n.TrainConfig(epochs=1), out=folder / "run")
result = c2n.evaluate(run, data=dataset)
print(f"accuracy {result['test']['accuracy']:.1%}; Dale's law: {result['audit']['dale']}")
