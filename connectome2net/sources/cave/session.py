"""How CAVE is asked: never without a time limit, never so that a browser opens.

Enters: the requests that CAVEclient makes. Leaves: its answers; or, where the server refuses, one clear error.
CAVEclient has no time limit, and it opens a browser when the terms of use are not accepted. It makes its session while
it is constructed and uses it at once, so the session is exchanged as it is set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from connectome2net.errors import SourceError


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask again.

    Attributes:
        connect_s: for a connection.
        read_s: for the next bytes; a query of a large table is silent for minutes before its first.
        tries: so often is one thing asked.
        wait_s: before the second try; doubled before each further one.
        longest_wait_s: no wait is longer, whatever the server asks for.
    """

    connect_s: float = 10.0
    read_s: float = 180.0
    tries: int = 8
    wait_s: float = 1.0
    longest_wait_s: float = 60.0


class AnswerError(Exception):
    """The server answers with a failure.

    Attributes:
        status: the HTTP status.
        retry_after_s: how long the server asks to wait.
    """

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        asked = response.headers.get("Retry-After", "")
        self.retry_after_s = float(asked) if asked.isdigit() else 0.0
        super().__init__(f"{self.status} {_said(response).get('message', response.reason)}")


class Session(requests.Session):
    """A session with time limits that raises where the server refuses or fails.

    Attributes:
        limited_to: the number of rows at which the server says that it cut an answer, since this was set to None.
    """

    limited_to: int | None = None

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self.patience = patience

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send, wait only so long, follow nowhere."""
        limits = {"timeout": (self.patience.connect_s, self.patience.read_s), "allow_redirects": False}
        response = super().send(request, **options | limits)
        if 300 <= response.status_code < 400 or (response.ok and response.content.lstrip().startswith(b"<")):
            raise _foreign(response)
        if response.status_code in (401, 403):
            raise _refusal(response)
        unversioned = response.status_code == 404 and response.url.endswith("/version")  # CAVEclient knows what to do
        if not response.ok and not unversioned:
            raise AnswerError(response)
        if found := re.search(r"Limited query to (\d+) rows", response.headers.get("Warning", "")):
            self.limited_to = int(found[1])
        return response


class Patient:
    """Makes a class of CAVEclient use ``Session``; stands before it in the list of bases."""

    def __init__(self, patience: Patience, **options: Any) -> None:
        self._session = Session(patience)
        super().__init__(max_retries=0, **options)  # type: ignore[call-arg]  # of the class that stands after it

    @property
    def session(self) -> Session:
        """The session."""
        return self._session

    @session.setter
    def session(self, made: requests.Session) -> None:
        """Keep ours."""


def _foreign(response: requests.Response) -> SourceError:
    to = f"{response.status_code}, a redirection to {response.headers.get('Location', 'nowhere')}"
    return SourceError(
        "this is no answer of CAVE",
        where=response.url.split("?")[0],
        found="a web page" if response.status_code < 300 else to,
        wanted="data, not a login page",
        fix="check the address of the global server (C2N_CAVE_SERVER), the token and the network (a proxy?)",
    )


def _refusal(response: requests.Response) -> SourceError:
    says = _said(response)
    where = response.url.split("?")[0]
    if response.status_code == 403 and says.get("error") == "missing_tos":
        terms = says.get("data") or {}
        return SourceError(
            "the terms of use are not accepted",
            where=where,
            found=terms.get("tos_name", "terms that this account has not accepted"),
            fix=f"open {terms.get('tos_form_url', 'the site of the datastack')} in a browser, accept, run this again",
        )
    if response.status_code == 403:
        return SourceError(
            "CAVE says that this account may not see these data",
            where=where,
            found=says.get("message", "403"),
            fix="ask who runs the datastack for access, or name another: --source cave:DATASTACK@VERSION",
        )
    return SourceError(
        "CAVE does not accept the token",
        where=where,
        found=says.get("message", "401"),
        wanted="the newest token of this account: making one ends those before it",
        fix="copy it from /sticky_auth/settings/tokens of the server into CAVE_TOKEN; `c2n doctor` says which is used",
    )


def _said(response: requests.Response) -> dict[str, Any]:
    """Return what the server says of a failure, or nothing."""
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
