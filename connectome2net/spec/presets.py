"""Networks that come with the package.

Enters: a name. Leaves: a network section; it is copied into spec.json, where a person may edit it.
"""

from __future__ import annotations

from importlib import resources

from connectome2net.errors import SpecError
from connectome2net.spec.network import Network


def preset_names() -> tuple[str, ...]:
    """Return the names of the networks that come with the package."""
    folder = resources.files("connectome2net.spec") / "presets"
    return tuple(sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json")))


def load_preset(name: str) -> Network:
    """Return a network section by name.

    Raises:
        SpecError: there is no network of that name.
    """
    if name not in preset_names():
        raise SpecError("there is no such network", found=name, wanted=" or ".join(preset_names()))
    text = (resources.files("connectome2net.spec") / "presets" / f"{name}.json").read_text(encoding="utf-8")
    return Network.model_validate_json(text, strict=True)
