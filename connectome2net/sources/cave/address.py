"""Which datastack, at which version, on which server.

Enters: ``cave``, ``cave:minnie65_public``, ``cave@1300`` or ``cave:minnie65_public@1300``. Leaves: ``Address``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from connectome2net.errors import SourceError

DATASTACK = "minnie65_public"
VERSION = 1300
"""Never expires. CAVEclient's own default is the newest version, which does."""

FORM = re.compile(r"cave(?::(?P<datastack>[A-Za-z]\w*))?(?:@(?P<version>[1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class Address:
    """A frozen version of a datastack.

    Attributes:
        datastack: its name.
        version: of the materialization.
        server: address of the global server, which knows where the datastack lives.
    """

    datastack: str
    version: int
    server: str

    def __str__(self) -> str:
        return f"cave:{self.datastack}@{self.version}"


def is_cave(text: str) -> bool:
    """Tell whether a word names CAVE and not a folder."""
    return re.match(r"cave($|[:@])", text) is not None


def read_address(text: str, *, server: str | None = None) -> Address:
    """Read the word after ``--source``.

    Args:
        text: ``cave[:DATASTACK][@VERSION]``.
        server: the global server; else ``C2N_CAVE_SERVER``, else the one that CAVEclient knows for the datastack.

    Raises:
        SourceError: the word is not of that form.
    """
    if not (found := FORM.fullmatch(text)):
        raise SourceError(
            "the CAVE source is not understood",
            where="--source",
            found=text,
            wanted="cave[:DATASTACK][@VERSION]",
            fix=f"cave is cave:{DATASTACK}@{VERSION}; a version is a number, and always pinned",
        )
    datastack = found["datastack"] or DATASTACK
    server = server or os.environ.get("C2N_CAVE_SERVER") or _known_server(datastack)
    server = server if "://" in server else f"https://{server}"
    return Address(datastack, int(found["version"] or VERSION), server.rstrip("/"))


def _known_server(datastack: str) -> str:
    from caveclient.datastack_lookup import handle_server_address
    from caveclient.endpoints import default_global_server_address

    return handle_server_address(datastack, None, write=False) or default_global_server_address
