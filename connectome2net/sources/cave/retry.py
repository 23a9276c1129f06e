"""Asking again.

Enters: a question to a server. Leaves: its answer, when the server was only busy, slow or cut off; or one error when it
stays so. CAVEclient tries again at 502, 503 and 504 only, and not when a stream breaks off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import requests

from connectome2net.errors import SourceError
from connectome2net.sources.cave.session import AnswerError, Patience

PASSING = (429, 500, 502, 503, 504)
BROKEN = (AnswerError, requests.RequestException, pa.ArrowException, ValueError, OSError)
"""What a connection, a stream or half an answer raises."""
RESUMES = "repeat the same command later: it goes on where it stopped"
SMALLER = f"{RESUMES}; smaller pieces may help: C2N_CAVE_PIECE_ROWS=10000"

Answered = TypeVar("Answered")


def patiently(question: Callable[[], Answered], *, where: str, patience: Patience) -> Answered:
    """Ask, and ask again where it may help.

    Args:
        question: to the server.
        where: names the server in messages.
        patience: how often, how long.

    Raises:
        SourceError: it never helped.
        AnswerError: the server refuses; asking again does not help.
    """
    for tried in range(1, patience.tries + 1):
        try:
            return question()
        except BROKEN as error:
            if isinstance(error, AnswerError) and error.status not in PASSING:
                raise
            if tried == patience.tries:
                raise _given_up(error, where=where, patience=patience) from error
            asked = error.retry_after_s if isinstance(error, AnswerError) else 0.0
            time.sleep(min(max(patience.wait_s * 2 ** (tried - 1), asked), patience.longest_wait_s))
    raise AssertionError("a question is asked at least once")


def _given_up(error: Exception, *, where: str, patience: Patience) -> SourceError:
    what, found, fix = "The answer of CAVE breaks off or cannot be read", type(error).__name__, RESUMES
    if isinstance(error, AnswerError):
        found = str(error)
        what, fix = ("CAVE keeps asking to wait", RESUMES) if error.status == 429 else ("CAVE keeps failing", SMALLER)
    elif "timed out" in str(error):
        what, fix = "CAVE does not answer in time", SMALLER
        found = f"nothing within {patience.connect_s:g} s (a connection) or {patience.read_s:g} s (an answer)"
    elif type(error) in (requests.ConnectionError, requests.exceptions.SSLError, requests.exceptions.ProxyError):
        what = "CAVE is not reached"
        fix = f"check the network and the address of the server (C2N_CAVE_SERVER); {RESUMES}"
    return SourceError(what, where=where, found=f"{found}, {patience.tries} times", fix=fix)
