"""Networks that come with the package.

Enters: a name. Leaves: a network section; it is copied into spec.json, where a person may edit it.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

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
    return Network.model_validate_json(json.dumps(_sections(name)), strict=True)


def _sections(name: str) -> dict[str, Any]:
    """Return the sections of a network; those that it does not have itself are of the network that it is ``like``."""
    text = (resources.files("connectome2net.spec") / "presets" / f"{name}.json").read_text(encoding="utf-8")
    sections: dict[str, Any] = json.loads(text)
    return _sections(sections.pop("like")) | sections if "like" in sections else sections
