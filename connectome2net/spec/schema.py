"""The JSON schema of spec.json, for editors and for other languages.

Enters: the models. Leaves: ``schemas/spec.schema.json``, with ``python -m connectome2net.spec.schema``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectome2net.spec.model import SpecDocument


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of spec.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | SpecDocument.model_json_schema()


def schema_text() -> str:
    """Return the schema as it lies in the repository."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path("schemas").mkdir(exist_ok=True)
    Path("schemas/spec.schema.json").write_text(schema_text(), encoding="utf-8")
