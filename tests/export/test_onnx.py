"""ONNX files answer as torch does, for any number of images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from columns import twelve_cells

import connectome2net as c2n
from connectome2net.errors import ExportError
from connectome2net.export import export_onnx

SMALL = {"height": 12, "width": 12, "blocks": [{"channels": 4, "pool": 2, "norm": "group"}]}
SETTLING = [{"populations": ["*"], "steps": 5, "tolerance": 1e-9}]
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "column": ("column", {"front_end": SMALL}),
    "feedforward": ("feedforward", {}),
    "pairs": ("pairs", {}),
    "settling": ("column", {"front_end": SMALL, "schedule": SETTLING}),
    "alignment": ("column", {"front_end": SMALL, "learning": {"kind": "feedback_alignment"}}),
}


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """The network that is exported most quickly."""
    return c2n.compile_reference(twelve_cells("column", front_end=SMALL), "linear", out=tmp_path / "compiled")


@pytest.mark.parametrize(
    "kind", [name if name == "column" else pytest.param(name, marks=pytest.mark.slow) for name in KINDS]
)
def test_answers_are_those_of_torch(tmp_path: Path, kind: str) -> None:
    network, changes = KINDS[kind]
    folder = c2n.compile_spec(twelve_cells(network, **changes), out=tmp_path / "compiled")
    file = export_onnx(folder, tmp_path / "network.onnx")
    model: Any = c2n.load(folder).eval()
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert [item.name for item in (*session.get_inputs(), *session.get_outputs())] == ["image_BCHW", "logit_BK"]
    for batch in (1, 7):
        image = torch.rand(batch, 1, model.program.height, model.program.width)
        (answer,) = session.run(None, {"image_BCHW": image.numpy()})
        np.testing.assert_allclose(answer, model(image).detach().numpy(), atol=1e-5, rtol=1e-5)
    facts = {item.key: item.value for item in onnx.load(file).metadata_props}
    assert facts["connectome2net.network"] == network
    assert facts["connectome2net.spec_sha256"] == model.program.origin.spec_sha256


def test_a_conventional_reference_answers_as_torch_does(tmp_path: Path) -> None:
    folder = c2n.compile_reference(twelve_cells("feedforward"), "cnn", parameters=3000, out=tmp_path / "compiled")
    file = export_onnx(folder, tmp_path / "cnn.onnx")
    image = torch.rand(5, 1, 12, 12)
    (answer,) = onnxruntime.InferenceSession(str(file)).run(None, {"image_BCHW": image.numpy()})
    np.testing.assert_allclose(answer, c2n.load(folder).eval()(image).detach().numpy(), atol=1e-5)


def test_a_file_that_answers_otherwise_is_not_left_behind(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectome2net.export.onnx.CLOSE", -1.0)
    with pytest.raises(ExportError, match=r"(?s)answers otherwise than torch.*off"):
        export_onnx(compiled, tmp_path / "network.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"compiled"}


def test_networks_that_are_too_large(compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectome2net.export.onnx.LARGEST_BYTES", 100)
    with pytest.raises(ExportError, match=r"(?s)too large for ONNX.*bytes.*at most 100"):
        export_onnx(compiled, tmp_path / "network.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package(compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ExportError, match=rf'(?s)needs more packages.*{package}.*pip install "connectome2net\[export\]"'
    ):
        export_onnx(compiled, tmp_path / "network.onnx")
