"""The token that CAVE wants even for public data.

Enters: ``CAVE_TOKEN``, else CAVEclient's own file. Leaves: the token and where it was found. It is never made (a new
token makes the old one invalid), never written and never shown.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from caveclient.auth import AuthClient, default_token_file

from connectome2net.errors import SourceError
from connectome2net.sources.cave.address import read_address


@dataclass(frozen=True)
class Token:
    """A token.

    Attributes:
        text: the secret; not in ``repr``.
        place: where it was found.
    """

    text: str = field(repr=False)
    place: str


def find_token(server: str) -> Token:
    """Look for the token.

    Args:
        server: address of the global server; CAVEclient keeps a file for each.

    Raises:
        SourceError: there is none, it cannot be one, or CAVEclient's file is broken.
    """
    if text := os.environ.get("CAVE_TOKEN", "").strip():
        return _checked(Token(text, "CAVE_TOKEN"), server)
    files = f"CAVEclient's file ({default_token_file})"
    try:
        text = AuthClient(server_address=server).token
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(
            "CAVEclient's token cannot be read", where=files, found=type(error).__name__, fix=_way_out(server)
        ) from error
    if not isinstance(text, str) or not text.strip():
        raise SourceError(
            "there is no CAVE token",
            where=f"CAVE_TOKEN, {files}",
            found="nothing",
            wanted="the token of a CAVE account",
            fix=_way_out(server),
        )
    return _checked(Token(text.strip(), files), server)


def _checked(token: Token, server: str) -> Token:
    """Refuse what no request can carry, without showing it."""
    if re.fullmatch("[!-~]+", token.text) is None:
        raise SourceError(
            "this is no CAVE token",
            where=token.place,
            found=f"{len(token.text)} characters, some of them blanks, line breaks or not ASCII",
            wanted="letters and digits on one line",
            fix=_way_out(server),
        )
    return token


def has_token() -> bool:
    """Tell whether there is a token for the default server."""
    if os.environ.get("CAVE_TOKEN", "").strip():
        return True
    try:
        find_token(read_address("cave").server)
    except SourceError:
        return False
    return True


def _way_out(server: str) -> str:
    return (
        f"sign in at {server}/sticky_auth/settings/tokens, copy a token that is there and set CAVE_TOKEN to it (making "
        "a new one ends the old one); without a token: --source DIR or --source synthetic"
    )
