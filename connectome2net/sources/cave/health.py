"""Whether CAVE can be used, step by step.

Enters: an address. Leaves: conditions, each ok, warning or problem; after the first problem nothing more is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from connectome2net.errors import SourceError
from connectome2net.sources.cave.address import Address
from connectome2net.sources.cave.server import Server, check_version, connect
from connectome2net.sources.cave.session import Patience
from connectome2net.sources.cave.token import find_token
from connectome2net.sources.microns import SYNAPSES, TABLES

QUICK = Patience(connect_s=3.0, read_s=10.0, tries=1)
SOON_DAYS = 60
"""A version that expires within this is worth a word."""


@dataclass(frozen=True)
class Condition:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        state: whether it can be used.
        text: what was found and, where it is not well, the way out.
    """

    name: str
    state: Literal["ok", "warning", "problem"]
    text: str


def examine(address: Address, *, patience: Patience = QUICK) -> Iterator[Condition]:
    """Look for the token, the server, the datastack, the version and its tables, until one of them fails."""
    at = "token"
    try:
        token = find_token(address.server)
        yield Condition("token", "ok", f"found in {token.place}")
        at = "server"
        server = connect(address, token, patience=patience)
        yield Condition("server", "ok", f"{address.server} answers, accepts the token and knows {address.datastack}")
        at = "version"
        check_version(server)
        yield _expiry(server)
        at = "tables"
        yield _tables(server)
    except SourceError as error:
        yield Condition(at, "problem", str(error))


def _expiry(server: Server) -> Condition:
    text = f"{server.address.version} is there, the terms of use are accepted; it"
    if (expires := server.expires()) is None:
        return Condition("version", "ok", f"{text} never expires")
    soon = (expires - datetime.now(UTC)).days < SOON_DAYS
    return Condition("version", "warning" if soon else "ok", f"{text} expires on {expires:%Y-%m-%d}")


def _tables(server: Server) -> Condition:
    there = set(server.tables())
    known = sorted(there & set(TABLES))
    state: Literal["ok", "warning"] = "ok" if SYNAPSES in there else "warning"
    return Condition("tables", state, f"{len(there)} tables, among them {', '.join(known) or 'none that c2n reads'}")
