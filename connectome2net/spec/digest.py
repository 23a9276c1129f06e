"""Digests: equal contents, equal sha256.

Enters: models, bytes. Leaves: 64 hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel


def digest_bytes(content: bytes) -> str:
    """Return the sha256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def digest_document(document: BaseModel) -> str:
    """Return the sha256 of a model's canonical JSON: sorted keys, no white space, without what has its default.

    A later release that adds an optional part gives the same digest.
    """
    content = document.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_bytes(text.encode())
